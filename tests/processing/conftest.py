"""Small rasters of a made-up scene, the provider as QGIS knows it, and the engine set up here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, osr
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingFeedback, QgsProject

from rasd_fusion import classFactory
from rasd_fusion.rasd_qgis.engine_link import environment

gdal.UseExceptions()

EAST, NORTH, EPSG = 500_000.0, 4_500_000.0, 32632
RATIO, COARSE, BANDS, GUIDE_BANDS = 4, 24, 12, 4


def write_raster(
    path: Path,
    values: np.ndarray,
    pixel: float,
    *,
    epsg: int | None = EPSG,
    origin: tuple[float, float] = (EAST, NORTH),
    nodata: float | None = None,
    driver: str = "GTiff",
) -> Path:
    """Write `values` (bands, rows, columns) with square pixels, north up."""
    kinds = {"uint8": gdal.GDT_Byte, "uint16": gdal.GDT_UInt16, "float32": gdal.GDT_Float32}
    bands, rows, columns = values.shape
    kind = kinds[values.dtype.name]
    dataset = gdal.GetDriverByName(driver).Create(str(path), columns, rows, bands, kind)
    dataset.SetGeoTransform((origin[0], pixel, 0.0, origin[1], 0.0, -pixel))
    if epsg is not None:
        system = osr.SpatialReference()
        system.ImportFromEPSG(epsg)
        dataset.SetProjection(system.ExportToWkt())
    for band in range(1, bands + 1):
        if nodata is not None:
            dataset.GetRasterBand(band).SetNoDataValue(nodata)
        dataset.GetRasterBand(band).WriteArray(values[band - 1])
    dataset.FlushCache()
    return path


def read(path: Path | str) -> np.ndarray:
    """All bands of a raster."""
    return gdal.Open(str(path)).ReadAsArray()


def run(algorithm, values, context, feedback) -> dict:
    """The results of a run that ends well."""
    assert algorithm.checkParameterValues(values, context) == (True, "")
    results, done = algorithm.run(values, context, feedback)
    assert done, feedback.errors
    return results


def scene(seed: int = 0) -> np.ndarray:
    """A fine scene (BANDS, 96, 96): fields with sharp borders, each a mixture of three spectra."""
    random = np.random.default_rng(seed)
    side = COARSE * RATIO
    rows, columns = np.mgrid[0:side, 0:side]
    fields = ((rows // 13) * 7 + (columns // 17) * 3) % 5
    shares = random.dirichlet(np.ones(3), size=5)[fields].transpose(2, 0, 1)
    shades = 1.0 + 0.15 * np.sin(rows / 5.0) * np.cos(columns / 7.0)
    wavelengths = np.linspace(0.0, 1.0, BANDS)
    spectra = np.stack([np.exp(-(((wavelengths - m) / 0.35) ** 2)) for m in (0.1, 0.5, 0.9)], 1)
    return 500.0 + 6000.0 * np.tensordot(spectra, shares * shades, 1)


def coarse_view(fine: np.ndarray) -> np.ndarray:
    """Means of RATIO × RATIO blocks."""
    bands, rows, columns = fine.shape
    blocks = fine.reshape(bands, rows // RATIO, RATIO, columns // RATIO, RATIO)
    return np.rint(blocks.mean((2, 4))).astype("uint16")


def guide_view(fine: np.ndarray, bands: int = GUIDE_BANDS) -> np.ndarray:
    """Means of groups of neighbouring bands."""
    groups = np.array_split(fine, bands)
    return np.rint(np.stack([group.mean(0) for group in groups])).astype("uint16")


@dataclass
class Pair:
    """The files of a pair, and its parameters for a short run."""

    folder: Path
    hs: Path
    ms: Path

    def values(self, **changes) -> dict:
        usual = {
            "INPUT_HS": str(self.hs),
            "INPUT_MS": str(self.ms),
            "TRAINING_STEPS": 3,
            "OUTPUT": str(self.folder / "fused.tif"),
        }
        return {**usual, **changes}


@dataclass
class Scene:
    """A reference, and what is asked of it."""

    folder: Path
    reference: Path

    def simulate(self, **changes) -> dict:
        usual = {
            "INPUT": str(self.reference),
            "RESPONSE": "random",
            "OUTPUT_HS": str(self.folder / "hs.tif"),
            "OUTPUT_MS": str(self.folder / "ms.tif"),
        }
        return {**usual, **changes}

    def assess(self, fused, **changes) -> dict:
        return {"INPUT": str(fused), "REFERENCE": str(self.reference), **changes}


@pytest.fixture
def ground(tmp_path) -> Scene:
    fine = np.rint(scene()).astype("uint16")
    return Scene(tmp_path, write_raster(tmp_path / "truth.tif", fine, 10.0, nodata=65535))


@pytest.fixture
def pair(tmp_path) -> Pair:
    fine = scene()
    hs = write_raster(tmp_path / "hs.tif", coarse_view(fine), 10.0 * RATIO, nodata=65535)
    ms = write_raster(tmp_path / "ms.tif", guide_view(fine), 10.0)
    return Pair(tmp_path, hs, ms)


@pytest.fixture(scope="module")
def provider(qgis_app, qgis_processing):
    """The provider, registered as qgis_process registers it."""
    plugin = classFactory(None)
    plugin.initProcessing()
    yield QgsApplication.processingRegistry().providerById("rasd")
    plugin.unload()


@pytest.fixture
def fuse(provider):
    return provider.algorithm("fuse").create()


@pytest.fixture
def context(qgis_app) -> QgsProcessingContext:
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    yield context
    # pytest lets go of the last test's fixtures only after QGIS is gone; layers must go before.
    context.temporaryLayerStore().removeAllMapLayers()
    QgsProject.instance().clear()


@pytest.fixture
def engine(monkeypatch) -> environment.Ready:
    """The engine that is set up on this machine."""
    found = environment.state()
    if not isinstance(found, environment.Ready):
        if os.environ.get(environment.VARIABLE):
            pytest.fail(f"{environment.VARIABLE} points at no engine: {found}")
        pytest.skip(f"needs the engine (make setup): {found}")
    return found


@pytest.fixture
def looks_ready(monkeypatch):
    """For what happens before the engine starts: it counts as set up and is never started."""
    import sys

    from rasd_fusion.processing import engine_algorithm as room

    def never(*_):
        raise AssertionError("The engine was started.")

    monkeypatch.setattr(room, "require_engine", lambda: sys.executable)
    monkeypatch.setattr(room, "run_engine", never)


class Feedback(QgsProcessingFeedback):
    """Notes what it is told."""

    def __init__(self):
        super().__init__(False)
        self.errors, self.warnings, self.texts = [], [], []

    def reportError(self, error, fatalError=False):
        self.errors.append(error)

    def pushWarning(self, warning):
        self.warnings.append(warning)

    def setProgressText(self, text):
        self.texts.append(text)


@pytest.fixture
def feedback() -> Feedback:
    return Feedback()
