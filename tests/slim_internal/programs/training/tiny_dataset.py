"""A data set small enough to count: grey pictures whose label, or whose brightness, tells them."""

import io
import os

import numpy as np
from PIL import Image

from slim_internal.ground.compat import slim, tf


def write(
    directory: str, num_examples: int, *, num_shards: int = 3, num_classes: int | None = None
) -> slim.dataset.Dataset:
    """Writes 28 x 28 pictures of brightness (number of the example) and returns their descriptor.

    The label is the number of the example, modulo the number of classes if there is one.
    """
    os.makedirs(directory, exist_ok=True)
    for shard in range(num_shards):
        with tf.python_io.TFRecordWriter(os.path.join(directory, f"part-{shard}")) as writer:
            for number in range(shard, num_examples, num_shards):
                label = number % num_classes if num_classes else number
                writer.write(example(_png(number % 256), label))
    return slim.dataset.Dataset(
        data_sources=os.path.join(directory, "part-*"),
        reader=tf.TFRecordReader,
        decoder=slim.tfexample_decoder.TFExampleDecoder(
            {
                "image/encoded": tf.FixedLenFeature((), tf.string),
                "image/format": tf.FixedLenFeature((), tf.string, default_value="png"),
                "image/class/label": tf.FixedLenFeature((), tf.int64),
            },
            {
                "image": slim.tfexample_decoder.Image(shape=[28, 28, 1], channels=1),
                "label": slim.tfexample_decoder.Tensor("image/class/label"),
            },
        ),
        num_samples=num_examples,
        items_to_descriptions={},
        num_classes=num_classes,
    )


def _png(brightness: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.full([28, 28], brightness, np.uint8)).save(data, "png")
    return data.getvalue()


def example(encoded: bytes, label: int) -> bytes:
    """Returns a serialized example."""
    features = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
