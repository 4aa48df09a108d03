"""A few photographs, to see whether two networks say the same."""

import numpy as np
from sklearn import datasets as photographs

from deployment import sessions
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import tf
from slim_internal.parts.inference.description import ModelDescription

# Top and left corner of each square, and its side, in pixels of photographs of 427 x 640.
_CROPS = ((0, 0, 427), (40, 200, 300), (100, 60, 200), (0, 213, 427))


def prepared(model: ModelDescription) -> np.ndarray:
    """Returns parts of two photographs as a network's input, float32 [8, *model.example_shape].

    For a network of clips each stands still.
    """
    crops = [
        photograph[top : top + side, left : left + side]
        for photograph in photographs.load_sample_images().images
        for top, left, side in _CROPS
    ]
    if model.channels == 1:
        crops = [crop.mean(axis=2, keepdims=True).astype(np.uint8) for crop in crops]
    elif model.channels != 3:  # Red again for opacity: whatever varies does.
        crops = [crop[..., np.arange(model.channels) % 3] for crop in crops]
    preprocess = preprocessing_factory.for_channels(model.preprocessing_name, model.channels)
    with tf.Graph().as_default(), tf.Session(config=sessions.config()) as session:
        crop = tf.placeholder(tf.uint8, [None, None, model.channels])
        image = preprocess(crop, model.image_size, model.image_size)
        images = np.stack([session.run(image, {crop: each}) for each in crops])
    if model.num_frames is None:
        return images
    return np.repeat(images[:, np.newaxis], model.num_frames, axis=1)
