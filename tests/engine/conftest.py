"""What the engine's tests share: rasters made on the spot, and a reporter that remembers."""

from __future__ import annotations

import contextlib
import itertools

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from rasd_fusion.benchmarks.rasd import training_kept
from rasd_fusion.rasd_qgis.contract.request import RasterSource
from rasd_fusion.rasd_qgis.engine.learning import course as course_room
from rasd_fusion.rasd_qgis.engine.rasters.align import align
from rasd_fusion.rasd_qgis.engine.rasters.read import Raster

from .courses import SIDE, made_references

UTM33 = "EPSG:32633"
NORTH_UP = Affine(10, 0, 400000, 0, -10, 5800000)


def pytest_configure(config):
    """Leave out what is no news: affine 3 prefers an operator that affine 2 does not have."""
    operator = "Use `@` matmul:PendingDeprecationWarning"
    for known in (operator, "Dataset has no geotransform", "The given matrix is equal"):
        config.addinivalue_line("filterwarnings", f"ignore:{known}")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Torch on one thread: on a busy machine its threads wait for each other, ten times as long."""
    torch.set_num_threads(1)


@pytest.fixture(scope="package", autouse=True)
def training_is_kept():
    """Whatever a network learns on the tests' tiny scenes is used; `test_contest` has the rule."""
    with training_kept():
        yield


class Remembering:
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.logs, self.warnings, self.steps = [], [], []

    def log(self, text):
        self.logs.append(text)

    def warn(self, text):
        self.warnings.append(text)

    def progress(self, phase, fraction, text=""):
        self.steps.append((phase, fraction, text))


@pytest.fixture
def reporter():
    return Remembering()


@pytest.fixture(scope="session")
def make_raster(tmp_path_factory):
    """A function that writes an array (bands, h, w) as a file and returns its path."""
    folder = tmp_path_factory.mktemp("rasters")
    numbers = itertools.count()

    def make(values, transform=NORTH_UP, crs=UTM33, suffix=".tif", driver="GTiff", **options):
        values = np.asarray(values)
        describe = options.pop("describe", None)
        count, height, width = values.shape
        path = folder / f"raster{next(numbers)}{suffix}"
        size = {"count": count, "height": height, "width": width, "dtype": values.dtype}
        place = {"transform": transform, "crs": crs}
        with rasterio.open(path, "w", driver=driver, **size, **place, **options) as dataset:
            if describe:
                describe(dataset)
            dataset.write(values)
        return str(path)

    return make


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    return made_references(tmp_path_factory.mktemp("references"), SIDE)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """References that make crops of the least side, so that training on them is quick."""
    return made_references(tmp_path_factory.mktemp("small"), 24)


@pytest.fixture
def look_often(monkeypatch):
    monkeypatch.setattr(course_room, "INTERVAL", 2)
    monkeypatch.setattr(course_room, "CHECKPOINT_SECONDS", 0.0)


@pytest.fixture
def opened(reporter):
    """A function that aligns a scene's pair; its files are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_pair(scene, hs=None, ms=None):
            paths = scene.write_hs(hs), scene.write_ms(ms)
            rasters = (stack.enter_context(Raster(RasterSource(path))) for path in paths)
            return align(*rasters, None, reporter)

        yield open_pair
