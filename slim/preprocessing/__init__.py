"""Turns decoded images into what a network reads, for training and for evaluation."""
