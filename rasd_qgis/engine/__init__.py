"""The engine: everything that runs outside QGIS, in a process of its own."""
