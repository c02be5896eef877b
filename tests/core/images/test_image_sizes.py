"""Sizes of photographs from their headers."""

import numpy as np
from PIL import Image

from melanoma_core.images import image_sizes


def test_sizes_are_in_order_and_none_for_other_files(tmp_path):
    for name, size in (("a.png", (90, 70)), ("b.jpg", (40, 50))):
        Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "c.jpg").write_bytes(b"")
    (tmp_path / "d.jpg").write_bytes(b"no photograph")
    names = ("a.png", "b.jpg", "c.jpg", "d.jpg", "missing.jpg")
    sizes = image_sizes.read(str(tmp_path / name) for name in names)
    assert sizes == [(90, 70), (40, 50), None, None, None]


def test_the_most_common_sizes_are_listed_and_the_rest_counted():
    sizes = [(1, 1), None, (3, 2), (3, 2), (5, 5)]
    assert image_sizes.most_common(sizes, 1) == ({(3, 2): 2}, 2)
