"""Processes that decode and prepare images for training that runs elsewhere."""
