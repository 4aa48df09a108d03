"""Turns decoded pictures into what a network reads, for training and for evaluation."""
