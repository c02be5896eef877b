"""Lesions as experts outlined them, such as those of HAM10000: files, and masks of one lesion."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melanoma_core import paths
from melanoma_core.data import archives, file_trees
from melanoma_core.errors import DatasetError, ImageError
from melanoma_core.images import reading

_SUFFIX = "_segmentation"  # of HAM10000's and the ISIC challenges' files, after the image id
_INSIDE = 128  # gray level from which a pixel belongs to the lesion


def find(path: Path, cache_dir: Path | None = None) -> dict[str, Path]:
    """The file of each outline by the id of its photograph.

    Args:
        path: folder or zip that holds `<image_id>_segmentation.png`, at any depth.
        cache_dir: where a zip is unpacked, once for each content; `paths.datasets_dir()` if None.

    Raises:
        DatasetError: nothing is there, the archive is refused, it holds no outline, or two of
            one photograph.
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
                    f"{path.name} holds two outlines of {image_id}. Keep the one that is meant."
                )
            files[image_id] = Path(directory, file_name)
    if not files:
        raise DatasetError(
            f"{path.name} holds no outline of a lesion; files called <image id>{_SUFFIX}.png are "
            "expected. Give the folder or zip of HAM10000’s segmentations."
        )
    return files


def read(path: Path) -> NDArray[np.bool_]:
    """Where the lesion is, from one of the files that `find` names.

    Args:
        path: a picture, light where the lesion is. Every 25th of HAM10000's holds numbers of
            colors, the lesion's being 0 for white: the colors count, not the numbers.

    Returns:
        (H, W), true inside the outline, in the proportions of the photograph.

    Raises:
        DatasetError: the file cannot be read, or nothing lies inside.
    """
    try:
        mask: NDArray[np.bool_] = reading.read_file(path).mean(axis=2) >= _INSIDE
    except ImageError as error:
        raise DatasetError(f"An outline cannot be read. {error}") from error
    if not mask.any():
        raise DatasetError(
            f"The outline {path.name} is empty: no pixel is at or above {_INSIDE} of 255. "
            "Remove the file, or restore it from the archive."
        )
    return mask
