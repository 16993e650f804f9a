"""The sample scene: a pair that ships with the plugin, one click away, without Processing.

It is copied to the user's data place first: QGIS writes statistics beside a raster, and the
plugin's own folder goes when the plugin is upgraded.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QStandardPaths

from ...processing import fuse_parameters as names
from ...processing.arrival import add_history
from ...processing.styles import apply_look, natural_colour
from ...processing.translation import tr
from ..contract.errors import OutputError

SHIPPED = Path(__file__).resolve().parents[2] / "resources" / "sample"
ATTRIBUTION = "ATTRIBUTION.txt"
GROUP = "RASD Fusion sample: Indian Pines"
# By parameter: the file, the layer's name, and its bands nearest to red, green and blue.
PAIR = {
    names.INPUT_HS: ("hyperspectral.tif", "Indian Pines hyperspectral (80 m)", (27, 17, 9)),
    names.INPUT_MS: ("multispectral.tif", "Indian Pines multispectral (20 m)", (3, 2, 1)),
}


def sample_folder() -> Path:
    """Where the sample is copied to."""
    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    return Path(place) / "rasd-fusion" / "sample"


def load_sample(project: QgsProject, folder: Path | None = None) -> dict[str, str]:
    """Add the pair to the project, or find it there; its layers' ids as parameters of rasd:fuse.

    OutputError where the copy cannot be written.
    """
    folder = folder or sample_folder()
    _copy_to(folder)
    text = attribution()
    group = None
    found: dict[str, str] = {}
    for name, (file, title, bands) in PAIR.items():
        source = str(folder / file)
        layer = next((one for one in project.mapLayers().values() if one.source() == source), None)
        if layer is None:
            root = project.layerTreeRoot()
            group = group or root.findGroup(GROUP) or root.insertGroup(0, GROUP)
            layer = _open(source, title, bands, text)
            project.addMapLayer(layer, False)
            group.addLayer(layer)
        found[name] = layer.id()
    if not project.crs().isValid() or len(project.mapLayers()) == len(PAIR):
        project.setCrs(project.mapLayer(found[names.INPUT_MS]).crs())
    return found


def attribution() -> str:
    """Whose scene it is, under which licence, and what was changed."""
    return (SHIPPED / ATTRIBUTION).read_text("utf-8")


def _open(source: str, title: str, bands: tuple[int, int, int], text: str) -> QgsRasterLayer:
    layer = QgsRasterLayer(source, title, "gdal")
    apply_look(layer, natural_colour(layer, bands))
    metadata = layer.metadata()
    metadata.setRights([text])
    metadata.setLicenses(["CC BY 3.0"])
    layer.setMetadata(metadata)
    add_history(layer, tr("Sample scene of RASD Fusion"))
    return layer


def _copy_to(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*(file for file, _, _ in PAIR.values()), ATTRIBUTION):
            target = folder / name
            if not target.exists() or target.stat().st_size != (SHIPPED / name).stat().st_size:
                shutil.copyfile(SHIPPED / name, target)
    except OSError as error:
        raise OutputError(
            tr("The sample scene cannot be copied to {} ({}).").format(
                folder, error.strerror or error
            ),
            tr("Make room there, or allow writing."),
        ) from error
