"""The benchmarks' command line: `python benchmarks demo FOLDER`, from any folder.

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


if __name__ == "__main__":
    load_plugin_package()
    program = importlib.import_module("rasd_fusion.benchmarks.demo")
    commands = {"demo": program.main}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: python benchmarks {{{','.join(commands)}}} ...")
    sys.exit(commands[sys.argv[1]](sys.argv[2:]))
