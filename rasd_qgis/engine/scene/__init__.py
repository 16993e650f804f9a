"""The scene: how it is reduced, estimated, normalised, learnt from, and fused tile by tile."""
