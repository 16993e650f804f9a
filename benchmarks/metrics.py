"""The figures by which a fused image is told from its reference: the engine's, on whole arrays.

Images are (bands, rows, columns), float64, in the reference's units; all pixels count. The peak of
PSNR and SSIM is the reference's maximum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..rasd_qgis.engine.quality.figures import Comparison, mean
from ..rasd_qgis.engine.quality.structure import Structure

Image = NDArray[np.float64]


def psnr(image: Image, reference: Image) -> float:
    """Mean over the bands of 10 log10(peak^2 / MSE) in dB."""
    peaks = [float(reference.max())] * len(reference)
    return _told(mean(_compared(image, reference).psnr(peaks)))


def spectral_angle(image: Image, reference: Image) -> float:
    """Mean angle between a pixel's two spectra in degrees (SAM); black pixels are left out."""
    return _told(_compared(image, reference).sam)


def ergas(image: Image, reference: Image, ratio: float) -> float:
    """Wald's relative error: 100 / ratio times the RMS over the bands of RMSE / mean.

    Bands of mean 0 are left out.
    """
    return _told(_compared(image, reference).ergas(ratio))


def ssim(image: Image, reference: Image) -> float:
    """Mean over the bands of SSIM (Wang et al. 2004)."""
    structure = Structure(torch.full((len(reference),), float(reference.max())))
    structure.add(*_tensors(image, reference))
    return _told(mean(structure.ssim))


def relative_rmse(image: Image, reference: Image) -> float:
    """RMSE over everything as a share of the reference's range (maximum less minimum)."""
    error = np.sqrt(np.mean((image - reference) ** 2))
    return float(error / (reference.max() - reference.min()))


def all_figures(image: Image, reference: Image, ratio: float) -> dict[str, float]:
    """Every figure of the demo's table by its name."""
    return pooled_figures([image], [reference], ratio)


def pooled_figures(
    images: Sequence[Image], references: Sequence[Image], ratio: float
) -> dict[str, float]:
    """The figures over several images of the same bands, as if their pixels were one image's.

    One peak for all. SSIM's windows lie within the images.
    """
    peak = max(float(reference.max()) for reference in references)
    peaks = [peak] * len(references[0])
    comparison, structure = Comparison(len(peaks)), Structure(torch.tensor(peaks))
    for image, reference in zip(images, references):
        tensors = _tensors(image, reference)
        comparison.add(*tensors)
        structure.add(*tensors)
    return {
        "PSNR": _told(mean(comparison.psnr(peaks))),
        "SAM": _told(comparison.sam),
        "ERGAS": _told(comparison.ergas(ratio)),
        "SSIM": _told(mean(structure.ssim)),
    }


def _compared(image: Image, reference: Image) -> Comparison:
    comparison = Comparison(len(reference))
    comparison.add(*_tensors(image, reference))
    return comparison


def _tensors(image: Image, reference: Image) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    images = (torch.from_numpy(np.ascontiguousarray(one)) for one in (image, reference))
    return (*images, torch.ones(reference.shape[1:], dtype=torch.bool))


def _told(figure: float | None) -> float:
    """The figure; NaN where the images have none."""
    return float("nan") if figure is None else figure
