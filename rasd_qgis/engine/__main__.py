"""The engine's entry: requests on standard input, events on standard output.

    python -I -X utf8 rasd_qgis/engine/__main__.py [--stay SECONDS] [--most-mib MIB]
        [--request FILE]

Without options it serves one request and goes. With them it stays for the next one, for so many
seconds and as long as it keeps no more memory than that. Standard input stays open for as long as
somebody wants the result: at its end the engine removes what it has half-written and goes, wherever
it is. --request takes the line from a file instead, for shells and for torchrun. The folder two
above this one is loaded as the package `rasd_fusion`, whatever it is called on disk.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "rasd_fusion"
# What GDAL keeps of the files' blocks: a row of tiles of a guide that is stored in strips. Outputs
# are written block by block and need none.
GDAL_CACHE_MB = "64"
# By task: the module of the engine whose function of that name does it.
MODULES = {
    "fuse": "pipeline",
    "simulate": "simulate",
    "assess": "quality.assess",
    "describe": "describe",
    "inspect": "inspect_pair",
    "derive": "derive",
    "selftest": "self_test",
    "train": "learning.learn",
    "confidence": "routes",
}


def main() -> int:
    """Serve requests, one after another; 0 where the last one's result was sent, else 1."""
    options = _options()
    _load_package()
    report, lifeline, serve = (
        _engine(f"service.{name}") for name in ("report", "lifeline", "serve")
    )
    reporter = report.Reporter(_events_only_stdout())
    if options.request:
        os.dup2(os.open(options.request, os.O_RDONLY), 0)
    line = lifeline.LifeLine(sys.stdin.buffer, ends=not options.request)
    return serve.serve(_answer, line, reporter, serve.Stay(options.stay, options.most_mib))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="engine")
    parser.add_argument("--stay", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--most-mib", type=float, default=0.0, metavar="MIB")
    parser.add_argument("--request", metavar="FILE")
    options = parser.parse_args()
    if options.request and not os.path.isfile(options.request):
        parser.error(f"there is no request {options.request}")
    return options


def _answer(request: Any, reporter: Any) -> dict[str, Any]:
    """The values of the result; torch is imported only now, after the first event."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _engine("service.memory").keep()
    # GDAL takes a twentieth of the machine otherwise, and reads this once.
    os.environ.setdefault("GDAL_CACHEMAX", GDAL_CACHE_MB)
    if request.task == "probe":
        return _engine("service.device").probe()
    module = _engine(MODULES[request.task])
    if request.task == "fuse":
        _engine("service.ahead").load_ahead()
    return getattr(module, request.task)(request, reporter)


def _engine(module: str) -> Any:
    """A module of this room or of one of its rooms."""
    return importlib.import_module(f"{PACKAGE}.rasd_qgis.engine.{module}")


def _load_package() -> None:
    spec = importlib.util.spec_from_file_location(
        PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} holds no package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def _events_only_stdout() -> Any:
    """The stream of events; whatever else prints, C libraries too, goes to standard error.

    So do the events of all processes but the first that torchrun started.
    """
    leads = os.environ.get("RANK", "0") == "0"
    events = os.fdopen(os.dup(1 if leads else 2), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


if __name__ == "__main__":
    exit_status = main()
    sys.stderr.flush()
    # Taking torch and numba apart in good order would take a second, and nothing is left to save.
    os._exit(exit_status)
