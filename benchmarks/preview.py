"""preview.png: input, fused, reference and confidence side by side, for a person to look at."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Image = NDArray[np.float64]

STRETCH_PERCENT = (0.2, 99.0)
PANEL_INCHES = 4.2


def draw_preview(
    path: Path, images: dict[str, Image], confidence: Image, reference_name: str
) -> None:
    """Draw colour images, (3, rows, columns), with their labels, then the confidence.

    All images share the stretch of the one called `reference_name`. Pixels are drawn as they are.
    """
    low, high = np.nanpercentile(images[reference_name], STRETCH_PERCENT, axis=(1, 2))
    with mpl.rc_context({"font.size": 12}):
        count = len(images) + 1
        figure = Figure(figsize=(PANEL_INCHES * count, PANEL_INCHES + 0.5), layout="constrained")
        panels = figure.subplots(1, count)
        for panel, (label, image) in zip(panels, images.items()):
            panel.imshow(_stretch(image, low, high), interpolation="nearest")
            panel.set_title(label)
        drawn = panels[-1].imshow(
            confidence, cmap="viridis", vmin=0.0, vmax=1.0, interpolation="nearest"
        )
        panels[-1].set_title("confidence (mean of stages)")
        figure.colorbar(drawn, ax=panels[-1], fraction=0.046, pad=0.02)
        for panel in panels:
            panel.set_axis_off()
        figure.savefig(path, dpi=110)


def _stretch(image: Image, low: NDArray[np.float64], high: NDArray[np.float64]) -> Image:
    """(3, rows, columns) to (rows, columns, 3) within 0..1, black where there is no data."""
    scaled = (np.moveaxis(image, 0, 2) - low) / (high - low)
    return np.clip(np.nan_to_num(scaled), 0.0, 1.0)
