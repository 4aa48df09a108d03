"""Labeled images of a dataset, to choose the ranges of 8 bits with and to see what they cost."""

import dataclasses

import numpy as np

from datasets import dataset_factory
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference.description import ModelDescription
from slim_internal.parts.input_pipeline import batches, damage

_NUM_EXAMPLES = 256


@dataclasses.dataclass(frozen=True)
class Examples:
    """Labeled images.

    Attributes:
      images: Preprocessed, float32 [examples, *model.example_shape].
      labels: int64 [examples], in the order of the network's outputs.
    """

    images: np.ndarray
    labels: np.ndarray


def read(
    model: ModelDescription, dataset_name: str, split: str, dataset_dir: str, labels_offset: int
) -> Examples:
    """Returns the first examples of a split.

    Args:
      model: What they are prepared for.
      dataset_name: Name of the dataset.
      split: Name of the split.
      dataset_dir: Folder with the converted dataset.
      labels_offset: Subtracted from each label.

    Raises:
      UserError: If the split does not exist or cannot be read, or the network reads clips.
    """
    if model.num_frames is not None:
        raise UserError(f"{model.model_name} reads clips; {dataset_name} holds images.")
    preprocess = preprocessing_factory.get_preprocessing(
        model.preprocessing_name, use_grayscale=model.channels == 1
    )
    with tf.Graph().as_default(), tf.Session() as session:
        dataset = dataset_factory.get_dataset(dataset_name, split, dataset_dir)
        elements = batches.evaluation_batches(
            dataset,
            lambda image: preprocess(image, model.image_size, model.image_size),
            batch_size=_NUM_EXAMPLES,
        )
        batch = tf.data.make_one_shot_iterator(elements).get_next()
        with damage.damage_named(dataset):
            values = session.run(batch)
    return Examples(values["image"], values["label"] - labels_offset)
