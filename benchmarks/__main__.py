"""The benchmarks' command line: `python benchmarks COMMAND ...`, from any folder.

The repository root is loaded by its path as the package `rasd_fusion`, as QGIS and the engine do,
so that the benchmarks use the product's own code and its root never stands on `sys.path`.
"""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def load_plugin_package() -> None:
    """Make the root importable as `rasd_fusion`."""
    spec = importlib.util.spec_from_file_location(
        "rasd_fusion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} does not hold the plugin")
    package = importlib.util.module_from_spec(spec)
    sys.modules["rasd_fusion"] = package
    spec.loader.exec_module(package)


# Command -> the module of this folder whose `main` it is.
COMMANDS = {
    "demo": "demo",
    "bench-demo": "bench_demo",
    "peers": "bench_peers",
    "complexity": "bench_complexity",
    "ablation": "bench_ablation",
    "adaptive": "bench_adaptive",
    "cave": "bench_cave",
    "start": "bench_start",
    "heartbeat": "bench_heartbeat",
    "routing-curve": "routing_curve",
    "sample": "sample",
    "gpu": "bench_gpu",
    "speed": "bench_speed",
    "scale": "bench_scale",
    "cluster": "bench_cluster",
    "train-bundled": "train_bundled",
    "bundled": "bench_bundled",
}

if __name__ == "__main__":
    load_plugin_package()
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: python benchmarks {{{','.join(COMMANDS)}}} ...")
    program = importlib.import_module(f"rasd_fusion.benchmarks.{COMMANDS[sys.argv[1]]}")
    sys.exit(program.main(sys.argv[2:]))
