"""A dataset of a few photographs, as files of all kinds."""

import io
import pathlib

import numpy as np
from PIL import Image

from slim_internal.ground.compat import slim, tf
from tests.slim_internal.programs.training import tiny_dataset


def write(folder: pathlib.Path) -> slim.dataset.Dataset:
    """Writes JPEGs of all subsamplings, in color and grayscale, and a PNG; returns a descriptor."""
    random = np.random.RandomState(0)
    path = str(folder / "photos")
    with tf.python_io.TFRecordWriter(path) as writer:
        for number in range(8):
            pixels = random.randint(0, 256, [9, 11, 3]).astype(np.uint8)
            image = Image.fromarray(pixels).resize([173 + number, 131], Image.Resampling.BICUBIC)
            data = io.BytesIO()
            if number == 7:
                image.save(data, "png")
            else:
                image = image.convert("L") if number == 6 else image
                image.save(data, "jpeg", quality=90, subsampling=number % 3)
            writer.write(tiny_dataset.example(data.getvalue(), number))
    keys = {
        "image/encoded": tf.FixedLenFeature((), tf.string),
        "image/format": tf.FixedLenFeature((), tf.string, default_value="jpeg"),
        "image/class/label": tf.FixedLenFeature((), tf.int64),
    }
    items = {
        "image": slim.tfexample_decoder.Image(),
        "label": slim.tfexample_decoder.Tensor("image/class/label"),
    }
    decoder = slim.tfexample_decoder.TFExampleDecoder(keys, items)
    return slim.dataset.Dataset(path, tf.TFRecordReader, decoder, 8, {}, num_classes=8)
