"""Labeled images of a dataset, to choose the ranges of 8 bits with and to see what they cost."""

import dataclasses

import numpy as np

from datasets import dataset_factory
from deployment import sessions
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference.description import ModelDescription
from slim_internal.parts.inference.settings import GraphSettings
from slim_internal.parts.input_pipeline import batches, damage, decoding

_NUM_COMPARED = 256
NUM_IMAGES = 100  # That choose ranges, unless something else is asked for.


@dataclasses.dataclass(frozen=True)
class Examples:
    """Labeled images.

    Attributes:
      images: Preprocessed, float32 [examples, *model.example_shape].
      labels: int64 [examples], in the order of the network's outputs.
      calibration: Those that choose the ranges, like `images`: some of these, or more.
    """

    images: np.ndarray
    labels: np.ndarray
    calibration: np.ndarray


def read(
    model: ModelDescription, settings: GraphSettings, split: str, num_images: int = NUM_IMAGES
) -> Examples:
    """Returns the first examples of a split.

    Args:
      model: What they are prepared for.
      settings: They name the dataset, and what is subtracted from each label.
      split: Name of the split.
      num_images: How many of them choose the ranges; all, if there are fewer.

    Raises:
      UserError: If the split does not exist or cannot be read, or the network reads clips.
    """
    if model.num_frames is not None:
        raise UserError(f"{model.model_name} reads clips; {settings.dataset_name} holds images.")
    preprocess = preprocessing_factory.for_channels(model.preprocessing_name, model.channels)
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        dataset = dataset_factory.open_split(settings, split)
        decoding.read_channels(dataset, model.channels)
        elements = batches.evaluation_batches(
            dataset,
            preprocessing_factory.sized(preprocess, model.image_size, model.image_size),
            batch_size=max(num_images, _NUM_COMPARED),
        )
        batch = tf.data.make_one_shot_iterator(elements).get_next()
        with damage.damage_named(dataset):
            values = session.run(batch)
    images, labels = values["image"], values["label"] - settings.labels_offset
    return Examples(images[:_NUM_COMPARED], labels[:_NUM_COMPARED], images[:num_images])
