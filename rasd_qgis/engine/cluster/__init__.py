"""Cluster: the tiles of a run, fused by the workers of a Dask cluster that is there already."""
