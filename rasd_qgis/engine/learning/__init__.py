"""Learning: training on many images, beyond the scene at hand."""
