"""Windows under test: a pair in the project, the provider with its windows, and photographs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, osr
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsSettings
from qgis.gui import QgsBrowserGuiModel

from rasd_fusion import classFactory
from rasd_fusion.rasd_qgis.engine_link import environment

gdal.UseExceptions()

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "pictures"
EAST, NORTH, EPSG, RATIO = 500_000.0, 4_500_000.0, 32632, 4
WAVES = tuple(range(450, 2250, 75))


def write_raster(
    path, values, pixel, waves=(), width=75, epsg=EPSG, origin=(EAST, NORTH), nodata=None
):
    """Write (bands, rows, columns) north up; waves: nm, one a band."""
    kinds = {"uint16": gdal.GDT_UInt16, "float32": gdal.GDT_Float32}
    bands, rows, columns = values.shape
    driver = gdal.GetDriverByName("GTiff")
    dataset = driver.Create(str(path), columns, rows, bands, kinds[values.dtype.name])
    dataset.SetGeoTransform((origin[0], pixel, 0.0, origin[1], 0.0, -pixel))
    if epsg:
        system = osr.SpatialReference()
        system.ImportFromEPSG(epsg)
        dataset.SetProjection(system.ExportToWkt())
    for number in range(1, bands + 1):
        band = dataset.GetRasterBand(number)
        if waves:
            tags = {"wavelength": str(waves[number - 1]), "fwhm": str(width)}
            band.SetMetadata({**tags, "wavelength_units": "Nanometers"})
        if nodata is not None:
            band.SetNoDataValue(nodata)
        band.WriteArray(values[number - 1])
    dataset.FlushCache()
    return path


def ground(side=96, seed=0):
    """(24, side, side): patches of four materials over the wavelengths of WAVES."""
    random = np.random.default_rng(seed)
    points = random.uniform(0, side, (side * side // 80, 2))
    rows, columns = np.mgrid[0:side, 0:side]
    place = np.stack([rows, columns], -1)[..., None, :]
    nearest = ((place - points) ** 2).sum(-1).argmin(-1)
    shares = random.dirichlet(np.full(4, 0.5), len(points))[nearest]
    waves = np.array(WAVES)[:, None]
    spectra = np.exp(-(((waves - np.array([550, 900, 1400, 1900])) / 350.0) ** 2))
    return 300 + 5000 * np.tensordot(spectra, shares, (1, 2))


@pytest.fixture
def files(tmp_path):
    """The paths of a coarse raster of 24 bands and a fine one of 4."""
    fine = ground()
    blocks = fine.reshape(len(fine), 24, RATIO, 24, RATIO).mean((2, 4))
    hs = write_raster(tmp_path / "coarse.tif", np.rint(blocks).astype("uint16"), 40.0, WAVES)
    guide = fine[[1, 6, 12, 19]]
    waves = tuple(WAVES[i] for i in (1, 6, 12, 19))
    ms = write_raster(tmp_path / "guide.tif", np.rint(guide).astype("uint16"), 10.0, waves, 420)
    return hs, ms


@pytest.fixture
def project(qgis_app):
    """The project, empty before and after."""
    project = QgsProject.instance()
    project.clear()
    yield project
    project.clear()


@pytest.fixture
def pair(files, project):
    """Both files as layers of the project."""
    layers = [QgsRasterLayer(str(path), path.stem, "gdal") for path in files]
    for layer in layers:
        assert layer.isValid()
        project.addMapLayer(layer)
    return layers


@pytest.fixture(scope="session")
def browser(qgis_app, qgis_iface):
    """What Processing's boxes for files ask of QGIS's window."""
    model = QgsBrowserGuiModel()
    qgis_iface.browserModel = lambda: model
    return model


@pytest.fixture(scope="module")
def provider(qgis_app, qgis_processing, browser):
    """The provider, registered as qgis_process registers it."""
    plugin = classFactory(None)
    plugin.initProcessing()
    yield QgsApplication.processingRegistry().providerById("rasd")
    plugin.unload()


@pytest.fixture(autouse=True)
def nothing_remembered(qgis_app):
    """Each test starts with settings of its own."""
    QgsSettings().remove("rasd_fusion")
    yield
    QgsSettings().remove("rasd_fusion")


@pytest.fixture
def engine():
    """The engine that is set up on this machine."""
    found = environment.state()
    if not isinstance(found, environment.Ready):
        if os.environ.get(environment.VARIABLE):
            pytest.fail(f"{environment.VARIABLE} points at no engine: {found}")
        pytest.skip(f"needs the engine (make setup): {found}")
    return found


@pytest.fixture
def no_engine(monkeypatch, tmp_path):
    """A machine on which the engine was never set up."""
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "no engine here"))


@pytest.fixture
def photograph(qtbot):
    """A function that keeps a window's picture in build/pictures, and sees that it shows much."""

    def take(widget, name):
        PICTURES.mkdir(parents=True, exist_ok=True)
        qtbot.wait(300)  # layouts settle, layers are drawn
        image = widget.grab().toImage()
        assert image.save(str(PICTURES / f"{name}.png"))
        step = max(1, image.width() // 97)
        colours = {
            image.pixel(x, y)
            for x in range(0, image.width(), step)
            for y in range(0, image.height(), step)
        }
        assert len(colours) > 10, "the window shows next to nothing"
        return image

    return take
