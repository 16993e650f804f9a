"""Processing: what the analyst calls, a provider and one file an algorithm."""
