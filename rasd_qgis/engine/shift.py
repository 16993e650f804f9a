"""Shift: by how much two images of one ground are displaced, found by phase correlation.

Kuglin and Hines' method: the normalised cross-power spectrum of two images that differ by a shift
is a plane wave. It is normalised by half here, by the root of its strength, so that frequencies of
which the images hold little but noise have little to say. Several pairs of bands share one
spectrum, and the peak of its inverse is read between the pixels by evaluating the inverse there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Cycles a pixel, beyond which spectra are damped: mostly aliasing and noise.
_DAMPING = 0.2
# Of the cross-power's strength, what stays: 0 is phase correlation, 1 plain correlation.
_POWER = 0.5
_STEP = 0.01  # pixels, of the last search
_LEAST_SIDE = 8


@dataclass(frozen=True)
class Shift:
    """How far, in pixels, the second image's content lies down and right of the first one's.

    peak: height of the correlation there, 1 where the images differ by a shift alone.
    """

    down: float
    right: float
    peak: float


def find_rough_shift(
    first: np.ndarray, second: np.ndarray, valid: np.ndarray
) -> tuple[int, int] | None:
    """The shift between (b, n, m) and (K, n, m) in whole pixels, whatever band shows what.

    Every band of one is correlated with every band of the other, and the squares are summed, so
    that neither sign nor gain between them counts. None as for `find_shift`.
    """
    if _is_hopeless(valid):
        return None
    window = _window(valid)
    weight = _weight(valid.shape)
    surface = np.zeros(valid.shape)
    for a in first:
        for b in second:
            power = _cross_power(a, b, window, valid)
            surface += np.fft.ifft2(_whitened(power, weight)).real ** 2
    return _peak(surface)


def find_shift(first: np.ndarray, second: np.ndarray, valid: np.ndarray) -> Shift | None:
    """The shift between (b, n, m) images on one grid, valid (n, m) bool.

    None where they are too small or too empty to tell.
    """
    if _is_hopeless(valid):
        return None
    window = _window(valid)
    power = np.zeros(valid.shape, dtype=complex)
    for a, b in zip(first, second):
        power += _cross_power(a, b, window, valid)
    phase = _whitened(power, _weight(valid.shape))
    if not phase.any():
        return None
    rough = _peak(np.fft.ifft2(phase).real)
    down, right, height = _between(phase, *map(float, rough))
    return Shift(down, right, height / float(np.abs(phase).sum()))


def _is_hopeless(valid: np.ndarray) -> bool:
    return min(valid.shape) < _LEAST_SIDE or bool(valid.mean() < 0.25)


def _whitened(power: np.ndarray, weight: np.ndarray) -> np.ndarray:
    strength = np.abs(power)
    heard = (strength > 1e-9 * strength.max()) & (weight > 0)
    return np.where(heard, weight * power / np.where(heard, strength, 1.0) ** (1 - _POWER), 0.0)


def _peak(surface: np.ndarray) -> tuple[int, int]:
    """Where a correlation is highest, beyond the middle as negative."""
    place = np.unravel_index(int(surface.argmax()), surface.shape)
    down, right = (int(p) - s if p > s // 2 else int(p) for p, s in zip(place, surface.shape))
    return down, right


def _window(valid: np.ndarray) -> np.ndarray:
    """A taper to the image's border (Hann), zero where there is no data."""
    rows, cols = (np.hanning(side + 2)[1:-1] for side in valid.shape)
    return rows[:, None] * cols * valid


def _cross_power(
    first: np.ndarray, second: np.ndarray, window: np.ndarray, valid: np.ndarray
) -> np.ndarray:
    spectra = []
    for image in (first, second):
        seen = image[valid]
        spread = seen.std() or 1.0
        spectra.append(np.fft.fft2(np.where(valid, image - seen.mean(), 0.0) / spread * window))
    return np.asarray(np.conj(spectra[0]) * spectra[1])


def _weight(shape: tuple[int, int]) -> np.ndarray:
    """The share that each frequency has; none at zero, where there is no phase."""
    rows, cols = (np.fft.fftfreq(side) for side in shape)
    weight = np.exp(-0.5 * (rows[:, None] ** 2 + cols**2) / _DAMPING**2)
    weight[0, 0] = 0.0
    return weight


def _between(phase: np.ndarray, down: float, right: float) -> tuple[float, float, float]:
    """Refine a peak: the inverse transform on ever finer grids around it."""
    rows, cols = (np.fft.fftfreq(side) for side in phase.shape)
    step = 0.5
    height = 0.0
    while step >= _STEP:
        offsets = step * np.arange(-2, 3)
        along = np.exp(2j * np.pi * np.outer(down + offsets, rows))
        across = np.exp(2j * np.pi * np.outer(cols, right + offsets))
        near = (along @ phase @ across).real
        i, j = np.unravel_index(int(near.argmax()), near.shape)
        down, right, height = down + offsets[i], right + offsets[j], near[i, j]
        step /= 2
    return down, right, float(height)
