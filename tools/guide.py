"""The parts of the guide that are told elsewhere: the algorithms' help, and measured figures.

    python3 tools/guide.py           # make docs
    python3 tools/guide.py --check   # 1 where the guide says something else than its sources

docs/guide/reference.md is the algorithms' names and resources/help, in the provider's order; the
table of docs/guide/routing.md is resources/curves/routing.json, as the fusion dialog shows it.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "guide"
SHOWN = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)
HEAD = """# Algorithms

<!-- Made by `make docs` of resources/help, which QGIS shows too: change it there. -->

In the Processing Toolbox under RASD Fusion, in batch, in graphical models, in Python and in
`qgis_process`. The errors that end a run say themselves what to do.
"""


def main(arguments: list[str]) -> int:
    """Write or check; the exit status."""
    routing = GUIDE / "routing.md"
    wanted = {GUIDE / "reference.md": reference(), routing: with_curve(routing.read_text("utf-8"))}
    stale = [p for p, text in wanted.items() if not p.is_file() or p.read_text("utf-8") != text]
    for path in stale:
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} is not up to date: make docs", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if stale and "--check" in arguments else 0


def reference() -> str:
    """The chapter of all algorithms."""
    return "\n".join([HEAD, *map(_section, algorithms())])


def algorithms() -> list[dict[str, str]]:
    """What the toolbox shows of each (`Words`), in the provider's order."""
    provider = (ROOT / "processing" / "provider.py").read_text("utf-8")
    module_of = {name: file for file, name in re.findall(r"from \.(\w+) import (\w+)", provider)}
    names = re.findall(r"\w+", provider.split("ALGORITHMS = (")[1].split(")")[0])
    return [_words(ROOT / "processing" / f"{module_of[name]}.py") for name in names]


def with_curve(page: str) -> str:
    """The page with the table of what the routing ratio trades."""
    curve = json.loads((ROOT / "resources" / "curves" / "routing.json").read_text("utf-8"))
    rows = [
        f"| {ratio:g} | {100 * time:.0f} % | {psnr - curve['psnr'][0]:+.3f} |"
        for ratio, time, psnr in zip(curve["ratios"], curve["time"], curve["psnr"])
        if ratio in SHOWN
    ]
    table = "\n".join(["| ratio | network's time | PSNR, dB |", "|---|---|---|", *rows])
    before, rest = page.split("<!-- curve -->\n")
    return f"{before}<!-- curve -->\n{table}\n<!-- /curve -->{rest.split('<!-- /curve -->')[1]}"


def _words(file: Path) -> dict[str, str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Words":
            return {str(one.arg): _text(one.value) for one in node.keywords}
    raise ValueError(f"{file} has no Words")


def _text(node: ast.expr) -> str:
    inside = node.args[0] if isinstance(node, ast.Call) else node
    return str(ast.literal_eval(inside))


def _section(words: dict[str, str]) -> str:
    text = (ROOT / "resources" / "help" / f"{words['id']}.md").read_text("utf-8")
    return f"## {words['title']} (`rasd:{words['id']}`)\n\n*{words['tip']}*\n\n{text}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
