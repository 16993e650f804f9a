"""A virtual screen, a QGIS desktop on it, and the word by which a start-up script ends the wait.

Where openbox is installed it manages the screen's windows, which then have titles and frames.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hermetic

READY_VARIABLE = "RASD_FUSION_DESKTOP_READY"


def desktop_command(qgis: str, profile: hermetic.Profile, script: Path) -> list[str]:
    """What starts the desktop in that profile, with a Python script run once its window stands."""
    command = [qgis, "--nologo", "--noversioncheck", "--profiles-path", str(profile.profiles)]
    return [*command, "--code", str(script.resolve())]


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command while the block runs, and end it afterwards."""
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def virtual_screen(xvfb: str, size: str, managed: bool = False) -> Iterator[str]:
    """An X screen of `size` pixels on a display that Xvfb itself finds free; yields ":number".

    managed: with a window manager, where there is one.
    """
    reader, writer = os.pipe()
    command = [xvfb, "-displayfd", str(writer), "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as stream:
            number = stream.readline().strip()
        if not number:
            raise hermetic.ToolError("Xvfb did not start.")
        manager = shutil.which("openbox") if managed else None
        if manager is None:
            yield f":{number}"
            return
        with running([manager, "--sm-disable"], {**os.environ, "DISPLAY": f":{number}"}):
            yield f":{number}"
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(desktop: subprocess.Popen[bytes], ready: Path, seconds: float) -> None:
    """Return once the script has said so; ToolError where it failed, QGIS ended, or time is up."""
    deadline = time.monotonic() + seconds
    while not ready.exists():
        if desktop.poll() is not None:
            raise hermetic.ToolError(f"QGIS ended by itself with status {desktop.returncode}.")
        if time.monotonic() > deadline:
            raise hermetic.ToolError(f"The start-up script was not ready after {seconds:.0f} s.")
        time.sleep(0.2)
    time.sleep(0.2)
    reason = ready.read_text(encoding="utf-8").strip()
    if reason:
        raise hermetic.ToolError(reason)
