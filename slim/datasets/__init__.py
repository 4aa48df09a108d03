"""Datasets: one record each, converters that write them, descriptors that read them."""
