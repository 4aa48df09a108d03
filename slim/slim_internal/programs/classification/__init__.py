"""Classifies image files, with an exported network or a checkpoint."""
