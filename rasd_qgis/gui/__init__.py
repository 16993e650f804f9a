"""The Qt windows: they show, ask and fill in, and leave the work to Processing and the engine."""
