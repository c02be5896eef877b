"""The interval width of a sensitivity, and the number of lesions that a narrower one needs.

The width is that of Wilson's 95 % interval (Wilson, JASA 1927) at the expected sensitivity, which
need not be a whole number of lesions: for 80 % of 16 it lies between those of 12 and 13 found.
Rounding to 13 would give the width of 81 %, and more lesions would not always narrow the interval.
A lesion counts once, however many photographs it has.
"""

import math
from statistics import NormalDist

_LEVEL = 0.95


def interval_width(sensitivity: float, num_lesions: int) -> float:
    """Width of the 95 % interval of a sensitivity measured on this number of lesions.

    Args:
        sensitivity: expected, in [0, 1].
        num_lesions: of the class, 0 or more; for 0 the width is 1.

    >>> round(interval_width(0.95, 16), 2), round(interval_width(0.95, 400), 3)
    (0.26, 0.043)
    """
    _check_proportion("sensitivity", sensitivity)
    if num_lesions < 0:
        raise ValueError(f"num_lesions is {num_lesions}; it must be 0 or more.")
    if num_lesions == 0:
        return 1.0
    spread = _z() ** 2 / num_lesions
    variance = sensitivity * (1 - sensitivity)
    return math.sqrt(4 * variance * spread + spread**2) / (1 + spread)


def num_needed(sensitivity: float, max_width: float) -> int:
    """The smallest number of lesions whose interval is at most this wide.

    Args:
        sensitivity: expected, in [0, 1].
        max_width: in (0, 1), such as 0.05 for five percentage points.

    >>> num_needed(0.95, 0.0438)
    393
    """
    _check_proportion("sensitivity", sensitivity)
    if not 0 < max_width < 1:
        raise ValueError(f"max_width is {max_width}; it must lie between 0 and 1.")
    # The width squared, as a quadratic in z² / n.
    squared = max_width**2
    half = 2 * sensitivity * (1 - sensitivity) - squared
    root = math.sqrt(half**2 + (1 - squared) * squared)
    # This form loses no digits for either sign of `half`.
    spread = (root - half) / (1 - squared) if half < 0 else squared / (root + half)
    # Rounding may leave 99.99999999999999 or 100.00000000000001 where 100 is meant.
    number = math.ceil(_z() ** 2 / spread - 1e-6)
    return number if interval_width(sensitivity, number) <= max_width + 1e-12 else number + 1


def _z() -> float:
    return NormalDist().inv_cdf(0.5 + _LEVEL / 2)


def _check_proportion(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; it must lie between 0 and 1.")
