"""The report of an assessment: one HTML file with its figures, plots and maps inside it.

It holds no script and asks for nothing from anywhere, so it can be sent and kept.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ...contract.errors import OutputError
from ...contract.request import AssessRequest
from ..rasters.read import Raster
from .against_inputs import Impression
from .against_reference import Judgement
from .samples import Sample
from .svg import line_plot
from .thumbnail import coloured, png_address, ramped, stretch_of

# Share of the pixels of a map beyond which its ramp saturates.
BRIGHTEST = 0.98
DEFINITIONS = {
    "PSNR": ("dB", "mean over the bands of 10 log10(peak² / MSE); {peak}; at most 144.5"),
    "SAM": ("°", "mean angle between a pixel's two spectra; black reference pixels left out"),
    "ERGAS": ("", "100 / ratio · √mean((RMSE / mean of the reference's band)²)"),
    "SSIM": ("", "Wang et al. 2004, Gaussian window 11 × 11 (σ 1.5), mean over bands; {peak}"),
    "UIQI": ("", "Wang and Bovik 2002, through the same window, mean over bands"),
    "Q2N": ("", "Q2ⁿ, Garzelli and Nencini 2009, blocks of 32 × 32, values not standardised"),
    "RMSE": ("", "root mean square error over all pixels and bands, in units of scaled values"),
    "CORRELATION": ("", "Pearson's, mean over bands; constant bands left out"),
    "D_LAMBDA": ("", "mean |Q of two fused bands − Q of the same two before|, all pairs"),
    "D_S": ("", "mean |Q of fused and guide band − Q of both on coarse pixels|, all pairs"),
    "QNR": ("", "(1 − D_λ)(1 − D_s), Alparone et al. 2008, p = q = 1, blocks of {block}"),
    "CONSISTENCY_HS": ("", "fused seen by the hyperspectral sensor: RMSE, share of its range"),
    "CONSISTENCY_MS": ("", "fused seen by the guide's sensor, by regression: RMSE, likewise"),
    "PIXELS": ("", "pixels compared with the reference"),
    "RATIO": ("", "coarse pixel over fine pixel"),
}  # fmt: skip
PLOTS = {"RMSE": "RMSE", "PSNR": "PSNR (dB)", "SSIM": "SSIM", "UIQI": "UIQI",
         "CORRELATION": "correlation"}  # fmt: skip
STYLE = """body{font:15px/1.45 sans-serif;color:#222;max-width:1180px;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;margin:.5em 0 1.5em}td,th{padding:.2em .8em;border-bottom:1px solid
#ddd;text-align:left;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
figure{display:inline-block;margin:.4em 1em .8em 0;vertical-align:top}figcaption{font-size:13px}
img{image-rendering:pixelated;background:#eee;max-width:100%}small{color:#555}svg{max-width:100%}
details{margin:1em 0}"""


@dataclass
class Report:
    """What a report tells. by_band: a value a band of all.

    bands, seen_bands: indices of those compared with the reference, and with the inputs.
    blocks: side of the QNR's blocks in fine and coarse pixels, "" where there was none.
    """

    request: AssessRequest
    fused: Raster
    bands: Sequence[int]
    figures: dict[str, Any]
    by_band: dict[str, list[float | None]]
    judgement: Judgement | None = None
    samples: Sequence[Sample] = ()
    impression: Impression | None = None
    seen_bands: Sequence[int] = ()
    blocks: str = ""


def write_report(path: str, report: Report) -> None:
    """Write the report under its final name, whole or not at all; OutputError where it cannot."""
    target = Path(path)
    part = target.with_name(f".{target.stem}.rasd-{report.request.run_id}.part.html")
    try:
        part.write_text(page(report), encoding="utf-8")
        os.replace(part, target)
    except OSError as error:
        raise OutputError(
            f"The report {target.name} could not be written ({error.strerror or error}).",
            "Check the free space and permissions of its folder.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def page(report: Report) -> str:
    """The whole page."""
    title = f"Assessment of {report.request.fused.name or Path(report.request.fused.path).name}"
    body = [f"<h1>{escape(title)}</h1>", _inputs(report), "<h2>Figures</h2>", _table(report)]
    if report.judgement is not None:
        body += ["<h2>Maps</h2>", _maps(report.judgement)]
        body += ["<h2>By band</h2>", _plots(report), _band_table(report)]
        body += ["<h2>Spectra</h2>", _spectra(report, report.samples, report.bands, "reference")]
    if report.impression is not None:
        body += ["<h2>Seen again by the hyperspectral sensor</h2>", _seen_again(report)]
    body.append(f"<small>{escape(_made_by(report))}</small>")
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>'


def _inputs(report: Report) -> str:
    rows = []
    for name in report.request.sources:
        source = getattr(report.request, name)
        if source is not None:
            rows.append(f"<tr><td>{name}</td><td>{escape(source.path)}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def _table(report: Report) -> str:
    figures, request = report.figures, report.request
    peak = figures.get("PEAK")
    words = {
        "peak": "each band's own peak" if request.peak == "band" else f"peak {_number(peak)}",
        "block": report.blocks,
    }
    rows = []
    for name, (unit, meaning) in DEFINITIONS.items():
        value = figures.get(name)
        if value is not None:
            shown = f"{_number(value)} {unit}".strip()
            cells = f'<td>{_title(name)}</td><td class="n">{shown}</td>'
            rows.append(f"<tr>{cells}<td>{escape(meaning.format(**words))}</td></tr>")
    head = '<tr><th>figure</th><th class="n">value</th><th>definition</th></tr>'
    return f"<table>{head}{''.join(rows)}</table>"


def _maps(judgement: Judgement) -> str:
    pixels = judgement.shown.pixels
    limits = stretch_of(pixels[3:6])
    pictures = [
        _figure(coloured(pixels[:3], limits), "fused"),
        _figure(coloured(pixels[3:6], limits), "reference"),
    ]
    return "".join(pictures) + _error_maps(*pixels[6:8])


def _seen_again(report: Report) -> str:
    """What the inputs show: the images, where and in which bands they disagree, a few spectra."""
    if report.impression is None:
        return ""
    fine, coarse = report.impression.fine.pixels, report.impression.coarse.pixels
    limits, name = stretch_of(coarse[:3]), "CONSISTENCY_HS"
    pictures = [
        _figure(coloured(fine[:3], limits), "fused"),
        _figure(coloured(coarse[:3], limits), "hyperspectral"),
        _figure(coloured(fine[3:], stretch_of(fine[3:])), "multispectral"),
    ]
    places, axis = _places(report)
    plot = line_plot(
        _title(name), axis, "RMSE, share of range", places, {name: report.by_band[name]}
    )
    spectra = _spectra(report, report.impression.samples, report.seen_bands, "input")
    return "".join(pictures) + _error_maps(*coarse[3:]) + plot + spectra


def _error_maps(error: np.ndarray, angle: np.ndarray) -> str:
    """Both maps in the ramp's colours, the little that is brightest saturated."""
    pictures = []
    for values, name, unit in ((error, "error (RMSE over bands)", ""), (angle, "SAM", "°")):
        seen = values[np.isfinite(values)]
        greatest = float(np.quantile(seen, BRIGHTEST)) if seen.size else 0.0
        caption = f"{name}, 0 to {_number(greatest)}{unit}"
        pictures.append(_figure(ramped(values, greatest), caption))
    return "".join(pictures)


def _figure(picture: np.ndarray, caption: str) -> str:
    height, width = picture.shape[1:]
    larger = max(1, round(270 / max(height, width)))
    size = f'width="{width * larger}" height="{height * larger}"'
    image = f'<img alt="{escape(caption)}" {size} src="{png_address(picture)}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _plots(report: Report) -> str:
    places, name = _places(report)
    return "".join(
        line_plot(_title(figure), name, label, places, {figure: report.by_band[figure]})
        for figure, label in PLOTS.items()
    )


def _spectra(report: Report, samples: Sequence[Sample], bands: Sequence[int], other: str) -> str:
    """A plot a sample. other: what the fused spectrum is compared with."""
    places, name = _places(report)
    counted = [places[band] for band in bands]
    return "".join(
        line_plot(sample.name, name, "value", counted, {"fused": sample.fused, other: sample.other})
        for sample in samples
    )


def _places(report: Report) -> tuple[list[float], str]:
    """Where the bands stand on a plot's axis, and its title."""
    waves = report.fused.spectral.wavelengths
    if None in waves:
        return [float(band) for band in range(1, len(waves) + 1)], "band"
    return [float(wave or 0.0) for wave in waves], "wavelength (nm)"


def _band_table(report: Report) -> str:
    waves = report.fused.spectral.wavelengths
    head = "".join(f'<th class="n">{_title(name)}</th>' for name in ("band", "nm", *PLOTS))
    rows = []
    for band, wave in enumerate(waves):
        cells = [str(band + 1), _number(wave)]
        cells += [_number(report.by_band[name][band]) for name in PLOTS]
        rows.append("<tr>" + "".join(f'<td class="n">{cell}</td>' for cell in cells) + "</tr>")
    table = f"<table><tr>{head}</tr>{''.join(rows)}</table>"
    return f"<details><summary>All bands as a table</summary>{table}</details>"


def _made_by(report: Report) -> str:
    facts = report.request.provenance
    return json.dumps(facts, ensure_ascii=False) if facts else ""


def _title(name: str) -> str:
    titles = {"D_LAMBDA": "D_λ", "D_S": "D_s", "Q2N": "Q2ⁿ", "CORRELATION": "correlation",
              "CONSISTENCY_HS": "consistency, hyperspectral", "PIXELS": "pixels",
              "CONSISTENCY_MS": "consistency, multispectral", "RATIO": "ratio"}  # fmt: skip
    return titles.get(name, name)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.5g}" if abs(value) < 1e5 else f"{value:,.0f}"
