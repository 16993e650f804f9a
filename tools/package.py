"""The zip for the QGIS plugin repository: dist/rasd_fusion-<version>.zip.

    python3 tools/package.py

What goes in is named, so nothing else can slip in: no tests, benchmarks, tools or caches. The same
commit gives the same bytes.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
TOP = "rasd_fusion"
FILES = ("__init__.py", "metadata.txt", "LICENSE", "README.md", "CHANGELOG.md")
FOLDERS = ("processing", "rasd_qgis", "models", "resources")
# The default model of rasd:fuse, with its card and recipe: without them a zip is no plugin.
MODEL = tuple(
    f"models/pretrained/{name}" for name in ("bundled.safetensors", "README.md", "recipe.json")
)
LEFT_OUT = ("resources/screenshots",)  # the README's, half a megabyte that no user needs
# The plugin repository refuses larger ones, and anything compiled.
MOST_BYTES = 25_000_000
COMPILED = {".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".exe", ".a", ".o"}
# The zip format's own first moment: file times would make each build another zip.
MOMENT = (1980, 1, 1, 0, 0, 0)


def main() -> int:
    """Write the zip and check it; the exit status."""
    target = ROOT / "dist" / f"{TOP}-{version()}.zip"
    target.parent.mkdir(exist_ok=True)
    write_zip(target, sorted(chosen(tracked_files())))
    faults = check_zip(target)
    for fault in faults:
        print(f"{target.name}: {fault}", file=sys.stderr)
    if faults:
        target.unlink()
        return 1
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.2f} MB")
    return 0


def version() -> str:
    """The version that metadata.txt states."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "metadata.txt", encoding="utf-8")
    return parser["general"]["version"]


def tracked_files() -> list[str]:
    """Every file that git knows or would add, as paths relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    names = listing.stdout.decode("utf-8").split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def chosen(names: Iterable[str]) -> set[str]:
    """Those of the names that belong to the plugin."""
    wanted = tuple(f"{folder}/" for folder in FOLDERS)
    unwanted = tuple(f"{folder}/" for folder in LEFT_OUT)
    return {
        name
        for name in names
        if (name in FILES or name.startswith(wanted)) and not name.startswith(unwanted)
    }


def write_zip(target: Path, names: Iterable[str]) -> None:
    """Write the named files of the root under the plugin's own folder."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in names:
            entry = zipfile.ZipInfo(f"{TOP}/{name}", MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (ROOT / name).read_bytes())


def check_zip(target: Path) -> list[str]:
    """What the plugin repository, or a user, would find wrong with the zip; [] if nothing."""
    with zipfile.ZipFile(target) as archive:
        paths = [PurePosixPath(name) for name in archive.namelist()]
    faults = [f"{path} is compiled" for path in paths if path.suffix in COMPILED]
    faults += [f"{path} is outside {TOP}/" for path in paths if path.parts[0] != TOP]
    faults += [
        f"{path} is not for users"
        for path in paths
        if {"tests", "benchmarks", "tools", "build", "__pycache__", ".git"} & set(path.parts)
    ]
    missing = {f"{TOP}/{name}" for name in FILES + MODEL} - {str(path) for path in paths}
    faults += [f"{name} is missing" for name in sorted(missing)]
    if target.stat().st_size > MOST_BYTES:
        faults.append(f"{target.stat().st_size} bytes; the most is {MOST_BYTES}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
