"""The self-test: a tiny pair made on the spot, fused on each device, and how fast that went."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from affine import Affine

from ..contract.request import FuseRequest, RasterSource
from ..contract.self_test_request import SelfTestRequest
from .pipeline import fuse
from .scene import graphs
from .service import precision
from .service.device import available, choose_device, probe
from .service.report import Reporter

SIDE, RATIO, BANDS, GUIDE_BANDS = 256, 4, 24, 4
RUN_ID = "5e1f7e57"
# The network may add little after two steps; that much it must not lose.
LARGEST_ERROR = 0.05


class _Silent(Reporter):
    """Swallows what the runs of a self-test say."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())


def selftest(request: SelfTestRequest, reporter: Reporter) -> dict[str, Any]:
    """DEVICES: for each its name, whether it works, seconds, megapixels a second, and the error.

    PROBE: versions and devices, as `device.probe`.
    """
    names = available()
    phase = reporter.phase("self-test", 0.0, 1.0)
    found = []
    with tempfile.TemporaryDirectory(prefix="rasd-self-test-") as folder:
        truth, usual = _make_pair(Path(folder))
        for number, name in enumerate(names):
            phase.progress(number / len(names), f"fusing a tiny pair on {name}")
            found.append(_try(name, truth, usual, reporter.log))
    return {"DEVICES": found, "PROBE": probe()}


def _try(
    device: str, truth: np.ndarray, usual: FuseRequest, log: Callable[[str], None]
) -> dict[str, Any]:
    """One device: a run that trains two steps, then one by that model, which is timed."""
    result: dict[str, Any] = {"device": device, "works": False, "error": None}
    try:
        if device == "cuda":
            choose_device(device, _Silent())
            precision.find(torch.device("cuda", torch.cuda.current_device()))
        model = f"{usual.output}.safetensors"
        fuse(replace(usual, device=device, training_steps=2, model_output=model), _Silent())
        started = time.perf_counter()
        fuse(replace(usual, device=device, model="file", model_file=model), _Silent())
        seconds = time.perf_counter() - started
        if device == "cuda":
            graphs.find(torch.device("cuda", torch.cuda.current_device()), log)
    except Exception as error:  # whatever it is: this device cannot be used, and why
        return {**result, "error": f"{type(error).__name__}: {error}"[:500]}
    miss = _relative_error(usual.output, truth)
    speed = SIDE * SIDE / 1e6 / seconds
    if miss > LARGEST_ERROR:
        return {**result, "error": f"the pixels are off by {miss:.1%} of their range"}
    return {**result, "works": True, "seconds": seconds, "megapixels_per_second": speed}


def _relative_error(path: str, truth: np.ndarray) -> float:
    """RMSE of the fused raster over the range of the truth."""
    with rasterio.open(path) as dataset:
        fused = dataset.read().astype(np.float64)
    return float(np.sqrt(np.mean((fused - truth) ** 2)) / np.ptp(truth))


def _make_pair(folder: Path) -> tuple[np.ndarray, FuseRequest]:
    """Waves of three spectra, seen coarse in BANDS bands and fine in GUIDE_BANDS."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    shares = np.stack(
        [1 + np.sin(30 * rows), 1 + np.cos(25 * columns), 1 + np.sin(20 * (rows + columns))]
    )
    place = np.linspace(0, 1, BANDS)[:, None]
    spectra = np.exp(-(((place - np.array([0.1, 0.5, 0.9])) / 0.3) ** 2))
    truth = 500 + 1000 * np.tensordot(spectra, shares, 1)
    side = SIDE // RATIO
    coarse = truth.reshape(BANDS, side, RATIO, side, RATIO).mean((2, 4))
    guide = np.stack([part.mean(0) for part in np.array_split(truth, GUIDE_BANDS)])
    hs = RasterSource(_write(folder / "hs.tif", coarse, RATIO))
    ms = RasterSource(_write(folder / "ms.tif", guide, 1))
    return truth, FuseRequest(RUN_ID, hs, ms, str(folder / "fused.tif"))


def _write(path: Path, values: np.ndarray, pixel: float) -> str:
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype="float32",
        crs="EPSG:32632", transform=Affine(pixel, 0, 500_000, 0, -pixel, 5_000_000),
    ) as dataset:  # fmt: skip
        dataset.write(values.astype(np.float32))
    return str(path)
