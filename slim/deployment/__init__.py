"""Placing copies of a model on the devices of a machine."""
