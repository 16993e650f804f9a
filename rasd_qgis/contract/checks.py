"""Checks: what a request's fields may hold, each refusal in its own words (RequestError)."""

from __future__ import annotations

import math
import re
import reprlib
import sys
from typing import Any

from .errors import RequestError

Ranges = tuple[tuple[tuple[float, float], ...], ...]

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
LEAST_TILE, GREATEST_TILE = 32, 65536
# Characters of the longest path any system knows, Windows'.
MOST_PATH = 32_767
# JSON knows whole numbers of any length; a float ends here.
_GREATEST = int(sys.float_info.max)
# What a sentence shows of a value; whoever sent it may have sent megabytes.
MOST_SHOWN = 80


class _Brief(reprlib.Repr):
    """Bounds each of a value's parts, and the number of them."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = MOST_SHOWN


_brief = _Brief()


def shown(value: Any) -> str:
    """A value as Python writes it, shortened for a sentence."""
    text = _brief.repr(value)
    return text if len(text) <= 2 * MOST_SHOWN else text[: 2 * MOST_SHOWN] + "…"


def run_id(value: Any) -> None:
    """8 to 64 hexadecimal digits."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{8,64}", value):
        raise RequestError(f"A run's id must be 8 to 64 hexadecimal digits, not {shown(value)}.")


def text(name: str, value: Any) -> None:
    """Text that is not empty and that a path could be."""
    if not isinstance(value, str) or not value or "\0" in value:
        told = shown(value)
        raise RequestError(f"The request's {name} must be text that is not empty, not {told}.")
    short(name, value)


def short(name: str, value: Any) -> None:
    """Text that is no longer than a path can be."""
    if not isinstance(value, str) or len(value) > MOST_PATH:
        raise RequestError(
            f"The request's {name} must be text of at most {MOST_PATH} characters, "
            f"not {shown(value)}."
        )


def optional_text(name: str, value: Any) -> None:
    """Such text, or None."""
    if value is not None:
        text(name, value)


def address(name: str, value: Any) -> None:
    """An address of a Dask scheduler, [protocol://]host:port, or None."""
    if value is None:
        return
    short(name, value)
    if not re.fullmatch(r"((tcp|tls|ws|wss|ucx|ucxx)://)?[^\s/]+:\d{1,5}", value):
        raise RequestError(
            f"The {name} must be an address such as tcp://host:8786, not {shown(value)}.",
            "Give the one that the scheduler names when it starts, or leave it empty.",
        )


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """One of the words."""
    if value not in allowed:
        raise RequestError(f"The {name} must be one of {', '.join(allowed)}, not {shown(value)}.")


def is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold, which True and False are not here."""
    if isinstance(value, bool):
        return False
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= _GREATEST)


def number(name: str, value: Any, low: float, high: float) -> None:
    """A finite number within the bounds; `high` may be infinite."""
    if not is_number(value) or not (math.isfinite(value) and low <= value <= high):
        bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
        raise RequestError(f"The {name} must be a number {bounds}, not {shown(value)}.")


def whole(name: str, value: Any, low: int, high: int) -> None:
    """A whole number within the bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestError(
            f"The {name} must be a whole number from {low} to {high}, not {shown(value)}."
        )


def extent(value: Any) -> tuple[float, float, float, float] | None:
    """The extent (xmin, ymin, xmax, ymax) as floats, or None."""
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 4 or not all(map(is_number, value)):
        raise RequestError(f"An extent must be four numbers, not {shown(value)}.")
    xmin, ymin, xmax, ymax = map(float, value)
    if not all(map(math.isfinite, (xmin, ymin, xmax, ymax))) or xmin >= xmax or ymin >= ymax:
        raise RequestError(
            f"The extent {shown(value)} is empty.",
            "Give it as xmin, ymin, xmax, ymax, or leave it out.",
        )
    return xmin, ymin, xmax, ymax


def ranges(value: Any) -> Ranges:
    """Per band the pairs (low, high), as tuples; infinite ends are not JSON and are refused."""
    try:
        bands = tuple(tuple((low, high) for low, high in band) for band in value)
    except (TypeError, ValueError) as error:
        raise RequestError(f"Nodata ranges must be pairs a band, not {shown(value)}.") from error
    for low, high in (pair for band in bands for pair in band):
        if not (is_number(low) and is_number(high) and -math.inf < low <= high < math.inf):
            raise RequestError(
                f"A nodata range must be two numbers, low first: {shown(low)}, {shown(high)}."
            )
    return bands


def flags(value: Any) -> tuple[bool, ...]:
    """Switches, true or false each, as a tuple."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(flag, bool) for flag in value):
        raise RequestError(
            f"Switches of the source nodata must be true or false, not {shown(value)}."
        )
    return tuple(value)


def provenance(value: Any) -> dict[str, str]:
    """Names and texts, as a dictionary of its own."""
    if not isinstance(value, dict) or not all(
        isinstance(item, str) for pair in value.items() for item in pair
    ):
        raise RequestError(f"Provenance must be names and texts, not {shown(value)}.")
    return dict(value)


def names(value: Any) -> tuple[str, ...]:
    """Texts, as a tuple."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise RequestError(f"Bands must be names, not {shown(value)}.")
    return tuple(value)


def kernel(size: Any, ratio: float) -> None:
    """Fine pixels a side of a PSF's kernel, of the parity of a whole ratio."""
    whole("kernel size", size, 1, 4096)
    if float(ratio).is_integer() and (size - int(ratio)) % 2:
        kind = "odd" if int(ratio) % 2 else "even"
        raise RequestError(
            f"A kernel of {size} pixels does not suit the ratio {ratio:g}: it would shift the "
            "coarse grid by half a fine pixel.",
            f"An {kind} ratio wants an {kind} kernel.",
        )
