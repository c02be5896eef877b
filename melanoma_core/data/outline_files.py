"""Expert outlines of lesions, such as HAM10000's: find the files, read the masks."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melanoma_core import paths
from melanoma_core.data import archives, file_trees
from melanoma_core.errors import DatasetError, ImageError
from melanoma_core.images import reading

_SUFFIX = "_segmentation"  # after the image id, in HAM10000 and the ISIC challenges
_INSIDE = 128  # lowest gray level of the lesion


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


def read(path: Path) -> NDArray[np.bool_]:
    """The lesion's mask from a file of `find`.

    Args:
        path: an image, light inside the lesion. One in 25 of HAM10000's has a palette in which
            the lesion is number 0, white: what counts is the color, not its number.

    Returns:
        (H, W), true inside the outline, with the photograph's aspect ratio.

    Raises:
        DatasetError: the file cannot be read, or the mask is empty.
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
