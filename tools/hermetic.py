"""A throw-away QGIS profile with this checkout's plugin in it.

Every tool that starts QGIS starts it here, so that a developer's own settings neither change a
result nor are changed by one, and two runs never meet.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = "rasd_fusion"
# The binary first: Debian's 3.22 wrapper around it adds an option that it refuses.
QGIS_PROCESS_NAMES = (
    "qgis_process.bin",
    "qgis_process",
    "qgis_process-qgis",
    "qgis_process-qgis-ltr",
)
QGIS_DESKTOP_NAMES = ("qgis", "qgis-bin", "qgis-ltr-bin")
MACOS_BINARIES = Path("/Applications/QGIS.app/Contents/MacOS")


class ToolError(RuntimeError):
    """Something this machine lacks; the text says what to install."""


@dataclass(frozen=True)
class Profile:
    """Where one throw-away profile lies: `profiles` holds `default`, `runtime` Qt's sockets."""

    profiles: Path
    runtime: Path

    def environment(self, program: str, inherited: Mapping[str, str]) -> dict[str, str]:
        """The caller's variables, less those that would lead QGIS to another Python or profile.

        `program` is the path of the QGIS binary to be started.
        """
        kept = {
            name: value
            for name, value in inherited.items()
            if not name.startswith("PYTHON") and name not in ("VIRTUAL_ENV", "QGIS_PLUGINPATH")
        }
        # The Python inside QGIS takes its library from beside the first python3 on PATH.
        kept["PATH"] = os.pathsep.join([str(Path(program).parent), kept.get("PATH", "")])
        kept["QGIS_CUSTOM_CONFIG_PATH"] = str(self.profiles)
        kept["XDG_RUNTIME_DIR"] = str(self.runtime)
        return kept


@contextmanager
def profile(linked: bool = True) -> Iterator[Profile]:
    """Make a profile in which the plugin is enabled, and remove it afterwards.

    The checkout is linked under the plugin's name, whatever its own folder is called; with
    `linked` False the profile knows nothing of the plugin.
    """
    folder = Path(tempfile.mkdtemp(prefix="rasd-fusion-profile-"))
    try:
        default = folder / "profiles" / "default"
        plugins = default / "python" / "plugins"
        plugins.mkdir(parents=True)
        if linked:
            (plugins / PLUGIN).symlink_to(ROOT, target_is_directory=True)
        (default / "QGIS").mkdir()
        (default / "QGIS" / "QGIS3.ini").write_text(
            f"[PythonPlugins]\n{f'{PLUGIN}=true' if linked else ''}\n\n"
            "[app]\nfirstRunVersionFlag=99\n\n"
            "[qgis]\ncheckVersion=false\nshowTips=false\n",
            encoding="utf-8",
        )
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        yield Profile(folder, runtime)
    finally:
        # rmtree takes the link away and never follows it into the checkout.
        shutil.rmtree(folder, ignore_errors=True)


def find_program(variable: str, names: tuple[str, ...]) -> str:
    """The path in the environment variable, else the first of `names` that is installed.

    Raises ToolError, naming the variable, where there is none.
    """
    named = os.environ.get(variable)
    if named:
        return named
    for name in names:
        for place in (None, str(MACOS_BINARIES / "bin"), str(MACOS_BINARIES)):
            found = shutil.which(name, path=place)
            if found:
                return found
    raise ToolError(
        f"None of {', '.join(names)} is installed. Install QGIS 3.22 or later "
        f"(on Debian: `make setup`), or name the program in {variable}."
    )
