"""Service: the engine as a process: its requests, events, devices and memory."""
