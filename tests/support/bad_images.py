"""Files that the reader must refuse, and large ones that it must survive, made by code.

`python tests/support/bad_images.py` reads each of them in its own child process, with a memory
limit and a timeout, and prints one JSON line per file. `test_reading.py` runs it and checks the
lines, so that none of these files is read in the tests' own process.
"""

import io
import json
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from melanoma_core.images import reading

TIME_LIMIT_S = 20
MEMORY_LIMIT_BYTES = 1 << 30  # of address space, beyond what the parent has mapped


@dataclass(frozen=True)
class Case:
    """A file, and the expected result of reading it."""

    make: Callable[[], bytes]
    refusal: str = ""  # regular expression found in the error; "" if the file must be read
    name: str = "lesion.jpg"
    shape: tuple[int, ...] = ()  # of the image, if the file must be read


def photograph(height: int = 96, width: int = 128) -> Image.Image:
    """A smooth color picture, which every format compresses differently."""
    coarse = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def saved(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def plain(mode: str, size: tuple[int, int], file_format: str, **options: Any) -> bytes:
    """A file of a single-color picture."""
    return saved(Image.new(mode, size), file_format, **options)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color: int, extra: bytes = b"") -> bytes:
    """A PNG with pixels of one value, written byte by byte, so that its header can say anything."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    packer, packed = zlib.compressobj(9), []
    row = b"\0" + b"\x55" * (width * channels * depth // 8)
    for _ in range(height if width * height <= 25_000_000 else 1):
        packed.append(packer.compress(row))
    pixels = b"".join(packed) + packer.flush()
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    body = extra + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def tiff(tags: dict[int, int | tuple[int, int, int]], pixels: bytes = b"") -> bytes:
    """A little-endian TIFF with only these tags; offset −1 becomes the offset of the pixels.

    Args:
        tags: tag → value (a long), or (type, count, value or offset).
        pixels: data after the directory.
    """
    pixel_offset = 8 + 2 + 12 * len(tags) + 4
    directory = struct.pack("<H", len(tags))
    for tag, entry in sorted(tags.items()):
        kind, count, value = entry if isinstance(entry, tuple) else (4, 1, entry)
        directory += struct.pack("<HHII", tag, kind, count, pixel_offset if value == -1 else value)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + pixels


def gray_tiff(**changes: Any) -> bytes:
    """An 8-bit gray TIFF of 128×128 px in one strip, with some tags changed (`t278=8`)."""
    tags: dict[int, Any] = {256: 128, 257: 128, 258: 8, 259: 1, 262: 1, 273: -1, 277: 1, 278: 128}
    tags[279] = 128 * 128
    tags |= {int(key[1:]): value for key, value in changes.items()}
    return tiff({key: value for key, value in tags.items() if value is not None}, bytes(128 * 128))


def jpeg_claiming(width: int, height: int) -> bytes:
    data = bytearray(saved(photograph(), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_of_many_scans() -> bytes:
    """A progressive JPEG whose last scan is repeated 20,000 times: hours of work in 1 MB."""
    data = saved(Image.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2][:60] * 20_000 + b"\xff\xd9"


def float_tiff(value: float) -> bytes:
    values = np.linspace(0, 1, 96 * 128, dtype=np.float32).reshape(96, 128)
    values[50, 50] = value
    return saved(Image.fromarray(values), "TIFF")


def broken_png(kind: bytes, offset: int) -> bytes:
    """A PNG with one bit of a chunk flipped, and the old checksum."""
    data = bytearray(saved(photograph(), "PNG"))
    data[data.index(kind) + 4 + offset] ^= 1
    return bytes(data)


def animation(file_format: str) -> bytes:
    frames = [photograph(), photograph().rotate(180)]
    return saved(frames[0], file_format, save_all=True, append_images=frames[1:])


def text_bombs() -> bytes:
    """A PNG with 60 texts of 1 MB that take 4 MB each in Pillow, and a color profile of 50 MB."""
    text = zlib.compress("\N{BAR CHART}".encode() + b"a" * 1_000_000)
    chunks = [png_chunk(b"iTXt", b"k%d\0\1\0\0\0" % index + text) for index in range(60)]
    profile = png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(50_000_000)))
    return png(96, 96, 8, 2, profile + b"".join(chunks))


FORMATS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(photograph(), "JPEG"),
    "progressive jpeg": lambda: saved(photograph(), "JPEG", progressive=True),
    "png": lambda: saved(photograph(), "PNG"),
    "palette png": lambda: saved(photograph().quantize(64), "PNG"),
    "webp": lambda: saved(photograph(), "WEBP"),
    "lossless webp": lambda: saved(photograph(), "WEBP", lossless=True),
    "tiff": lambda: saved(photograph(), "TIFF"),
    "lzw tiff": lambda: saved(photograph(), "TIFF", compression="tiff_lzw"),
    "deflate tiff": lambda: saved(photograph(), "TIFF", compression="tiff_adobe_deflate"),
    "jpeg tiff": lambda: saved(photograph(), "TIFF", compression="jpeg"),
}
CUTS: dict[str, Callable[[bytes], bytes]] = {
    "to 3 bytes": lambda data: data[:3],
    "in the header": lambda data: data[:20],
    "at 30 %": lambda data: data[: len(data) * 3 // 10],
    "at 70 %": lambda data: data[: len(data) * 7 // 10],
    "at 97 %": lambda data: data[: len(data) * 97 // 100],
    "by 1 byte": lambda data: data[:-1],
}
HOSTILE_NAMES = (
    "<script>alert(1)</script>.jpg",
    "[click](javascript:alert(1)).png",
    "two\nlines\r\x00\x1b[31m.jpg",
    "\u202egpj.exe",
    "lone surrogate \ud800.jpg",
    "=HYPERLINK(1).tif",
    "long " * 100 + ".webp",
    "$\\frac{a}{b}$ `code` **bold**.jpg",
)
DAMAGED = "damaged|cut off|cut-off"


def _cut(make: Callable[[], bytes], cut: Callable[[bytes], bytes]) -> bytes:
    return cut(make())


def cases() -> dict[str, Case]:
    """All files by name; a file is made when its `make` is called."""
    by_name = {
        f"{file_format} cut {how}": Case(partial(_cut, make, cut), f"{DAMAGED}|not a picture")
        for file_format, make in FORMATS.items()
        for how, cut in CUTS.items()
    }
    by_name |= {
        f"name {index}": Case(lambda: b"", r"is empty \(0 bytes\)", name)
        for index, name in enumerate(HOSTILE_NAMES)
    }
    return by_name | _not_photographs() | _odd_pictures() | _false_claims() | _large_pictures()


def _not_photographs() -> dict[str, Case]:
    contents = {
        "empty": (b"", r"is empty \(0 bytes\)"),
        "one byte": (b"\xff", "not a picture"),
        "zeros": (bytes(5000), "not a picture"),
        "text": (b"Sehr geehrte Frau Kollegin, " * 50, "not a picture"),
        "web page": (b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
        "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG"),
        "pdf": (b"%PDF-1.7\n" + bytes(500), "a PDF"),
        "photoshop": (b"8BPS\0\1" + bytes(500), "a Photoshop file"),
        "heic": (b"\0\0\0\x18ftypheic" + bytes(500), "a HEIC photograph"),
        "avif": (b"\0\0\0\x18ftypavif" + bytes(500), "an AVIF picture"),
        "dicom": (bytes(128) + b"DICM" + bytes(500), "a DICOM file"),
        "zip": (b"PK\x03\x04" + bytes(500), "a zip archive"),
        "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(500), "not a picture"),
        "icon": (b"\0\0\1\0\1\0" + bytes(500), "not a picture"),
        "sound": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(500), DAMAGED),
        "pickle": (b"\x80\x04\x95" + bytes(500), "not a picture"),
        "html before jpeg": (b"<html>" + saved(photograph(), "JPEG"), "a web page"),
        "jpeg marker, then html": (b"\xff\xd8\xff<html><script>alert(1)</script>", DAMAGED),
        "png magic, then jpeg": (b"\x89PNG\r\n\x1a\n" + saved(photograph(), "JPEG"), DAMAGED),
        "two jpeg starts": (b"\xff\xd8\xff\xd8\xff\xd9", DAMAGED),
    }
    by_name = {
        name: Case(lambda data=data: data, refusal) for name, (data, refusal) in contents.items()
    }
    for file_format, refusal in (("GIF", "a GIF"), ("BMP", "a BMP"), ("PPM", "not a picture")):
        by_name[file_format.lower()] = Case(partial(saved, photograph(), file_format), refusal)
    return by_name


def _odd_pictures() -> dict[str, Case]:
    one_bit = "1 bit a pixel"
    two_colors = png_chunk(b"PLTE", b"\0\0\0\xff\xff\xff")
    return {
        "1-bit png": Case(partial(plain, "1", (96, 96), "PNG"), one_bit),
        "1-bit tiff": Case(partial(plain, "1", (96, 96), "TIFF"), one_bit),
        "fax tiff": Case(partial(plain, "1", (96, 96), "TIFF", compression="group4"), one_bit),
        "two-color png": Case(partial(png, 96, 96, 1, 3, two_colors), one_bit),
        "NaN": Case(partial(float_tiff, np.nan), "NaN or infinity"),
        "infinity": Case(partial(float_tiff, np.inf), "NaN or infinity"),
        "minus infinity": Case(partial(float_tiff, -np.inf), "NaN or infinity"),
        "lab tiff": Case(partial(plain, "LAB", (96, 96), "TIFF"), "CIELAB"),
        "lzma tiff": Case(partial(plain, "RGB", (96, 96), "TIFF", compression="lzma"), "packed as"),
        "small": Case(partial(plain, "RGB", (48, 36), "PNG"), "48×36 px; at least 64 px"),
        "one pixel": Case(partial(plain, "RGB", (1, 1), "JPEG"), "1×1 px; at least 64 px"),
        "63 px": Case(partial(plain, "RGB", (64, 63), "WEBP"), "64×63 px; at least 64 px"),
        "thin": Case(partial(plain, "RGB", (641, 128), "JPEG"), "641×128 px; .* 5 times"),
        "tall": Case(partial(plain, "RGB", (64, 2000), "TIFF"), "64×2,000 px; .* 5 times"),
        "two pages": Case(partial(animation, "TIFF"), "several pictures"),
        "moving webp": Case(partial(animation, "WEBP"), "several pictures"),
        "moving png": Case(partial(animation, "PNG"), "an animation"),
    }


def _false_claims() -> dict[str, Case]:
    return {
        "50,000 px png": Case(partial(png, 50_000, 50_000, 8, 2), "50,000×50,000 px .2,500 mega"),
        "zero px png": Case(partial(png, 0, 0, 8, 2), "0×0 px"),
        "png of 26 MP": Case(partial(png, 5_200, 5_000, 8, 0), "at most 25 megapixels"),
        "png of unknown kind": Case(partial(png, 96, 96, 3, 2), DAMAGED),
        "png without pixels": Case(lambda: _without_pixels(), DAMAGED),
        "png too tall": Case(lambda: _png_with_height(192), DAMAGED),
        "png bit in header": Case(partial(broken_png, b"IHDR", 9), DAMAGED),
        "png bit in pixels": Case(partial(broken_png, b"IDAT", 400), DAMAGED),
        "png chunk of 4 GB": Case(lambda: saved(photograph(), "PNG")[:33] + b"\xff" * 64, DAMAGED),
        "jpeg of 4 GP": Case(partial(jpeg_claiming, 65_500, 65_500), "4,290 megapixels; at most"),
        "jpeg of 65 MP": Case(partial(jpeg_claiming, 8_200, 8_000), "at most 64 megapixels"),
        "jpeg of 0 px": Case(partial(jpeg_claiming, 0, 0), "0×0 px|damaged"),
        "jpeg too tall": Case(partial(jpeg_claiming, 128, 192), DAMAGED),
        "jpeg cut, end glued on": Case(
            lambda: saved(photograph(), "JPEG")[:-300] + b"\xff\xd9", DAMAGED
        ),
        "jpeg of many scans": Case(jpeg_of_many_scans, "takes too much memory or time"),
        "progressive jpeg of 64 MP": Case(
            partial(plain, "RGB", (8_000, 8_000), "JPEG", progressive=True), "too much memory"
        ),
        "webp of 268 MP": Case(lambda: _webp_claiming(16_383, 16_383), "268 megapixels"),
        "webp of 10 MP": Case(partial(plain, "RGB", (3_200, 3_200), "WEBP", method=0), "at most 9"),
        "webp with a lying length": Case(
            lambda: b"RIFF\xff\xff\xff\x7f" + saved(photograph(), "WEBP")[8:], DAMAGED
        ),
        "tiff of 3,600 MP": Case(partial(gray_tiff, t256=60_000, t257=60_000), "3,600 megapixels"),
        "tiff without pixels": Case(partial(gray_tiff, t273=None), DAMAGED),
        "tiff without size": Case(partial(gray_tiff, t256=None), DAMAGED),
        "tiff strip outside": Case(partial(gray_tiff, t273=10_000_000), DAMAGED),
        "tiff strips missing": Case(partial(gray_tiff, t278=8), "holds 1,024 of 16,384"),
        "tiff strips missing, packed": Case(partial(gray_tiff, t278=8, t259=8), DAMAGED),
        "tiff too tall": Case(partial(gray_tiff, t257=256, t278=256), DAMAGED),
        "tiff rows 0": Case(partial(gray_tiff, t278=0), DAMAGED),
        "tiff of 1,000 samples": Case(partial(gray_tiff, t277=1_000), DAMAGED),
        "tiff tag of 4 GB": Case(partial(gray_tiff, t273=(4, 2**30 - 1, -1)), DAMAGED),
        "tiff tile of 1.6 GB": Case(
            partial(gray_tiff, t259=8, t273=None, t322=40_000, t323=40_000, t324=-1), "one block"
        ),
        "tiff strip of 150 MB": Case(
            lambda: tiff(
                {256: 5_000, 257: 5_000, 258: (3, 1, 16), 259: 8, 262: 2, 273: -1, 277: 3}
                | {278: 5_000, 279: 1_000},
                zlib.compress(bytes(1_000_000)),
            ),
            "one block",
        ),
        "tiff pointing at itself": Case(lambda: b"II*\0\x00\x00\x00\x00" + bytes(100), DAMAGED),
        "tiff in jpeg 2000": Case(partial(gray_tiff, t259=34712), f"{DAMAGED}|packed as"),
    }


def _without_pixels() -> bytes:
    header = struct.pack(">IIBBBBB", 96, 96, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IEND", b"")


def _png_with_height(height: int) -> bytes:
    data = saved(photograph(), "PNG")
    width = photograph().width
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return data[:8] + png_chunk(b"IHDR", header) + data[33:]


def _webp_claiming(width: int, height: int) -> bytes:
    data = bytearray(saved(photograph(), "WEBP"))
    start = data.index(b"\x9d\x01\x2a") + 3
    data[start : start + 4] = struct.pack("<HH", width, height)
    return bytes(data)


def _large_pictures() -> dict[str, Case]:
    """Large files that are valid: they must be read within the memory limit."""
    rotated = Image.Exif()
    rotated[0x0112] = 6
    options = {"compression": "tiff_adobe_deflate", "exif": rotated}
    return {
        "png bombs in texts": Case(text_bombs, shape=(96, 96, 3)),
        "png of 25 MP, 16 bit": Case(partial(png, 5_000, 5_000, 16, 6), shape=(2500, 2500, 3)),
        "tiff of 25 MP, float": Case(
            partial(plain, "F", (5_000, 5_000), "TIFF", **options), shape=(2500, 2500, 3)
        ),
        "webp of 9 MP": Case(
            partial(plain, "RGBA", (3_000, 3_000), "WEBP", method=0), shape=(1500, 1500, 3)
        ),
        "jpeg of 64 MP": Case(partial(plain, "RGB", (8_000, 8_000), "JPEG"), shape=(1000, 1000, 3)),
        "progressive jpeg of 22 MP": Case(
            partial(plain, "RGB", (4_700, 4_700), "JPEG", progressive=True, subsampling=0),
            shape=(1175, 1175, 3),
        ),
    }


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file after one to eight random changes: bits, bytes, lengths, cuts, copies."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        # Half of the changes are near the start, where the structure is.
        reach = len(changed) if rng.random() < 0.5 else min(len(changed), 400)
        at, length = rng.randrange(max(1, reach)), rng.choice((1, 2, 4, 16, 200))
        kind = rng.randrange(6)
        if kind == 0 and changed:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at : at + 1] = bytes([rng.choice((0, 1, 127, 128, 255))])
        elif kind == 2:
            changed[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff" * 4, b"\x7f\xff\xff\xff"))
        elif kind == 3:
            del changed[at : at + length]
        elif kind == 4:
            changed[at:at] = changed[at : at + length]
        else:
            changed[at : at + length] = rng.randbytes(length)
    return bytes(changed)


def _in_child(work: Callable[[], None]) -> int:
    """Exit status of `work` in a child process; negative is the signal that ended it."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(TIME_LIMIT_S)
        work()
        sys.stdout.flush()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _limit_memory() -> None:
    statm = Path("/proc/self/statm")  # only on Linux; elsewhere only the growth is measured
    if statm.exists():
        mapped = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_LIMIT_BYTES,) * 2)


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _report(key: str, case: Case, path: Path) -> None:
    data = path.read_bytes()
    _limit_memory()
    before = _peak_bytes()
    result: dict[str, Any] = {"case": key}
    try:
        result["shape"] = reading.read(data, case.name).shape
    except reading.ImageError as error:
        result["error"] = str(error)
        result["context_shown"] = not error.__suppress_context__
    sys.stdout.write(json.dumps(result | {"growth": _peak_bytes() - before}) + "\n")


def main() -> None:
    """Print one JSON line per case: shape or error, and growth in bytes; or how the child died."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        for key, case in cases().items():
            # Made in a child too, so that making it does not hide the memory that reading needs.
            if _in_child(lambda case=case: path.write_bytes(case.make()) and None):
                raise RuntimeError(f"{key} could not be made.")
            status = _in_child(lambda key=key, case=case: _report(key, case, path))
            if status:
                sys.stdout.write(json.dumps({"case": key, "died": status}) + "\n")


if __name__ == "__main__":
    main()
