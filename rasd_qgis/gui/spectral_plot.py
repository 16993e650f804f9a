"""The plot of spectra, by matplotlib, which QGIS's installers carry.

Where it is missing a plain sentence stands in its place, and everything else of the inspector
works on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QLabel, QVBoxLayout, QWidget

from ...processing.translation import tr
from .spectra import Spectrum

# A colour a place (Okabe and Ito's, told apart by colour-blind eyes too), a style a layer.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
STYLES, MARKS = ("-", "--", ":", "-."), ("o", "s", "^", "D")
# Up to this many bands are marked one by one and not joined, as a multispectral guide's.
FEW_BANDS = 16
# Neighbours further apart than this many times the usual step are not joined by a line.
GAP = 6.0
LONGEST_NAME = 44  # letters of a layer's name in the legend


def matplotlib_parts() -> tuple[Any, Any] | None:
    """Matplotlib's canvas for Qt and its figure; None where it is not installed."""
    try:
        from matplotlib.figure import Figure

        try:
            from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        except ImportError:  # matplotlib before 3.5 knows Qt 5 alone
            from matplotlib.backends.backend_qt5agg import FigureCanvasQTAgg
    except ImportError:
        return None
    return FigureCanvasQTAgg, Figure


class SpectralPlot(QWidget):
    """Draws spectra; `save` writes the picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._axes: Any = None
        parts = matplotlib_parts()
        if parts is None:
            sentence = QLabel(
                tr(
                    "Curves need matplotlib, which this QGIS does not have (on Debian or Ubuntu: "
                    "apt install python3-matplotlib). Copying and saving as CSV work without it."
                )
            )
            sentence.setObjectName("rasdNoMatplotlib")
            sentence.setWordWrap(True)
            sentence.setAlignment(Qt.AlignmentFlag.AlignTop)
            layout.addWidget(sentence)
            return
        make_canvas, make_figure = parts
        self._figure = make_figure(figsize=(5, 3.2), layout="constrained")
        self._canvas = make_canvas(self._figure)
        self._canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._canvas.setAccessibleName(tr("Plot of spectra"))
        self._axes = self._figure.add_subplot()
        layout.addWidget(self._canvas)
        self.draw([])

    @property
    def can_draw(self) -> bool:
        """Whether matplotlib is there."""
        return self._axes is not None

    def draw(self, spectra: Sequence[Spectrum]) -> None:
        """Show these spectra, and nothing else."""
        if self._axes is None:
            return
        axes = self._axes
        axes.clear()
        places = list(dict.fromkeys(one.place for one in spectra))
        layers = list(dict.fromkeys(one.layer for one in spectra))
        for one in spectra:
            colour = COLOURS[places.index(one.place) % len(COLOURS)]
            self._draw_one(one, colour, layers.index(one.layer))
        known = all(one.bands.has_wavelengths for one in spectra)
        axes.set_xlabel(tr("wavelength (nm)") if known else tr("band number"))
        axes.set_ylabel(tr("value"))
        axes.grid(alpha=0.25)
        if spectra:
            self._explain(spectra, places, layers)
        self._canvas.draw_idle()
        described = ", ".join(f"{one.layer} {tr('at')} {one.place}" for one in spectra)
        self._canvas.setAccessibleDescription(described)

    def save(self, path: str | Path) -> None:
        """Write the plot as a picture, 200 dots an inch; OSError where that fails."""
        self._figure.savefig(str(path), dpi=200)

    def _explain(
        self, spectra: Sequence[Spectrum], places: Sequence[str], layers: Sequence[str]
    ) -> None:
        """A legend of layers by style and places by colour, above the curves it would hide."""
        few = {one.layer: len(one.shown()[0]) <= FEW_BANDS for one in spectra}
        means = {one.place for one in spectra if one.spread is not None}
        handles, labels = [], []
        for number, layer in enumerate(layers):
            style = "" if few[layer] else STYLES[number % len(STYLES)]
            mark = MARKS[number % len(MARKS)] if few[layer] else ""
            handles += self._axes.plot([], [], color="0.35", lw=1.4, ms=5, ls=style, marker=mark)
            labels.append(layer if len(layer) <= LONGEST_NAME else f"{layer[: LONGEST_NAME - 1]}…")
        for number, place in enumerate(places):
            handles += self._axes.plot([], [], color=COLOURS[number % len(COLOURS)], lw=5)
            labels.append(tr("{}: mean and spread").format(place) if place in means else place)
        where = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.2}
        self._axes.legend(handles, labels, fontsize="small", frameon=False, **where)

    def _draw_one(self, one: Spectrum, colour: str, number: int) -> None:
        style = STYLES[number % len(STYLES)]
        x, values, spread = one.shown()
        few = len(x) <= FEW_BANDS
        x, values, spread = _with_gaps(x, values, spread)
        look = {"ls": "", "marker": MARKS[number % len(MARKS)]} if few else {"ls": style}
        self._axes.plot(x, values, color=colour, lw=1.4, ms=5, **look)
        if spread is not None and few:  # nothing was measured between the bands
            self._axes.errorbar(x, values, yerr=spread, fmt="none", ecolor=colour, lw=1, capsize=2)
        elif spread is not None:
            low, high = values - spread, values + spread
            self._axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)


def _with_gaps(
    x: np.ndarray, values: np.ndarray, spread: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """A NaN between neighbours far apart, so that no line is drawn where nothing was measured."""
    if len(x) <= FEW_BANDS:
        return x, values, spread
    steps = np.diff(x)
    wide = np.flatnonzero(steps > GAP * np.median(steps)) + 1
    between = (x[wide - 1] + x[wide]) / 2
    return (
        np.insert(x, wide, between),
        np.insert(values, wide, np.nan),
        None if spread is None else np.insert(spread, wide, np.nan),
    )
