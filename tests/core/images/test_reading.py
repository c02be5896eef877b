"""Promises 1, 2, 3 and 5: bad files are refused clearly, good ones are read exactly."""

import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from melanoma_core.errors import ImageError
from melanoma_core.images import file_formats, reading, synthetic
from tests.support import bad_images

CASES = bad_images.cases()
REFUSED = [key for key, case in CASES.items() if case.refusal]
READ = [key for key, case in CASES.items() if not case.refusal]
MAX_GROWTH_BYTES = 200 * 2**20
LESION = synthetic.lesion(0, (96, 128))
GRAY = np.asarray(Image.fromarray(LESION).convert("L"))


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    """The result for each file, each in a separate process."""
    run = subprocess.run(
        [sys.executable, str(Path(bad_images.__file__))],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return {line["case"]: line for line in lines}


def saved(image: Image.Image, file_format: str, **options: Any) -> bytes:
    return bad_images.saved(image, file_format, **options)


def test_at_least_sixty_bad_files_are_tried() -> None:
    assert len(REFUSED) >= 60


@pytest.mark.parametrize("key", REFUSED)
def test_a_bad_file_is_refused_with_reason_and_remedy(
    results: dict[str, dict[str, Any]], key: str
) -> None:
    result, case = results[key], CASES[key]
    assert "died" not in result
    assert "error" in result, f"read as a picture of {result.get('shape')}"
    message = result["error"]
    assert re.search(case.refusal, message)
    # The name, the reason, and what to do in the last sentence.
    assert re.match(
        r"“[^\n]+” (is|contains|claims|needs) .*\. (Copy|Export|Upload|Crop)\b", message
    )
    assert message.endswith(".")
    assert message.isprintable()
    assert not re.search(r"Traceback|Error|0x[0-9a-f]|/tmp|/home|site-packages|\bPIL\b", message)
    assert not result["context_shown"]
    assert result["growth"] <= MAX_GROWTH_BYTES


@pytest.mark.parametrize("key", READ)
def test_a_large_valid_file_is_read_within_the_memory_limit(
    results: dict[str, dict[str, Any]], key: str
) -> None:
    assert results[key].get("error") is None
    assert tuple(results[key]["shape"]) == CASES[key].shape
    assert results[key]["growth"] <= MAX_GROWTH_BYTES


def test_a_refusal_shows_the_name_unchanged_and_shortened() -> None:
    for name in bad_images.HOSTILE_NAMES:
        with pytest.raises(ImageError) as caught:
            reading.read(b"", name)
        shown = re.match("“(.+)” is empty", str(caught.value))
        assert shown is not None
        assert len(shown[1]) <= 80
        assert shown[1].isprintable()
        assert shown[1].endswith(name[-4:])
    with pytest.raises(ImageError, match=r"^“<script>alert\(1\)</script>\.jpg” is empty"):
        reading.read(b"", bad_images.HOSTILE_NAMES[0])
    with pytest.raises(ImageError, match=r"^The file is empty"):
        reading.read(b"")


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_lossless_files_are_read_exactly(file_format: str, options: dict[str, Any]) -> None:
    data = saved(Image.fromarray(LESION), file_format, **options)
    assert np.array_equal(reading.read(data), LESION)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 50}])
def test_a_jpeg_is_read_as_pillow_decodes_it(options: dict[str, Any]) -> None:
    data = saved(Image.fromarray(LESION), "JPEG", **options)
    assert np.array_equal(reading.read(data), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_read_upright(file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = saved(Image.fromarray(LESION), file_format, exif=exif, **options)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(reading.read(data), np.asarray(upright))


@pytest.mark.parametrize(
    "block", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"]
)
def test_an_unreadable_exif_block_is_ignored(block: bytes) -> None:
    data = saved(Image.fromarray(LESION), "JPEG", exif=block)
    plain = saved(Image.fromarray(LESION), "JPEG")
    assert np.array_equal(reading.read(data), reading.read(plain))


def gray_as_rgb(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=-1)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bit_gray_is_scaled_not_clipped(file_format: str) -> None:
    wide = Image.fromarray(GRAY.astype(np.uint16) * 257)
    assert np.array_equal(reading.read(saved(wide, file_format)), gray_as_rgb(GRAY))


def test_sixteen_bit_color_keeps_its_high_byte() -> None:
    data = bad_images.png(96, 96, 16, 2)  # every value is 0x5555
    assert (reading.read(data) == 0x55).all()


def test_a_sixteen_bit_transparent_color_does_not_hide_pixels() -> None:
    key = bad_images.png_chunk(b"tRNS", bytes.fromhex("005500550055"))
    assert (reading.read(bad_images.png(96, 96, 16, 2, key)) == 0x55).all()
    assert (reading.read(bad_images.png(96, 96, 8, 2, key)) == 255).all()


@pytest.mark.parametrize("low", [-3.0, 0.0, 1e30])
def test_floats_are_stretched_over_their_own_range(low: float) -> None:
    values = (np.linspace(0, 1, 96 * 128).reshape(96, 128) * max(1, abs(low)) + low).astype("f4")
    image = reading.read(saved(Image.fromarray(values), "TIFF"))
    assert image.min() == 0
    assert image.max() == 255
    assert image[48, 0, 0] == pytest.approx(128, abs=1)


def test_a_float_picture_of_one_value_is_black() -> None:
    assert (reading.read(bad_images.plain("F", (96, 96), "TIFF")) == 0).all()


def test_sixteen_bit_gray_with_white_as_zero_is_inverted() -> None:
    pixels = GRAY.astype("<u2") * 257
    tags: dict[int, Any] = {256: 128, 257: 96, 258: (3, 1, 16), 259: 1, 262: 0, 273: -1}
    data = bad_images.tiff(tags | {277: 1, 278: 96, 279: pixels.nbytes}, pixels.tobytes())
    assert np.array_equal(reading.read(data), gray_as_rgb(255 - GRAY))


def test_gray_palette_and_cmyk_become_rgb() -> None:
    image = Image.fromarray(LESION)
    assert np.array_equal(reading.read(saved(image.convert("L"), "PNG")), gray_as_rgb(GRAY))
    palette = image.quantize(64)
    assert np.array_equal(reading.read(saved(palette, "PNG")), np.asarray(palette.convert("RGB")))
    for file_format in ("TIFF", "JPEG"):
        cmyk = reading.read(saved(image.convert("CMYK"), file_format))
        assert np.abs(cmyk.astype(int) - LESION).mean() < 4


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_areas_become_white(file_format: str, mode: str) -> None:
    image = Image.fromarray(LESION).convert(mode)
    alpha = np.zeros((96, 128), np.uint8)
    alpha[:, 64:] = 255
    image.putalpha(Image.fromarray(alpha))
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    read = reading.read(saved(image, file_format, **options))
    assert (read[:, :64] == 255).all()
    assert np.array_equal(read[:, 64:], np.asarray(image.convert("RGB"))[:, 64:])


def test_half_transparent_black_is_gray() -> None:
    data = saved(Image.new("RGBA", (96, 96), (0, 0, 0, 128)), "PNG")
    assert (reading.read(data) == 127).all()


def test_transparent_palette_entries_become_white() -> None:
    palette = bad_images.png_chunk(b"PLTE", bytes(range(256)) * 3)
    transparent = palette + bad_images.png_chunk(b"tRNS", bytes(256))
    assert (reading.read(bad_images.png(96, 96, 8, 3, transparent)) == 255).all()


def test_interlaced_png_files_are_read() -> None:
    # Adam7 of a single value: the rows of all seven passes are equal, so they are easy to write.
    rows = b""
    for columns, lines in ((13, 9), (12, 9), (25, 8), (25, 17), (50, 16), (50, 33), (100, 33)):
        rows += (b"\0" + b"\x07" * columns) * lines
    header = bad_images.png_chunk(b"IHDR", struct.pack(">IIBBBBB", 100, 66, 8, 0, 0, 0, 1))
    head = b"\x89PNG\r\n\x1a\n" + header
    tail = bad_images.png_chunk(b"IEND", b"")
    whole = head + bad_images.png_chunk(b"IDAT", zlib.compress(rows)) + tail
    assert (reading.read(whole) == 7).all()
    short = head + bad_images.png_chunk(b"IDAT", zlib.compress(rows[:-1])) + tail
    with pytest.raises(ImageError, match="rows are missing"):
        reading.read(short)


def test_the_first_jpeg_of_a_phone_file_is_read() -> None:
    first, second = Image.fromarray(LESION), Image.new("RGB", (128, 96))
    data = saved(first, "MPO", save_all=True, append_images=[second])
    assert np.abs(reading.read(data).astype(int) - LESION).mean() < 4


def test_bytes_after_the_picture_are_ignored() -> None:
    for file_format in ("JPEG", "PNG"):
        data = saved(Image.fromarray(LESION), file_format)
        extended = data + b"PK\x03\x04<script>alert(1)</script>" + bytes(1000)
        assert np.array_equal(reading.read(extended), reading.read(data))


@pytest.mark.parametrize("searched_bytes", [1, 2, 3, 7])
def test_the_end_of_a_jpeg_is_found_across_searched_blocks(
    monkeypatch: pytest.MonkeyPatch, searched_bytes: int
) -> None:
    data = saved(Image.fromarray(LESION), "JPEG")
    image = reading.read(data)
    monkeypatch.setattr(file_formats, "_SEARCHED_BYTES", searched_bytes)
    assert np.array_equal(reading.read(data + bytes(9) + data), image)
    with pytest.raises(ImageError, match="ends before the picture is complete"):
        reading.read(data[:-1])


def test_the_wrong_extension_does_not_matter() -> None:
    assert np.array_equal(reading.read(reading.png(LESION), "lesion.jpg"), LESION)


def test_a_phone_photograph_looks_like_a_small_one_to_the_network() -> None:
    lesion = synthetic.lesion(2, (450, 600))
    small = reading.read(saved(Image.fromarray(lesion).resize((258, 194)), "JPEG", quality=95))
    large_file = Image.fromarray(lesion).resize((4032, 3024), Image.Resampling.BICUBIC)
    large = reading.read(saved(large_file, "JPEG", quality=95))
    assert large.shape == (756, 1008, 3)
    difference = reading.resize(large, 96).astype(int) - reading.resize(small, 96)
    assert np.abs(difference).mean() < 2


def test_large_files_of_other_formats_are_reduced_by_averaging() -> None:
    stripes = np.zeros((2_400, 3_600, 3), np.uint8)
    stripes[::2] = 200
    image = reading.read(saved(Image.fromarray(stripes), "PNG", compress_level=1))
    assert image.shape == (1_200, 1_800, 3)
    assert (image == 100).all()


def test_resize_squashes_to_a_square() -> None:
    assert reading.resize(LESION, 64).shape == (64, 64, 3)
    assert (reading.resize(np.full((90, 700, 3), 77, np.uint8), 224) == 77).all()


def test_reduce_keeps_proportions_and_never_enlarges() -> None:
    assert reading.reduce(LESION, 64).shape == (48, 64, 3)
    assert reading.reduce(LESION, 128) is LESION
    assert reading.reduce(LESION, 4_000) is LESION
    assert reading.reduce(np.zeros((1, 900, 3), np.uint8), 90).shape == (1, 90, 3)


def test_encoded_images_have_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E] = "CANARY-EXIF"
    text = PngInfo()
    text.add_text("Comment", "CANARY-TEXT")
    photograph = Image.fromarray(LESION)
    files = [
        saved(photograph, "JPEG", exif=exif, comment=b"CANARY-COMMENT"),
        saved(photograph, "PNG", exif=exif, pnginfo=text),
    ]
    for data in files:
        assert b"CANARY" in data
        image = reading.read(data, "CANARY-NAME.jpg")
        for encoded in (reading.png(image), reading.jpeg(image)):
            assert b"CANARY" not in encoded
            assert not Image.open(io.BytesIO(encoded)).getexif()
    assert np.array_equal(reading.read(reading.png(LESION)), LESION)
    assert np.abs(reading.read(reading.jpeg(LESION)).astype(int) - LESION).mean() < 4


def test_mutated_files_are_either_read_or_refused() -> None:
    rng = random.Random(0)
    files = [make() for make in bad_images.FORMATS.values()]
    num_refused = 0
    for _ in range(300):
        try:
            image = reading.read(bad_images.mutated(rng.choice(files), rng), "mutant")
        except ImageError:
            num_refused += 1
        else:
            assert image.dtype == np.uint8
            assert image.shape[2:] == (3,)
            assert min(image.shape[:2]) >= file_formats.MIN_SHORT_SIDE // 8
    assert 30 < num_refused < 300
