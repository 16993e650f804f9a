"""Quality: figures of merit, with a reference and without, and the report of them."""
