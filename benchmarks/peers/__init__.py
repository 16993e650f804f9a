"""Other people's methods to be measured against, each from its paper, with its best settings."""
