"""RESULTS.md: a section is replaced as a whole, the others stay as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rasd_fusion.benchmarks import results


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "RESULTS.md"
    results.replace_section("speed", "fast: \\1 as it is", page)
    results.replace_section("peers", "old figures", page)
    results.replace_section("warm", "warm", page)
    return page


def test_a_section_is_replaced_and_the_others_stay(page: Path) -> None:
    before = page.read_text()
    results.replace_section("peers", "new \\g<0> figures", page)
    assert page.read_text() == before.replace("old figures", "new \\g<0> figures")


def test_sections_keep_the_order_in_which_they_came(page: Path) -> None:
    text = page.read_text()
    places = [text.index(f"<!-- begin {name} -->") for name in ("speed", "peers", "warm")]
    assert places == sorted(places)
    assert text.startswith("# Results")


def test_what_is_saved_tells_machine_and_figures(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    results.save("peers", "Peers", "a table", {"row": 1.5}, page)
    report = json.loads((tmp_path / "results/peers.json").read_text())
    assert report["figures"] == {"row": 1.5}
    assert report["machine"]["processor"] in page.read_text()
    assert report["machine"]["libraries"]["numpy"]
    assert "make bench-peers" in page.read_text()


def test_figures_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        results.save("peers", "Peers", "a table", {"row": float("nan")}, tmp_path / "RESULTS.md")


def test_a_table_reads_as_markdown() -> None:
    made = results.table(["method", "dB"], [["cubic", "1.0"], ["glp", "2.0"]])
    assert made.splitlines() == [
        "| method | dB |",
        "| --- | ---: |",
        "| cubic | 1.0 |",
        "| glp | 2.0 |",
    ]
