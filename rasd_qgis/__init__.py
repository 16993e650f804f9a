"""The plugin's own rooms: contract, engine_link, engine, gui, and the plugin's life in QGIS."""
