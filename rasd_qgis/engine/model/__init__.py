"""The model of a run: files of models, how one comes about for a pair, and its work on a tile."""
