"""A ground, the pair simulated from it, and an assessment held to what every one promises."""

from __future__ import annotations

import io
import json

import numpy as np

from rasd_fusion.rasd_qgis.contract.request import AssessRequest, RasterSource, SimulateRequest
from rasd_fusion.rasd_qgis.engine.quality.assess import FIGURES, assess
from rasd_fusion.rasd_qgis.engine.rasters.spectral import SpectralInfo, write_spectral
from rasd_fusion.rasd_qgis.engine.service.report import Reporter
from rasd_fusion.rasd_qgis.engine.simulate import simulate

BANDS, HEIGHT, WIDTH = 12, 48, 40
WAVES = tuple(450.0 + 40 * band for band in range(BANDS))


def scene(seed=0, height=HEIGHT, width=WIDTH):
    """A smooth ground of three materials, float32, 100 to 4000."""
    random = np.random.default_rng(seed)
    spectra = random.uniform(0.2, 1, (BANDS, 3))
    rows, cols = np.mgrid[0:height, 0:width]
    shares = np.stack(
        [1 + np.sin(rows / 5 + 1), 1 + np.cos(cols / 7), 1 + np.sin((rows + cols) / 4)]
    )
    return (100 + 600 * np.tensordot(spectra, shares, 1)).astype("float32")


def waves(dataset):
    names = tuple(f"b{band}" for band in range(BANDS))
    write_spectral(dataset, SpectralInfo(names, WAVES, (None,) * BANDS, (True,) * BANDS))


def assessed(folder, fused, **changes):
    """The values of an assessment that leaves nothing in the folder, and what it told."""
    sources = {
        name: RasterSource(changes.pop(name))
        for name in ("reference", "hyperspectral", "multispectral")
        if name in changes
    }
    request = AssessRequest("0123abcd", RasterSource(fused), **sources, **changes)
    stream = io.StringIO()
    values = assess(request, Reporter(stream))
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert set(FIGURES) | {"BY_BAND"} == set(values)
    assert not [path for path in folder.iterdir() if ".rasd-" in path.name]
    return values, stream.getvalue()


def made_pair(folder, reference):
    """Paths of a reference and of the pair simulated from it, as `assess` names them."""
    coarse, guide = str(folder / "hs.tif"), str(folder / "ms.tif")
    source = RasterSource(reference)
    request = SimulateRequest("0123abcd", source, coarse, guide, response="random")
    simulate(request, Reporter(io.StringIO()))
    return {"reference": reference, "hyperspectral": coarse, "multispectral": guide}
