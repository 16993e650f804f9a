"""Response functions: how a multispectral sensor sees the bands of a hyperspectral image.

A `Response` is the matrix R of the paper, a row a guide band, each row summing to 1, so that a
guide keeps the units of its reference. It comes from a sensor's published curves (the files of
resources/sensors), from a table by wavelength, or is drawn at random. Curves are sampled at the
hyperspectral bands' centres, as the simulations of the literature do.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...contract.errors import InputError
from ...contract.request import SimulateRequest, TrainRequest
from ..rasters.spectral import SpectralInfo

SENSORS = Path(__file__).resolve().parents[3] / "resources" / "sensors"
# A guide band is kept where so much of its response lies near bands of the reference …
LEAST_COVERED = 0.8
# … that is, within so many of the reference's own usual steps.
NEAR_STEPS = 1.5
# Wavelengths of a table without a unit: micrometres below, nanometres above.
_LARGEST_MICROMETRES = 100.0


@dataclass(frozen=True)
class Curve:
    """One band's response: `values` (n,) at increasing `waves` (n,) in nm; 0 elsewhere."""

    name: str
    waves: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Response:
    """names: b guide bands; weights: (b, B) float64, rows sum to 1; spectral: of the guide."""

    weights: np.ndarray
    spectral: SpectralInfo

    @classmethod
    def of(cls, names: Sequence[str], weights: np.ndarray, info: SpectralInfo) -> Response:
        """Scale rows (b, B) to a sum of 1; centre and width of each from the reference's bands."""
        weights = weights / weights.sum(axis=1, keepdims=True)
        if None in info.wavelengths:
            return cls(weights, SpectralInfo.of_names(names))
        waves = np.array(info.wavelengths, dtype=float)
        centres = weights @ waves
        variances = np.maximum(weights @ waves**2 - centres**2, 0.0)
        # The width of the box with the response's variance; of a single band, that band's own.
        widths = np.sqrt(12.0 * variances).round(1)
        fwhm = tuple(float(width) if width > 0 else None for width in widths)
        good = (True,) * len(names)
        return cls(
            weights, SpectralInfo(tuple(names), tuple(centres.round(1).tolist()), fwhm, good)
        )


def respond(
    request: SimulateRequest | TrainRequest, info: SpectralInfo, good: np.ndarray
) -> Response:
    """The response that a request names on bands of these wavelengths; InputError where it cannot.

    good: (B,) bool, bands that hold measurements; the others lend nothing.
    """
    if request.response == "random":
        return random_response(info, good, request.random_bands, request.seed)
    if request.response == "sensor":
        curves, usual = sensor_curves(request.sensor)
        return from_curves(curves, info, good, request.bands or usual, bool(request.bands))
    path = request.table or ""
    if None in info.wavelengths:
        return _by_rows(path, info, good, request.bands)
    curves = read_curves(path)
    names = request.bands or tuple(curve.name for curve in curves)
    return from_curves(curves, info, good, names, bool(request.bands))


def sensor_curves(sensor: str) -> tuple[list[Curve], tuple[str, ...]]:
    """A sensor's curves, and the names of the bands that scenes of land are fused with."""
    facts = json.loads((SENSORS / f"{sensor}.json").read_text(encoding="utf-8"))
    curves = [
        Curve(name, np.arange(len(band["values"])) + float(band["start"]), np.array(band["values"]))
        for name, band in facts["bands"].items()
    ]
    return curves, tuple(facts["usual"])


def from_curves(
    curves: Sequence[Curve],
    info: SpectralInfo,
    good: np.ndarray,
    names: Sequence[str],
    insist: bool,
) -> Response:
    """The response of the named bands; those that the reference does not cover are left out.

    insist: refuse (InputError) instead of leaving out. Wavelengths must be known of every band.
    """
    if None in info.wavelengths:
        raise InputError(
            "The reference does not tell the wavelengths of its bands, which a sensor's response "
            "needs.",
            "Give it wavelengths, or choose a random response or a table with a row a band.",
        )
    waves = np.array(info.wavelengths, dtype=float)
    by_name = {curve.name: curve for curve in curves}
    kept, rows, missing = [], [], []
    for name in names:
        if name not in by_name:
            raise InputError(
                f"There is no band called {name}.", f"Choose among {', '.join(by_name)}."
            )
        curve = by_name[name]
        row = np.interp(waves, curve.waves, curve.values, left=0.0, right=0.0) * good
        if row.sum() > 0 and _covered(curve, waves[good]) >= LEAST_COVERED:
            kept.append(name)
            rows.append(row)
        else:
            missing.append(name)
    if not kept or (insist and missing):
        raise InputError(
            f"The bands {', '.join(missing)} see wavelengths that the reference, "
            f"{waves.min():.0f} to {waves.max():.0f} nm, does not hold.",
            "Choose other bands, another sensor, or a random response.",
        )
    return Response.of(kept, np.array(rows), info)


def random_response(info: SpectralInfo, good: np.ndarray, bands: int, seed: int) -> Response:
    """Bell curves along the bands, one in each of `bands` equal parts, of random place and width.

    By wavelength where all are known, else by band number. The same seed gives the same curves.
    """
    draws = np.random.default_rng(seed)
    count = len(good)
    known = None not in info.wavelengths
    place = np.array(info.wavelengths if known else np.arange(count), dtype=float)
    low, high = place[good].min(), place[good].max()
    part = max(high - low, 1e-9) / bands
    centres = low + part * (np.arange(bands) + draws.uniform(0.2, 0.8, bands))
    widths = part * draws.uniform(0.25, 0.75, bands)
    rows = np.exp(-0.5 * ((place - centres[:, None]) / widths[:, None]) ** 2) * good
    nearest = np.abs(np.where(good, place, np.inf) - centres[:, None]).argmin(axis=1)
    rows[np.arange(bands), nearest] += 1e-6
    return Response.of([f"random {n}" for n in range(1, bands + 1)], rows, info)


def read_curves(path: str) -> list[Curve]:
    """Curves of a table: wavelengths (nm or µm) in the first column, then a column a band."""
    names, numbers = read_table(path)
    if numbers.shape[1] < 2:
        raise _unreadable(path, "it has a single column")
    numbers = numbers[np.argsort(numbers[:, 0])]
    waves = numbers[:, 0] * (1000.0 if numbers[:, 0].max() < _LARGEST_MICROMETRES else 1.0)
    values = numbers[:, 1:]
    if (values < 0).any() or not (values.max(axis=0) > 0).all():
        raise _unreadable(path, "a response must not be negative, nor zero everywhere")
    return [Curve(name, waves, column) for name, column in zip(names[1:], values.T)]


def read_table(path: str) -> tuple[list[str], np.ndarray]:
    """The names of a table's columns and its numbers (rows, columns); InputError where it is none.

    Parted by commas, semicolons, tabs or spaces; a first line that is no numbers gives the names.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error
    rows = [_cells(line) for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    header = rows.pop(0) if rows and not _is_numbers(rows[0]) else []
    if not rows or not all(_is_numbers(row) and len(row) == len(rows[0]) for row in rows):
        raise _unreadable(path, "it holds no rectangle of numbers")
    numbers = np.array([[float(cell) for cell in row] for row in rows])
    if not np.isfinite(numbers).all():
        raise _unreadable(path, "it holds numbers that are not finite")
    names = header if len(header) == len(rows[0]) else [f"band {i}" for i in range(len(rows[0]))]
    return names, numbers


def _by_rows(path: str, info: SpectralInfo, good: np.ndarray, bands: Sequence[str]) -> Response:
    """A table for a reference without wavelengths: a row a band of it, in order."""
    names, numbers = read_table(path)
    if len(numbers) != info.count:
        raise InputError(
            f"The reference does not tell its wavelengths, and {Path(path).name} has "
            f"{len(numbers)} rows for its {info.count} bands.",
            "Give the reference wavelengths, or a table with a row a band.",
        )
    if numbers.shape[1] > 1 and (np.diff(numbers[:, 0]) > 0).all():
        names, numbers = names[1:], numbers[:, 1:]
    chosen = [names.index(band) for band in bands if band in names] or list(range(len(names)))
    rows = numbers[:, chosen].T * good
    if (rows < 0).any() or not (rows.sum(axis=1) > 0).all():
        raise _unreadable(path, "a response must not be negative, nor zero everywhere")
    return Response.of([names[i] for i in chosen], rows, info)


def _covered(curve: Curve, waves: np.ndarray) -> float:
    """The share of a curve's area that lies near one of these wavelengths."""
    steps = np.diff(np.sort(waves))
    near = NEAR_STEPS * float(np.median(steps)) if len(steps) else 0.0
    distance = np.abs(curve.waves[:, None] - waves).min(axis=1)
    return float(curve.values[distance <= near].sum() / curve.values.sum())


def _cells(line: str) -> list[str]:
    for delimiter in (";", "\t", ","):
        if delimiter in line:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    return line.split()


def _is_numbers(cells: Sequence[str]) -> bool:
    try:
        return [float(cell) for cell in cells] != []
    except ValueError:
        return False


def _unreadable(path: str, why: str) -> InputError:
    return InputError(
        f"The response table {Path(path).name} cannot be used: {why}.",
        "It wants wavelengths in nm in the first column, then a column of responses a band, "
        "with the bands' names in the first line.",
    )
