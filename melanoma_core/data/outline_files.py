"""The files of expert outlines of lesions, such as HAM10000's; `outlines.read_file` reads one."""

import os
from pathlib import Path

from melanoma_core import paths
from melanoma_core.data import archives, file_trees
from melanoma_core.errors import DatasetError

_SUFFIX = "_segmentation"  # after the image id, in HAM10000 and the ISIC challenges


def find(path: Path, cache_dir: Path | None = None) -> dict[str, Path]:
    """The outline file of each photograph, by image id.

    Args:
        path: folder or zip with `<image_id>_segmentation.png` files, at any depth.
        cache_dir: where a zip is unpacked, once per content; `paths.datasets_dir()` if None.

    Raises:
        DatasetError: the path does not exist, the archive is refused, it has no outline, or two
            for one photograph.
    """
    root, _ = archives.open_folder(path, cache_dir or paths.datasets_dir())
    files: dict[str, Path] = {}
    for directory, dir_names, file_names in os.walk(root):
        dir_names[:] = sorted(d for d in dir_names if not d.startswith((".", "__MACOSX")))
        for file_name in sorted(f for f in file_names if not f.startswith(".")):
            stem, suffix = os.path.splitext(file_name)
            if suffix.lower() not in file_trees.IMAGE_SUFFIXES or not stem.endswith(_SUFFIX):
                continue
            image_id = stem.removesuffix(_SUFFIX)
            if image_id in files:
                raise DatasetError(
                    f"{path.name} holds two outlines of {image_id}. Keep the correct one."
                )
            files[image_id] = Path(directory, file_name)
    if not files:
        raise DatasetError(
            f"{path.name} holds no outline of a lesion; files called <image id>{_SUFFIX}.png are "
            "expected. Name the folder or zip with HAM10000’s segmentations."
        )
    return files
