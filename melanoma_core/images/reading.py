"""Untrusted bytes → a checked, upright RGB array; the one resizing function; re-encoding.

`read` only returns pictures that the file contains completely. A file that is cut off, damaged (as
far as its format shows), ambiguous (several pages) or not a photograph (1-bit) is refused with an
`ImageError` that names the file, the reason, what was expected and what to do. The limits keep the
memory for reading below 200 MB plus the bytes themselves, whatever the file claims.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, TiffImagePlugin

from melanoma_core.errors import ImageError
from melanoma_core.images import file_formats

JPEG_KEPT_SIDE = 1000  # px; the long side of a reduced JPEG is at least this (4032 px / 4 is)
KEPT_PIXELS = 8_000_000  # other formats are averaged down to this, else ten sessions fill a server
STRIP_ROWS = 64  # rows converted at a time, so that 64-bit copies stay small
PIXELS_AT_ONCE = 1_000_000  # an RGB picture of up to this size is copied whole, a few MB
PHOTOMETRIC = 262  # TIFF tag
ORIENTATION = 0x0112  # EXIF tag
# One picture is decoded at a time, to limit the memory of ten sessions on a small server, and
# because `warnings.catch_warnings` is not thread-safe.
_decoding = threading.Lock()


def read(data: bytes, name: str = "") -> NDArray[np.uint8]:
    """The photograph in `data`, upright, as 8-bit RGB.

    Large photographs are reduced by a whole factor: JPEG to at least about 1000 px on the long
    side, other formats to at most 8 megapixels. Transparent areas become white. 16-bit values are
    scaled; floats and 32-bit integers are stretched over their own range. The first picture of a
    phone's MPO file is used, which is the photograph; TIFFs with several pages and animations are
    refused, because it is unclear which picture is meant. Color profiles and all metadata except
    the orientation are ignored.

    Args:
        data: the whole file: JPEG, PNG, WebP or TIFF.
        name: the file's name as uploaded, for the error message.

    Returns:
        (H, W, 3) array.

    Raises:
        ImageError: the file was refused, for any reason.
    """
    try:
        with _decoding, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decode(data)
    except ImageError as error:
        raise ImageError(f"{_quoted(name)} {error}") from None


def read_file(path: Path) -> NDArray[np.uint8]:
    """Like `read`, for a path; a file that cannot be opened is refused too.

    Raises:
        ImageError: the file was refused.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"{_quoted(path.name)} cannot be opened ({error.strerror}). "
            "Check its name and permissions."
        ) from None
    return read(data, path.name)


def resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The image squashed to a square with antialiasing: the input of every network.

    Args:
        image: (H, W, 3).
        size: side of the square, px.

    Returns:
        (size, size, 3) array.
    """
    # A gap of 1 averages whole pixels first: half the time for a 600 × 450 px photograph, and a
    # difference of 1.4 of 255 from the bicubic filter alone.
    square = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, reducing_gap=1.0)
    return np.array(square)


def reduce(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """The image with at most `longest` px on its long side, never enlarged."""
    height, width = image.shape[:2]
    if max(height, width) <= longest:
        return image
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0))


def png(image: NDArray[np.uint8]) -> bytes:
    """The image as a PNG file without metadata."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def jpeg(image: NDArray[np.uint8], quality: int = 90) -> bytes:
    """The image as a JPEG file without metadata."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def printable(name: str) -> str:
    """The name on one line, without terminal control characters."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)


def _quoted(name: str) -> str:
    """The printable name in quotes, at most 80 characters."""
    shown = printable(name)
    if len(shown) > 80:
        shown = f"{shown[:60]}…{shown[-19:]}"  # the end holds the extension
    return f"“{shown}”" if shown else "The file"


def _decode(data: bytes) -> NDArray[np.uint8]:
    if not data:
        raise ImageError("is empty (0 bytes). Copy the photograph again and upload that copy.")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        data = file_formats.png_essentials(data)
    with file_formats.open_image(data) as photograph:
        file_formats.check(photograph, data)
        if isinstance(photograph, JpegImagePlugin.JpegImageFile):
            data = file_formats.jpeg_essentials(photograph, data)
    with file_formats.open_image(data) as photograph, file_formats.raise_as_image_errors(data):
        raw_mode = file_formats.raw_mode(photograph)
        if "16" in raw_mode:
            # Pillow leaves the transparent color at 16 bits when it converts the pixels to 8.
            photograph.info.pop("transparency", None)
        size, orientation = photograph.size, 1
        if isinstance(photograph, TiffImagePlugin.TiffImageFile):
            # Pillow would rotate it while loading, with a second copy of the whole picture.
            orientation = _orientation(photograph)
            photograph.getexif()[ORIENTATION] = 1
            size = size[::-1] if orientation >= 5 else size
        else:
            size = _drafted_size(photograph)
        photograph.load()
        if photograph.format != "TIFF":
            orientation = _orientation(photograph)  # a PNG may have it after the pixels
        image = _rgb(photograph, size, raw_mode)
    return _upright(image, orientation)


def _drafted_size(photograph: Image.Image) -> tuple[int, int]:
    """Its size; a large JPEG is decoded at 1/2, 1/4 or 1/8 scale, in a sixth of the time."""
    width, height = photograph.size
    for scale in (8, 4, 2):
        if max(width, height) >= scale * JPEG_KEPT_SIDE:
            photograph.draft(None, (width // scale, height // scale))
            break
    return photograph.size


def _orientation(photograph: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 if it is missing or unreadable."""
    try:
        value = photograph.getexif().get(ORIENTATION, 1)
    except file_formats.DECODER_ERRORS:
        return 1  # a broken EXIF block is no reason to refuse intact pixels
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _rgb(photograph: Image.Image, size: tuple[int, int], raw_mode: str) -> NDArray[np.uint8]:
    """8-bit RGB; large pictures are converted in strips, without a second copy."""
    width, height = size
    if _is_rgb(photograph) and photograph.size == size and width * height <= PIXELS_AT_ONCE:
        return np.array(photograph)  # most photographs, in a third of the time
    factor = int(np.ceil(np.sqrt(width * height / KEPT_PIXELS)))
    levels = _levels(photograph, size, raw_mode)
    image = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
    for top, strip in _strips(photograph, size, STRIP_ROWS * factor):
        rgb = _flat(strip) if levels is None else _scaled(strip, *levels)
        reduced = np.asarray(rgb.reduce(factor) if factor > 1 else rgb)
        image[top // factor : top // factor + len(reduced)] = reduced
    return image


def _strips(
    photograph: Image.Image, size: tuple[int, int], rows: int
) -> Iterator[tuple[int, Image.Image]]:
    width, height = size
    for top in range(0, height, rows):
        yield top, photograph.crop((0, top, width, min(top + rows, height)))


def _levels(
    photograph: Image.Image, size: tuple[int, int], raw_mode: str
) -> tuple[float, float] | None:
    """The values that become black and white; None for 8-bit pictures."""
    if photograph.mode.startswith("I;16"):
        low, high = 0.0, 4095.0 if raw_mode == "I;12" else 65535.0
    elif photograph.mode in ("I", "F"):
        low, high = np.inf, -np.inf
        for _, strip in _strips(photograph, size, STRIP_ROWS):
            values = np.asarray(strip)
            if not np.isfinite(values).all():
                raise ImageError(
                    "contains NaN or infinity instead of numbers. "
                    "Export the photograph as an 8-bit PNG or JPEG."
                )
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    else:
        return None
    is_white_zero = isinstance(photograph, TiffImagePlugin.TiffImageFile) and (
        photograph.tag_v2.get(PHOTOMETRIC) == 0  # Pillow inverts only 8-bit pictures of this kind
    )
    return (high, low) if is_white_zero else (low, high)


def _scaled(strip: Image.Image, black: float, white: float) -> Image.Image:
    values = np.asarray(strip).astype(np.float64)
    span = white - black if white != black else 1.0
    gray = np.rint(255 * ((values - black) / span)).astype(np.uint8)
    return Image.fromarray(gray).convert("RGB")


def _is_rgb(picture: Image.Image) -> bool:
    return picture.mode == "RGB" and "transparency" not in picture.info


def _flat(strip: Image.Image) -> Image.Image:
    if _is_rgb(strip):
        return strip
    if strip.mode == "La":
        strip = strip.convert("LA")  # Pillow cannot convert La to RGBA directly
    if strip.mode in ("P", "PA", "LA", "RGBA", "RGBa") or "transparency" in strip.info:
        white = Image.new("RGBA", strip.size, "white")
        white.alpha_composite(strip.convert("RGBA"))
        strip = white
    return strip.convert("RGB")
