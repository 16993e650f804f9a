"""Spectral responses: those that operators publish, tables, and curves drawn at random."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from rasd_fusion.rasd_qgis.contract.errors import InputError
from rasd_fusion.rasd_qgis.contract.simulate_request import SENSORS
from rasd_fusion.rasd_qgis.engine.rasters.spectral import SpectralInfo, read_spectral
from rasd_fusion.rasd_qgis.engine.sensors import response as responses

from .simulations import WAVES, make_reference, simulated


@pytest.fixture
def reference(make_raster):
    return make_reference(make_raster)


@pytest.fixture
def run(tmp_path):
    return partial(simulated, tmp_path)


def pyrsr_rows(folder, bands, waves):
    """Relative responses by pyrsr's own tables, rows summing to 1."""
    data = Path(find_spec("pyrsr").origin).parent / "data" / folder
    rows = []
    for band in bands.split():
        lines = (data / f"band_{band}").read_text().splitlines()[1:]
        table = np.array([line.split()[:2] for line in lines if line.strip()], dtype=float)
        scale = 1000 if table[0, 0] < 100 else 1
        row = np.interp(waves, table[:, 0] * scale, table[:, 1], left=0, right=0)
        rows.append(row / row.sum())
    return np.array(rows)


@pytest.mark.parametrize(
    ("sensor", "folder", "bands"),
    [
        ("Sentinel-2A", "Sentinel-2A/MSI", "2 3 4 5 6 7 8 8A 11 12"),
        ("Sentinel-2B", "Sentinel-2B/MSI", "2 3 4 5 6 7 8 8A 11 12"),
        ("Landsat-8", "Landsat-8/OLI_TIRS", "1 2 3 4 5 6 7"),
        ("Landsat-9", "Landsat-9/OLI_TIRS", "1 2 3 4 5 6 7"),
        ("RapidEye", "RapidEye/MSI", "1 2 3 4 5"),
    ],
)
def test_sensors_are_those_that_their_operators_publish(sensor, folder, bands):
    assert sensor in SENSORS
    waves = tuple(np.arange(400.0, 2500.0, 7.0))
    info = SpectralInfo(("",) * len(waves), waves, (7.0,) * len(waves), (True,) * len(waves))
    curves, usual = responses.sensor_curves(sensor)
    found = responses.from_curves(curves, info, np.ones(len(waves), dtype=bool), usual, True)
    assert found.spectral.names == tuple(f"B{band}" for band in bands.split())
    expected = pyrsr_rows(folder, bands, np.array(waves))
    np.testing.assert_allclose(found.weights, expected, atol=2e-3)
    np.testing.assert_allclose(found.weights.sum(1), 1)


def test_every_sensor_that_can_be_asked_for_has_its_file():
    assert sorted(path.stem for path in responses.SENSORS.glob("*.json")) == sorted(SENSORS)


def test_a_guide_band_is_the_weighted_sum_of_bands(run, reference, tmp_path):
    values, _, guide = run(reference, response="sensor", sensor="Sentinel-2A")
    # 400 to 980 nm holds no short-wave infrared.
    assert values["GUIDE_BAND_NAMES"] == ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A"]
    rows = pyrsr_rows("Sentinel-2A/MSI", "2 3 4 5 6 7 8 8A", np.array(WAVES))
    fine = rasterio.open(reference).read().astype(float)
    np.testing.assert_allclose(guide.read(), np.tensordot(rows, fine, 1), rtol=3e-3)
    info = read_spectral(guide)
    np.testing.assert_allclose(info.wavelengths, rows @ np.array(WAVES), atol=0.3)
    assert values["RGB_GUIDE"] == [3, 2, 1]


def test_bands_asked_for_by_name_are_all_or_none(run, reference):
    _, _, guide = run(reference, response="sensor", bands=("B4", "B2"))
    assert [text.split(" ")[0] for text in guide.descriptions] == ["B4", "B2"]
    with pytest.raises(InputError, match=r"B11 see wavelengths .* 400 to 980 nm"):
        run(reference, response="sensor", bands=("B2", "B11"))
    with pytest.raises(InputError, match="no band called B99"):
        run(reference, response="sensor", bands=("B99",))


@pytest.mark.parametrize(
    "text",
    [
        "nm,red,blue\n400,0,1\n500,0,1\n600,1,0\n980,1,0\n",
        "﻿um;red;blue\n0.4;0;2\n0.5;0;2\n0.6;2;0\n0.98;2;0\n",
        "# a comment\nnm red blue\n600 1 0\n980 1 0\n400 0 1\n500 0 1\n",
    ],
)
def test_a_table_by_wavelength_gives_the_response(run, reference, tmp_path, text):
    table = tmp_path / "response.csv"
    table.write_text(text, encoding="utf-8")
    values, _, guide = run(reference, response="table", table=str(table))
    assert values["GUIDE_BAND_NAMES"] == ["red", "blue"]
    fine = rasterio.open(reference).read().astype(float)
    red = np.clip((np.array(WAVES) - 500) / 100, 0, 1)
    for band, row in ((1, red), (2, 1 - red)):
        expected = np.tensordot(row / row.sum(), fine, 1)
        np.testing.assert_allclose(guide.read(band), expected, rtol=1e-5)


def test_a_reference_without_wavelengths_takes_a_table_by_rows(run, make_raster, tmp_path):
    fine = np.random.default_rng(1).uniform(1, 9, (3, 16, 16)).astype("float32")
    table = tmp_path / "rows.csv"
    table.write_text("near,far\n1,0\n1,1\n0,3\n")
    _, _, guide = run(make_raster(fine), response="table", table=str(table), ratio=2.0)
    np.testing.assert_allclose(guide.read(1), (fine[0] + fine[1]) / 2, rtol=1e-6)
    np.testing.assert_allclose(guide.read(2), (fine[1] + 3 * fine[2]) / 4, rtol=1e-6)
    with pytest.raises(InputError, match="does not tell the wavelengths"):
        run(make_raster(fine), response="sensor", ratio=2.0)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no rectangle"),
        ("a,b\n1,2\n3\n", "no rectangle"),
        ("nm\n400\n500\n", "single column"),
        ("nm,a\n400,-1\n500,1\n", "negative"),
        ("nm,a\n400,0\n500,0\n", "zero everywhere"),
        ("nm,a\n400,nan\n500,1\n", "not finite"),
        ("nm,a\n2000,1\n2100,1\n", "does not hold"),
    ],
)
def test_a_table_that_is_none_is_refused(run, reference, tmp_path, text, word):
    table = tmp_path / "response.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=word):
        run(reference, response="table", table=str(table))


@settings(max_examples=30)
@given(
    count=st.integers(2, 60), bands=st.integers(1, 12), seed=st.integers(0, 99), known=st.booleans()
)
def test_random_responses_sum_to_one_and_hang_on_the_seed(count, bands, seed, known):
    waves = tuple(400.0 + 10 * n for n in range(count)) if known else (None,) * count
    info = SpectralInfo(("",) * count, waves, (None,) * count, (True,) * count)
    good = np.ones(count, dtype=bool)
    good[0] = count < 5
    first, again, other = (
        responses.random_response(info, good, bands, one) for one in (seed, seed, seed + 1)
    )
    assert first.weights.shape == (bands, count)
    np.testing.assert_allclose(first.weights.sum(1), 1)
    assert (first.weights >= 0).all()
    assert (first.weights[:, ~good] == 0).all()
    np.testing.assert_array_equal(first.weights, again.weights)
    assert (first.weights != other.weights).any() or good.sum() == 1
