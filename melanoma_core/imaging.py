"""Untrusted bytes → a checked, upright RGB array; the one resizing function; re-encoding.

`read` never hands out a picture that the file does not hold: what is cut off, damaged as far as
the format can tell, ambiguous (several pages) or no photograph (1-bit) is refused with an
`ImageError` that names the file, the reason, what was expected and what to do. Limits are set so
that reading takes at most 200 MB beside the bytes themselves, whatever the file claims.
"""

import io
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from melanoma_core.errors import ImageError

MIN_SHORT_SIDE = 64
MAX_SIDE_RATIO = 5
# JPEG is decoded at reduced scale. WebP lies lower because its decoder holds five copies of the
# picture at 4 bytes a pixel (measured: 187 MB at 9 megapixels).
MAX_PIXELS = {"JPEG": 64_000_000, "PNG": 25_000_000, "TIFF": 25_000_000, "WEBP": 9_000_000}
JPEG_KEPT_SIDE = 1000  # px of the long side that a reduced JPEG keeps; 4032 px / 4 is just above
KEPT_PIXELS = 8_000_000  # other formats are averaged down to this, or ten sessions fill a server
STRIP_ROWS = 64  # converted at a time, so that 64-bit copies stay small
MAX_BLOCK_BYTES = 64 << 20  # one TIFF strip or tile, which libtiff unpacks whole
MAX_JPEG_BUFFER_BYTES = 128 << 20  # coefficients that a progressive JPEG keeps until its last scan
MAX_SCANNED_PIXELS = 2_000_000_000  # pixels × scans of a progressive JPEG: about 8 s
TIFF_COMPRESSIONS = {"raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg"}
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLES_PER_PIXEL, ROWS_PER_STRIP = 258, 262, 277, 278  # TIFF tags
PLANAR, TILE_WIDTH, TILE_LENGTH = 284, 322, 323
ORIENTATION = 0x0112  # EXIF tag
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)]
ADAM7 += [(1, 0, 2, 2), (0, 1, 1, 2)]  # left, top, steps of each pass of an interlaced PNG
PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"}  # all else is dropped unread

# What Pillow 13 lets through for damaged files, by its source and by 10,000 mutated files.
_DECODER_ERRORS = (
    OSError,  # truncated, not identified, decoder error
    EOFError,
    SyntaxError,  # its word for a broken header
    ValueError,
    TypeError,
    LookupError,  # IndexError, KeyError
    ArithmeticError,  # OverflowError, ZeroDivisionError
    AssertionError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)
# One picture is decoded at a time: it bounds the memory of ten sessions on a small server, and
# `warnings.catch_warnings` is not safe between threads.
_decoding = threading.Lock()

_FOREIGN = (
    (rb"GIF8", "a GIF"),
    (rb"BM", "a BMP"),
    (rb"8BPS", "a Photoshop file"),
    (rb"%PDF", "a PDF"),
    (rb"PK\x03\x04", "a zip archive"),
    (rb".{4}ftyp(heic|heix|mif1|msf1|hevc)", "a HEIC photograph"),
    (rb".{4}ftypavi[fs]", "an AVIF picture"),
    (rb".{128}DICM", "a DICOM file"),
    (rb"\s*<(!doctype html|html|head|body)", "a web page"),
    (rb"\s*(<\?xml.*)?<svg", "an SVG drawing"),
)


def read(data: bytes, name: str = "") -> NDArray[np.uint8]:
    """The photograph in `data`, upright, as 8-bit RGB.

    Large photographs come out reduced by a whole factor: JPEG to no less than about 1000 px on
    the long side, others to at most 8 megapixels. Transparency lies on white. 16-bit values are
    scaled; floats and 32-bit integers are stretched over their own range. Phone files that hold
    several JPEGs (MPO) give the first, which is the photograph; TIFFs of several pages and
    animations are refused, because nobody can tell which picture is meant. Colour profiles and
    all other metadata but the orientation are ignored.

    Args:
        data: the whole file: JPEG, PNG, WebP or TIFF.
        name: the file's name as uploaded, for the message.

    Returns:
        (H, W, 3) array.

    Raises:
        ImageError: the file was refused, whatever is wrong with it.
    """
    try:
        with _decoding, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decode(data)
    except ImageError as error:
        raise ImageError(f"{_printable(name)} {error}") from None


def resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The image squashed to a square, antialiased; what every network is fed.

    Args:
        image: (H, W, 3).
        size: side of the square, px.

    Returns:
        (size, size, 3) array.
    """
    square = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.array(square)


def reduce(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """The image at most `longest` px on its long side, in its own proportions; never enlarged."""
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


def _printable(name: str) -> str:
    """The name in quotes, on one line, at most 80 characters, nothing that steers a terminal."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
    if len(shown) > 80:
        shown = f"{shown[:60]}…{shown[-19:]}"  # the end holds the extension
    return f"“{shown}”" if shown else "The file"


def _decode(data: bytes) -> NDArray[np.uint8]:
    if not data:
        raise ImageError("is empty (0 bytes). Copy the photograph again and upload that copy.")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        data = _png_essentials(data)
    with _opened(data) as photograph:
        _check(photograph, data)
        if isinstance(photograph, JpegImagePlugin.JpegImageFile):
            data = _jpeg_essentials(photograph, data)
    with _opened(data) as photograph, _refusing(data):
        raw_mode = _raw_mode(photograph)
        if "16" in raw_mode:
            # Pillow keeps the transparent colour at 16 bits while it brings the pixels to 8.
            photograph.info.pop("transparency", None)
        size, orientation = photograph.size, 1
        if isinstance(photograph, TiffImagePlugin.TiffImageFile):
            # Pillow would turn it while loading, with a second copy of the whole picture.
            orientation = _orientation(photograph)
            photograph.getexif()[ORIENTATION] = 1
            size = size[::-1] if orientation >= 5 else size
        else:
            size = _drafted_size(photograph)
        photograph.load()
        if photograph.format != "TIFF":
            orientation = _orientation(photograph)  # a PNG may say it after the pixels
        image = _rgb(photograph, size, raw_mode)
    return _upright(image, orientation)


def _opened(data: bytes) -> Image.Image:
    with _refusing(data):
        return Image.open(io.BytesIO(data), formats=list(MAX_PIXELS))


@contextmanager
def _refusing(data: bytes) -> Iterator[None]:
    """Pillow's many exceptions as the one refusal that they mean."""
    try:
        yield
    except UnidentifiedImageError:
        raise ImageError(
            f"{_foreign(data)}. Upload a JPEG, PNG, WebP or TIFF photograph."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        count = re.search(r"\d+", str(error))
        found = f"{int(count[0]) / 1e6:,.0f} megapixels" if count else "too many pixels"
        raise ImageError(
            f"claims {found}; at most 64 megapixels are read. "
            "Export the photograph at a smaller size."
        ) from None
    except MemoryError:
        raise ImageError(
            "needs more memory than is free. Export the photograph at a smaller size, as JPEG."
        ) from None
    except _DECODER_ERRORS:
        raise ImageError(
            f"is damaged or cut off: its {len(data):,} bytes do not hold a whole picture. "
            "Copy or export the photograph again."
        ) from None


def _foreign(data: bytes) -> str:
    for pattern, what in _FOREIGN:
        if re.match(pattern, data[:512], re.DOTALL | re.IGNORECASE):
            return f"is {what}, whatever its name says"
    if data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"II*\0", b"MM\0*", b"II+\0")):
        return f"is damaged or cut off: its {len(data):,} bytes do not begin a readable picture"
    return f"is not a picture that can be read (it begins with the bytes {data[:4].hex(' ')})"


def _png_essentials(data: bytes) -> bytes:
    """The PNG without its ancillary chunks, every checksum compared, every row accounted for.

    Pillow looks at no checksum of the pixels, leaves missing rows black, and unpacks text chunks
    of up to 64 MB; an animation may put another picture in the place of the first.
    """
    damaged = ImageError(
        f"is a damaged or cut-off PNG: its {len(data):,} bytes fail its own checksums or lack "
        "rows. Copy or export the photograph again."
    )
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise damaged
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    _check_size(width, height, "PNG")
    view, start = memoryview(data), 8
    kept, pixels, kind = [view[:8]], [], b""
    while kind != b"IEND":
        if start + 12 > len(data):
            raise damaged
        (length,) = struct.unpack(">I", view[start : start + 4])
        kind, end = data[start + 4 : start + 8], start + 12 + length
        if end > len(data):
            raise damaged
        if kind == b"acTL":
            raise ImageError("is an animation. Upload one photograph: a single frame, exported.")
        if kind in PNG_CHUNKS:
            if view[end - 4 : end] != zlib.crc32(view[start + 4 : end - 4]).to_bytes(4, "big"):
                raise damaged
            kept.append(view[start:end])
        if kind == b"IDAT":
            pixels.append(view[start + 8 : end - 4])
        start = end
    bits = depth * PNG_CHANNELS.get(colour, 0)
    if not bits or not _holds(pixels, _png_bytes(width, height, bits, interlaced > 0)):
        raise damaged
    return b"".join(kept)


def _png_bytes(width: int, height: int, bits_per_pixel: int, is_interlaced: bool) -> int:
    """Bytes of the rows when unpacked, each with the byte that names its filter."""
    total = 0
    for left, top, step_x, step_y in ADAM7 if is_interlaced else [(0, 0, 1, 1)]:
        columns, rows = -((left - width) // step_x), -((top - height) // step_y)
        total += rows * (1 + -(-columns * bits_per_pixel // 8)) if columns > 0 else 0
    return total


def _holds(packed: list[memoryview], num_bytes: int) -> bool:
    """Whether the zlib stream gives that many bytes; never more than 1 MB of them at a time."""
    stream, found = zlib.decompressobj(), 0
    pieces = (part[at : at + 65_536] for part in packed for at in range(0, len(part), 65_536))
    try:
        for piece in pieces:
            waiting: bytes | memoryview = piece
            while len(waiting) and found < num_bytes and not stream.eof:
                found += len(stream.decompress(waiting, 1 << 20))
                waiting = stream.unconsumed_tail
    except zlib.error:
        return False
    return found >= num_bytes


def _check(photograph: Image.Image, data: bytes) -> None:
    """Refuse by the header alone: nothing of the size of the picture is in memory yet."""
    file_format = "JPEG" if photograph.format == "MPO" else str(photograph.format)
    _check_size(photograph.width, photograph.height, file_format)
    if file_format != "JPEG" and getattr(photograph, "is_animated", False):
        raise ImageError(
            "holds several pictures (pages or frames); one photograph was expected. "
            "Export the one that you mean."
        )
    if photograph.mode == "1" or _raw_mode(photograph).startswith("P;1"):
        raise ImageError(
            "is black and white without shades (1 bit a pixel); a colour photograph was expected. "
            "Export the original from the dermatoscope rather than a scan."
        )
    if photograph.mode == "LAB":
        raise ImageError("is in CIELAB colours; RGB was expected. Export it as sRGB.")
    if isinstance(photograph, TiffImagePlugin.TiffImageFile):
        _check_tiff(photograph, data)


def _check_size(width: int, height: int, file_format: str) -> None:
    short, long = sorted((width, height))
    found = f"is {width:,}×{height:,} px"
    if width * height > MAX_PIXELS[file_format]:
        raise ImageError(
            f"{found} ({width * height / 1e6:,.0f} megapixels); at most "
            f"{MAX_PIXELS[file_format] / 1e6:.0f} megapixels are read from a {file_format} file. "
            "Export the photograph at a smaller size, or as JPEG."
        )
    if short < MIN_SHORT_SIDE:
        raise ImageError(
            f"{found}; at least {MIN_SHORT_SIDE} px on the short side are needed. "
            "Export the original from the dermatoscope rather than a preview or a screenshot."
        )
    if long > MAX_SIDE_RATIO * short:
        raise ImageError(
            f"{found}; the long side may be at most {MAX_SIDE_RATIO} times the short one. "
            "Crop the photograph to the lesion and the skin around it."
        )


def _jpeg_essentials(photograph: JpegImagePlugin.JpegImageFile, data: bytes) -> bytes:
    """The first JPEG in the file, so that missing rows show when it is decoded.

    libjpeg fills what lacks before the end marker with grey, and Pillow does not say so. Zeros
    in the place of the marker let it finish a whole picture, and starve over any other.
    """
    start = photograph.fp.tell() if photograph.fp else 0
    end = data.find(b"\xff\xd9", start)  # no compressed data holds FF D9
    if end < 0:
        raise ImageError(
            f"is cut off: its {len(data):,} bytes hold no end of the picture. "
            "Copy or export the photograph again."
        )
    layers = len(photograph.layer)
    scan = b"\xff\xda" + struct.pack(">HB", 6 + 2 * layers, layers)
    if data.startswith(scan, start - 8 - 2 * layers) and not photograph.info.get("progressive"):
        return data[:end] + bytes(16)
    # Several scans: libjpeg keeps all coefficients, 2 bytes each at full size, until the last.
    width, height = photograph.size
    samples = [horizontal * vertical for _, horizontal, vertical, _ in photograph.layer]
    buffered = 2 * width * height * sum(samples) / max(1, max(samples, default=1))
    num_scans = 1 + data.count(b"\xff\xda", start, end)
    if buffered > MAX_JPEG_BUFFER_BYTES or width * height * num_scans > MAX_SCANNED_PIXELS:
        raise ImageError(
            f"is a progressive JPEG of {width:,}×{height:,} px in {num_scans:,} scans, which takes "
            "too much memory or time to read. Export it as an ordinary (baseline) JPEG."
        )
    return data[: end + 2]


def _check_tiff(photograph: TiffImagePlugin.TiffImageFile, data: bytes) -> None:
    tags = photograph.tag_v2
    compression = str(photograph.info.get("compression"))
    if compression not in TIFF_COMPRESSIONS:
        raise ImageError(
            f"is a TIFF packed as {compression.removeprefix('tiff_')}, which is not read. "
            "Export it uncompressed, with LZW or deflate, or as PNG."
        )
    width, height = photograph.size
    with _refusing(data):
        bits = tags.get(BITS_PER_SAMPLE, (1,))
        bits_per_pixel = sum(bits) * (tags.get(SAMPLES_PER_PIXEL, 1) if len(bits) == 1 else 1)
        columns = tags.get(TILE_WIDTH) or max(width, height)
        rows = tags.get(TILE_LENGTH) or min(tags.get(ROWS_PER_STRIP, height), max(width, height))
        block = rows * columns * bits_per_pixel / 8
    if compression != "raw" and block > MAX_BLOCK_BYTES:
        raise ImageError(
            f"is a TIFF that packs {block / 2**20:,.0f} MB into one block; at most "
            f"{MAX_BLOCK_BYTES >> 20} MB are read. Export it as PNG or JPEG."
        )
    covered = 0
    for tile in photograph.tile:
        left, top, right, bottom = tile.extents or (0, 0, 0, 0)
        covered += (right - left) * (bottom - top)
    planes = len(photograph.getbands()) if compression == "raw" and tags.get(PLANAR) == 2 else 1
    if covered < width * height * planes:
        # Pillow would leave the missing rows black.
        raise ImageError(
            f"is a damaged TIFF: it holds {covered:,} of {width * height * planes:,} values. "
            "Copy or export the photograph again."
        )


def _drafted_size(photograph: Image.Image) -> tuple[int, int]:
    """Its size after asking for 1/2, 1/4 or 1/8 of a large JPEG, a sixth of the time to decode."""
    width, height = photograph.size
    for scale in (8, 4, 2):
        if max(width, height) >= scale * JPEG_KEPT_SIDE:
            photograph.draft(None, (width // scale, height // scale))
            break
    return photograph.size


def _raw_mode(photograph: Image.Image) -> str:
    """How the file stores a pixel, in Pillow's words ("RGB;16B"), as `mode` may be narrower."""
    tiles = getattr(photograph, "tile", None)
    if not tiles:
        return photograph.mode
    arguments = tiles[0][3]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _orientation(photograph: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    try:
        value = photograph.getexif().get(ORIENTATION, 1)
    except _DECODER_ERRORS:
        return 1  # the pixels are whole; a broken EXIF block is no reason to refuse them
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
    """8-bit RGB, strip by strip: never a second copy of a large picture."""
    width, height = size
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
    """The values that become black and white; None for pictures that are 8-bit already."""
    if photograph.mode.startswith("I;16"):
        low, high = 0.0, 4095.0 if raw_mode == "I;12" else 65535.0
    elif photograph.mode in ("I", "F"):
        low, high = np.inf, -np.inf
        for _, strip in _strips(photograph, size, STRIP_ROWS):
            values = np.asarray(strip)
            if not np.isfinite(values).all():
                raise ImageError(
                    "holds values that are no numbers (NaN or infinity). "
                    "Export the photograph as an 8-bit PNG or JPEG."
                )
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    else:
        return None
    is_white_zero = isinstance(photograph, TiffImagePlugin.TiffImageFile) and (
        photograph.tag_v2.get(PHOTOMETRIC)
        == 0  # Pillow inverts such pictures only when they are 8-bit
    )
    return (high, low) if is_white_zero else (low, high)


def _scaled(strip: Image.Image, black: float, white: float) -> Image.Image:
    values = np.asarray(strip).astype(np.float64)
    span = white - black if white != black else 1.0
    grey = np.rint(255 * ((values - black) / span)).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _flat(strip: Image.Image) -> Image.Image:
    if strip.mode == "La":
        strip = strip.convert("LA")  # Pillow has no direct way from La to RGBA
    if strip.mode in ("P", "PA", "LA", "RGBA", "RGBa") or "transparency" in strip.info:
        white = Image.new("RGBA", strip.size, "white")
        white.alpha_composite(strip.convert("RGBA"))
        strip = white
    return strip.convert("RGB")
