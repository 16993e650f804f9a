"""The sample scene that ships with the plugin: the demo's pair, with its attribution beside it.

    python benchmarks sample

It is written to resources/sample and committed; run this again only where the demo's pair changes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from . import indian_pines, rasters

SAMPLE = Path(__file__).resolve().parent.parent / "resources" / "sample"
NAMES = ("hyperspectral.tif", "multispectral.tif")
MOST_BYTES = 2_000_000

ABOUT = f"""The sample scene

hyperspectral.tif: 36 x 36 pixels of 80 m, 200 bands, 400 to 2500 nm
multispectral.tif: 144 x 144 pixels of 20 m, 10 bands as Sentinel-2A's

{indian_pines.ATTRIBUTION}
Licence: https://creativecommons.org/licenses/by/3.0/

What was changed: the scene as the PyPI package tensorly carries it was cut to 144 x 144 pixels; for
the hyperspectral side it was blurred by a Gaussian whose full width at half maximum is four pixels
and decimated by 4; for the multispectral side its bands were summed by Sentinel-2A's response. Both
were rounded to whole counts and laid on a place of the scene's UTM zone; it is not georeferenced.
"""


def main(arguments: list[str]) -> int:
    """Write the two rasters and ATTRIBUTION.txt; 1 where they are too large to ship."""
    argparse.ArgumentParser(prog="sample").parse_args(arguments)
    SAMPLE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rasters.write_pair(folder, indian_pines.load_pair())
        for one in NAMES:
            (SAMPLE / one).write_bytes((folder / one).read_bytes())
    (SAMPLE / "ATTRIBUTION.txt").write_text(ABOUT, encoding="utf-8")
    size = sum(path.stat().st_size for path in SAMPLE.iterdir())
    print(f"{SAMPLE}: {size / 1e6:.2f} MB")
    return int(size > MOST_BYTES)
