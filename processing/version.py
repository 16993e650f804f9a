"""The plugin's version, as metadata.txt states it."""

from __future__ import annotations

from configparser import ConfigParser, Error
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def plugin_version() -> str:
    """The version of metadata.txt, "unknown" where that cannot be read."""
    parser = ConfigParser(interpolation=None)
    try:
        parser.read(ROOT / "metadata.txt", encoding="utf-8")
        return parser.get("general", "version")
    except (Error, OSError, UnicodeDecodeError):
        return "unknown"
