"""The graphical models that ship: resources/models/*.model3, written by QGIS itself.

    QT_HASH_SEED=0 QT_QPA_PLATFORM=offscreen /usr/bin/python3 tools/graphical_models.py

Run it with the Python of the oldest QGIS that the plugin is for, as newer ones write more than that
one reads; after a change of an algorithm's parameters. The seed keeps the order of attributes.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)
from qgis.PyQt.QtCore import QPointF

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "resources" / "models"
GROUP = "Graphical models"
# Between the boxes of the model designer.
STEP_X, STEP_Y = 280, 110

Source = QgsProcessingModelChildParameterSource
_REAL = QgsProcessingParameterNumber.Type.Double


def layer(name: str, text: str) -> QgsProcessingParameterDefinition:
    """A parameter for a raster layer."""
    return QgsProcessingParameterRasterLayer(name, text)


def folder(name: str, text: str) -> QgsProcessingParameterDefinition:
    """A parameter for a folder that is there."""
    return QgsProcessingParameterFile(name, text, QgsProcessingParameterFile.Behavior.Folder)


def number(
    name: str, text: str, usual: float, least: float, greatest: float
) -> QgsProcessingParameterDefinition:
    """A parameter for a real number."""
    return QgsProcessingParameterNumber(name, text, _REAL, usual, False, least, greatest)


class Designer:
    """Puts a model together, its boxes in rows and columns."""

    def __init__(self, name: str, description: str) -> None:
        self.model = QgsProcessingModelAlgorithm(name, GROUP)
        self.model.setHelpContent({"ALG_DESC": description, "ALG_CREATOR": "RASD Fusion"})
        self._inputs: list[str] = []
        self._children = 0

    def ask(self, definition: QgsProcessingParameterDefinition) -> Source:
        """An input of the model."""
        box = QgsProcessingModelParameter(definition.name())
        box.setDescription(definition.description())
        box.setPosition(QPointF(120 + STEP_X * len(self._inputs), 60))
        self._inputs.append(definition.name())
        self.model.addModelParameter(definition, box)
        return Source.fromModelParameter(definition.name())

    def do(self, child_id: str, sources: Mapping[str, Any], outputs: Mapping[str, str]) -> None:
        """A step, rasd:<child_id>; outputs: the model's names by the step's own."""
        algorithm = QgsApplication.processingRegistry().algorithmById(f"rasd:{child_id}")
        child = QgsProcessingModelChildAlgorithm(algorithm.id())
        child.setChildId(child_id)
        child.setDescription(algorithm.displayName())
        for name, source in {**_defaults(algorithm), **sources}.items():
            given = source if isinstance(source, Source) else Source.fromStaticValue(source)
            child.addParameterSources(name, [given])
        x, y = 200 + STEP_X * self._children, 60 + STEP_Y * (1 + 2 * self._children)
        child.setPosition(QPointF(x, y))
        made = {}
        for row, (title, name) in enumerate(outputs.items()):
            output = QgsProcessingModelOutput(title, title)
            output.setChildId(child_id)
            output.setChildOutputName(name)
            output.setPosition(QPointF(x + STEP_X, y + STEP_Y * row / 2 + 40))
            made[title] = output
        child.setModelOutputs(made)
        self._children += 1
        self.model.addChildAlgorithm(child)

    def finish(self) -> QgsProcessingModelAlgorithm:
        """The complete model."""
        self.model.setParameterOrder(self._inputs)
        self.model.updateDestinationParameters()
        return self.model


def _defaults(algorithm: QgsProcessingAlgorithm) -> dict[str, Any]:
    """What the designer wants to be told although the algorithm knows it."""
    optional = QgsProcessingParameterDefinition.Flag.FlagOptional
    return {
        definition.name(): definition.defaultValue()
        for definition in algorithm.parameterDefinitions()
        if not definition.isDestination()
        and not definition.flags() & optional
        and definition.defaultValue() is not None
    }


def of_child(child: str, name: str) -> Source:
    """What a step before gave."""
    return Source.fromChildOutput(child, name)


def _pair(design: Designer) -> dict[str, Source]:
    """What every fusion asks for, by the parameter of rasd:fuse."""
    return {
        "INPUT_HS": design.ask(layer("HYPERSPECTRAL", "Hyperspectral layer (coarse)")),
        "INPUT_MS": design.ask(layer("MULTISPECTRAL", "Multispectral layer (fine)")),
        "ROUTING_RATIO": _ratio(design),
    }


def _ratio(design: Designer) -> Source:
    text = "Share routed to the low-rank branch"
    return design.ask(number("ROUTING_RATIO", text, 0.5, 0.0, 1.0))


def fuse_and_assess() -> QgsProcessingModelAlgorithm:
    """Fuse, then measure against the two inputs."""
    design = Designer(
        "fuse_and_assess", "Fuses a pair and measures the result against both inputs (QNR)."
    )
    pair = _pair(design)
    design.do("fuse", pair, {"Fused": "OUTPUT", "Confidence": "CONFIDENCE"})
    inputs = {name: pair[name] for name in ("INPUT_HS", "INPUT_MS")}
    design.do("assess", {"INPUT": of_child("fuse", "OUTPUT"), **inputs}, {"Report": "REPORT"})
    return design.finish()


def fuse_and_derive() -> QgsProcessingModelAlgorithm:
    """Fuse, then vegetation index and principal components."""
    design = Designer(
        "fuse_and_derive",
        "Fuses a pair, then makes a vegetation index and principal components of the result.",
    )
    design.do("fuse", _pair(design), {"Fused": "OUTPUT"})
    design.do(
        "derive",
        {"INPUT": of_child("fuse", "OUTPUT")},
        {"Components": "COMPONENTS", "Index": "INDEX"},
    )
    return design.finish()


def simulate_fuse_assess() -> QgsProcessingModelAlgorithm:
    """Simulate a pair of a reference, fuse it, measure against the reference."""
    design = Designer(
        "simulate_fuse_assess",
        "Degrades a reference into a pair, fuses that, and measures the result against the "
        "reference.",
    )
    reference = design.ask(layer("REFERENCE", "Reference (hyperspectral, fine)"))
    scale = design.ask(number("RATIO", "Ratio", 4.0, 1.2, 64.0))
    ratio = _ratio(design)
    design.do("simulate", {"INPUT": reference, "RATIO": scale}, {})
    inputs = {
        "INPUT_HS": of_child("simulate", "OUTPUT_HS"),
        "INPUT_MS": of_child("simulate", "OUTPUT_MS"),
    }
    design.do("fuse", {**inputs, "ROUTING_RATIO": ratio}, {"Fused": "OUTPUT"})
    design.do(
        "assess",
        {"INPUT": of_child("fuse", "OUTPUT"), "REFERENCE": reference, **inputs},
        {"Error": "ERROR_MAP", "Report": "REPORT"},
    )
    return design.finish()


def fuse_folder_of_pairs() -> QgsProcessingModelAlgorithm:
    """Train on one pair, apply to all."""
    design = Designer(
        "fuse_folder_of_pairs",
        "Trains on one pair of layers, then fuses every pair of files of the same name in two "
        "folders by that model.",
    )
    pair = _pair(design)
    minutes = design.ask(number("MINUTES", "Training time at most (minutes)", 3.0, 0.0, 1000.0))
    coarse_folder = design.ask(folder("FOLDER_HS", "Folder of hyperspectral files"))
    guide_folder = design.ask(folder("FOLDER_MS", "Folder of multispectral files"))
    training = {"MODEL": "scene", "TRAINING_MINUTES": minutes}
    design.do("fuse", {**pair, **training}, {"Model": "MODEL_OUTPUT"})
    design.do(
        "fusefolder",
        {
            "FOLDER_HS": coarse_folder,
            "FOLDER_MS": guide_folder,
            "MODEL_FILE": of_child("fuse", "MODEL_OUTPUT"),
            "ROUTING_RATIO": pair["ROUTING_RATIO"],
        },
        {"Folder": "OUTPUT"},
    )
    return design.finish()


DESIGNS = (fuse_and_assess, fuse_and_derive, simulate_fuse_assess, fuse_folder_of_pairs)


def main() -> int:
    """Write every model; 1 where one could not be written."""
    application = QgsApplication([], False)
    application.initQgis()
    _load_provider()
    MODELS.mkdir(parents=True, exist_ok=True)
    written = [design().toFile(str(MODELS / f"{design.__name__}.model3")) for design in DESIGNS]
    print("\n".join(str(path) for path in sorted(MODELS.iterdir())))
    return 0 if all(written) else 1


def _load_provider() -> None:
    spec = importlib.util.spec_from_file_location(
        "rasd_fusion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["rasd_fusion"] = package
    spec.loader.exec_module(package)
    plugin = package.classFactory(None)
    plugin.initProcessing()
    _kept.append(plugin)


_kept: list[Any] = []

if __name__ == "__main__":
    sys.exit(main())
