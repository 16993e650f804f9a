"""The contract: the words the QGIS process and the engine process speak to each other.

Requests go in as one line of JSON, events come out a line each, and errors keep their kind and
their advice across the border. Only the standard library is imported here.
"""
