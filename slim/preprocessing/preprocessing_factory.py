"""Every preprocessing by name, and by the names of the networks that use it."""

import functools
import inspect
from collections.abc import Callable, Mapping

from preprocessing import (
    channels,
    cifarnet_preprocessing,
    inception_preprocessing,
    jpeg,
    lenet_preprocessing,
    vgg_preprocessing,
)
from slim_internal.ground import errors
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import tables

# As published, the names of networks included: programs written against TF-Slim ask by them. Eight
# that the original forgot are here as their records say; `nets_factory` adds the names of further
# networks. Any module with a function `preprocess_image`, or such a function itself, can be
# entered, by a line here or at run time.
preprocessing_fn_map = {
    "alexnet_v2": vgg_preprocessing,
    "cifarnet": cifarnet_preprocessing,
    "i3d": inception_preprocessing,
    "inception": inception_preprocessing,
    "inception_resnet_v2": inception_preprocessing,
    "inception_v1": inception_preprocessing,
    "inception_v2": inception_preprocessing,
    "inception_v3": inception_preprocessing,
    "inception_v4": inception_preprocessing,
    "lenet": lenet_preprocessing,
    "mobilenet_edgetpu": inception_preprocessing,
    "mobilenet_edgetpu_075": inception_preprocessing,
    "mobilenet_v1": inception_preprocessing,
    "mobilenet_v1_025": inception_preprocessing,
    "mobilenet_v1_050": inception_preprocessing,
    "mobilenet_v1_075": inception_preprocessing,
    "mobilenet_v2": inception_preprocessing,
    "mobilenet_v2_035": inception_preprocessing,
    "mobilenet_v2_140": inception_preprocessing,
    "mobilenet_v3_large": inception_preprocessing,
    "mobilenet_v3_large_minimalistic": inception_preprocessing,
    "mobilenet_v3_small": inception_preprocessing,
    "mobilenet_v3_small_minimalistic": inception_preprocessing,
    "nasnet_cifar": cifarnet_preprocessing,
    "nasnet_large": inception_preprocessing,
    "nasnet_mobile": inception_preprocessing,
    "overfeat": vgg_preprocessing,
    "pnasnet_large": inception_preprocessing,
    "pnasnet_mobile": inception_preprocessing,
    "resnet_v1_101": vgg_preprocessing,
    "resnet_v1_152": vgg_preprocessing,
    "resnet_v1_200": vgg_preprocessing,
    "resnet_v1_50": vgg_preprocessing,
    "resnet_v2_101": vgg_preprocessing,
    "resnet_v2_152": vgg_preprocessing,
    "resnet_v2_200": vgg_preprocessing,
    "resnet_v2_50": vgg_preprocessing,
    "s3dg": inception_preprocessing,
    "vgg": vgg_preprocessing,
    "vgg_16": vgg_preprocessing,
    "vgg_19": vgg_preprocessing,
    "vgg_a": vgg_preprocessing,
}

tables.require_unique_keys(__file__)


def get_preprocessing(
    name: str, is_training: bool = False, use_grayscale: bool = False
) -> Callable:
    """Returns the function that prepares images for a network.

    Args:
      name: Name of a preprocessing, or of a network.
      is_training: Whether to vary the images at random.
      use_grayscale: Whether to convert images to grayscale.

    Returns:
      A function of (image, output_height, output_width, **kwargs), where `image` is a tensor
      [height, width, channels] with values from 0 to 255; it returns a float32 tensor
      [output_height, output_width, channels].

    Raises:
      errors.UserError: for an unknown name, or an entry of the map that is no preprocessing.
    """
    entry = _named(name)
    preprocess_image = getattr(entry, "preprocess_image", entry)
    if not callable(preprocess_image):
        raise errors.UserError(
            f"The entry {name!r} of preprocessing_factory.preprocessing_fn_map has no function"
            " preprocess_image; enter a module that has one, or the function itself."
        )
    kwargs = {"is_training": is_training}
    if _takes(preprocess_image, "use_grayscale"):
        kwargs["use_grayscale"] = use_grayscale
    elif use_grayscale:  # A module that was written before there was such an argument.
        preprocess_image = _of_grayscale(preprocess_image)
    preprocess = functools.partial(preprocess_image, **kwargs)
    return jpeg.takes_jpeg(preprocess) if jpeg.is_taken_by(preprocess_image) else preprocess


def for_channels(name: str, number: int | None, is_training: bool = False) -> Callable:
    """Returns the function that prepares images for a network that reads so many channels.

    Args:
      name: Name of a preprocessing, or of a network.
      number: 1 for grayscale, 3 for color: images are converted. Of other numbers the images have
        to be already. None for what the preprocessing makes of an image.
      is_training: Whether to vary the images at random.

    Returns:
      As `get_preprocessing`.

    Raises:
      errors.UserError: As `get_preprocessing`.
    """
    if number == 1:
        return get_preprocessing(name, is_training, use_grayscale=True)
    preprocess = get_preprocessing(name, is_training)
    if number != 3:
        return preprocess

    @functools.wraps(preprocess)
    def preprocess_color(image, *args, **kwargs):
        image = image if isinstance(image, jpeg.Jpeg) else channels.to_rgb(image)
        return preprocess(image, *args, **kwargs)

    return preprocess_color


def with_min_crop_area(preprocess: Callable, fraction: float | None) -> Callable:
    """Returns the function with another smallest part that training takes of an image.

    Args:
      preprocess: What `get_preprocessing` returned.
      fraction: Of the area of the image; None leaves the function as it is.

    Raises:
      errors.UserError: if the preprocessing does not take parts of different sizes.
    """
    if fraction is None:
        return preprocess
    function = getattr(inspect.unwrap(preprocess), "func", None)
    if function is not inception_preprocessing.preprocess_image:
        raise errors.UserError(
            f"--min_crop_area={fraction:g} applies to inception preprocessing only, not to that of"
            " this network: leave it out, or add --preprocessing_name=inception."
        )

    @functools.wraps(preprocess)  # It may be marked by `takes_jpeg`.
    def preprocess_large_parts(*args, **kwargs):
        with inception_preprocessing.crops_of_at_least(fraction):
            return preprocess(*args, **kwargs)

    return preprocess_large_parts


def sized(preprocess: Callable, height: int, width: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function of an image alone that prepares it at that size.

    Args:
      preprocess: What `get_preprocessing` returned, or a function around it.
      height: Height of its result in pixels.
      width: Width of its result in pixels.
    """

    def prepare(image):
        return preprocess(image, height, width)

    return jpeg.takes_jpeg(prepare) if jpeg.is_taken_by(preprocess) else prepare


def add_names(names: Mapping[str, str]) -> None:
    """Gives preprocessings further names; names that exist keep their meaning.

    Args:
      names: Further name, such as that of a network -> name of a preprocessing.

    Raises:
      errors.UserError: for an unknown preprocessing.
    """
    for further, name in names.items():
        preprocessing_fn_map.setdefault(further, _named(name))


def _of_grayscale(preprocess_image: Callable) -> Callable:
    @functools.wraps(preprocess_image)
    def preprocess_grayscale(image, *args, **kwargs):
        return preprocess_image(channels.to_grayscale(jpeg.decoded(image)), *args, **kwargs)

    return preprocess_grayscale


def _takes(function: Callable, argument: str) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in parameters)


def _named(name: str):
    if name not in preprocessing_fn_map:
        raise errors.unknown("preprocessing", name, sorted(preprocessing_fn_map))
    return preprocessing_fn_map[name]
