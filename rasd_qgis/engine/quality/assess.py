"""Assessment: figures, maps and a report of a fused raster, by whatever it can be measured against.

read → align → against the reference | against the inputs → maps → report.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from ...contract.request import AssessRequest, RasterSource
from ..rasters.align import align
from ..rasters.formats import check_folder, check_writable
from ..rasters.read import Raster
from ..scene.agreement import estimated_sigma
from ..service.report import Reporter
from .against_inputs import InputPair, judge_consistency
from .against_reference import Maps, ReferencePair, judge, sample_spectra
from .assess_report import Report, write_report

# Of a run's result; None where there is nothing to tell one from.
FIGURES = (
    *("PSNR", "SAM", "ERGAS", "SSIM", "UIQI", "Q2N", "RMSE", "CORRELATION", "PEAK", "PIXELS"),
    *("D_LAMBDA", "D_S", "QNR", "CONSISTENCY_HS", "CONSISTENCY_MS", "RATIO"),
)


def assess(request: AssessRequest, reporter: Reporter) -> dict[str, Any]:
    """Run a request; the values of the run's result. RasdError where it cannot be done."""
    reporter.phase("reading", 0.0, 0.05)
    _check_outputs(request)
    with ExitStack() as stack:
        fused = _open(stack, request.fused, reporter)
        reference = request.reference and _open(stack, request.reference, reporter)
        inputs = _inputs(request, fused, stack, reporter)
        ratio = request.ratio or (inputs.ratio if inputs else None)
        report = Report(request, fused, [], {"RATIO": ratio}, {})
        if reference:
            _against_reference(report, reference, reporter)
        if inputs:
            _against_inputs(report, inputs, reporter)
        if request.report:
            reporter.phase("writing the report", 0.9, 1.0)
            write_report(request.report, report)
    if reference and ratio is None:
        reporter.warn(
            "ERGAS is left out: it needs the ratio of the pixel sizes. Give RATIO, or the "
            "hyperspectral layer."
        )
    return {**dict.fromkeys(FIGURES), **report.figures, "BY_BAND": report.by_band}


def _open(stack: ExitStack, source: RasterSource, reporter: Reporter) -> Raster:
    raster = stack.enter_context(Raster(source))
    for note in raster.notes:
        reporter.warn(note)
    return raster


def _inputs(
    request: AssessRequest, fused: Raster, stack: ExitStack, reporter: Reporter
) -> InputPair | None:
    """The inputs on their common ground; None where they were not given."""
    if request.hyperspectral is None or request.multispectral is None:
        return None
    hs = stack.enter_context(Raster(request.hyperspectral))
    ms = stack.enter_context(Raster(request.multispectral))
    pair = align(hs, ms, None, reporter)
    told = request.psf_sigma
    return InputPair.of(fused, pair, estimated_sigma(pair) if told is None else told)


def _against_reference(report: Report, reference: Raster, reporter: Reporter) -> None:
    """Fill the report with what the reference tells, and write the maps."""
    request, fused = report.request, report.fused
    pair = ReferencePair(fused, reference)
    with Maps(request, fused, _tags(request)) as maps:
        judgement = judge(pair, request, report.figures["RATIO"], maps, reporter)
    report.judgement, report.bands = judgement, pair.bands.tolist()
    report.figures |= judgement.figures
    for name, values in judgement.by_band.items():
        report.by_band[name] = spread(values, report.bands, fused.count)
    report.samples = sample_spectra(pair, judgement.shown)


def _against_inputs(report: Report, inputs: InputPair, reporter: Reporter) -> None:
    """Fill the report with what the inputs tell."""
    impression, bands = judge_consistency(inputs, reporter), inputs.bands.tolist()
    report.impression, report.seen_bands = impression, bands
    report.figures |= impression.figures
    for name, values in impression.by_band.items():
        report.by_band[name] = spread(values, bands, report.fused.count)
    report.blocks = f"{round(inputs.side * inputs.ratio)} fine, {inputs.side} coarse pixels"


def spread(values: Sequence[float | None], bands: Sequence[int], count: int) -> list[float | None]:
    """The values of some bands (indices) as a list of all, None elsewhere."""
    found = dict(zip(bands, values))
    return [found.get(band) for band in range(count)]


def _check_outputs(request: AssessRequest) -> None:
    """Raise OutputError, before any work, where an output could not be written in the end."""
    sources = (getattr(request, name) for name in request.sources)
    taken = [source.path for source in sources if source]
    for path in (request.error_map, request.angle_map):
        if path:
            check_writable(path, taken, 1, "float32", run_id=request.run_id)
            taken.append(path)
    if request.report:
        check_folder(request.report, taken, request.run_id)


def _tags(request: AssessRequest) -> dict[str, str]:
    facts = {
        **request.provenance,
        "fused": request.fused.name or request.fused.path,
        "reference": request.reference and (request.reference.name or request.reference.path),
    }
    return {"TIFFTAG_SOFTWARE": "RASD Fusion", "provenance": json.dumps(facts)}
