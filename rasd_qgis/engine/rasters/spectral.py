"""Spectral information: what each band of a raster sees.

Names, central wavelengths, widths (FWHM) and the bad band list travel as one `SpectralInfo`.
Programs disagree on where these belong, so reading asks every known place in a fixed order and
writing serves them all: GDAL's IMAGERY domain, band tags as EnMAP-Box reads them, and the band
description as QGIS shows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rasterio.io import DatasetReader, DatasetWriter

Maybe = tuple["float | None", ...]

_UNITS = {
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0,
    "um": 1e3, "µm": 1e3, "μm": 1e3, "micrometer": 1e3, "micrometre": 1e3, "micron": 1e3,
    "mm": 1e6, "millimeter": 1e6, "millimetre": 1e6,
    "m": 1e9, "meter": 1e9, "metre": 1e9,
}  # fmt: skip
# An optical wavelength without a unit: nobody measures 100 µm and more, nor 100 nm and less.
_LARGEST_MICROMETRES = 100.0
_DESCRIBED = re.compile(r"\(?\b(\d+(?:\.\d+)?)\s*(nanometers?|nm|micrometers?|um|µm|μm)\b\)?", re.I)
_TRAILING = re.compile(r"\s*\(\s*(\d+(?:\.\d+)?)\s*([a-zµμ]*)\s*\)\s*$", re.I)
_RGB_NM = (660.0, 560.0, 480.0)
# A band further than this from its colour does not show that colour.
_FURTHEST_NM = 60.0
_LONGEST_HEADER = 16 * 2**20


@dataclass(frozen=True)
class SpectralInfo:
    """Per band: name ("" where none), wavelength and FWHM in nm (None where unknown), good."""

    names: tuple[str, ...]
    wavelengths: Maybe
    fwhm: Maybe
    good: tuple[bool, ...]

    @classmethod
    def of_names(cls, names: Sequence[str]) -> SpectralInfo:
        """Bands that have names and no wavelengths, such as confidence maps."""
        unknown = (None,) * len(names)
        return cls(tuple(names), unknown, unknown, (True,) * len(names))

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.names)


def read_spectral(dataset: DatasetReader, bands: Sequence[int] | None = None) -> SpectralInfo:
    """What is known of the bands (1-based numbers, default all), wherever it is written.

    Places in order: IMAGERY domain, band tags, dataset tags (ENVI's domain too), the ENVI header
    beside the file, the band description. Each band takes each value from the first that has it.
    """
    bands = range(1, dataset.count + 1) if bands is None else bands
    waves: list[float | None] = [None] * dataset.count
    widths: list[float | None] = [None] * dataset.count
    good: list[float | None] = [None] * dataset.count
    for found in _places(dataset):
        for known, new in zip((waves, widths, good), found):
            for i, value in enumerate(new):
                known[i] = value if known[i] is None else known[i]
    names = _descriptions(dataset)
    return SpectralInfo(
        tuple(names[b - 1] for b in bands),
        tuple(waves[b - 1] for b in bands),
        tuple(widths[b - 1] for b in bands),
        tuple(good[b - 1] != 0 for b in bands),
    )


def write_spectral(dataset: DatasetWriter, info: SpectralInfo) -> None:
    """Write the information in every convention; `info` has as many bands as the dataset."""
    for band in range(1, info.count + 1):
        wave, width = info.wavelengths[band - 1], info.fwhm[band - 1]
        dataset.set_band_description(band, band_label(info, band))
        if wave is None:
            continue
        tags = {"wavelength": _text(wave), "wavelength_units": "Nanometers"}
        imagery = {"CENTRAL_WAVELENGTH_UM": _text(wave / 1000)}
        if width is not None:
            tags["fwhm"] = _text(width)
            imagery["FWHM_UM"] = _text(width / 1000)
        dataset.update_tags(band, bbl=str(int(info.good[band - 1])), **tags)
        dataset.update_tags(band, ns="IMAGERY", **imagery)
    for band in (b for b in range(1, info.count + 1) if info.wavelengths[b - 1] is None):
        if not all(info.good):
            dataset.update_tags(band, bbl=str(int(info.good[band - 1])))


def band_label(info: SpectralInfo, band: int) -> str:
    """The description of a band (1-based), such as `band 47 (655.2 Nanometers)`."""
    name, wave = info.names[band - 1], info.wavelengths[band - 1]
    if wave is None:
        return name or f"band {band}"
    base = _TRAILING.sub("", name) or f"band {band}"
    return f"{base} ({_text(wave)} Nanometers)"


def natural_colour(
    info: SpectralInfo, usable: Sequence[bool] | None = None
) -> tuple[int, int, int] | None:
    """Band numbers (1-based) for red, green and blue; None where the wavelengths do not tell.

    `usable` further narrows the bands that may be shown.
    """
    fit = [
        (wave, band)
        for band, (wave, good) in enumerate(zip(info.wavelengths, info.good), start=1)
        if wave is not None and good and (usable is None or usable[band - 1])
    ]
    if not fit:
        return None
    near = [min(fit, key=lambda item: abs(item[0] - colour)) for colour in _RGB_NM]
    far = any(abs(wave - colour) > _FURTHEST_NM for (wave, _), colour in zip(near, _RGB_NM))
    red, green, blue = (band for _, band in near)
    return None if far or len({red, green, blue}) < 3 else (red, green, blue)


def parse_envi_header(text: str) -> dict[str, str]:
    """The fields of an ENVI header, names in lower case, braces taken off; {} if it is none."""
    if not text.lstrip("\ufeff \t").startswith("ENVI"):
        return {}
    fields: dict[str, str] = {}
    lines = iter(text.splitlines()[1:])
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or line.lstrip().startswith(";"):
            continue
        value = value.strip()
        while value.startswith("{") and "}" not in value:
            more = next(lines, None)
            if more is None:
                break
            value += " " + more.strip()
        fields[name.strip().lower()] = value.strip("{} \t")
    return fields


def _places(dataset: DatasetReader) -> Iterator[tuple[Sequence[float | None], ...]]:
    """Wavelengths, widths and good flags of all bands, a place at a time, best place first."""
    count = dataset.count
    imagery = [_lower(dataset.tags(b, ns="IMAGERY")) for b in range(1, count + 1)]
    waves = [_number(tags.get("central_wavelength_um")) for tags in imagery]
    widths = [_number(tags.get("fwhm_um")) for tags in imagery]
    yield _wavelengths(waves, 1e3), _wavelengths(widths, 1e3), [None] * count

    shared = {**_lower(dataset.tags(ns="ENVI")), **_lower(dataset.tags())}
    own = [_lower(dataset.tags(b)) for b in range(1, count + 1)]
    yield _from_columns(
        [_number(_first(tags, "wavelength", "wavelengths")) for tags in own],
        [_number(tags.get("fwhm")) for tags in own],
        [_number(_first(tags, "bbl", "bad_band_multiplier")) for tags in own],
        [_units({**shared, **tags}) for tags in own],
    )
    for fields in (shared, _lower(_header_beside(dataset))):
        yield _from_columns(
            _numbers(_first(fields, "wavelength", "wavelengths"), count),
            _numbers(fields.get("fwhm"), count),
            _numbers(fields.get("bbl"), count),
            [_units(fields)] * count,
        )
    described = [_DESCRIBED.search(text) for text in _descriptions(dataset)]
    yield (
        [_wave(float(m[1]), _UNITS[_singular(m[2])]) if m else None for m in described],
        [None] * count,
        [None] * count,
    )


def _descriptions(dataset: DatasetReader) -> list[str]:
    """The bands' descriptions; all "" where one is not UTF-8, as in older ENVI headers (µm, °)."""
    try:
        return [text or "" for text in dataset.descriptions]
    except UnicodeDecodeError:
        return [""] * dataset.count


def _from_columns(
    waves: Sequence[float | None],
    widths: Sequence[float | None],
    good: Sequence[float | None],
    units: Sequence[float | None],
) -> tuple[Sequence[float | None], ...]:
    """Bring one place's values to nm; a unit that is not written is told by the magnitude."""
    known = [wave for wave in waves if wave is not None]
    guess = 1e3 if known and max(known) < _LARGEST_MICROMETRES else 1.0
    factors = [guess if unit is None else unit for unit in units]
    return (
        [_wave(wave, factor) for wave, factor in zip(waves, factors)],
        [_wave(width, factor) for width, factor in zip(widths, factors)],
        good,
    )


def _wavelengths(values: Sequence[float | None], factor: float) -> list[float | None]:
    return [_wave(value, factor) for value in values]


def _wave(value: float | None, factor: float) -> float | None:
    """A length in nm, rounded where only the change of unit made digits; None unless positive."""
    if value is None or not value > 0 or not math.isfinite(value * factor) or factor <= 0:
        return None
    return float(f"{value * factor:.12g}")


def _units(fields: Mapping[str, str]) -> float | None:
    """The factor to nm; None where no unit is given, 0 where it is none of length."""
    text = _first(fields, "wavelength_units", "wavelength units", "wavelength_unit")
    if text is None or _singular(text) in ("", "unknown", "index"):
        return None
    return _UNITS.get(_singular(text), 0.0)


def _singular(unit: str) -> str:
    unit = unit.strip().lower()
    return unit[:-1] if unit.endswith("s") else unit


def _first(fields: Mapping[str, str], *names: str) -> str | None:
    return next((fields[name] for name in names if name in fields), None)


def _lower(tags: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in tags.items()}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _numbers(text: str | None, count: int) -> list[float | None]:
    """A list in a tag; one of another length belongs to another file and counts for nothing."""
    parts = re.split(r"[\s,;]+", text.strip("{} \t\r\n")) if text else []
    return [_number(part) for part in parts] if len(parts) == count else [None] * count


def _header_beside(dataset: DatasetReader) -> dict[str, str]:
    """The fields of `name.hdr` or `name.ext.hdr` beside the file; {} where there is none."""
    path = Path(dataset.name)
    try:
        for header in (path.with_suffix(".hdr"), Path(f"{path}.hdr")):
            if header.is_file() and header.stat().st_size <= _LONGEST_HEADER:
                return parse_envi_header(header.read_text("utf-8", errors="replace"))
    except (OSError, ValueError):
        pass
    return {}


def _text(value: float) -> str:
    return f"{value:.10g}"
