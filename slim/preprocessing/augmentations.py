"""Operations that vary training images at random: one table, from which users choose by name.

An operation is a function of an image, a float32 tensor [height, width, channels] from 0 to 1, that
returns one of the same shape; what leaves that range is clipped. `@operation` enters it into the
table: its name and the first line of its docstring are all that users see. Of 4 channels the last
one is opacity, which it does not get to see, unless it moves pixels and is entered by `@moving`.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Collection, Iterator, Sequence

from slim_internal.ground import errors
from slim_internal.ground.compat import tf

OPERATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {}

# The luma of ITU-R BT.601, as in tf.image.
_LUMA = (0.2989, 0.587, 0.114)
_TINY = 1e-30  # Below every difference of two levels, above 0.


def operation(function: Callable) -> Callable:
    """Enters a function into the table under its own name; opacity, the last of 4, stays."""

    @functools.wraps(function)
    def applied(image, *args, **kwargs):
        if image.shape[-1] == 4:
            color = function(image[..., :3], *args, **kwargs)
            return tf.concat([color, image[..., 3:]], axis=-1)
        return function(image, *args, **kwargs)

    return moving(applied)


def moving(function: Callable) -> Callable:
    """Enters a function that moves pixels, and opacity with them."""
    OPERATIONS[function.__name__] = function
    return function


@moving
def flip_left_right(image):
    """Mirrors left and right in half of the draws."""
    return tf.image.random_flip_left_right(image)


@moving
def flip_up_down(image):
    """Mirrors top and bottom in half of the draws."""
    return tf.image.random_flip_up_down(image)


@operation
def brightness(image, max_delta=32.0 / 255.0):
    """Adds up to 1/8 of the range to all values, or subtracts it."""
    return tf.image.random_brightness(image, max_delta=max_delta)


@operation
def contrast(image, lower=0.5, upper=1.5):
    """Scales the distance from the mean by 0.5 to 1.5."""
    return tf.image.random_contrast(image, lower=lower, upper=upper)


@operation
def saturation(image, lower=0.5, upper=1.5):
    """Scales the saturation by 0.5 to 1.5; only images in color change."""
    if image.shape[-1] != 3:
        return image
    return _saturated(image, _between(lower, upper))


@operation
def hue(image, max_delta=0.2):
    """Turns the hue by up to 1/5 of the circle; only images in color change."""
    return image if image.shape[-1] != 3 else tf.image.random_hue(image, max_delta=max_delta)


@operation
def color_jitter(image):
    """Changes brightness, contrast, saturation (by up to 40 %) and hue (1/10 of the circle)."""
    image *= _between(0.6, 1.4)
    return hue(saturation(contrast(image, 0.6, 1.4), 0.6, 1.4), 0.1)


@operation
def color_balance(image):
    """Blends with the grayscale image, or away from it: factor 0.1 to 1.9."""
    if image.shape[-1] != 3:
        return image
    return _blend(_luma(image), image, _between(0.1, 1.9))


@operation
def drop_color(image):
    """Removes the color in 1 of 5 draws."""
    return image if image.shape[-1] != 3 else _sometimes(0.2, lambda: _luma(image), image)


@operation
def sharpness(image):
    """Blends with a blurred image, or away from it: factor 0.1 to 1.9."""
    depth = image.shape[-1]
    kernel = tf.constant([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13.0
    kernel = tf.tile(kernel[:, :, tf.newaxis, tf.newaxis], [1, 1, depth, 1])
    padded = tf.pad(image[tf.newaxis], [[0, 0], [1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")
    blurred = tf.nn.depthwise_conv2d(padded, kernel, [1, 1, 1, 1], "VALID")[0]
    return _blend(blurred, image, _between(0.1, 1.9))


@operation
def auto_contrast(image):
    """Stretches each channel over the whole range, in half of the draws."""
    low = tf.reduce_min(image, [0, 1], keepdims=True)
    high = tf.reduce_max(image, [0, 1], keepdims=True)
    stretched = tf.where_v2(high > low, tf.math.divide_no_nan(image - low, high - low), image)
    return _sometimes(0.5, lambda: stretched, image)


@operation
def equalize(image):
    """Makes all values of each channel equally frequent, in half of the draws."""

    def one(channel):
        levels = tf.cast(tf.round(channel * 255.0), tf.int32)
        counts = tf.math.bincount(tf.reshape(levels, [-1]), minlength=256, maxlength=256)
        below = tf.cast(tf.cumsum(counts, exclusive=True), tf.float32)
        total = tf.gather(below, tf.reduce_max(levels))
        spread = tf.math.divide_no_nan(tf.gather(below, levels), total)
        return tf.where_v2(total > 0, spread, channel)

    def all_channels():
        return tf.stack([one(channel) for channel in tf.unstack(image, axis=-1)], axis=-1)

    return _sometimes(0.5, all_channels, image)


@operation
def posterize(image):
    """Keeps 4 to 8 bits of each value."""
    levels = tf.pow(2.0, tf.floor(_between(4.0, 9.0)))
    return tf.floor(image * 255.0 / 256.0 * levels) / (levels - 1.0)


@operation
def solarize(image):
    """Inverts the values above a threshold of 0.3 to 1."""
    return tf.where_v2(image < _between(0.3, 1.0), image, 1.0 - image)


@operation
def invert(image):
    """Inverts all values in 1 of 10 draws."""
    return _sometimes(0.1, lambda: 1.0 - image, image)


@operation
def noise(image):
    """Adds Gaussian noise with a deviation of up to 0.1."""
    return image + tf.random_normal(tf.shape(image)) * _between(0.0, 0.1)


@moving
def rotate(image):
    """Rotates by up to 30 degrees about the center."""
    angle = _between(-1.0, 1.0) * (3.14159265 / 6)
    cos, sin = tf.cos(angle), tf.sin(angle)
    return _transform(image, [[cos, -sin], [sin, cos]])


@moving
def zoom(image):
    """Shrinks or enlarges by up to a fifth about the center."""
    scale = _between(0.8, 1.2)
    return _transform(image, [[scale, 0.0], [0.0, scale]])


@moving
def shear(image):
    """Shears by up to 0.3, each way."""
    return _transform(image, [[1.0, _between(-0.3, 0.3)], [_between(-0.3, 0.3), 1.0]])


@moving
def translate(image):
    """Shifts by up to 1/8 of the height and of the width."""
    shift = [_between(-0.125, 0.125), _between(-0.125, 0.125)]
    return _transform(image, [[1.0, 0.0], [0.0, 1.0]], shift)


@operation
def random_erasing(image):
    """Replaces 2 to 33 % of the area with noise in half of the draws (arXiv:1708.04896)."""
    shape = tf.shape(image)
    area = _between(0.02, 0.33)
    ratio = tf.exp(_between(-1.2, 1.2))  # Height / width, 0.3 to 3.3.
    size = tf.minimum(tf.stack([tf.sqrt(area * ratio), tf.sqrt(area / ratio)]), 1.0)
    first = tf.stack([_between(0.0, 1.0), _between(0.0, 1.0)]) * (1.0 - size)
    rows, columns = (
        tf.cast(tf.range(shape[axis]), tf.float32) / tf.cast(shape[axis], tf.float32)
        for axis in (0, 1)
    )
    inside = tf.logical_and(
        tf.logical_and(rows >= first[0], rows < first[0] + size[0])[:, tf.newaxis],
        tf.logical_and(columns >= first[1], columns < first[1] + size[1])[tf.newaxis, :],
    )
    erased = tf.where_v2(inside[:, :, tf.newaxis], tf.random_uniform(shape), image)
    return _sometimes(0.5, lambda: erased, image)


# What RandAugment chooses from (arXiv:1909.13719, section 3).
_RAND_AUGMENT = (
    auto_contrast,
    brightness,
    color_balance,
    contrast,
    equalize,
    posterize,
    rotate,
    sharpness,
    shear,
    solarize,
    translate,
)
_RAND_AUGMENT_DRAWS = 2


@moving
def rand_augment(image):
    """Applies 2 operations of a set of 12, one of them none (after arXiv:1909.13719)."""
    choices = (lambda image: image, *_RAND_AUGMENT)
    for _ in range(_RAND_AUGMENT_DRAWS):
        image = _one_of(choices, image)
    return image


_selection: contextvars.ContextVar[list | None] = contextvars.ContextVar("selection", default=None)


def parse(names: str | None, others: Collection[str] = ()) -> tuple[str, ...]:
    """Returns the operations of a comma-separated list; none of an empty one.

    Args:
      names: The list.
      others: Names of operations that are not in the table and that the caller knows.

    Raises:
      errors.UserError: for an unknown name, or one that is listed twice.
    """
    found = [name.strip() for name in (names or "").split(",") if name.strip()]
    for name in found:
        if name not in OPERATIONS and name not in others:
            raise errors.unknown("augmentation", name, sorted({*OPERATIONS, *others}))
        if found.count(name) > 1:
            raise errors.UserError(f"The augmentation {name!r} is listed twice; list it once.")
    return tuple(found)


def augmented(preprocess: Callable, names: Sequence[str]) -> Callable:
    """Returns a preprocessing function that applies operations besides its own.

    Args:
      preprocess: What `preprocessing_factory.get_preprocessing` returns for training.
      names: Operations of the table, in the order in which they apply.

    Raises:
      errors.UserError: when the result is called, if the preprocessing does not apply operations,
        as those do not that were written for the original.
    """
    if not names:
        return preprocess

    @functools.wraps(preprocess)
    def preprocess_and_augment(*args, **kwargs):
        with _selected(names) as applied:
            image = preprocess(*args, **kwargs)
        if not applied:
            raise errors.UserError(
                f"--augment={','.join(names)} does not apply to a preprocessing that never calls"
                " augmentations.apply; use one of cifarnet, inception, lenet and vgg."
            )
        return image

    return preprocess_and_augment


@contextlib.contextmanager
def _selected(names: Sequence[str]) -> Iterator[list]:
    """Within it, `apply` applies the operations; yields a list that is filled by doing so."""
    applied: list = []
    token = _selection.set([names, applied])
    try:
        yield applied
    finally:
        _selection.reset(token)


def apply(image: tf.Tensor, maximum: float = 1.0) -> tf.Tensor:
    """Returns the image under the chosen operations; the image itself if there are none.

    Preprocessings call it in training, on the image in its final size.

    Args:
      image: Tensor [height, width, channels] from 0 to `maximum`.
      maximum: The value of white.
    """
    selection = _selection.get()
    if selection is None:
        return image
    names, applied = selection
    shape = image.shape
    with tf.name_scope("augment"):
        image = tf.clip_by_value(image / maximum, 0.0, 1.0)
        for name in names:
            image = tf.clip_by_value(OPERATIONS[name](image), 0.0, 1.0)
            image.set_shape(shape)
            applied.append(name)
        return image * maximum


def _between(low: float, high: float) -> tf.Tensor:
    return tf.random_uniform([], low, high)


def _sometimes(fraction: float, changed: Callable[[], tf.Tensor], image: tf.Tensor) -> tf.Tensor:
    return tf.where_v2(_between(0.0, 1.0) < fraction, changed(), image)


def _one_of(choices: Sequence[Callable], image: tf.Tensor) -> tf.Tensor:
    chosen = tf.random_uniform([], maxval=len(choices), dtype=tf.int32)
    branches = [lambda choice=choice: choice(image) for choice in choices]
    result = tf.switch_case(chosen, branches)
    result.set_shape(image.shape)
    return result


def _blend(first: tf.Tensor, second: tf.Tensor, fraction: tf.Tensor) -> tf.Tensor:
    """Returns the first image at 0, the second at 1, and beyond it above."""
    return first + fraction * (second - first)


def _saturated(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Does what `tf.image.adjust_saturation` does, in a third of the time.

    In HSV, value and hue stay and saturation is scaled, up to 1: the distance of each channel from
    the largest one is scaled. Products with a row of ones repeat a column faster than broadcasting.
    """
    pixels = tf.reshape(image, [-1, 3])
    red, green, blue = tf.split(pixels, 3, axis=1)
    value = tf.maximum(tf.maximum(red, green), blue)
    distance = value - tf.minimum(tf.minimum(red, green), blue)
    inverse_saturation = tf.nn.relu(value) / tf.maximum(distance, _TINY)  # 0 where all is black.
    scale = tf.minimum(factor, inverse_saturation)
    row = tf.ones([1, 3])
    scaled = pixels * tf.matmul(scale, row) + tf.matmul(value * (1.0 - scale), row)
    return tf.reshape(scaled, tf.shape(image))


def _luma(image: tf.Tensor) -> tf.Tensor:
    gray = tf.reduce_sum(image * tf.constant(_LUMA), axis=-1, keepdims=True)
    return tf.broadcast_to(gray, tf.shape(image))


def _transform(image: tf.Tensor, matrix: list, shift: Sequence = (0.0, 0.0)) -> tf.Tensor:
    """Returns the image under an affine transformation about its center; mid-gray outside.

    Args:
      image: Tensor [height, width, channels].
      matrix: Rows of x and of y: where a pixel of the result is found in the image.
      shift: Vertical and horizontal shift of that place as fractions of height and width.
    """
    shape = tf.shape(image)[:2]
    height, width = tf.unstack(tf.cast(shape, tf.float32))
    center_x, center_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    (xx, xy), (yx, yy) = matrix
    from_x = center_x - xx * center_x - xy * center_y + shift[1] * width
    from_y = center_y - yx * center_x - yy * center_y + shift[0] * height
    row = tf.stack([xx, xy, from_x, yx, yy, from_y, 0.0, 0.0])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[tf.newaxis],
        transforms=row[tf.newaxis],
        output_shape=shape,
        fill_value=0.5,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]
