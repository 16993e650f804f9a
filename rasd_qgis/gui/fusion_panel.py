"""The fusion panel: Processing's own parameter boxes, with what an analyst wants to know between.

Every value lives in Processing's box of its parameter, so that what is run, kept in the history and
copied as a command is what she sees; the panel adds sentences, a slider and the pre-flight checks.
"""

from __future__ import annotations

from typing import Any

from processing.gui.ParametersPanel import ParametersPanel
from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QAbstractSpinBox, QComboBox, QLabel, QLineEdit, QToolButton, QWidget

from ...processing import fuse_parameters as names
from ...processing.layers import raster_source
from ...processing.translation import tr
from ...processing.values import extent, optional, raster_layer
from ..contract.errors import EngineBrokenError, EngineMissingError, RasdError
from ..contract.inspect_request import InspectRequest
from . import fixes, remembered
from .facts import layer_facts
from .inspection import Inspection
from .preflight import Check, Fix, Level, judge
from .preflight_panel import PreflightPanel
from .routing_row import RoutingRow

WATCHED = (names.INPUT_HS, names.INPUT_MS, names.EXTENT, names.PSF_SIGMA)
BOXES = (QComboBox, QAbstractSpinBox, QLineEdit)
PLACES = {"hs": names.INPUT_HS, "ms": names.INPUT_MS}
# What only one of the models uses.
USED_BY = {
    names.MODEL_FILE: "file",
    names.TRAINING_MINUTES: "scene",
    names.TRAINING_STEPS: "scene",
    names.SEED: "scene",
}


class FusionPanel(ParametersPanel):
    """The parameters of rasd:fuse; `setupAsked` is a wish for the engine's set-up."""

    setupAsked = pyqtSignal()

    def initWidgets(self) -> None:
        """Called by Processing's panel: its boxes are made, and ours between them."""
        self.preflight = PreflightPanel()
        self.facts = {name: _fact_label(name) for name in remembered.LAYERS}
        self.inspection = Inspection(self._inspect_request, self)
        super().initWidgets()
        self._name_models()
        for definition in self.algorithm().parameterDefinitions():
            if definition.name() in self.wrappers:
                widget = self.wrappers[definition.name()].wrappedWidget()
                _name_boxes(widget, definition.description())
        self.routing.follow(self.wrappers[names.ROUTING_RATIO], self.processing_context)
        for name in WATCHED:
            self.wrappers[name].widgetValueHasChanged.connect(self._pair_changed)
        self.wrappers[names.MODEL].widgetValueHasChanged.connect(self._model_changed)
        self.inspection.started.connect(lambda: self.preflight.say(tr("Looking at the layers…")))
        self.inspection.answered.connect(self._answered)
        self.preflight.fixAsked.connect(self.mend)
        self.preflight.checkAsked.connect(self.inspection.ask_now)
        self._apply({**remembered.likely_pair(remembered.project_rasters()), **remembered.recall()})

    def addParameterLabel(self, parameter: Any, label: QWidget) -> None:
        """Called by Processing's panel; the label is kept for its box."""
        self._label = label
        super().addParameterLabel(parameter, label)

    def addParameterWidget(self, parameter: Any, widget: QWidget, stretch: int = 0) -> None:
        """Called by Processing's panel for each parameter; adds what belongs below it."""
        name = parameter.name()
        label, self._label = getattr(self, "_label", None), None
        if isinstance(label, QLabel):
            label.setBuddy(_first_focus(widget))
        if name == names.ROUTING_RATIO:
            self.routing = widget = RoutingRow(widget)
        super().addParameterWidget(parameter, widget, stretch)
        if name in self.facts:
            super().addParameterWidget(parameter, self.facts[name], 0)
        if name == names.INPUT_MS:
            super().addParameterWidget(parameter, self.preflight, 0)

    def setParameters(self, parameters: dict[str, Any]) -> None:
        """Fill in; where values are given at all, those left out take their defaults."""
        if parameters:
            definitions = {p.name(): p for p in self.algorithm().parameterDefinitions()}
            given = {n: definitions[n].defaultValue() for n in remembered.SETTINGS}
            parameters = {**given, **parameters}
        self._apply(parameters)

    def remember(self) -> None:
        """Keep what is filled in for the next time."""
        values = {name: self.wrappers[name].parameterValue() for name in remembered.SETTINGS}
        layers = {name: self.chosen(name) for name in remembered.LAYERS}
        remembered.remember(values, {n: layer for n, layer in layers.items() if layer})

    def take_ratio(self, ratio: float) -> None:
        """Take a routing ratio that was chosen elsewhere."""
        self.wrappers[names.ROUTING_RATIO].setParameterValue(ratio, self.processing_context)
        self.routing.refresh()

    def chosen(self, name: str) -> QgsRasterLayer | None:
        """The layer chosen as INPUT_HS or INPUT_MS, None where there is none."""
        try:
            return raster_layer(self.algorithm(), self._values(), name, self._context())
        except RasdError:
            return None

    def mend(self, fix: Fix) -> None:
        """Do what a button of the pre-flight panel offers, and look again."""
        try:
            self._mend(fix)
        except RasdError as error:
            self.preflight.show_checks(
                [Check(tr("Fix"), Level.STOP, str(error)), *self.preflight.checks]
            )
            return
        self.inspection.ask_soon()

    def _mend(self, fix: Fix) -> None:
        if fix.kind == "engine":
            self.setupAsked.emit()
        elif fix.kind == "swap":
            values = self._values()
            self._apply(
                {
                    names.INPUT_HS: values[names.INPUT_MS],
                    names.INPUT_MS: values[names.INPUT_HS],
                }
            )
        elif fix.kind == "extent":
            self._apply({names.EXTENT: None})
        elif fix.kind == "crs":
            which = PLACES[fix.values[0]]
            other = next(name for name in remembered.LAYERS if name != which)
            fixes.take_crs(self._in_project(which), self._in_project(other))
        elif fix.kind == "nodata":
            fixes.take_nodata(self._in_project(PLACES[fix.values[0]]), fix.values[1])
        elif fix.kind == "shift":
            down, right = fix.values
            layer, guide = self._in_project(names.INPUT_HS), self._in_project(names.INPUT_MS)
            copy = fixes.moved_copy(layer, guide, -down, -right)
            self._apply({names.INPUT_HS: copy.id()})

    def _in_project(self, name: str) -> QgsRasterLayer:
        """The chosen layer as one of the project, which it joins where it was a file alone."""
        layer = raster_layer(self.algorithm(), self._values(), name, self._context())
        project = QgsProject.instance()
        if project.mapLayer(layer.id()) is None:
            layer = project.addMapLayer(layer.clone())
            self._apply({name: layer.id()})
        return layer

    def _apply(self, values: dict[str, Any]) -> None:
        super().setParameters(values)
        self.routing.refresh()
        self._model_changed()
        self._pair_changed()

    def _pair_changed(self, *_: Any) -> None:
        for name in remembered.LAYERS:
            layer = self.chosen(name)
            self.facts[name].setText(layer_facts(layer) if layer else tr("no raster chosen"))
        self.inspection.ask_soon()

    def _model_changed(self, *_: Any) -> None:
        model = self.wrappers[names.MODEL].parameterValue()
        for name, user in USED_BY.items():
            self.wrappers[name].wrappedWidget().setEnabled(model == user)

    def _name_models(self) -> None:
        """Words in place of the parameter's static strings, which stay the values."""
        texts = {
            "bundled": tr("The one that comes with the plugin (any sensors, seconds)"),
            "scene": tr("Train on this pair of layers (minutes)"),
            "file": tr("Use a trained model from a file"),
        }
        box = self.wrappers[names.MODEL].wrappedWidget()
        if not isinstance(box, QComboBox):
            return
        for index in range(box.count()):
            box.setItemText(index, texts.get(box.itemData(index), box.itemText(index)))

    def _inspect_request(self) -> InspectRequest:
        values, context, algorithm = self._values(), self._context(), self.algorithm()
        coarse, guide = (raster_layer(algorithm, values, n, context) for n in remembered.LAYERS)
        return InspectRequest(
            raster_source(coarse),
            raster_source(guide),
            extent=extent(algorithm, values, names.EXTENT, guide.crs(), context),
            psf_sigma=optional(algorithm.parameterAsDouble, values, names.PSF_SIGMA, context),
        )

    def _answered(self, outcome: Any) -> None:
        if isinstance(outcome, RasdError):
            fix = None
            if isinstance(outcome, (EngineMissingError, EngineBrokenError)):
                fix = Fix("engine", tr("Set up the engine…"))
            title = tr("Engine") if fix else tr("Layers")
            self.preflight.show_checks([Check(title, Level.STOP, str(outcome), fix)])
            return
        self.preflight.show_checks(judge(outcome))
        for name, key in zip(remembered.LAYERS, ("HYPERSPECTRAL", "MULTISPECTRAL")):
            layer = self.chosen(name)
            if layer is not None:
                self.facts[name].setText(layer_facts(layer, outcome[key]))

    def _values(self) -> dict[str, Any]:
        wanted = (*remembered.LAYERS, names.EXTENT, names.PSF_SIGMA)
        return {name: self.wrappers[name].parameterValue() for name in wanted}

    def _context(self) -> Any:
        return self.processing_context


def _fact_label(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(f"rasdFacts_{name}")
    label.setWordWrap(True)
    label.setEnabled(True)
    label.setIndent(8)
    return label


def _first_focus(widget: QWidget) -> QWidget:
    """The widget itself, or what inside it takes the keyboard first."""
    inside = (child for kind in BOXES for child in widget.findChildren(kind))
    return widget if isinstance(widget, BOXES) else next(inside, widget)


def _name_boxes(widget: QWidget, name: str) -> None:
    """Tell a screen reader what each box and each nameless button of a parameter is for."""
    for one in (widget, *widget.findChildren(QWidget)):
        if isinstance(one, BOXES):
            one.setAccessibleName(name)
        elif isinstance(one, QToolButton):
            one.setAccessibleName(tr("Choose: {}").format(name))
