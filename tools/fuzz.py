"""Spoilt inputs by the ten thousand: `make fuzz`, or for less time `make fuzz FUZZ="--seconds 60"`.

Each target of benchmarks/hostile.py runs in a process of its own, with bounded memory and a clock
on every input, so that a crash or a hang is seen and its input kept under build/fuzz. Where atheris
is installed, the parsers of requests and events are fuzzed by coverage as well. The numbers go to
benchmarks/RESULTS.md; the exit status is 1 where anything was found.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib.util
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "build" / "fuzz"
# Of a process, torch's libraries and threads among it; the inputs are all smaller than 100 kB.
MOST_MEMORY = 8 * 2**30
MOST_SECONDS = 30
SHARES = {"requests": 0.15, "models": 0.2, "general": 0.2, "rasters": 0.3}


def load_plugin_package() -> None:
    """Load the root as `rasd_fusion`, as QGIS and the engine do."""
    spec = importlib.util.spec_from_file_location(
        "rasd_fusion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} does not hold the plugin")
    package = importlib.util.module_from_spec(spec)
    sys.modules["rasd_fusion"] = package
    spec.loader.exec_module(package)


def main() -> int:
    """Run every target, or the one named."""
    parser = argparse.ArgumentParser(description="Fuzz the engine's inputs.")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=[*SHARES, "guided"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.target == "guided":
        guided(options.seconds)
    if options.target:
        print(json.dumps(run_target(options.target, options.seconds, options.seed)))
        return 0
    return run_all(options.seconds, options.seed)


def run_target(name: str, seconds: float, seed: int) -> dict[str, int]:
    """Spoil inputs for so many seconds in this process; outcome → how often."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    load_plugin_package()
    from rasd_fusion.benchmarks.hostile import TARGETS

    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[name](Path(folder))
        trace = os.open(FOUND / f"{name}.number", os.O_WRONLY | os.O_CREAT)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            number = (seed << 32) + counts.total()
            os.pwrite(trace, b"%020d" % number, 0)
            # Both signals end a process that hangs in C, whether it computes or waits.
            signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
            signal.alarm(10 * MOST_SECONDS)
            try:
                counts[target.attempt(random.Random(number))] += 1
            except Exception:
                counts["found"] += 1
                text = f"random.Random({number})\n{traceback.format_exc()}"
                (FOUND / f"{name}-{number}.txt").write_text(text)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
    return {**counts, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}


def guided(seconds: float) -> None:
    """Fuzz the two parsers by coverage; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["rasd_fusion.rasd_qgis.contract", "json"]):
        load_plugin_package()
        from rasd_fusion.rasd_qgis.contract.errors import RequestError
        from rasd_fusion.rasd_qgis.contract.events import GarbledEvent, decode
        from rasd_fusion.rasd_qgis.contract.request import (
            FuseRequest,
            RasterSource,
            from_json,
            to_json,
        )

    def one(data: bytes) -> None:
        for read, refusal in ((from_json, RequestError), (decode, GarbledEvent)):
            with contextlib.suppress(refusal):
                read(data)

    corpus = FOUND / "corpus"
    corpus.mkdir(exist_ok=True)
    source = RasterSource("a")
    seed = to_json(FuseRequest("0123abcd", source, source, "f.tif", extent=(0, 0, 1, 1)))
    (corpus / "request").write_text(seed)
    (corpus / "event").write_text('{"event": "progress", "phase": "x", "fraction": 0.5}')
    limits = [f"-max_total_time={seconds:.0f}", "-max_len=4096", "-timeout=20"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={FOUND}/", str(corpus)], one)
    atheris.Fuzz()


def run_all(seconds: float, seed: int) -> int:
    """All targets one after another; the exit status."""
    FOUND.mkdir(parents=True, exist_ok=True)
    figures: dict[str, dict[str, int]] = {}
    for name, share in SHARES.items():
        figures[name] = watched(name, seconds * share, seed)
        print(name, figures[name], flush=True)
    if importlib.util.find_spec("atheris"):
        figures["guided"] = watched_guided(seconds * (1 - sum(SHARES.values())))
        print("guided", figures["guided"], flush=True)
    save(seconds, figures)
    return 1 if any(one.get("found") or one.get("crashed") for one in figures.values()) else 0


def child(name: str, seconds: float, seed: int) -> subprocess.CompletedProcess[str]:
    """Run this program for one target, on one thread."""
    command = [sys.executable, __file__, "--target", name, f"--seconds={seconds}", f"--seed={seed}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def watched(name: str, seconds: float, seed: int) -> dict[str, int]:
    """Run a target; where its process dies, note the input and go on behind it."""
    totals: collections.Counter[str] = collections.Counter()
    until, peak = time.monotonic() + seconds, 0
    while (left := until - time.monotonic()) > 1:
        ended = child(name, left, seed)
        if ended.returncode == 0:
            counts = json.loads(ended.stdout.splitlines()[-1])
            peak = max(peak, counts.pop("peak_mib"))
            totals.update(counts)
            continue
        number = int((FOUND / f"{name}.number").read_text())
        totals["crashed"] += 1
        report = f"random.Random({number}) ended by {ended.returncode}\n{ended.stderr[-4000:]}"
        (FOUND / f"{name}-crash-{number}.txt").write_text(report)
        seed += 1
        if totals["crashed"] > 20:
            break
    return {**totals, "peak_mib": peak}


def watched_guided(seconds: float) -> dict[str, int]:
    """Run the fuzzer by coverage, whose own last words tell how many inputs it tried."""
    ended = child("guided", seconds, 0)
    done = re.search(r"Done (\d+) (?:runs )?in", ended.stderr)
    if ended.returncode or not done:
        (FOUND / "guided-crash.txt").write_text(ended.stderr[-8000:])
        return {"crashed": 1}
    return {"tried": int(done[1])}


def save(seconds: float, figures: dict[str, dict[str, int]]) -> None:
    """Put the numbers into benchmarks/RESULTS.md."""
    load_plugin_package()
    from rasd_fusion.benchmarks import results

    what = {
        "requests": "lines of requests and events, spoilt as JSON and as bytes",
        "models": "model files of one scene, read and where taken fused with",
        "general": "model files for any pair, with and without a study, alike",
        "rasters": "GeoTIFFs, ENVI headers, VRTs: a whole fusion each",
        "guided": "the same parsers by coverage (atheris)",
    }
    rows = []
    for name, one in figures.items():
        tried = one.get("tried", 0) + sum(one.get(k, 0) for k in ("refused", "taken", "found"))
        shown = [f"{tried:,}", one.get("refused", "–"), one.get("taken", "–")]
        faults = one.get("found", 0) + one.get("crashed", 0)
        rows.append([what[name], *shown, faults, one.get("peak_mib", "–")])
    header = ["spoilt inputs", "tried", "a sentence", "a result", "anything else", "peak MiB"]
    body = (
        f"Inputs spoilt at random for {seconds:.0f} s, each ending in a sentence or in a result; "
        f"anything else (an unforeseen error, a crash, a hang of {MOST_SECONDS} s, a leftover, a "
        f"changed input) is counted by itself.\n\n{results.table(header, rows)}"
    )
    results.save("hostile", "Hostile inputs", body, figures, target="fuzz")


if __name__ == "__main__":
    sys.exit(main())
