"""Spectral information: read wherever a program wrote it, written wherever one reads it."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from rasd_fusion.rasd_qgis.engine.rasters.spectral import (
    SpectralInfo,
    band_label,
    natural_colour,
    parse_envi_header,
    read_spectral,
    write_spectral,
)

CUBE = np.ones((3, 4, 4), dtype="uint16")
lengths = st.floats(300, 15000, allow_nan=False).map(lambda value: float(f"{value:.7g}"))


def read(path):
    with rasterio.open(path) as dataset:
        return read_spectral(dataset)


def tagged(make_raster, describe):
    return read(make_raster(CUBE, describe=describe))


def test_imagery_domain_comes_first(make_raster):
    def describe(dataset):
        for band in (1, 2, 3):
            imagery = {"CENTRAL_WAVELENGTH_UM": f"0.{band + 3}", "FWHM_UM": "0.01"}
            dataset.update_tags(band, ns="IMAGERY", **imagery)
            dataset.update_tags(band, wavelength="999", bbl="0" if band == 2 else "1")

    info = tagged(make_raster, describe)
    assert info.wavelengths == (400.0, 500.0, 600.0)
    assert info.fwhm == (10.0, 10.0, 10.0)
    assert info.good == (True, False, True)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("Nanometers", 1), ("nm", 1), ("Micrometers", 1000), ("um", 1000), ("µm", 1000)],
)
def test_band_tags_in_any_unit(make_raster, unit, factor):
    def describe(dataset):
        for band, wave in enumerate((450, 550, 2200), start=1):
            tags = {"wavelength": str(wave / factor), "fwhm": str(8 / factor)}
            dataset.update_tags(band, wavelength_units=unit, **tags)

    info = tagged(make_raster, describe)
    assert info.wavelengths == pytest.approx((450, 550, 2200))
    assert info.fwhm == pytest.approx((8, 8, 8))


@pytest.mark.parametrize("written", ["{450, 550, 2200}", "0.45 0.55 2.2", "0.45,0.55,2.2"])
def test_dataset_tags_without_a_unit_are_told_by_magnitude(make_raster, written):
    info = tagged(make_raster, lambda dataset: dataset.update_tags(wavelength=written))
    assert info.wavelengths == pytest.approx((450, 550, 2200))


def test_a_list_for_another_number_of_bands_counts_for_nothing(make_raster):
    info = tagged(make_raster, lambda dataset: dataset.update_tags(wavelength="{450, 550}"))
    assert info.wavelengths == (None, None, None)


def test_units_that_are_no_lengths_give_no_wavelengths(make_raster):
    tags = {"wavelength": "{1, 2, 3}", "wavelength_units": "GHz"}
    assert tagged(make_raster, lambda d: d.update_tags(**tags)).wavelengths == (None,) * 3


def test_the_description_is_the_last_resort(make_raster):
    def describe(dataset):
        dataset.descriptions = ("band 1 (655.2 Nanometers)", "2.1 µm", "Band 3")

    info = tagged(make_raster, describe)
    assert info.wavelengths == (655.2, 2100.0, None)
    assert info.names[2] == "Band 3"


@pytest.mark.parametrize("suffix", ["", ".bsq", ".dat"])
def test_an_envi_header_beside_the_file(tmp_path, suffix):
    path = tmp_path / f"scene{suffix}"
    CUBE.tofile(path)
    (tmp_path / "scene.hdr").write_text(
        "ENVI\nsamples = 4\nlines = 4\nbands = 3\ndata type = 12\ninterleave = bsq\n"
        "byte order = 0\nwavelength units = Micrometers\nwavelength = {0.45,\n 0.55, 0.65}\n"
        "fwhm = {0.01, 0.01,\n 0.02}\nbbl = {1, 0, 1}\n"
    )
    info = read(path)
    assert info.wavelengths == pytest.approx((450, 550, 650))
    assert info.fwhm == pytest.approx((10, 10, 20))
    assert info.good == (True, False, True)


@given(st.text() | st.text("ENVI\n={},; bandswavelength0.5", max_size=200).map("ENVI\n".__add__))
def test_no_header_breaks_the_parser(text):
    fields = parse_envi_header(text)
    assert all(name == name.strip().lower() for name in fields)


def test_header_fields_and_comments():
    text = "ENVI\n; wavelength = {1}\nbands = 3\nWavelength = {1,\n2,\n3}\nunclosed = {4"
    assert parse_envi_header(text) == {"bands": "3", "wavelength": "1, 2, 3", "unclosed": "4"}
    assert parse_envi_header("BYTEORDER I\nNBANDS = 3") == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["", "red edge", "B4 (394.935486)", "band 1 (418.24 Nanometers)", "Ä (x)"]
            ),
            st.none() | lengths,
            st.none() | st.floats(1, 90).map(lambda value: float(f"{value:.6g}")),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_written_is_read_again(bands):
    names, waves, widths, good = zip(*bands)
    widths = tuple(width if wave else None for wave, width in zip(waves, widths))
    # An unknown wavelength must not come back out of the name that was given.
    names = tuple(name if wave else "plain" for name, wave in zip(names, waves))
    info = SpectralInfo(names, waves, widths, good)
    with rasterio.MemoryFile() as memory:
        size = {"count": info.count, "height": 2, "width": 2, "dtype": "uint8"}
        with memory.open(driver="GTiff", **size) as dataset:
            write_spectral(dataset, info)
        with memory.open() as dataset:
            again = read_spectral(dataset)
            assert dataset.descriptions == again.names
    assert again.wavelengths == waves
    assert again.fwhm == widths
    assert again.good == good
    assert [band_label(again, b + 1) for b in range(info.count)] == list(again.names)


def test_the_label_qgis_shows():
    info = SpectralInfo(("", "red edge", "mean"), (655.2, 705.0, None), (None,) * 3, (True,) * 3)
    labels = [band_label(info, band) for band in (1, 2, 3)]
    assert labels == ["band 1 (655.2 Nanometers)", "red edge (705 Nanometers)", "mean"]


def test_natural_colour_takes_the_nearest_good_bands():
    waves = tuple(float(wave) for wave in range(400, 1000, 10))
    good = tuple(wave != 660.0 for wave in waves)
    info = SpectralInfo(("",) * 60, waves, (None,) * 60, good)
    red, green, blue = natural_colour(info)
    assert waves[red - 1] in (650.0, 670.0)
    assert (waves[green - 1], waves[blue - 1]) == (560.0, 480.0)


@pytest.mark.parametrize("waves", [(None,) * 3, (1600.0, 2100.0, 2200.0), (550.0, 560.0, 900.0)])
def test_natural_colour_is_unknown_where_the_bands_do_not_show_it(waves):
    assert natural_colour(SpectralInfo(("",) * 3, waves, (None,) * 3, (True,) * 3)) is None


def test_a_real_enmap_file(shared_data):
    info = read(shared_data / "enmap_potsdam" / "enmap_potsdam_north_96x64.tif")
    assert info.wavelengths[:2] == (418.24, 423.874)
    assert [band for band, good in enumerate(info.good, start=1) if not good] == [*range(130, 136)]
