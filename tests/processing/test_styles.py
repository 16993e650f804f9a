"""The looks of the outputs."""

from __future__ import annotations

import numpy as np
import pytest
from qgis.core import QgsMultiBandColorRenderer, QgsRasterLayer, QgsSingleBandPseudoColorRenderer

from rasd_fusion.processing import styles

from .conftest import write_raster

pytestmark = pytest.mark.usefixtures("qgis_app")


def lightness(colour: str) -> float:
    """CIELAB L* of an sRGB colour (IEC 61966-2-1, CIE 15)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return 116 * luminance ** (1 / 3) - 16


@pytest.fixture
def cube(tmp_path):
    """Nine bands, of which 2, 5 and 8 vary most within their thirds, 9 is dead; some nodata."""
    random = np.random.default_rng(1)
    values = random.normal(1000, 5, (9, 40, 50))
    for band in (2, 5, 8):
        values[band - 1] += random.normal(0, 100, (40, 50))
    values[8] = 0
    values[:, :5] = 65535
    return write_raster(tmp_path / "cube.tif", values.astype("uint16"), 10.0, nodata=65535)


def layer_of(path) -> QgsRasterLayer:
    """A layer that no fixture holds: it must be gone before QGIS is."""
    return QgsRasterLayer(str(path), "scene", "gdal")


def test_the_ramp_is_perceptual():
    steps = np.diff([lightness(colour) for colour in styles.RAMP])
    assert steps.min() > 0
    assert steps.max() - steps.min() < 1.0


def test_bands_by_wavelength_are_taken_as_they_are(cube):
    assert styles.natural_colour(layer_of(cube), [3, 2, 1]).bands == (3, 2, 1)


def test_without_wavelengths_the_liveliest_band_of_each_third_is_taken(cube):
    assert styles.natural_colour(layer_of(cube), None).bands == (8, 5, 2)


def test_the_stretch_leaves_out_two_per_cent_a_side_and_all_nodata(cube):
    layer = layer_of(cube)
    look = styles.natural_colour(layer, [8, 5, 2])
    for band, (low, high) in zip(look.bands, look.limits):
        block = layer.dataProvider().block(band, layer.extent(), layer.width(), layer.height())
        values = [block.value(r, c) for r in range(5, 40) for c in range(50)]
        assert low == pytest.approx(np.percentile(values, 2), abs=5)
        assert high == pytest.approx(np.percentile(values, 98), abs=5)


@pytest.mark.parametrize("bands", [1, 2, 3])
def test_few_bands_have_a_look_too(tmp_path, bands):
    values = np.full((bands, 4, 4), 7, "uint16")
    path = write_raster(tmp_path / "few.tif", values, 10.0)
    layer = layer_of(path)
    look = styles.natural_colour(layer, None)
    assert all(1 <= band <= bands for band in look.bands)
    assert all(low < high for low, high in look.limits)
    styles.apply_look(layer, look)


def test_the_saved_style_is_what_qgis_opens_the_file_with(cube):
    look = styles.natural_colour(layer_of(cube), [8, 5, 2])
    assert styles.save_style(str(cube), look) == str(cube.with_suffix(".qml"))
    layer = layer_of(cube)
    renderer = layer.renderer()
    assert isinstance(renderer, QgsMultiBandColorRenderer)
    assert (renderer.redBand(), renderer.greenBand(), renderer.blueBand()) == (8, 5, 2)
    low, high = look.limits[0]
    assert renderer.redContrastEnhancement().minimumValue() == pytest.approx(low)
    assert renderer.redContrastEnhancement().maximumValue() == pytest.approx(high)


def test_confidence_has_one_ramp_from_0_to_1_whatever_its_values(tmp_path):
    values = np.full((3, 4, 4), 0.5, "float32")
    path = write_raster(tmp_path / "confidence.tif", values, 10.0)
    styles.save_style(str(path), styles.ConfidenceRamp())
    layer = layer_of(path)
    renderer = layer.renderer()
    assert isinstance(renderer, QgsSingleBandPseudoColorRenderer)
    assert renderer.band() == 1
    assert (renderer.classificationMin(), renderer.classificationMax()) == (0.0, 1.0)
    for i, colour in enumerate(styles.RAMP):
        drawn, *shown = renderer.shader().rasterShaderFunction().shade(i / (len(styles.RAMP) - 1))
        assert drawn
        assert "#{:02x}{:02x}{:02x}".format(*shown[:3]) == colour


def test_a_style_that_cannot_be_written_says_so(cube):
    cube.with_suffix(".qml").mkdir()
    with pytest.raises(OSError, match=r"cube\.qml"):
        styles.save_style(str(cube), styles.ConfidenceRamp())
