"""From a checkpoint to one file that holds graph and weights."""
