"""Any two grids: the result has the right shape and place, is valid where both inputs are, stays in
the range of what its dtype holds, and is the same again.
"""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rasterio.warp import transform as transform_points

from rasd_fusion.rasd_qgis.contract.errors import InputError

from ..engine.scenes import run

UTM33 = "EPSG:32633"
GUIDE = Affine(10, 0, 400_000, 0, -10, 5_800_000)
BANDS, GUIDE_BANDS = 5, 2
HIGHEST = {"uint8": 200, "uint16": 9000, "int16": 9000, "float32": 0.9, "float64": 0.9}


def write(path, values, transform, crs, nodata):
    count, height, width = values.shape
    size = {"count": count, "height": height, "width": width, "dtype": values.dtype.name}
    place = {"transform": transform, "crs": crs, "nodata": nodata}
    with rasterio.open(path, "w", driver="GTiff", **size, **place) as dataset:
        dataset.write(values)
    return str(path)


def image(random, bands, shape, dtype, hole):
    """Smooth mixtures between a tenth and all of the dtype's highest; 0 in a hole."""
    rows, cols = np.mgrid[0 : shape[0], 0 : shape[1]]
    waves = 0.55 + 0.2 * np.sin(rows / 3.0) + 0.2 * np.cos(cols / 4.0)
    values = waves * random.uniform(0.7, 1.0, (bands, 1, 1)) * HIGHEST[dtype]
    values = values.astype(dtype)
    if hole is not None:
        row, col, size = hole
        values[:, row : row + size, col : col + size] = 0
    return values


holes = st.none() | st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 4))


GEOMETRY = ("ratio", "shift", "turn", "crs", "shape")
VALUES = ("dtype", "guide_dtype", "hs_hole", "ms_hole", "cut")
grids = st.fixed_dictionaries(
    {
        "ratio": st.sampled_from([2.0, 3.0, 4.0, 2.5, 6.3]),
        "shift": st.tuples(st.floats(-12, 12), st.floats(-12, 12)),
        "turn": st.sampled_from([0.0, 0.0, 90.0, 17.0]),
        "crs": st.sampled_from([UTM33, UTM33, "EPSG:32632"]),
        "shape": st.tuples(st.integers(20, 44), st.integers(20, 44)),
        "dtype": st.sampled_from(sorted(HIGHEST)),
        "guide_dtype": st.sampled_from(sorted(HIGHEST)),
        "hs_hole": holes,
        "ms_hole": holes,
        "cut": st.booleans(),
    }
)


# The few coarse pixels that see the guide see all the same of it.
CONSTANT_GUIDE = {
    "ratio": 4.0,
    "shift": (0.0, -12.0),
    "turn": 0.0,
    "crs": UTM33,
    "shape": (20, 21),
    "dtype": "float32",
    "guide_dtype": "float32",
    "hs_hole": (5, 1, 3),
    "ms_hole": None,
    "cut": True,
}


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(grids)
@example(CONSTANT_GUIDE)
@pytest.mark.filterwarnings("ignore")
def test_any_two_grids(tmp_path, given_grids):
    ratio, shift, turn, crs, shape = (given_grids[name] for name in GEOMETRY)
    dtype, guide_dtype, hs_hole, ms_hole, cut = (given_grids[name] for name in VALUES)
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    coarse = tuple(int(np.ceil(side / ratio)) + 1 for side in shape)
    place = GUIDE * Affine.translation(*shift) * Affine.rotation(turn) * Affine.scale(ratio)
    if crs != UTM33:  # the same corner, in the other zone's metres
        (x,), (y,) = transform_points(UTM33, crs, [place.c], [place.f])
        place = Affine(place.a, place.b, x, place.d, place.e, y)
    hs = image(random, BANDS, coarse, dtype, hs_hole)
    ms = image(random, GUIDE_BANDS, shape, guide_dtype, ms_hole)
    files = (
        write(tmp_path / "hs.tif", hs, place, crs, 0),
        write(tmp_path / "ms.tif", ms, GUIDE, UTM33, 0),
    )
    extent = (400_030, 5_800_000 - 10 * shape[0], 400_000 + 10 * shape[1], 5_799_970)
    asked = {"training_steps": 0, "tile_size": 32, "extent": extent if cut else None}
    fused = run_or_refusal(tmp_path, *files, **asked)
    if isinstance(fused, InputError):
        assert any(word in str(fused) for word in ("overlap", "extent", "nodata"))
        return
    check_place(fused, shape, extent if cut else None)
    check_valid(fused, hs, ms, place, crs, exact=crs == UTM33 and turn % 90 == 0)
    low, high = limits(dtype)
    values = fused.bands[fused.valid]
    assert fused.profile["dtype"] == dtype
    assert np.isfinite(values).all() and values.min() >= low and values.max() <= high
    np.testing.assert_array_equal(run(tmp_path, *files, **asked).bands, fused.bands)


def run_or_refusal(*files, **asked):
    try:
        return run(*files, **asked)
    except InputError as error:
        return error


def limits(dtype):
    info = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype)
    return info.min, info.max


def check_place(fused, shape, extent):
    """It lies on the guide's pixels, inside the guide and the extent."""
    moved = ~GUIDE * fused.profile["transform"]
    assert (moved.a, moved.b, moved.d, moved.e) == pytest.approx((1, 0, 0, 1))
    assert (moved.c, moved.f) == pytest.approx((round(moved.c), round(moved.f)), abs=1e-6)
    height, width = fused.bands.shape[1:]
    least = (3, 3) if extent else (0, 0)
    assert round(moved.f) >= least[0] and round(moved.c) >= least[1]
    assert round(moved.f) + height <= shape[0] and round(moved.c) + width <= shape[1]


def check_valid(fused, hs, ms, place, crs, exact):
    """Valid nowhere but where both are; where pixels are not resampled, everywhere they are."""
    first = ~GUIDE * fused.profile["transform"]
    height, width = fused.bands.shape[1:]
    cols, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    xs, ys = fused.profile["transform"] * (cols.ravel(), rows.ravel())
    if crs != UTM33:
        xs, ys = (np.array(v) for v in transform_points(UTM33, crs, xs, ys))
    x, y = ~place * (xs, ys)
    inside = (x >= 0) & (y >= 0) & (x < hs.shape[2]) & (y < hs.shape[1])
    col, row = (np.clip(v, 0, n - 1).astype(int) for v, n in ((x, hs.shape[2]), (y, hs.shape[1])))
    if exact:  # a centre on a coarse pixel's edge may count to either side of it
        clear = np.minimum(np.abs(x - np.round(x)), np.abs(y - np.round(y))) > 0.02
        seen = inside & (hs[0, row, col] != 0)
    else:  # a resampled pixel draws on its neighbours: judged where these agree
        outside = (x < -2) | (y < -2) | (x > hs.shape[2] + 2) | (y > hs.shape[1] + 2)
        seen = inside & (least_around(hs[0] != 0, 3)[row, col])
        clear = outside | seen
    seen, clear = seen.reshape(height, width), clear.reshape(height, width)
    top, left = round(first.f), round(first.c)
    guide = ms[0, top : top + height, left : left + width] != 0
    np.testing.assert_array_equal(fused.valid.all(0)[clear], (seen & guide)[clear])


def least_around(mask, reach):
    """False wherever a pixel within `reach` is False, or lies outside."""
    padded = np.pad(mask, reach)
    views = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1,) * 2)
    return views.all((2, 3))
