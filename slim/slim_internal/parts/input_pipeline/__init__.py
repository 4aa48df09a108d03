"""Batches of images from data files, through tf.data."""
