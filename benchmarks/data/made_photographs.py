"""Photograph files as cameras write them, made from synthetic lesions instead of real ones."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from melanoma_core.images import reading, synthetic

_PHONE_SIZE = (4032, 3024)  # px, 12 megapixels
_GRAIN = 10.0  # standard deviation of the sensor's noise, in levels


def dermatoscope_jpeg(seed: int) -> bytes:
    """A 600 × 450 JPEG of a synthetic lesion, the size in which HAM10000 is published."""
    kind = synthetic.KINDS[seed % len(synthetic.KINDS)]
    lesion = synthetic.lesion(seed, (450, 600), kind)
    return reading.jpeg(_with_grain(lesion, seed), quality=95)


def phone_jpeg(seed: int) -> bytes:
    """A 12-megapixel JPEG as phones write it: noisy, with orientation, place and time in EXIF."""
    kind = synthetic.KINDS[seed % len(synthetic.KINDS)]
    lesion = Image.fromarray(synthetic.lesion(seed, (900, 1200), kind))
    enlarged = np.asarray(lesion.resize(_PHONE_SIZE, Image.Resampling.BICUBIC))
    photograph = _with_grain(enlarged, seed)

    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Benchmark"
    exif[ExifTags.Base.Orientation] = 6  # upright after a quarter turn to the right
    exif[ExifTags.Base.DateTime] = "2026:01:02 03:04:05"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (1.0, 2.0, 3.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "E", (4.0, 5.0, 6.0)
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "JPEG", quality=88, exif=exif)
    return file.getvalue()


def _with_grain(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The image with gray noise, so that the file is as large as a photograph's.

    A phone's file then has 4 MB, and one of 600 × 450 px 0.2 MB, as in the archives.
    """
    grain = np.random.default_rng(seed).normal(0, _GRAIN, (*image.shape[:2], 1))
    return np.clip(image + grain.astype(np.float32), 0, 255).astype(np.uint8)
