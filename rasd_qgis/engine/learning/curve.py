"""Loss curves: how a training goes, as a table (CSV) and a picture (PNG) beside the model.

Both are renewed while it goes on. The picture is drawn here, in a hundred lines, because nothing
else in the engine would need a plotting library; its text is set in a font of 5 × 7 points.
"""

from __future__ import annotations

import csv
import io
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from ...contract.errors import OutputError


@dataclass(frozen=True)
class Look:
    """How training stood at a step. seconds: of training so far; rate: Adam's step.

    training: mean L1 in the network's units since the look before; validation: of the pixels kept
    out; share: that as a share of the start image's.
    """

    step: int
    seconds: float
    rate: float
    training: float
    validation: float
    share: float


WIDTH, HEIGHT = 800, 480
LEFT, RIGHT, TOP, BOTTOM = 90, 20, 50, 50
INK, GREY = (40, 40, 40), (210, 210, 210)
TRAINING, VALIDATION = (31, 119, 180), (214, 90, 20)
SCALE = 2  # pixels a point of the font

# Rows of five points, the first on the left, in hexadecimal.
_FONT = {
    "0": "0E11131519110E", "1": "040C040404040E", "2": "0E11010204081F", "3": "1F02040201110E",
    "4": "02060A121F0202", "5": "1F101E0101110E", "6": "0608101E11110E", "7": "1F010204080808",
    "8": "0E11110E11110E", "9": "0E11110F01020C", ".": "00000000000C0C", "-": "0000001F000000",
    "a": "00000E010F110F", "d": "01010D1311110F", "e": "00000E111F100E", "f": "0609081C080808",
    "g": "000F11110F010E", "i": "04000C0404040E", "l": "0C04040404040E", "n": "00001619111111",
    "o": "00000E1111110E", "p": "00001E111E1010", "r": "00001619101010", "s": "00000E100E011E",
    "t": "08081C08080906", "v": "00001111110A04", "k": "10101214181412",
    "L": "1010101010101F", "h": "10101619111111", "u": "0000111111130D", "x": "0000110A040A11",
    " ": "00000000000000",
}  # fmt: skip


def curve_paths(model: str) -> tuple[Path, Path]:
    """Where a model's loss curve stands: (CSV, PNG)."""
    path = Path(model)
    return path.with_name(path.stem + ".loss.csv"), path.with_name(path.stem + ".loss.png")


def write_curve(model: str, run_id: str, looks: Sequence[Look]) -> None:
    """Write table and picture anew; OutputError where they cannot be written."""
    table, picture = curve_paths(model)
    for path, data in ((table, _table(looks)), (picture, draw(looks))):
        part = path.with_name(f".{path.stem}.rasd-{run_id}.part{path.suffix}")
        try:
            part.write_bytes(data)
            os.replace(part, path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise OutputError(
                f"The loss curve {path.name} cannot be written ({error.strerror or error}).",
                "Choose another folder, or free space there.",
            ) from error


def draw(looks: Sequence[Look]) -> bytes:
    """The picture as a PNG: both losses over the steps, on a logarithmic scale."""
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    drawn = [look for look in looks if look.training > 0 and look.validation > 0]
    text(canvas, LEFT + 60, 14, "training", TRAINING)
    text(canvas, LEFT + 190, 14, "validation", VALIDATION)
    text(canvas, WIDTH - RIGHT - 60, HEIGHT - 22, "steps", INK)
    text(canvas, 8, 14, "L1 loss", INK)
    if drawn:
        _plot(canvas, drawn)
    return _png(canvas)


def _plot(canvas: np.ndarray, looks: list[Look]) -> None:
    """Axes and both curves."""
    losses = [value for look in looks for value in (look.training, look.validation)]
    low, high = math.log10(min(losses)), math.log10(max(losses))
    low, high = low - 0.02, max(high, low + 0.1) + 0.02
    last = max(look.step for look in looks)

    def across(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def down(loss: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log10(loss)) / (high - low)

    for number in range(5):
        loss = 10 ** (low + (high - low) * number / 4)
        line(canvas, (LEFT, down(loss)), (WIDTH - RIGHT, down(loss)), GREY)
        text(canvas, 8, int(down(loss)) - 7, f"{loss:.2g}", INK)
        step = last * number / 4
        digits = f"{step:.0f}"
        left = min(int(across(step)) - 3 * SCALE * len(digits), WIDTH - 6 * SCALE * len(digits))
        text(canvas, left, HEIGHT - BOTTOM + 8, digits, INK)
    for colour, name in ((TRAINING, "training"), (VALIDATION, "validation")):
        points = [(across(look.step), down(getattr(look, name))) for look in looks]
        for one, other in zip(points, points[1:] or points):
            line(canvas, one, other, colour, 2)


def line(
    canvas: np.ndarray,
    start: tuple[float, float],
    stop: tuple[float, float],
    colour: tuple[int, int, int],
    thick: int = 1,
) -> None:
    """A straight line between two points (column, row)."""
    count = int(max(abs(stop[0] - start[0]), abs(stop[1] - start[1]))) + 2
    cols, rows = (np.linspace(a, b, count).round().astype(int) for a, b in zip(start, stop))
    for shift in range(thick):
        canvas[np.clip(rows + shift, 0, HEIGHT - 1), np.clip(cols, 0, WIDTH - 1)] = colour


def text(canvas: np.ndarray, col: int, row: int, words: str, colour: tuple[int, int, int]) -> None:
    """Words whose first letter's upper left corner is at (col, row); unknown letters are blank."""
    for number, letter in enumerate(words):
        code = _FONT.get(letter, _FONT[" "])
        rows = [int(code[2 * i : 2 * i + 2], 16) for i in range(7)]
        points = np.array([[row_bits >> (4 - bit) & 1 for bit in range(5)] for row_bits in rows])
        mask = points.repeat(SCALE, 0).repeat(SCALE, 1).astype(bool)
        left = col + number * 6 * SCALE
        part = canvas[row : row + mask.shape[0], left : left + mask.shape[1]]
        part[mask[: part.shape[0], : part.shape[1]]] = colour


def _table(looks: Sequence[Look]) -> bytes:
    text_file = io.StringIO(newline="")
    writer = csv.writer(text_file)
    writer.writerow(field.name for field in fields(Look))
    writer.writerows([f"{value:.8g}" for value in astuple(look)] for look in looks)
    return text_file.getvalue().encode("ascii")


def _png(canvas: np.ndarray) -> bytes:
    size = {"height": HEIGHT, "width": WIDTH, "count": 3, "dtype": "uint8"}
    with MemoryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.Env(), file.open(driver="PNG", **size) as dataset:
            dataset.write(np.moveaxis(canvas, 2, 0))
        return file.read()
