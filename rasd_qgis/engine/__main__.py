"""The engine's entry: one request on standard input, events on standard output.

Standard input stays open for as long as somebody wants the result: at its end the engine removes
what it has half-written and goes, wherever it is. The folder two above this one is loaded as the
package `rasd_fusion`, whatever it is called on disk.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "rasd_fusion"
LOST_READER = 3
# By task: the module of the engine whose function of that name does it.
MODULES = {"fuse": "pipeline", "simulate": "simulate", "assess": "assess"}


def main() -> int:
    """Serve one request; 0 where its result was sent."""
    _load_package()
    contract = importlib.import_module(f"{PACKAGE}.rasd_qgis.contract.events")
    requests = importlib.import_module(f"{PACKAGE}.rasd_qgis.contract.request")
    errors = importlib.import_module(f"{PACKAGE}.rasd_qgis.contract.errors")
    report = importlib.import_module(f"{PACKAGE}.rasd_qgis.engine.report")
    reporter = report.Reporter(_events_only_stdout())
    try:
        request = requests.from_json(sys.stdin.buffer.readline())
        threading.Thread(target=_watch, args=(request,), daemon=True).start()
        reporter.phase("starting", 0.0, 0.0)
        values = _answer(request, reporter)
    except errors.RasdError as error:
        # Its sentence says it all; where a library failed, that one's words are for the log.
        cause = repr(error.__cause__) if error.__cause__ else ""
        reporter.send(contract.Failure(error.kind, error.message, error.advice, cause))
        return 1
    except Exception as error:  # whatever it is, the analyst gets a sentence
        reporter.send(_unforeseen(contract, error))
        return 1
    reporter.send(contract.Result(values))
    return 0


def _answer(request: Any, reporter: Any) -> dict[str, Any]:
    """The values of the result; torch is imported only now, after the first event."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    engine = f"{PACKAGE}.rasd_qgis.engine"
    if request.task == "probe":
        return importlib.import_module(f"{engine}.device").probe()
    module = importlib.import_module(f"{engine}.{MODULES[request.task]}")
    return getattr(module, request.task)(request, reporter)


def _load_package() -> None:
    spec = importlib.util.spec_from_file_location(
        PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def _events_only_stdout() -> Any:
    """The stream of events; whatever else prints, C libraries too, goes to standard error."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


def _watch(request: Any) -> None:
    """Wait for the end of standard input, then remove half-written files and go at once."""
    while os.read(0, 4096):
        pass
    importlib.import_module(f"{PACKAGE}.rasd_qgis.contract.leftovers").remove_leftovers(request)
    os._exit(LOST_READER)


def _trace() -> str:
    return traceback.format_exc(limit=20)


def _unforeseen(contract: Any, error: Exception) -> Any:
    """The failure to report for an error nobody foresaw, out of memory apart."""
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return contract.Failure(
            "device",
            "The engine ran out of memory.",
            "Choose a smaller TILE_SIZE, or DEVICE cpu, or close other programs.",
            _trace(),
        )
    return contract.Failure(
        "error",
        f"The engine met an error nobody foresaw ({type(error).__name__}: {error}).",
        "The log has the details; please report them.",
        _trace(),
    )


if __name__ == "__main__":
    sys.exit(main())
