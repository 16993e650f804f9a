"""The spectral subspace: the few directions in which a scene's spectra vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Subspace:
    """mean: (B,); basis: (B, K) orthonormal, the direction of the greatest variance first."""

    mean: NDArray[np.float64]
    basis: NDArray[np.float64]

    @classmethod
    def of(cls, image: Image, components: int) -> Subspace:
        """The principal components of (B, h, w): K, or as many as its pixels can tell."""
        pixels = image.reshape(len(image), -1)
        mean = pixels.mean(axis=1)
        vectors, *_ = np.linalg.svd(pixels - mean[:, None], full_matrices=False)
        most = max(1, min(components, len(image), pixels.shape[1] // 3))
        return cls(mean, vectors[:, :most])

    @property
    def size(self) -> int:
        """K."""
        return self.basis.shape[1]

    def components(self, image: Image) -> Image:
        """(B, H, W) to (K, H, W)."""
        centred = image - self.mean[:, None, None]
        return np.asarray(np.tensordot(self.basis.T, centred, axes=1))

    def bands(self, components: Image) -> Image:
        """(K, H, W) to (B, H, W)."""
        centred = np.tensordot(self.basis, components, axes=1)
        return np.asarray(centred + self.mean[:, None, None])
