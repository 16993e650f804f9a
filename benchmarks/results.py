"""RESULTS.md: the benchmarks' figures, one section a benchmark, each replaced as a whole.

A section stands between two comments that bear its name, so that a benchmark that is run again
replaces its own figures and leaves the others' alone. The same figures lie as JSON beside it, in
results/NAME.json.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
_TITLE = (
    "# Results\n\nFigures of the benchmarks, a section each, made by the command that it names.\n"
)
_LIBRARIES = ("torch", "numpy", "scipy", "scikit-image", "numba")
_THREADS = "OMP_NUM_THREADS"


def save(
    name: str, title: str, body: str, figures: Any, results: Path = RESULTS, target: str = ""
) -> None:
    """Write a benchmark's section, with machine and date, and its figures as JSON.

    name: of the make target, less "bench-", unless `target` tells another; body: Markdown;
    figures: what JSON can hold.
    """
    facts = machine()
    command = target or f"bench-{name}"
    lines = [f"## {title}", "", f"`make {command}`; {in_words(facts)}", "", body.strip()]
    replace_section(name, "\n".join(lines), results)
    report = {"machine": facts, "figures": figures}
    folder = results.parent / "results"
    folder.mkdir(exist_ok=True)
    text = json.dumps(report, indent=1, allow_nan=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def replace_section(name: str, body: str, results: Path = RESULTS) -> None:
    """Put `body` in the place of the section called `name`, or at the end where there is none."""
    text = results.read_text(encoding="utf-8") if results.is_file() else _TITLE
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{body.strip()}\n{end}"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if pattern.search(text):
        text = pattern.sub(lambda _: section, text, count=1)
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    unfinished = results.with_suffix(".part")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, results)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column reads to the left, the others to the right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    lines = (header, rule, *rows)
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> dict[str, Any]:
    """What the figures hang on: date, processor, cores, threads, libraries."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get(_THREADS, "all"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def in_words(facts: Mapping[str, Any]) -> str:
    """The machine in a sentence."""
    libraries = ", ".join(f"{name} {number}" for name, number in facts["libraries"].items())
    return (
        f"{facts['date']}, {facts['processor']}, {facts['cores']} cores "
        f"({_THREADS}: {facts['threads']}), {facts['system']}, Python {facts['python']}, "
        f"{libraries}."
    )


def _processor() -> str:
    """The processor's name, as far as the system tells it."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", facts.read_text(), flags=re.MULTILINE)
        if found:
            return found.group(1).strip()
    return platform.processor() or "an unnamed processor"


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
