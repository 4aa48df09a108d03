"""A dataset of a few photographs, as files of all kinds."""

import io
import pathlib

import numpy as np
from PIL import Image

from slim_internal.ground.compat import slim, tf
from tests.slim_internal.programs.training import tiny_dataset


def write(folder: pathlib.Path, width=173, height=131, *, num_pngs=1) -> slim.dataset.Dataset:
    """Writes 8 files and returns their descriptor.

    They are JPEGs of all subsamplings, the first in grayscale, and at the end PNGs.
    """
    random = np.random.RandomState(0)
    path = str(folder / "photos")
    with tf.python_io.TFRecordWriter(path) as writer:
        for number in range(8):
            pixels = random.randint(0, 256, [9, 11, 3]).astype(np.uint8)
            image = Image.fromarray(pixels).resize(
                [width + number, height], Image.Resampling.BICUBIC
            )
            data = io.BytesIO()
            if number >= 8 - num_pngs:
                image.save(data, "png")
            else:
                image = image.convert("L") if number == 0 else image
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
