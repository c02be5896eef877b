"""Checks of each file format's limits and structure, before pixels are decoded.

Decoders are too lenient for clinical use: they fill missing rows with gray or black, ignore
checksums, and pick one of several pages. Such files are refused here with an `ImageError` whose
message lacks its subject: `reading.read` puts the file's name before it.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from melanoma_core.errors import ImageError

MIN_SHORT_SIDE = 64
MAX_SIDE_RATIO = 5
# JPEG is decoded at reduced scale. The limit of WebP is lower because its decoder has five copies
# of the picture in memory, at 4 bytes per pixel (measured: 187 MB at 9 megapixels).
MAX_PIXELS = {"JPEG": 64_000_000, "PNG": 25_000_000, "TIFF": 25_000_000, "WEBP": 9_000_000}
MAX_BLOCK_BYTES = 64 << 20  # one TIFF strip or tile, which libtiff decompresses at once
MAX_JPEG_BUFFER_BYTES = (
    128 << 20
)  # coefficients of a progressive JPEG, in memory until its last scan
MAX_SCANNED_PIXELS = 2_000_000_000  # pixels × scans of a progressive JPEG: about 8 s
_SEARCHED_BYTES = 1 << 20  # at a time, so that large files need no extra memory
TIFF_COMPRESSIONS = {"raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg"}
BITS_PER_SAMPLE, SAMPLES_PER_PIXEL, ROWS_PER_STRIP = 258, 277, 278  # TIFF tags
PLANAR, TILE_WIDTH, TILE_LENGTH = 284, 322, 323
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by color type
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)]
ADAM7 += [(1, 0, 2, 2), (0, 1, 1, 2)]  # left, top, steps of each pass of an interlaced PNG
PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"}  # all others are dropped unread

# Exceptions of Pillow 13 for damaged files, from its source and 10,000 mutated files.
DECODER_ERRORS = (
    OSError,  # truncated, not identified, decoder error
    EOFError,
    SyntaxError,  # a broken header
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

_OTHER_FORMATS = (
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


def open_image(data: bytes) -> ImageFile.ImageFile:
    """The picture with only its header read, in an accepted format."""
    with raise_as_image_errors(data):
        return Image.open(io.BytesIO(data), formats=list(MAX_PIXELS))


@contextmanager
def raise_as_image_errors(data: bytes) -> Iterator[None]:
    """Turn Pillow's many exceptions into an `ImageError`."""
    try:
        yield
    except UnidentifiedImageError:
        raise ImageError(
            f"{_describe(data)}. Upload a JPEG, PNG, WebP or TIFF photograph."
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        count = re.search(r"\d+", str(error))
        size = f"{int(count[0]) / 1e6:,.0f} megapixels" if count else "too many pixels"
        raise ImageError(
            f"claims {size}; at most 64 megapixels are read. "
            "Export the photograph at a smaller size."
        ) from None
    except MemoryError:
        raise ImageError(
            "needs more memory than is free. Export the photograph at a smaller size, as JPEG."
        ) from None
    except DECODER_ERRORS:
        raise ImageError(
            f"is damaged or cut off: its {len(data):,} bytes are not a complete picture. "
            "Copy or export the photograph again."
        ) from None


def check(photograph: Image.Image, data: bytes) -> None:
    """Refuse a picture by its header, before its pixels are in memory."""
    file_format = "JPEG" if photograph.format == "MPO" else str(photograph.format)
    _check_size(photograph.width, photograph.height, file_format)
    if file_format != "JPEG" and getattr(photograph, "is_animated", False):
        raise ImageError(
            "contains several pictures (pages or frames); one photograph was expected. "
            "Export the one that you mean."
        )
    if photograph.mode == "1" or raw_mode(photograph).startswith("P;1"):
        raise ImageError(
            "is black and white without shades (1 bit per pixel); a color photograph was expected. "
            "Export the original from the dermatoscope rather than a scan."
        )
    if photograph.mode == "LAB":
        raise ImageError("is in CIELAB colors; RGB was expected. Export it as sRGB.")
    if isinstance(photograph, TiffImagePlugin.TiffImageFile):
        _check_tiff(photograph, data)


def png_essentials(data: bytes) -> bytes:
    """The PNG without its ancillary chunks, after checking all checksums and the number of rows.

    Pillow ignores the checksums of pixels, leaves missing rows black, and decompresses text chunks
    of up to 64 MB; an animation may replace the first picture by another.
    """
    damaged = ImageError(
        "is a damaged or cut-off PNG: its checksums do not match or rows are missing in "
        f"{len(data):,} bytes. Copy or export the photograph again."
    )
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise damaged
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    _check_size(width, height, "PNG")
    view, start = memoryview(data), 8
    chunks, pixels, kind = [view[:8]], [], b""
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
            chunks.append(view[start:end])
        if kind == b"IDAT":
            pixels.append(view[start + 8 : end - 4])
        start = end
    bits = depth * PNG_CHANNELS.get(color, 0)
    if not bits or not _has_bytes(pixels, _png_bytes(width, height, bits, interlaced > 0)):
        raise damaged
    return b"".join(chunks)


def jpeg_essentials(photograph: JpegImagePlugin.JpegImageFile, data: bytes) -> bytes:
    """The first JPEG in the file, changed so that missing rows make decoding fail.

    libjpeg fills missing rows before the end marker with gray, and Pillow does not report it. With
    zeros instead of the marker, a complete picture decodes and an incomplete one runs out of data.
    """
    start = photograph.fp.tell() if photograph.fp else 0
    end = _end_marker(data, start)
    if end < 0:
        raise ImageError(
            f"is cut off: the file ends before the picture is complete ({len(data):,} bytes). "
            "Copy or export the photograph again."
        )
    layers = len(photograph.layer)
    scan = b"\xff\xda" + struct.pack(">HB", 6 + 2 * layers, layers)
    if data.startswith(scan, start - 8 - 2 * layers) and not photograph.info.get("progressive"):
        return data[:end] + bytes(16)
    # With several scans libjpeg keeps all coefficients, 2 bytes each at full size, to the end.
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


def _end_marker(data: bytes, start: int) -> int:
    """The position of a JPEG's first end marker FF D9; −1 without one.

    Compressed data never contains it. Takes a tenth of the time of `bytes.find`, which is slow on
    data full of FF.
    """
    for at in range(start, len(data), _SEARCHED_BYTES):
        block = np.frombuffer(data[at : at + _SEARCHED_BYTES + 1], np.uint8)
        is_end = (block[:-1] == 0xFF) & (block[1:] == 0xD9)
        if is_end.any():
            return at + int(is_end.argmax())
    return -1


def raw_mode(photograph: Image.Image) -> str:
    """Pillow's name for how the file stores a pixel ("RGB;16B"); `mode` may be narrower."""
    tiles = getattr(photograph, "tile", None)
    if not tiles:
        return photograph.mode
    arguments = tiles[0][3]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _check_size(width: int, height: int, file_format: str) -> None:
    short, long = sorted((width, height))
    size = f"is {width:,}×{height:,} px"
    if width * height > MAX_PIXELS[file_format]:
        raise ImageError(
            f"{size} ({width * height / 1e6:,.0f} megapixels); at most "
            f"{MAX_PIXELS[file_format] / 1e6:.0f} megapixels are read from a {file_format} file. "
            "Export the photograph at a smaller size, or as JPEG."
        )
    if short < MIN_SHORT_SIDE:
        raise ImageError(
            f"{size}; at least {MIN_SHORT_SIDE} px on the short side are needed. "
            "Export the original from the dermatoscope rather than a preview or a screenshot."
        )
    if long > MAX_SIDE_RATIO * short:
        raise ImageError(
            f"{size}; the long side may be at most {MAX_SIDE_RATIO} times the short one. "
            "Crop the photograph to the lesion and the skin around it."
        )


def _check_tiff(photograph: TiffImagePlugin.TiffImageFile, data: bytes) -> None:
    tags = photograph.tag_v2
    compression = str(photograph.info.get("compression"))
    if compression not in TIFF_COMPRESSIONS:
        raise ImageError(
            f"is a TIFF compressed as {compression.removeprefix('tiff_')}, which is not supported. "
            "Export it uncompressed, with LZW or deflate, or as PNG."
        )
    width, height = photograph.size
    with raise_as_image_errors(data):
        bits = tags.get(BITS_PER_SAMPLE, (1,))
        bits_per_pixel = sum(bits) * (tags.get(SAMPLES_PER_PIXEL, 1) if len(bits) == 1 else 1)
        columns = tags.get(TILE_WIDTH) or max(width, height)
        rows = tags.get(TILE_LENGTH) or min(tags.get(ROWS_PER_STRIP, height), max(width, height))
        block = rows * columns * bits_per_pixel / 8
    if compression != "raw" and block > MAX_BLOCK_BYTES:
        raise ImageError(
            f"is a TIFF with {block / 2**20:,.0f} MB in one block; at most "
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
            f"is a damaged TIFF: it contains {covered:,} of {width * height * planes:,} values. "
            "Copy or export the photograph again."
        )


def _png_bytes(width: int, height: int, bits_per_pixel: int, is_interlaced: bool) -> int:
    """Bytes of the decompressed rows, each with a byte for its filter."""
    total = 0
    for left, top, step_x, step_y in ADAM7 if is_interlaced else [(0, 0, 1, 1)]:
        columns, rows = -((left - width) // step_x), -((top - height) // step_y)
        total += rows * (1 + -(-columns * bits_per_pixel // 8)) if columns > 0 else 0
    return total


def _has_bytes(compressed: list[memoryview], num_bytes: int) -> bool:
    """True if the zlib stream has that many bytes; decompresses at most 1 MB at a time."""
    stream, num_read = zlib.decompressobj(), 0
    pieces = (part[at : at + 65_536] for part in compressed for at in range(0, len(part), 65_536))
    try:
        for piece in pieces:
            waiting: bytes | memoryview = piece
            while len(waiting) and num_read < num_bytes and not stream.eof:
                num_read += len(stream.decompress(waiting, 1 << 20))
                waiting = stream.unconsumed_tail
    except zlib.error:
        return False
    return num_read >= num_bytes


def _describe(data: bytes) -> str:
    for pattern, what in _OTHER_FORMATS:
        if re.match(pattern, data[:512], re.DOTALL | re.IGNORECASE):
            return f"is {what}"
    if data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"II*\0", b"MM\0*", b"II+\0")):
        return f"is damaged or cut off: its {len(data):,} bytes are not a readable picture"
    return "is not a picture in a supported format"
