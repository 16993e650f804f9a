"""Judging a pair: each number that can be wrong turns its own light."""

from __future__ import annotations

import copy

import pytest

from rasd_fusion.rasd_qgis.gui.preflight import Level, judge, runs, stretches, worst

WAVES = [float(wave) for wave in range(400, 1000, 20)]


def raster(name, waves, **changes):
    usual = {
        "name": name,
        "bands": len(waves),
        "rows": 50,
        "columns": 50,
        "dtype": "uint16",
        "crs": "EPSG:32632",
        "pixel": [30.0, 30.0],
        "wavelengths": waves,
        "widths": [180.0] * len(waves),
        "good": [True] * len(waves),
        "dead": [False] * len(waves),
        "nodata": None,
        "date": None,
        "invalid": 0.0,
        "zero": 0.0,
        "noisy": [],
        "low": 100.0,
        "middle": 1000.0,
        "high": 4000.0,
    }
    return {**usual, **changes}


@pytest.fixture
def found():
    return {
        "HYPERSPECTRAL": raster("HS", WAVES),
        "MULTISPECTRAL": raster("MS", [500.0, 700.0, 900.0]),
        "PAIR": {
            "ratio": [3.0, 3.0],
            "resampled": False,
            "fine": [150, 150],
            "shared": [1.0, 1.0],
            "valid": 1.0,
            "shift": [0.1, 0.0, 0.9],
            "explained": 0.95,
        },
        "REFUSAL": None,
        "NOTES": [],
    }


def checks_of(found):
    return {check.title: check for check in judge(found)}


def test_a_good_pair_is_green(found):
    assert worst(judge(found)) is Level.GOOD
    assert list(checks_of(found)) == [
        *("Overlap", "Grid ratio", "CRS", "Shift", "Values"),
        *("Bad bands", "Nodata", "Spectral range"),
    ]
    assert worst([]) is Level.GOOD


@pytest.mark.parametrize(
    ("place", "key", "value", "title", "level"),
    [
        ("PAIR", "shared", [0.01, 0.02], "Overlap", Level.CARE),
        ("PAIR", "shared", [0.01, 1.0], "Overlap", Level.GOOD),
        ("PAIR", "ratio", [30.0, 30.0], "Grid ratio", Level.CARE),
        ("PAIR", "resampled", True, "CRS", Level.CARE),
        ("HYPERSPECTRAL", "crs", None, "CRS", Level.CARE),
        ("MULTISPECTRAL", "crs", None, "CRS", Level.CARE),
        ("PAIR", "shift", [0.0, -1.2, 0.9], "Shift", Level.CARE),
        ("PAIR", "shift", [2.5, 0.0, 0.9], "Shift", Level.STOP),
        ("PAIR", "shift", [2.5, 0.0, 0.1], "Shift", Level.CARE),
        ("PAIR", "shift", None, "Shift", Level.CARE),
        ("PAIR", "explained", 0.4, "Values", Level.CARE),
        ("MULTISPECTRAL", "middle", None, "Values", Level.STOP),
        ("MULTISPECTRAL", "high", 0.4, "Values", Level.GOOD),
        ("HYPERSPECTRAL", "noisy", [3, 7, 8, 9], "Bad bands", Level.CARE),
        ("HYPERSPECTRAL", "dead", [True] * 5 + [False] * 25, "Bad bands", Level.GOOD),
        ("HYPERSPECTRAL", "zero", 0.2, "Nodata", Level.CARE),
        ("MULTISPECTRAL", "invalid", 0.5, "Nodata", Level.CARE),
        ("MULTISPECTRAL", "wavelengths", [500.0, None, None], "Spectral range", Level.CARE),
        ("MULTISPECTRAL", "wavelengths", [None] * 3, "Spectral range", Level.GOOD),
    ],
)
def test_each_fault_turns_its_own_light(found, place, key, value, title, level):
    changed = copy.deepcopy(found)
    changed[place][key] = value
    before, after = checks_of(found), checks_of(changed)
    assert after[title].level is level
    assert after[title].sentence != before[title].sentence
    assert {t for t in after if after[t].level is not before[t].level} <= {title}


def test_zeros_that_are_declared_nodata_are_no_fault(found):
    found["HYPERSPECTRAL"].update(zero=0.2, nodata=0.0)
    assert checks_of(found)["Nodata"].level is Level.GOOD


@pytest.mark.parametrize(
    ("second", "level"), [("2020-06-01", Level.GOOD), ("2021-06-01", Level.CARE)]
)
def test_dates_are_compared_where_both_are_known(found, second, level):
    assert "Dates" not in checks_of(found)
    found["HYPERSPECTRAL"]["date"] = "2020-06-01"
    assert "Dates" not in checks_of(found)
    found["MULTISPECTRAL"]["date"] = second
    assert checks_of(found)["Dates"].level is level


def test_a_refusal_is_red_and_says_what_the_run_would(found):
    found.update(PAIR=None, REFUSAL={"message": "They do not overlap.", "advice": "Choose others."})
    checks = checks_of(found)
    assert checks["Pair"].level is Level.STOP
    assert checks["Pair"].sentence == "They do not overlap. Choose others."
    assert "Overlap" not in checks


def test_neighbours_are_joined():
    assert runs([3, 7, 8, 9]) == "3, 7–9"
    assert stretches([400.0, 410.0, 500.0], [400.0, 410.0, 420.0, 500.0]) == "400–410, 500"
