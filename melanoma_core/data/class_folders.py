"""Class-folder sets: each photograph's folder is named after its diagnosis."""

import re
from collections import defaultdict
from pathlib import PurePosixPath

from melanoma_core import diagnoses
from melanoma_core.data import file_trees
from melanoma_core.data.file_trees import FileTree, Metadata, ParsedDataset, Photograph
from melanoma_core.errors import DatasetError

_ARCHIVE_ID = re.compile(r"ISIC_\d+")


def read(tree: FileTree) -> ParsedDataset:
    """The photographs of a class-folder set, one per file.

    Raises:
        DatasetError: there are no class folders, or one is empty or not named after a diagnosis.
    """
    codes = _codes(tree)
    ambiguous = _ambiguous_ids(tree)
    metadata = file_trees.metadata(tree.tables)
    photographs = []
    for file, num_bytes in tree.images.items():
        image_id = file_trees.image_id_of(file.stem)
        image_metadata = metadata.get(image_id, Metadata())
        if image_id in ambiguous:
            image_id = str(file.with_name(image_id))
        split = file_trees.split_of(file.parts[:-2])
        photographs.append(
            Photograph(image_id, codes[file.parent], file, num_bytes, split, image_metadata)
        )
    return ParsedDataset(
        name=None,
        license=tree.license or "not stated",
        photographs=tuple(photographs),
        notes=_notes(photographs),
        is_official=False,
    )


def is_archive_id(image_id: str) -> bool:
    """True for an ISIC number, which is the same photograph in every data set."""
    return _ARCHIVE_ID.fullmatch(image_id) is not None


def _ambiguous_ids(tree: FileTree) -> set[str]:
    """Names such as `1` that different photographs in several folders share.

    They differ in file size; their path becomes their id. An ISIC number is always one photograph.
    """
    sizes: dict[str, set[int]] = defaultdict(set)
    for file, num_bytes in tree.images.items():
        sizes[file_trees.image_id_of(file.stem)].add(num_bytes)
    return {name for name in sizes if len(sizes[name]) > 1 and not is_archive_id(name)}


def _notes(photographs: list[Photograph]) -> tuple[str, ...]:
    codes_by_id: dict[str, set[str]] = defaultdict(set)
    for photograph in photographs:
        codes_by_id[photograph.image_id].add(photograph.diagnosis)
    num_contradictory = sum(len(codes) > 1 for codes in codes_by_id.values())
    if not num_contradictory:
        return ()
    return (f"Photographs filed under two diagnoses: {num_contradictory:,}.",)


def _codes(tree: FileTree) -> dict[PurePosixPath, str]:
    """The diagnosis of each folder that contains photographs."""
    folders = list(dict.fromkeys(file.parent for file in tree.images))
    if tree.tables and not any(map(_is_class, folders)):
        table = tree.tables[0]
        raise DatasetError(
            f"{tree.name} has no class folders, and {table.name} has no column of diagnoses; its "
            f"columns are {', '.join(table.header)}. Use the table as it was published: HAM10000 "
            "has the column dx, an ISIC challenge set has one column per diagnosis."
        )
    if len(folders) == 1 and not _is_class(folders[0]):
        raise DatasetError(
            f"{tree.name} has no table of diagnoses and no class folders: all its photographs are "
            "in one folder, whose name is not a diagnosis. Upload HAM10000 or an ISIC challenge "
            "set with its CSV table, or one folder per diagnosis, named after it."
        )
    empty = next((folder for folder in tree.empty_dirs if _is_class(folder)), None)
    if empty:
        raise DatasetError(
            f"{tree.name}: the class folder “{empty}” has no photographs. "
            "Add them, or remove the folder."
        )
    codes = {}
    for folder in folders:
        try:
            codes[folder] = diagnoses.parse(folder.name)
        except DatasetError as error:
            num_files = sum(file.parent == folder for file in tree.images)
            raise DatasetError(
                f"{tree.name}, folder “{folder}” (photographs: {num_files:,}): {error}"
            ) from error
    return codes


def _is_class(folder: PurePosixPath) -> bool:
    try:
        diagnoses.parse(folder.name)
    except DatasetError:
        return False
    return True
