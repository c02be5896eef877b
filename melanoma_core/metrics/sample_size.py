"""How wide the interval of a sensitivity is, and how many melanomas a narrower one needs.

The width is that of Wilson's 95 % interval (Wilson, JASA 1927) where the measured sensitivity is
the expected one. It needs no draw and no approximation, so the question "how many?" has a closed
answer too. A lesion counts once, however many photographs of it there are.
"""

import math
from statistics import NormalDist

_LEVEL = 0.95


def width(sensitivity: float, num_melanomas: int) -> float:
    """Width of the 95 % interval of a sensitivity measured on so many melanomas.

    Args:
        sensitivity: expected, in [0, 1].
        num_melanomas: lesions, 0 or more; of none the interval is all from 0 to 1.

    >>> round(width(0.95, 16), 2), round(width(0.95, 400), 3)
    (0.26, 0.043)
    """
    _check_share("sensitivity", sensitivity)
    if num_melanomas < 0:
        raise ValueError(f"num_melanomas is {num_melanomas}; it must be 0 or more.")
    if num_melanomas == 0:
        return 1.0
    spread = _z() ** 2 / num_melanomas
    variance = sensitivity * (1 - sensitivity)
    return math.sqrt(4 * variance * spread + spread**2) / (1 + spread)


def num_needed(sensitivity: float, wanted_width: float) -> int:
    """The smallest number of melanomas whose interval is no wider than wanted.

    Args:
        sensitivity: expected, in [0, 1].
        wanted_width: in (0, 1), such as 0.05 for five percentage points.

    >>> num_needed(0.95, 0.0438)
    393
    """
    _check_share("sensitivity", sensitivity)
    if not 0 < wanted_width < 1:
        raise ValueError(f"wanted_width is {wanted_width}; it must lie between 0 and 1.")
    # The width squared, as a quadratic in z² / n.
    squared = wanted_width**2
    half = 2 * sensitivity * (1 - sensitivity) - squared
    root = math.sqrt(half**2 + (1 - squared) * squared)
    # In this form neither sign of `half` cancels digits.
    spread = (root - half) / (1 - squared) if half < 0 else squared / (root + half)
    # Rounding may leave 99.99999999999999 or 100.00000000000001 where 100 is meant.
    number = math.ceil(_z() ** 2 / spread - 1e-6)
    return number if width(sensitivity, number) <= wanted_width + 1e-12 else number + 1


def _z() -> float:
    return NormalDist().inv_cdf(0.5 + _LEVEL / 2)


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; it must lie between 0 and 1.")
