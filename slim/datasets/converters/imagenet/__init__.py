"""Converts the ImageNet challenge of 2012 (ILSVRC) from its archives to TFRecord shards.

The images never leave their archives before they are in a shard: `tar_index` finds where each of
them lies, `inventory` lists them with their labels and boxes, `convert` deals them out to shards
in a seeded order, and the worker processes of `conversion.write` read each image from its place,
check it, and write whole shards (`example`).

Nothing here imports TensorFlow: a worker starts in a fraction of a second and stays small.
"""
