"""Other people's methods, each written from its paper with its best settings, to be measured against."""
