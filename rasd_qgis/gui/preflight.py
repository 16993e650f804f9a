"""Pre-flight: what the engine measured of a pair, judged: each check a light and one sentence.

Nothing here knows Qt or layers; the numbers come from the engine's `inspect`, and a fix is a word
that the window acts on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

from ...processing.translation import tr


class Level(Enum):
    """How a check came out."""

    GOOD = "good"
    CARE = "care"  # it runs, but look at the result there
    STOP = "stop"  # it will not run, or not be of use


@dataclass(frozen=True)
class Fix:
    """Something that one click can do: a word for the window, its button's text, what it needs."""

    kind: str  # "swap", "crs", "nodata", "shift", "extent", "engine"
    label: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Check:
    """One line of the panel."""

    title: str
    level: Level
    sentence: str
    fix: Fix | None = None


Values = Mapping[str, Any]

# Guide pixels: below the first a shift cannot be seen, above the second details land elsewhere.
LITTLE_SHIFT, MUCH_SHIFT = 0.75, 2.0
# Height of the correlation's peak, and explained variance, below which nothing is said of a shift.
LEAST_PEAK, LEAST_EXPLAINED = 0.4, 0.25
LEAST_MATCH = 0.6
LARGEST_RATIO = 16.0
LEAST_SHARED = 0.05
MUCH_INVALID = 0.3
MANY_ZEROS = 0.01
# Widths assumed of guide bands whose own are unknown, and what still counts as beside one, in nm.
USUAL_WIDTH, BESIDE = 60.0, 40.0
MUCH_UNSEEN = 0.5
DAYS_APART = 16
NO_BREAK = "\u00a0"


def judge(found: Values) -> list[Check]:
    """The checks of what `inspect` returned, in the order the panel shows them."""
    hs, ms, pair = found["HYPERSPECTRAL"], found["MULTISPECTRAL"], found["PAIR"]
    checks = [_refused(found)] if found["REFUSAL"] else [_overlap(pair), _ratio(pair)]
    checks.append(_crs(hs, ms, pair))
    if pair:
        checks.append(_shift(pair))
    checks += [_values(hs, ms, pair), _bad_bands(hs), _nodata(hs, ms), _spectral_range(hs, ms)]
    checks += _dates(hs, ms)
    return checks


def worst(checks: Iterable[Check]) -> Level:
    """The gravest level among the checks."""
    order = list(Level)
    return max((check.level for check in checks), key=order.index, default=Level.GOOD)


def _refused(found: Values) -> Check:
    hs, ms = found["HYPERSPECTRAL"], found["MULTISPECTRAL"]
    refusal = found["REFUSAL"]
    fix = None
    if "extent" in refusal["message"].lower():
        fix = Fix("extent", tr("Clear the extent"))
    elif 1 < hs["bands"] < ms["bands"]:
        fix = Fix("swap", tr("Swap the layers"))
    sentence = f"{refusal['message']} {refusal['advice']}".strip()
    return Check(tr("Pair"), Level.STOP, sentence, fix)


def _overlap(pair: Values) -> Check:
    of_hs, of_ms = pair["shared"]
    rows, columns = pair["fine"]
    level = Level.CARE if max(of_hs, of_ms) < LEAST_SHARED else Level.GOOD
    text = tr("{} × {} guide pixels are shared: {} of the hyperspectral layer, {} of the guide.")
    sentence = text.format(columns, rows, _percent(of_hs), _percent(of_ms))
    return Check(tr("Overlap"), level, sentence)


def _ratio(pair: Values) -> Check:
    down, across = pair["ratio"]
    if max(down, across) > LARGEST_RATIO:
        text = tr(
            "One hyperspectral pixel covers {:.3g} × {:.3g} guide pixels: beyond a ratio of {:.0f} "
            "the details are the guide's alone."
        )
        sentence = text.format(across, down, LARGEST_RATIO)
        return Check(tr("Grid ratio"), Level.CARE, sentence)
    sentence = tr("One hyperspectral pixel covers {:.3g} × {:.3g} guide pixels.")
    return Check(tr("Grid ratio"), Level.GOOD, sentence.format(across, down))


def _crs(hs: Values, ms: Values, pair: Values | None) -> Check:
    title = tr("CRS")
    for bare, other, which in ((hs, ms, "hs"), (ms, hs, "ms")):
        if bare["crs"] is None and other["crs"] is not None:
            sentence = tr("{} has no CRS; {} is assumed.") if pair else tr("{} has no CRS.")
            fix = Fix("crs", tr("Use {}").format(other["crs"][:24]), (which,))
            level = Level.CARE if pair else Level.STOP
            return Check(title, level, sentence.format(bare["name"], other["crs"]), fix)
    if hs["crs"] is None:
        return Check(title, Level.CARE, tr("Neither layer has a CRS; one plane is assumed."))
    if pair and pair["resampled"]:
        text = tr("The grids differ ({} and {}): the hyperspectral layer is resampled (cubic).")
        return Check(title, Level.CARE, text.format(hs["crs"], ms["crs"]))
    if hs["crs"] != ms["crs"]:
        text = tr("{} and {}: the same ground.") if pair else tr("The CRSs differ: {} and {}.")
        return Check(title, Level.GOOD, text.format(hs["crs"], ms["crs"]))
    return Check(title, Level.GOOD, tr("Both layers are in {}.").format(hs["crs"]))


def _shift(pair: Values) -> Check:
    title = tr("Shift")
    if not is_shift_known(pair):
        text = tr("The two look too different at the coarse scale to tell a shift between them.")
        return Check(title, Level.CARE, text)
    down, right = pair["shift"][:2]
    most = max(abs(down), abs(right))
    if most < LITTLE_SHIFT:
        text = tr("The two lie on each other within {:.1f} guide pixels.")
        return Check(title, Level.GOOD, text.format(max(most, 0.1)))
    text = tr("The hyperspectral layer lies {:.1f} guide pixels {} and {:.1f} {} of the guide.")
    sentence = text.format(
        abs(right),
        tr("right") if right > 0 else tr("left"),
        abs(down),
        tr("below") if down > 0 else tr("above"),
    )
    fix = Fix("shift", tr("Add a copy moved back"), (down, right))
    return Check(title, Level.STOP if most > MUCH_SHIFT else Level.CARE, sentence, fix)


def is_shift_known(pair: Values) -> bool:
    """Whether the pair is alike enough for its shift to mean something."""
    shift, explained = pair["shift"], pair["explained"]
    if shift is None or explained is None:
        return False
    return bool(shift[2] >= LEAST_PEAK and explained >= LEAST_EXPLAINED)


def _values(hs: Values, ms: Values, pair: Values | None) -> Check:
    title = tr("Values")
    if hs["middle"] is None or ms["middle"] is None:
        return Check(title, Level.STOP, tr("One of the layers holds no valid values at all."))
    scales = tr("hyperspectral {} to {}, guide {} to {}").format(
        *(f"{one[key]:.4g}" for one in (hs, ms) for key in ("low", "high"))
    )
    explained = pair["explained"] if pair else None
    if explained is not None and explained < LEAST_MATCH:
        text = tr(
            "The hyperspectral bands explain only {} of what the guide shows ({}): the scenes may "
            "differ in date, clouds or place."
        )
        return Check(title, Level.CARE, text.format(_percent(explained), scales))
    apart = _scales_apart(hs, ms)
    if apart > 5.0:
        text = tr("The scales are {:.3g} times apart ({}), which does no harm: each is normalised.")
        return Check(title, Level.GOOD, text.format(apart, scales))
    return Check(title, Level.GOOD, tr("Both are on a like scale ({}).").format(scales))


def _scales_apart(hs: Values, ms: Values) -> float:
    """How many times one layer's values are the other's; 1 where that cannot be said."""
    if min(hs["high"], ms["high"]) <= 0:
        return 1.0
    factor = hs["high"] / ms["high"]
    return float(max(factor, 1 / factor))


def _bad_bands(hs: Values) -> Check:
    title = tr("Bad bands")
    flagged, dead = hs["bands"] - sum(hs["good"]), sum(hs["dead"])
    sentence = tr("None of {} bands is flagged or empty.").format(hs["bands"])
    if flagged or dead:
        text = tr("{} of {} bands are flagged bad and {} hold no data; they are set aside.")
        sentence = text.format(flagged, hs["bands"], dead)
    if not hs["noisy"]:
        return Check(title, Level.GOOD, sentence)
    text = tr("{} Noise by the look of them, and not flagged: {}.")
    return Check(title, Level.CARE, text.format(sentence, runs(hs["noisy"])))


def _nodata(hs: Values, ms: Values) -> Check:
    title = tr("Nodata")
    for one, which in ((hs, "hs"), (ms, "ms")):
        if one["zero"] > MANY_ZEROS and one["nodata"] is None:
            text = tr("{} of {} is 0 in every band, and counts as data.")
            fix = Fix("nodata", tr("Treat 0 as nodata"), (which, 0.0))
            sentence = text.format(_percent(one["zero"]), one["name"])
            return Check(title, Level.CARE, sentence, fix)
    sentence = tr("{} of the hyperspectral layer and {} of the guide are nodata.").format(
        _percent(hs["invalid"]), _percent(ms["invalid"])
    )
    level = Level.CARE if max(hs["invalid"], ms["invalid"]) > MUCH_INVALID else Level.GOOD
    return Check(title, level, sentence)


def _spectral_range(hs: Values, ms: Values) -> Check:
    title = tr("Spectral range")
    waves = [w for w, good in zip(hs["wavelengths"], hs["good"]) if w is not None and good]
    guide = known_bands(ms)
    if not waves or not guide:
        which = hs["name"] if not waves else ms["name"]
        text = tr("The wavelengths of {} are not known, so nothing can be said of its range.")
        return Check(title, Level.GOOD, text.format(which))
    unseen = sorted(w for w in waves if not any(low <= w <= high for low, high in guide))
    if not unseen:
        text = tr("The guide sees the whole range of {:.0f} to {:.0f} nm.")
        return Check(title, Level.GOOD, text.format(min(waves), max(waves)))
    share = len(unseen) / len(waves)
    text = tr("The guide sees nothing of {} of {} bands ({} nm): their details are inferred.")
    level = Level.CARE if share > MUCH_UNSEEN else Level.GOOD
    return Check(title, level, text.format(len(unseen), len(waves), stretches(unseen, waves)))


def known_bands(ms: Values) -> list[tuple[float, float]]:
    """The stretches of the spectrum (nm) that the guide's bands speak for."""
    reach = []
    for wave, width in zip(ms["wavelengths"], ms["widths"]):
        if wave is not None:
            half = (width or USUAL_WIDTH) / 2 + BESIDE
            reach.append((wave - half, wave + half))
    return reach


def stretches(some: Sequence[float], of_all: Sequence[float]) -> str:
    """Neighbours among `of_all` joined to "400–430, 2210–2500"; `some` is sorted."""
    place = {wave: i for i, wave in enumerate(sorted(set(of_all)))}
    parts: list[list[float]] = []
    for wave in some:
        if parts and place[wave] - place[parts[-1][1]] <= 1:
            parts[-1][1] = wave
        else:
            parts.append([wave, wave])
    return ", ".join(f"{low:.0f}–{high:.0f}" if low < high else f"{low:.0f}" for low, high in parts)


def runs(numbers: Sequence[int]) -> str:
    """Whole numbers in order, as "3, 7–9"."""
    return stretches(numbers, list(range(min(numbers), max(numbers) + 1)))


def _dates(hs: Values, ms: Values) -> list[Check]:
    if not hs["date"] or not ms["date"]:
        return []
    first, second = date.fromisoformat(hs["date"]), date.fromisoformat(ms["date"])
    days = abs((first - second).days)
    if days == 0:
        return [Check(tr("Dates"), Level.GOOD, tr("Both were taken on {}.").format(hs["date"]))]
    sentence = tr("They were taken {} days apart ({} and {}).").format(days, first, second)
    return [Check(tr("Dates"), Level.CARE if days > DAYS_APART else Level.GOOD, sentence)]


def _percent(share: float) -> str:
    """A share in words short enough for a sentence."""
    percent = 100.0 * share
    digits = f"{percent:.0f}" if percent >= 9.95 or percent == 0 else f"{percent:.2g}"
    return f"{digits}{NO_BREAK}%"
