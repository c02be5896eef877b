"""Shares in words, no finer than they are, alike on the pages and on the command line."""

import math

NOT_KNOWN = "not known"


def digits(value: float) -> str:
    """A share as a percentage without its sign: whole from 10, one decimal from 1, then "<1".

    A share that would round to 100 without being so is ">99", for nothing here is certain.

    >>> digits(0.312), digits(0.0841), digits(0.0021), digits(0.9996), digits(1.0)
    ('31', '8.4', '<1', '>99', '100')
    """
    percentage = value * 100
    if math.isnan(percentage):
        return NOT_KNOWN
    if percentage < 1:
        return "0" if percentage == 0 else "<1"
    if 99.5 <= percentage < 100:
        return ">99"
    # 9.96 is 10 on paper: the decimal is chosen after rounding, not before.
    return f"{percentage:.1f}" if round(percentage, 1) < 10 else f"{percentage:.0f}"
