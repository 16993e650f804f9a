"""The guide: it says what the algorithms' help says, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "docs/**/*.md")


@pytest.fixture
def pages(root) -> dict[Path, str]:
    found = [page for pattern in PAGES for page in sorted(root.glob(pattern))]
    assert len(found) >= 8
    return {page: page.read_text(encoding="utf-8") for page in found}


def test_guide_and_help_say_the_same(root):
    command = [sys.executable, str(root / "tools/guide.py"), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_every_help_is_of_an_algorithm(root):
    reference = (root / "docs/guide/reference.md").read_text(encoding="utf-8")
    told = set(re.findall(r"\(`rasd:(\w+)`\)$", reference, flags=re.MULTILINE))
    assert {page.stem for page in (root / "resources/help").glob("*.md")} == told


def test_every_link_leads_to_a_file(pages):
    links = {(p, to) for p, text in pages.items() for to in re.findall(r"\]\(([^)#\s]+)", text)}
    inside = [(page, to) for page, to in links if not re.match(r"\w+:", to)]
    assert inside
    assert [f"{p.name}: {to}" for p, to in inside if not (p.parent / to).exists()] == []


def test_every_algorithm_and_make_target_that_is_named_exists(root, pages):
    reference = (root / "docs/guide/reference.md").read_text(encoding="utf-8")
    known = set(re.findall(r"\(`(rasd:\w+)`\)$", reference, flags=re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), flags=re.MULTILINE))
    text = "\n".join(pages.values())
    assert set(re.findall(r"\brasd:\w+", text)) <= known
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
