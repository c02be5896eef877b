"""A photograph with personal metadata, as phones write it, and how to search for traces of it."""

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from melanoma_core.images import synthetic

_PEN = (40, 60, 190)  # RGB of a mark beside the lesion; nothing in skin is blue
_ARC_SECONDS = (IFDRational(41392757, 10**6), IFDRational(29615833, 10**6))  # north, east
_SECONDS_NORTH, _SECONDS_EAST = _ARC_SECONDS
_TAKEN = "1987:06:05 04:03:21"


def phone_jpeg(canary: str) -> bytes:
    """A 12-megapixel JPEG as phones write it, with `canary` wherever a file can contain text.

    It is stored sideways, with an EXIF orientation; when upright, a blue pen mark is at the upper
    left.
    """
    lesion = Image.fromarray(synthetic.lesion(5, (800, 600)))
    upright = np.array(lesion.resize((3000, 4000), Image.Resampling.BICUBIC))
    upright[100:500, 100:500] = _PEN
    # Without noise the file would be much smaller than a photograph's.
    grain = np.random.default_rng(0).normal(0, 10, (400, 600, 1)).astype(np.float32)
    grainy = upright + np.tile(grain, (10, 5, 1))
    sideways = np.rot90(np.clip(grainy, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(sideways)).save(
        file, "JPEG", quality=88, exif=_telling_exif(canary), comment=canary.encode(),
        xmp=f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{canary}</x:xmpmeta>".encode(),
    )  # fmt: skip
    return file.getvalue()


def _telling_exif(canary: str) -> Image.Exif:
    exif = Image.Exif()
    tags, gps_tags = ExifTags.Base, ExifTags.GPS
    exif[tags.Orientation] = 6  # upright after a quarter turn to the right
    for tag in (tags.ImageDescription, tags.Make, tags.Model, tags.Software, tags.Artist):
        exif[tag] = canary
    exif[tags.Copyright] = canary
    exif[tags.XPComment] = canary.encode("utf-16-le")
    exif[tags.DateTime] = _TAKEN
    more = exif.get_ifd(ExifTags.IFD.Exif)
    more[tags.DateTimeOriginal] = _TAKEN
    more[tags.UserComment] = b"ASCII\0\0\0" + canary.encode()
    more[tags.CameraOwnerName] = canary
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[gps_tags.GPSLatitudeRef], gps[gps_tags.GPSLongitudeRef] = "N", "E"
    gps[gps_tags.GPSLatitude] = (IFDRational(47), IFDRational(23), _SECONDS_NORTH)
    gps[gps_tags.GPSLongitude] = (IFDRational(8), IFDRational(32), _SECONDS_EAST)
    return exif


def telling_bytes(canary: str) -> tuple[bytes, ...]:
    """The personal metadata of `phone_jpeg` as it is stored in the file."""
    return (
        canary.encode(), canary.encode("utf-16-le"), _TAKEN.encode(),
        *(struct.pack(">II", seconds.numerator, seconds.denominator) for seconds in _ARC_SECONDS),
    )  # fmt: skip


def traces(canary: str) -> tuple[bytes, ...]:
    """As `telling_bytes`, with other forms that a program may write after reading the file."""
    degrees = (
        47 + 23 / 60 + float(_SECONDS_NORTH) / 3600,
        8 + 32 / 60 + float(_SECONDS_EAST) / 3600,
    )
    return (
        *telling_bytes(canary), _TAKEN.replace(":", "-", 2).encode(),
        *(struct.pack("<II", seconds.numerator, seconds.denominator) for seconds in _ARC_SECONDS),
        *(str(seconds.numerator).encode() for seconds in _ARC_SECONDS),
        *(str(float(seconds)).encode() for seconds in _ARC_SECONDS),
        *(f"{degree:.7f}"[:-2].encode() for degree in degrees),
    )  # fmt: skip


def has_pen_mark_at_upper_left(image: NDArray[np.uint8]) -> bool:
    """True if only the upper left corner is blue, as in an upright `phone_jpeg`."""
    height, width = image.shape[:2]
    corners = {
        (down, right): image[round(down * height), round(right * width)].astype(int)
        for down in (0.07, 0.93)
        for right in (0.1, 0.9)
    }
    blue = [corner for corner, color in corners.items() if color[2] > color[0] + 50]
    return blue == [(0.07, 0.1)]
