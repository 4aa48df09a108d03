"""Every preprocessing by name, and by the names of the networks that use it."""

import functools
from collections.abc import Callable

from preprocessing import (
    cifarnet_preprocessing,
    inception_preprocessing,
    lenet_preprocessing,
    vgg_preprocessing,
)
from slim_internal.ground import errors

_MODULES = {
    "cifarnet": cifarnet_preprocessing,
    "inception": inception_preprocessing,
    "lenet": lenet_preprocessing,
    "vgg": vgg_preprocessing,
}

# The beginning of a network's name tells its preprocessing; the longest that fits counts.
_NETWORKS = {
    "alexnet": "vgg",
    "cifarnet": "cifarnet",
    "i3d": "inception",
    "inception": "inception",
    "lenet": "lenet",
    "mobilenet": "inception",
    "nasnet": "inception",
    "nasnet_cifar": "cifarnet",
    "overfeat": "vgg",
    "pnasnet": "inception",
    "resnet": "vgg",
    "s3dg": "inception",
    "vgg": "vgg",
}


def get_preprocessing(
    name: str, is_training: bool = False, use_grayscale: bool = False
) -> Callable:
    """Returns the function that prepares pictures for a network.

    Args:
      name: Name of a preprocessing, or of a network.
      is_training: Whether to vary the pictures at random.
      use_grayscale: Whether to turn colour into grey.

    Returns:
      A function of (image, output_height, output_width, **kwargs), where `image` is a tensor
      [height, width, channels] with values from 0 to 255; it returns a float32 tensor
      [output_height, output_width, channels].

    Raises:
      errors.UserError: for an unknown name.
    """
    preprocess_image = _MODULES[_preprocessing_of(name)].preprocess_image
    return functools.partial(preprocess_image, is_training=is_training, use_grayscale=use_grayscale)


def _preprocessing_of(name: str) -> str:
    if name in _MODULES:
        return name
    beginnings = [start for start in _NETWORKS if f"{name}_".startswith(f"{start}_")]
    if not beginnings:
        raise errors.unknown("preprocessing", name, sorted({*_MODULES, *_NETWORKS}))
    return _NETWORKS[max(beginnings, key=len)]
