"""A real data set and a network with weights for it, small enough to make in every test."""

import os
import pathlib

from datasets.conversion import convert
from datasets.conversion.settings import Conversion
from nets import nets_factory
from slim_internal.ground.compat import tf


def convert_digits(folder: pathlib.Path) -> str:
    """Converts the handwritten digits into a folder and returns it."""
    convert.convert(Conversion(dataset_name="digits", dataset_dir=str(folder)))
    return str(folder)


def save_lenet(
    folder: pathlib.Path, *, step: int = 3, num_classes: int = 10, seed: int = 1, channels: int = 1
) -> str:
    """Saves LeNet with its initial weights, the same for a seed, and returns the checkpoint."""
    os.makedirs(folder, exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(seed)
        images = tf.placeholder(tf.float32, [None, 28, 28, channels])
        nets_factory.get_network_fn("lenet", num_classes)(images)
        tf.train.create_global_step()
        session.run(tf.global_variables_initializer())
        return tf.train.Saver().save(
            session, str(folder / "model.ckpt"), global_step=step, write_meta_graph=False
        )
