"""Simulations for the tests: a reference of known bands, and runs that leave nothing behind."""

from __future__ import annotations

import io
import json

import numpy as np
import rasterio

from rasd_fusion.rasd_qgis.contract.request import RasterSource, SimulateRequest
from rasd_fusion.rasd_qgis.engine.rasters.spectral import SpectralInfo, write_spectral
from rasd_fusion.rasd_qgis.engine.service.report import Reporter
from rasd_fusion.rasd_qgis.engine.simulate import simulate

WAVES = tuple(float(wave) for wave in range(400, 1000, 20))


def described(wavelengths=WAVES, **tags):
    """Write wavelengths, and other facts of rasterio's, to a file in the making."""

    def describe(dataset):
        unknown = (None,) * dataset.count
        names = tuple(f"b{n}" for n in range(dataset.count))
        write_spectral(dataset, SpectralInfo(names, wavelengths, unknown, (True,) * dataset.count))
        for name, value in tags.items():
            setattr(dataset, name, value)

    return describe


def make_reference(make_raster):
    """A float32 reference (30, 48, 40) of random values, 400 to 980 nm."""
    values = np.random.default_rng(0).uniform(1, 100, (30, 48, 40)).astype("float32")
    return make_raster(values, describe=described())


def simulated(folder, reference, **changes):
    """Simulate into a folder; values, coarse and guide (open datasets)."""
    usual = {
        "run_id": "0123abcd",
        "reference": RasterSource(reference),
        "coarse_output": str(folder / "hs.tif"),
        "guide_output": str(folder / "ms.tif"),
        "response": "random",
    }
    request = SimulateRequest(**{**usual, **changes})
    values = simulate(request, Reporter(io.StringIO()))
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert [path.name for path in folder.iterdir() if ".rasd-" in path.name] == []
    return values, rasterio.open(request.coarse_output), rasterio.open(request.guide_output)
