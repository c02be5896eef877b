"""Files as cameras write them, made of drawn lesions: the benchmarks need no real photographs."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from melanoma_core.images import reading, synthetic

_PHONE_SIZE = (4032, 3024)  # px, 12 megapixels
_GRAIN = 10.0  # standard deviation of the sensor's noise, in levels


def dermatoscope_jpeg(seed: int) -> bytes:
    """A 600 × 450 JPEG of a drawn lesion, the size in which HAM10000 is published."""
    kind = synthetic.KINDS[seed % len(synthetic.KINDS)]
    drawn = synthetic.lesion(seed, (450, 600), kind)
    return reading.jpeg(_with_grain(drawn, seed), quality=95)


def phone_jpeg(seed: int) -> bytes:
    """A 12-megapixel JPEG as a phone writes it: grain, held upright, place and time in EXIF."""
    kind = synthetic.KINDS[seed % len(synthetic.KINDS)]
    drawn = Image.fromarray(synthetic.lesion(seed, (900, 1200), kind))
    enlarged = np.asarray(drawn.resize(_PHONE_SIZE, Image.Resampling.BICUBIC))
    photograph = _with_grain(enlarged, seed)

    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Benchmark"
    exif[ExifTags.Base.Orientation] = 6  # a quarter turn to the right makes it upright
    exif[ExifTags.Base.DateTime] = "2026:01:02 03:04:05"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (1.0, 2.0, 3.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "E", (4.0, 5.0, 6.0)
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "JPEG", quality=88, exif=exif)
    return file.getvalue()


def _with_grain(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The image with gray noise; without it a drawing makes a far smaller file than a photograph.

    With it a phone's file has 4 MB, and one of 600 × 450 px 0.2 MB, as in the archives.
    """
    grain = np.random.default_rng(seed).normal(0, _GRAIN, (*image.shape[:2], 1))
    return np.clip(image + grain.astype(np.float32), 0, 255).astype(np.uint8)
