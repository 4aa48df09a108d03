"""The crops of an image that a network is asked about, as the papers take them."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from nets import nets_factory
from preprocessing import (
    inception_preprocessing,
    jpeg,
    preprocessing_factory,
    vgg_preprocessing,
)
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference.description import ModelDescription
from slim_internal.programs.evaluation.settings import Evaluation

# Shorter side of the image in relation to the crop: 256 for 224 (AlexNet, VGG), and the four of
# GoogLeNet (arXiv 1409.4842, section 7).
_SIDE = 256 / 224
_GOOGLENET_SIDES = tuple(side / 224 for side in (256, 288, 320, 352))
# Fraction that the published weights were evaluated with, and the side VGG's preprocessing resizes
# to unless it is told otherwise.
_CROP_FRACTION = 0.875
_VGG_SIDE = 256

# From an image [height, width, channels], 0 to 255, to images of the size of the network.
_Crops = Callable[[tf.Tensor], list[tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Views:
    """What a network is shown of each image.

    Attributes:
      count: How many views there are of an image.
      make: Function of an image [height, width, channels], 0 to 255, that returns its views,
        float32 [count, size, size, channels], preprocessed.
    """

    count: int
    make: Callable[[tf.Tensor], tf.Tensor]


def of(config: Evaluation, model: ModelDescription) -> Views:
    """Returns the views that the settings ask for.

    Raises:
      UserError: If they cannot be combined, or the network's preprocessing has no such crop.
    """
    scales = _scales(config.eval_scales)
    _require_combination(config, scales)
    module = preprocessing_factory.preprocessing_fn_map.get(model.preprocessing_name)
    network = nets_factory.networks.get(model.model_name)
    # Of a network without a record it is not known that it reads color.
    is_known = model.channels != 3 or (network and network.first_conv)
    channels = config.channels or (model.channels if is_known else None)
    prepare = preprocessing_factory.for_channels(model.preprocessing_name, channels)
    own = config.num_crops == 1 and not scales
    if own:
        count, crops = 1, _own_crop(prepare, module, model, config.crop_fraction)
    else:
        count, crops = _scheme(prepare, module, model.image_size, config.num_crops, scales)
    mirrored = config.flip or config.num_crops > 1

    def make(image: tf.Tensor) -> tf.Tensor:
        views = crops(image)
        if mirrored:  # After the preprocessing: the mirror images of the very crops.
            views = views + [tf.reverse(view, axis=[1]) for view in views]
        return tf.stack(views)

    if own and not config.crop_fraction and jpeg.is_taken_by(prepare):
        make = jpeg.takes_jpeg(make)
    return Views(count * (2 if mirrored else 1), make)


def _scales(text: str | None) -> list[int]:
    if not text:
        return []
    try:
        scales = [int(part) for part in text.split(",")]
    except ValueError:
        scales = [0]
    if min(scales) < 1:
        raise UserError(
            f"--eval_scales must be comma-separated lengths in pixels, such as 256,288; got {text}."
        )
    return scales


def _require_combination(config: Evaluation, scales: Sequence[int]) -> None:
    if config.num_crops not in _SCHEMES:
        allowed = ", ".join(map(str, _SCHEMES))
        raise UserError(f"--num_crops must be one of {allowed}; got {config.num_crops}.")
    if scales and config.num_crops == 144:
        raise UserError("--num_crops=144 has four scales of its own; leave out --eval_scales.")
    if config.crop_fraction and (scales or config.num_crops > 1):
        raise UserError(
            "--crop_fraction is the one crop's; leave it out with --num_crops and --eval_scales."
        )
    if config.fast_decoding and (config.crop_fraction or scales or config.num_crops > 1):
        raise UserError(
            "--fast_decoding is for the network's own crop; leave it out with --crop_fraction,"
            " --num_crops and --eval_scales."
        )


def _own_crop(prepare, module, model: ModelDescription, fraction: float | None) -> _Crops:
    """Returns the crop that the network's own preprocessing takes."""
    size, arguments = model.image_size, {}
    if module is vgg_preprocessing and (fraction or size > _VGG_SIDE):
        arguments["resize_side_min"] = round(size / (fraction or _CROP_FRACTION))
    elif module is inception_preprocessing and fraction:
        arguments["crop_image"] = False
    elif fraction:
        raise UserError(
            f"--crop_fraction={fraction} does not apply to the preprocessing"
            f" {model.preprocessing_name}, which pads or crops without resizing; leave it out."
        )

    def crop(image: tf.Tensor) -> list[tf.Tensor]:
        if "crop_image" in arguments:
            image = tf.image.central_crop(image, fraction)
        return [prepare(image, size, size, **arguments)]

    return crop


def _scheme(
    prepare, module, size: int, num_crops: int, scales: Sequence[int]
) -> tuple[int, _Crops]:
    """Returns how many crops a scheme has without their mirror images, and the crops."""
    cut, number = _SCHEMES[num_crops]
    relative = _GOOGLENET_SIDES if num_crops == 144 else (_SIDE,)
    sides = scales or [round(size * each) for each in relative]
    if min(sides) < size:
        raise UserError(
            f"--eval_scales={','.join(map(str, scales))}: crops of {size} pixels cannot be taken"
            f" from a shorter side of {min(sides)}."
        )
    # What is left of the preprocessing once an image has the right size.
    whole = {
        inception_preprocessing: {"crop_image": False},
        vgg_preprocessing: {"resize_side_min": size},
    }.get(module, {})

    def crops(image: tf.Tensor) -> list[tf.Tensor]:
        return [
            prepare(crop, size, size, **whole)
            for side in sides
            for crop in cut(_resized_to_side(image, side), side, size)
        ]

    return number * len(sides), crops


def _one_crop(image: tf.Tensor, side: int, size: int) -> Iterator[tf.Tensor]:
    """Yields the middle."""
    yield _part(_square(image, side, 1), size, 0.5, 0.5)


def _alexnet_crops(image: tf.Tensor, side: int, size: int) -> Iterator[tf.Tensor]:
    """Yields the corners and the middle of the middle square (Krizhevsky et al. 2012)."""
    yield from _five(_square(image, side, 1), size)


def _googlenet_crops(image: tf.Tensor, side: int, size: int) -> Iterator[tf.Tensor]:
    """Yields six crops of each of three squares: left, middle, right or top, middle, bottom."""
    for place in range(3):
        square = _square(image, side, place)
        yield from _five(square, size)
        yield _resized(square, tf.constant([size, size]))


# Crops at one scale and their number, mirror images not counted.
_SCHEMES: dict[int, tuple[Callable[..., Iterator[tf.Tensor]], int]] = {
    1: (_one_crop, 1),
    10: (_alexnet_crops, 5),
    144: (_googlenet_crops, 18),
}


def _five(square: tf.Tensor, size: int) -> Iterator[tf.Tensor]:
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)):
        yield _part(square, size, down, right)


def _part(image: tf.Tensor, size: int, down: float, right: float) -> tf.Tensor:
    """Returns a square part; `down` and `right` say where in the room that is left, 0 to 1."""
    room = tf.shape(image)[:2] - size
    top, left = (
        tf.cast(tf.cast(room[n], tf.float32) * at, tf.int32) for n, at in enumerate((down, right))
    )
    part = image[top : top + size, left : left + size]
    part.set_shape([size, size, image.shape[2]])
    return part


def _square(image: tf.Tensor, side: int, place: int) -> tf.Tensor:
    """Returns one of three squares along the longer side: 0 first, 1 in the middle, 2 last."""
    return _part(image, side, place / 2, place / 2)


def _resized_to_side(image: tf.Tensor, side: int) -> tf.Tensor:
    """Returns the image with a shorter side of that many pixels, ratio unchanged."""
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    wanted = tf.cast(tf.rint(shape * (side / tf.reduce_min(shape))), tf.int32)
    return _resized(image, tf.maximum(wanted, side))


def _resized(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Returns the image at another size in whole numbers, as preprocessing expects its values."""
    resized = tf.image.resize_bilinear(image[tf.newaxis], size)[0]
    resized = tf.cast(tf.clip_by_value(tf.rint(resized), 0, 255), tf.uint8)
    resized.set_shape([None, None, image.shape[2]])
    return resized
