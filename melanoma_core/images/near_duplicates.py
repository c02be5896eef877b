"""Near copies: one picture re-encoded, resized, rotated or mirrored.

Lesions look alike at low frequency: a dark spot in the middle of pale skin. So a perceptual hash
only proposes candidate pairs, and each is confirmed on the thumbnails by the fine structure that
no two lesions share (hairs, pigment network, notches of the border).

Candidates take about linear time: they are pairs in the same bucket of hash bits, and the bits of a
bucket grow with the logarithm of the number of photographs, so the chance pairs of each stay few.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melanoma_core.images.fingerprints import SIDE, Fingerprints

# Measured on 1,071 photographs of HAM10000 and ISIC 2017 (572,571 pairs of distinct lesions, 43
# known near copies): JPEG quality 50 or half size changes at most 7 of the 120 bits, on average
# 1.5; known near copies of the same area of skin differ in up to 27, two random lesions in 59.
FREQUENCIES = 12  # cosines per side whose signs make the hash
MAX_BITS_APART = 36
# Same measurement: all known near copies reach 0.93 and 0.62, except four with another crop or
# focus; two lesions with a thumbnail correlation of 0.85 reach at most 0.39 in fine structure.
MIN_THUMBNAIL_CORRELATION = 0.85
MIN_FINE_CORRELATION = 0.5

VIEWS = 8  # flips and rotations by quarter turns
_BANDS = 24  # buckets per photograph
_PROBES = 3  # neighboring buckets searched, by flipping the least certain bits
_SPARE_BITS = 4  # bits of a bucket beyond log2 of the number of photographs
_BUCKET = (
    32  # photographs of a bucket that others are compared with: there may be a hundred black ones
)
_SHIFT = 3  # thumbnail px by which the crop of a near copy may differ
_FINE_SIGMA = 2.0  # px; coarser detail is not part of the fine structure
_FINE_FLOOR = 0.7  # gray levels, so that compression noise is not amplified
_FINE_RADIUS = 28.0  # px; outside is the dark ring of many dermatoscopes, the same in all
# A smaller frame than that ring is black; two lesions in the same one reached 0.9 by its edge.
_BLACK, _BLACK_SHARE = 24, 0.01  # gray levels; share of black about a px, weighted by distance
_PAIRS_AT_ONCE = 512


@dataclass(frozen=True)
class NearCopy:
    """The indices of two fingerprints of one picture, and their correlations."""

    first: int
    second: int
    thumbnail_correlation: float
    fine_correlation: float


def find(fingerprints: Fingerprints) -> list[NearCopy]:
    """Pairs that are one picture re-encoded, resized, rotated by quarter turns or mirrored.

    Only the first of several photographs with identical pixels is compared.
    """
    if not fingerprints.has_pictures:
        return []
    distinct = np.array(list(_first_indices(fingerprints.sha256).values()), np.intp)
    if len(distinct) < 2:
        return []
    thumbnails = fingerprints.thumbnails[distinct]
    pairs = candidates(coefficients(thumbnails))
    best: dict[tuple[int, int], NearCopy] = {}
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        for first, second, coarse, fine in _confirmed(
            thumbnails, pairs[start : start + _PAIRS_AT_ONCE]
        ):
            pair = int(distinct[first]), int(distinct[second])
            if pair not in best or fine > best[pair].fine_correlation:
                best[pair] = NearCopy(*pair, coarse, fine)
    return [best[pair] for pair in sorted(best)]


def _first_indices(sha256: Sequence[str | None]) -> dict[str, int]:
    first: dict[str, int] = {}
    for index, digest in enumerate(sha256):
        if digest is not None:
            first.setdefault(digest, index)
    return first


def coefficients(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, FREQUENCIES, FREQUENCIES) low-frequency cosine transform, vertical frequency first.

    Mirroring flips the sign of odd frequencies and transposing transposes the coefficients, so all
    eight views need a single transform.
    """
    frequency = np.arange(FREQUENCIES)[:, None]
    basis = np.cos(np.pi * frequency * (np.arange(SIDE) + 0.5) / SIDE).astype(np.float32)
    transforms = np.empty((len(thumbnails), FREQUENCIES, FREQUENCIES), np.float32)
    for start in range(0, len(thumbnails), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        transforms[part] = basis @ thumbnails[part].astype(np.float32) @ basis.T
    return transforms


def candidates(hashes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Pairs whose hashes are close in one of the eight views.

    Args:
        hashes: (N, FREQUENCIES, FREQUENCIES) from `coefficients`; their signs are the hash.

    Returns:
        (P, 3): first index, second (higher) index, and the view of the second that is close.
    """
    is_bit = _is_bit()
    signed = hashes[:, is_bit]
    packed = _packed(signed)
    width = min(signed.shape[1], int(np.ceil(np.log2(max(len(hashes), 2)))) + _SPARE_BITS)
    rng = np.random.default_rng(0)  # the same bits make a bucket in every audit
    bands = [rng.choice(signed.shape[1], width, replace=False) for _ in range(_BANDS)]
    keys = [_keys(signed[:, band]) for band in bands]
    orders = [np.argsort(band_keys, kind="stable") for band_keys in keys]
    numbers = np.empty(0, np.int64)
    for view in range(VIEWS):
        viewed = _view(hashes, view)[:, is_bit]
        viewed_packed = _packed(viewed)
        for band, band_keys, order in zip(bands, keys, orders, strict=True):
            sorted_keys = band_keys[order]
            pairs = np.concatenate(
                [_bucket_pairs(probe, sorted_keys, order) for probe in _probes(viewed[:, band])]
            )
            num_bits_apart = np.bitwise_count(packed[pairs[:, 0]] ^ viewed_packed[pairs[:, 1]])
            pairs = pairs[num_bits_apart.sum(axis=1) <= MAX_BITS_APART]
            # Merged for each band: hundreds of copies yield the same pairs in every band.
            numbers = np.union1d(numbers, _numbered(pairs, view, len(hashes)))
    pair, views = np.divmod(numbers, VIEWS)
    return np.column_stack([*np.divmod(pair, max(1, len(hashes))), views])


def _numbered(pairs: NDArray[np.int64], view: int, num_hashes: int) -> NDArray[np.int64]:
    """Each pair, its lower index first, and the view of its second as a single number."""
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    views = np.where(pairs[:, 0] == low, view, _inverse(view))
    numbers: NDArray[np.int64] = (low * num_hashes + high) * VIEWS + views
    return numbers


def _is_bit() -> NDArray[np.bool_]:
    """(FREQUENCIES, FREQUENCIES): the quarter disc without the mean, which every view keeps."""
    frequency = np.arange(FREQUENCIES)
    length = np.hypot(frequency[:, None], frequency)
    return (length > 0) & (length < FREQUENCIES)


def _view(pictures: NDArray[np.float32], view: int) -> NDArray[np.float32]:
    """The cosine transforms of the pictures after `_turned`."""
    signs = 1.0 - 2.0 * (np.arange(FREQUENCIES) % 2).astype(np.float32)
    if view & 1:
        pictures = pictures * signs
    if view & 2:
        pictures = pictures * signs[:, None]
    return pictures.transpose(0, 2, 1) if view & 4 else pictures


def _turned(pictures: NDArray[np.float32], view: int) -> NDArray[np.float32]:
    """(N, H, W) pictures mirrored left to right (1), top to bottom (2), transposed (4)."""
    if view & 1:
        pictures = pictures[:, :, ::-1]
    if view & 2:
        pictures = pictures[:, ::-1]
    return pictures.transpose(0, 2, 1) if view & 4 else pictures


def _inverse(view: int) -> int:
    """The view that undoes a view: only the two quarter turns are not their own inverse."""
    return {5: 6, 6: 5}.get(view, view)


def _packed(signed: NDArray[np.float32]) -> NDArray[np.uint64]:
    """(N, words) of 64 bits each: 1 for coefficients above 0."""
    octets = np.packbits(signed > 0, axis=1)
    padding = -octets.shape[1] % 8
    return np.ascontiguousarray(np.pad(octets, ((0, 0), (0, padding)))).view(np.uint64)


def _keys(signed: NDArray[np.float32]) -> NDArray[np.int64]:
    keys: NDArray[np.int64] = (signed > 0) @ (1 << np.arange(signed.shape[1], dtype=np.int64))
    return keys


def _probes(signed: NDArray[np.float32]) -> Iterator[NDArray[np.int64]]:
    """The buckets to search: a photograph's own, then one for each least certain bit flipped."""
    keys = _keys(signed)
    yield keys
    weakest = np.argpartition(np.abs(signed), _PROBES, axis=1)[:, :_PROBES]
    for column in range(_PROBES):
        yield keys ^ (np.int64(1) << weakest[:, column])


def _bucket_pairs(
    probe: NDArray[np.int64], keys: NDArray[np.int64], order: NDArray[np.intp]
) -> NDArray[np.int64]:
    """(P, 2): index in the bucket, index that searches it; at most `_BUCKET` pairs for each."""
    start = np.searchsorted(keys, probe, side="left")
    count = np.minimum(np.searchsorted(keys, probe, side="right") - start, _BUCKET)
    searching = np.repeat(np.arange(len(probe)), count)
    offset = np.arange(len(searching)) - np.repeat(np.cumsum(count) - count, count)
    members = order[np.repeat(start, count) + offset]
    pairs: NDArray[np.int64] = np.column_stack([members, searching])[members != searching]
    return pairs


def _confirmed(
    thumbnails: NDArray[np.uint8], pairs: NDArray[np.int64]
) -> Iterator[tuple[int, int, float, float]]:
    """The pairs that show one picture, with both correlations."""
    first = thumbnails[pairs[:, 0]].astype(np.float32)
    second = np.empty_like(first)
    for view in range(VIEWS):
        of_view = pairs[:, 2] == view
        second[of_view] = _turned(thumbnails[pairs[of_view, 1]].astype(np.float32), view)
    coarse = _correlation(_halved(first), _halved(second))
    alike = coarse >= MIN_THUMBNAIL_CORRELATION
    fine = _shifted_correlation(
        _fine_of(first[alike], pairs[alike, 0]),
        _fine_of(second[alike], pairs[alike, 1] * VIEWS + pairs[alike, 2]),
    )
    for pair, of_coarse, of_fine in zip(pairs[alike], coarse[alike], fine, strict=True):
        if of_fine >= MIN_FINE_CORRELATION:
            yield int(pair[0]), int(pair[1]), float(of_coarse), float(of_fine)


def _halved(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    half = SIDE // 2
    averaged = pictures.reshape(-1, half, 2, half, 2).mean((2, 4))
    centered: NDArray[np.float32] = averaged - averaged.mean((1, 2), keepdims=True)
    return centered


def _fine_of(pictures: NDArray[np.float32], names: NDArray[np.int64]) -> NDArray[np.float32]:
    """`_fine` of each picture; those of one name are one, and it stands in many pairs."""
    _, first_places, place_of = np.unique(names, return_index=True, return_inverse=True)
    return _fine(pictures[first_places])[place_of]


def _fine(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Detail finer than `_FINE_SIGMA`, normalized in strength, inside the dermatoscope's ring.

    Without normalization the dark edge of the ring would outweigh everything else.
    """
    place = np.arange(SIDE)
    blur = np.exp(-(np.subtract.outer(place, place) ** 2) / (2 * _FINE_SIGMA**2))
    blur = (blur / blur.sum(axis=1, keepdims=True)).astype(np.float32)
    detail = pictures - blur @ pictures @ blur.T
    detail /= np.sqrt(blur @ detail**2 @ blur.T) + _FINE_FLOOR
    radius = np.hypot(place[:, None] - (SIDE - 1) / 2, place - (SIDE - 1) / 2)
    # The blur reaches some px into the picture, and with it the edge of a black frame.
    is_near_black = blur @ (pictures < _BLACK).astype(np.float32) @ blur.T > _BLACK_SHARE
    inside = ((radius < _FINE_RADIUS) & ~is_near_black).astype(np.float32)
    area = np.maximum(inside.sum((1, 2), keepdims=True), 1)
    mean = (detail * inside).sum((1, 2), keepdims=True) / area
    windowed: NDArray[np.float32] = (detail - mean) * inside
    return windowed


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlation of each pair of centered pictures; 0 if one of them is uniform."""
    return _ratio((first * second).sum((1, 2)), first, second)


def _shifted_correlation(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The highest correlation of each pair over shifts of up to `_SHIFT` px in each direction."""
    spectrum = np.fft.rfft2(first) * np.fft.rfft2(second).conj()
    products = np.fft.irfft2(spectrum, s=(SIDE, SIDE))
    shifts = np.arange(-_SHIFT, _SHIFT + 1)
    highest = products[:, shifts[:, None], shifts].max(axis=(1, 2)) if len(first) else np.empty(0)
    return _ratio(highest, first, second)


def _ratio(
    products: NDArray[np.floating], first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    lengths = np.linalg.norm(first, axis=(1, 2)) * np.linalg.norm(second, axis=(1, 2))
    is_uniform = lengths < 1e-6
    ratios: NDArray[np.float32] = np.where(
        is_uniform, 0, products / np.where(is_uniform, 1, lengths)
    )
    return ratios
