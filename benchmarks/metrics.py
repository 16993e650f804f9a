"""The figures by which a fused image is told from its reference.

Images are (bands, rows, columns), float64, in the reference's units; all pixels count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

Image = NDArray[np.float64]


def psnr(image: Image, reference: Image) -> float:
    """Mean over the bands of 10 log10(peak^2 / MSE) in dB; the peak is the reference's maximum."""
    errors = np.mean((image - reference) ** 2, axis=(1, 2))
    return float(np.mean(10.0 * np.log10(reference.max() ** 2 / errors)))


def spectral_angle(image: Image, reference: Image) -> float:
    """Mean angle between a pixel's two spectra in degrees (SAM); black pixels are left out."""
    lengths = np.linalg.norm(image, axis=0) * np.linalg.norm(reference, axis=0)
    seen = lengths > 0
    cosine = np.sum(image * reference, axis=0)[seen] / lengths[seen]
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).mean())


def ergas(image: Image, reference: Image, ratio: float) -> float:
    """Wald's relative error: 100 / ratio times the RMS over the bands of RMSE / mean.

    Bands of mean 0 are left out.
    """
    means = reference.mean(axis=(1, 2))
    errors = np.mean((image - reference) ** 2, axis=(1, 2))
    lit = means > 0
    return float(100.0 / ratio * np.sqrt(np.mean(errors[lit] / means[lit] ** 2)))


def ssim(image: Image, reference: Image) -> float:
    """Mean over the bands of SSIM (Wang et al. 2004); the range is the reference's peak."""
    values = [
        structural_similarity(
            fused,
            band,
            data_range=reference.max(),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for fused, band in zip(image, reference)
    ]
    return float(np.mean(values))


def relative_rmse(image: Image, reference: Image) -> float:
    """RMSE over everything as a share of the reference's range (maximum less minimum)."""
    error = np.sqrt(np.mean((image - reference) ** 2))
    return float(error / (reference.max() - reference.min()))


def all_figures(image: Image, reference: Image, ratio: float) -> dict[str, float]:
    """Every figure of the demo's table by its name."""
    return {
        "PSNR": psnr(image, reference),
        "SAM": spectral_angle(image, reference),
        "ERGAS": ergas(image, reference, ratio),
        "SSIM": ssim(image, reference),
    }
