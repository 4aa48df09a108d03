"""Finding checkpoints, judging whether they are whole, and restoring them into a graph."""
