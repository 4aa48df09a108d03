"""Weights of other libraries as slim checkpoints, and back: exact, or refused with the reason."""
