"""Rasters: reading, aligning and writing them; numpy and rasterio, no torch."""
