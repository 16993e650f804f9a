"""Guides of 3, 4 and 10 bands: which response function sees which scene.

True sensors' where the scene's wavelengths hold them: the Nikon D700 of the paper for CAVE, the
visible, near infra-red and short-wave bands of Sentinel-2A elsewhere. Random ones by seed for the
rest, and where the wavelengths are not known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..rasd_qgis.contract.errors import InputError
from ..rasd_qgis.engine.rasters.spectral import SpectralInfo
from ..rasd_qgis.engine.sensors.response import (
    Response,
    from_curves,
    random_response,
    sensor_curves,
)
from .scenes import DATA, Scene

GUIDE_BANDS = (3, 4, 10)
NIKON = DATA / "srf" / "nikon_d700_qu_31x3.csv"
SENSOR = "Sentinel-2A"
SENSOR_BANDS = {3: ("B2", "B3", "B4"), 4: ("B2", "B3", "B4", "B8")}


class Guide(NamedTuple):
    """weights: (b, B), rows summing to 1; source: whose response it is, in words."""

    weights: NDArray[np.float64]
    source: str


def guide(scene: Scene, bands: int) -> Guide:
    """The response by which a scene's guide of so many bands is simulated."""
    if scene.sensor == "CAVE" and bands == 3 and NIKON.is_file():
        return Guide(_nikon(scene), "Nikon D700")
    info = spectral_of(scene)
    found = _by_sensor(info, bands) if scene.wavelengths else None
    if found is not None:
        return Guide(found.weights, SENSOR)
    seed = bands
    drawn = random_response(info, np.array(info.good), bands, seed)
    return Guide(drawn.weights, f"random, seed {seed}")


def spectral_of(scene: Scene) -> SpectralInfo:
    """What the scene's bands see; all of them are good."""
    count = len(scene.cube)
    waves = scene.wavelengths or (None,) * count
    names = tuple(f"band {number}" for number in range(1, count + 1))
    return SpectralInfo(names, waves, (None,) * count, (True,) * count)


def _by_sensor(info: SpectralInfo, bands: int) -> Response | None:
    """The sensor's response; None where it sees what the scene does not hold."""
    curves, usual = sensor_curves(SENSOR)
    good = np.array(info.good)
    try:
        found = from_curves(curves, info, good, SENSOR_BANDS.get(bands, usual), insist=True)
    except InputError:
        return None
    return found if len(found.weights) == bands else None


def _nikon(scene: Scene) -> NDArray[np.float64]:
    """The camera of the paper's protocol on CAVE's bands, (3, 31)."""
    table = np.loadtxt(NIKON, delimiter=",", skiprows=1)
    waves = np.array(scene.wavelengths)
    rows = np.array([np.interp(waves, table[:, 0], row) for row in table[:, 1:].T])
    return rows / rows.sum(axis=1, keepdims=True)
