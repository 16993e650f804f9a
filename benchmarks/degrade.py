"""How a simulated sensor sees a scene: a blur and a decimation, and a sum over wavelengths.

Images are (bands, rows, columns), float64. The decimation is block-centred: a coarse pixel stands
in the middle of the ratio x ratio fine pixels it covers, so kernels have the ratio's parity.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..rasd_qgis.engine.rasters.grid import Axis
from ..rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA, point_spread

Image = NDArray[np.float64]


def blur_and_decimate(image: Image, ratio: int, kernel: NDArray[np.float64] | None = None) -> Image:
    """The image through a PSF, one pixel kept a block; edges reflected.

    kernel: of `observation`; the usual one where None. Raises ValueError where the ratio does not
    divide the image's sides.
    """
    if image.shape[1] % ratio or image.shape[2] % ratio:
        raise ValueError(f"{image.shape[1]} x {image.shape[2]} pixels do not divide by {ratio}")
    rows = observation(image.shape[1], ratio, kernel)
    columns = observation(image.shape[2], ratio, kernel)
    return rows @ image @ columns.T


def observation(
    side: int, ratio: int, kernel: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """(side / ratio, side): the blurring and decimation of one axis.

    kernel: samples of the PSF, as many as the ratio or an even number more, summing to 1; None
    takes the engine's own, a Gaussian whose full width at half maximum is the ratio.
    """
    if kernel is None:
        axis = Axis(float(ratio), 0.0)
        weights = point_spread(axis, side // ratio, side, DEFAULT_SIGMA, dtype=torch.float64)
        return np.asarray(weights.numpy())
    if len(kernel) < ratio or (len(kernel) - ratio) % 2:
        raise ValueError(f"a kernel of {len(kernel)} samples has no middle among {ratio} pixels")
    matrix = np.zeros((side // ratio, side))
    margin = (len(kernel) - ratio) // 2
    mirrored = np.pad(np.arange(side), margin, mode="symmetric")
    for coarse in range(side // ratio):
        start = coarse * ratio
        np.add.at(matrix[coarse], mirrored[start : start + len(kernel)], kernel)
    return matrix


def apply_response(image: Image, response: NDArray[np.float64]) -> Image:
    """The image, (B, H, W), through a sensor's `response`, (b, B): (b, H, W)."""
    return np.asarray(np.tensordot(response, image, axes=1))
