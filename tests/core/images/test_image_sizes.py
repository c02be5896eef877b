"""Sizes of photographs, from their headers."""

import numpy as np
from PIL import Image

from melanoma_core.images import image_sizes


def test_sizes_come_in_order_and_what_is_no_photograph_has_none(tmp_path):
    for name, size in (("a.png", (90, 70)), ("b.jpg", (40, 50))):
        Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "c.jpg").write_bytes(b"")
    (tmp_path / "d.jpg").write_bytes(b"no photograph")
    names = ("a.png", "b.jpg", "c.jpg", "d.jpg", "missing.jpg")
    found = image_sizes.read(str(tmp_path / name) for name in names)
    assert found == [(90, 70), (40, 50), None, None, None]


def test_the_commonest_sizes_come_first_and_the_rest_is_counted():
    sizes = [(1, 1), None, (3, 2), (3, 2), (5, 5)]
    assert image_sizes.common(sizes, 1) == ({(3, 2): 2}, 2)
