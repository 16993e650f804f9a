"""The sensors' response functions, resources/sensors/*.json, from the tables of the package pyrsr.

    build/venv-engine-test/bin/python tools/sensors.py

pyrsr (Apache-2.0, GFZ Potsdam) carries what the operators publish, a value a nanometre. Only the
reflective bands are kept, each cut to where it sees anything. To add a sensor, name it here and in
`SENSORS` of the contract.
"""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "sensors"
SENTINEL = ("2", "3", "4", "5", "6", "7", "8", "8A", "11", "12")
LANDSAT = ("1", "2", "3", "4", "5", "6", "7")
# By sensor: its folder in pyrsr, all reflective bands, and those of land scenes (no atmospheric
# band, no panchromatic one), which are taken where nobody names any.
SENSORS = {
    "Sentinel-2A": ("Sentinel-2A/MSI", ("1", *SENTINEL, "9", "10"), SENTINEL),
    "Sentinel-2B": ("Sentinel-2B/MSI", ("1", *SENTINEL, "9", "10"), SENTINEL),
    "Landsat-8": ("Landsat-8/OLI_TIRS", (*LANDSAT, "8", "9"), LANDSAT),
    "Landsat-9": ("Landsat-9/OLI_TIRS", (*LANDSAT, "8", "9"), LANDSAT),
    "RapidEye": ("RapidEye/MSI", ("1", "2", "3", "4", "5"), ("1", "2", "3", "4", "5")),
}
SOURCE = (
    "pyrsr 0.8.0 (Apache-2.0, https://git.gfz.de/geomultisens/pyrsr), which carries the "
    "operator's tables; cut to where the response reaches 0.0005, rounded to five digits."
)
LEAST = 0.0005


def main() -> None:
    """Write every sensor's file."""
    package = find_spec("pyrsr")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "pyrsr is not installed: make setup, and use its engine test venv"
        )
    data = Path(package.origin).parent / "data"
    FOLDER.mkdir(parents=True, exist_ok=True)
    for sensor, (folder, bands, usual) in SENSORS.items():
        tables = {f"B{band}": table(data / folder / f"band_{band}") for band in bands}
        facts = {"sensor": sensor, "source": SOURCE, "usual": [f"B{band}" for band in usual]}
        text = json.dumps({**facts, "bands": tables}, indent=1)
        # A band's numbers on one line, which keeps a difference readable.
        text = re.sub(r"\n\s+(?=\d|\"B\d+A?\"[,\n])", " ", text)
        (FOLDER / f"{sensor}.json").write_text(text + "\n", encoding="utf-8")


def table(path: Path) -> dict[str, object]:
    """One band: the first wavelength in nm, and a value for each nanometre from there on."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    rows = [tuple(map(float, line.split()[:2])) for line in lines if line.strip()]
    scale = 1000.0 if rows[0][0] < 100.0 else 1.0
    values = {round(wave * scale): max(value, 0.0) for wave, value in rows}
    seen = [wave for wave, value in values.items() if value >= LEAST]
    waves = range(min(seen), max(seen) + 1)
    return {"start": waves[0], "values": [round(values[wave], 5) for wave in waves]}


if __name__ == "__main__":
    main()
