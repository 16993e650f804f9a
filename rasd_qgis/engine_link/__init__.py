"""The engine link: the one door between QGIS's process and the engine's.

It knows where the engine's environment is and in what state, makes and repairs it, starts the
engine with a cleaned environment, hands it a request and turns what it says into feedback, a
result or an error. Neither torch nor rasterio is ever imported here.
"""
