"""The walk's guide and its pictures belong together."""

from __future__ import annotations

import re
from pathlib import Path

MOST_BYTES = 300_000


def test_the_guide_shows_every_picture_of_the_walk_in_order(root: Path) -> None:
    guide = root / "docs" / "guide" / "walk.md"
    shown = re.findall(r"!\[[^]]+]\(([^)]+)\)", guide.read_text(encoding="utf-8"))
    pictures = sorted((root / "resources" / "screenshots" / "walk").glob("*.png"))
    assert [(guide.parent / path).resolve() for path in shown] == pictures
    assert len(pictures) > 10
    assert all(picture.stat().st_size < MOST_BYTES for picture in pictures)
