"""Figures against peers, and the demo: apart from the product, and from its tests."""
