"""How good a checkpoint is on a split of a dataset."""
