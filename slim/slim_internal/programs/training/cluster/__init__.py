"""One training run by several processes."""
