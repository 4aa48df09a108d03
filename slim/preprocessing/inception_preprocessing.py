"""Preprocessing of Inception, MobileNet and NASNet: resized, scaled to -1..1.

Training takes random parts of all sizes and ratios and distorts their colors: C. Szegedy et al.,
arXiv:1409.4842, section 6, and A. G. Howard, arXiv:1312.5402.
"""

import contextlib
import contextvars
from collections.abc import Iterator

from preprocessing import augmentations, channels, jpeg
from slim_internal.ground import errors
from slim_internal.ground.compat import tf

# Minimum fraction of the image that a random part has, as published.
_MIN_CROP_AREA = 0.05
# Not an argument: the functions here have those that were published.
_min_crop_area = contextvars.ContextVar("min_crop_area", default=_MIN_CROP_AREA)

# The distortions do not commute, and several orders give more variety. Hue and contrast are slow.
_FAST_ORDERS = (("brightness", "saturation"), ("saturation", "brightness"))
_ORDERS = (
    ("brightness", "saturation", "hue", "contrast"),
    ("saturation", "brightness", "contrast", "hue"),
    ("contrast", "hue", "brightness", "saturation"),
    ("hue", "saturation", "contrast", "brightness"),
)


def apply_with_random_selector(x, func, num_cases):
    """Returns `func(x, case)` for a random case.

    Args:
      x: Tensor.
      func: Function of a tensor and the number of a case.
      num_cases: Number of cases.
    """
    if num_cases == 1:
        return func(x, 0)
    selected = tf.random_uniform([], maxval=num_cases, dtype=tf.int32)
    branches = [lambda case=case: func(x, case) for case in range(num_cases)]
    return tf.switch_case(selected, branches)


def distort_color(image, color_ordering=0, fast_mode=True, scope=None):
    """Changes brightness, saturation and, unless in a hurry, hue and contrast at random.

    Args:
      image: Tensor [height, width, channels], 0 to 1; opacity, the last of 4, stays as it is.
      color_ordering: The order of the changes, 0 to 3.
      fast_mode: Whether to leave out the slow changes; then 1 to 3 mean the same order.
      scope: Name of the operations.

    Returns:
      A tensor of the same shape, 0 to 1.

    Raises:
      errors.UserError: for an unknown order.
    """
    if not 0 <= color_ordering < len(_ORDERS):
        raise errors.unknown("color_ordering", color_ordering, range(len(_ORDERS)))
    order = _FAST_ORDERS[min(color_ordering, 1)] if fast_mode else _ORDERS[color_ordering]
    with tf.name_scope(scope, "distort_color", [image]):
        for name in order:
            image = augmentations.OPERATIONS[name](image)
        return tf.clip_by_value(image, 0.0, 1.0)


def distorted_bounding_box_crop(
    image,
    bbox,
    min_object_covered=0.1,
    aspect_ratio_range=(0.75, 1.33),
    area_range=(_MIN_CROP_AREA, 1.0),
    max_attempts=100,
    scope=None,
):
    """Returns a random part of the image that shows some of an object.

    Args:
      image: Tensor [height, width, channels], or a `jpeg.Jpeg`.
      bbox: Boxes of the objects, [1, boxes, 4]: top, left, bottom, right as fractions of the image.
      min_object_covered: Minimum fraction of an object to show.
      aspect_ratio_range: Minimum and maximum width / height.
      area_range: Minimum and maximum fraction of the image.
      max_attempts: Number of trials after which the whole image is taken.
      scope: Name of the operations.

    Returns:
      The part, [h, w, channels], and its box, [1, 1, 4].
    """
    with tf.name_scope(scope, "distorted_bounding_box_crop", [bbox]):
        begin, size, box = tf.image.sample_distorted_bounding_box(
            tf.concat([jpeg.size(image), [3]], axis=0),
            bounding_boxes=bbox,
            min_object_covered=min_object_covered,
            aspect_ratio_range=aspect_ratio_range,
            area_range=area_range,
            max_attempts=max_attempts,
            use_image_if_no_bounding_boxes=True,
        )
        return jpeg.part(image, begin[:2], size[:2]), box


@contextlib.contextmanager
def crops_of_at_least(fraction: float) -> Iterator[None]:
    """Within it, training takes parts of at least that fraction of an image."""
    before = _min_crop_area.set(fraction)
    try:
        yield
    finally:
        _min_crop_area.reset(before)


def preprocess_for_train(
    image,
    height,
    width,
    bbox,
    fast_mode=True,
    scope=None,
    add_image_summaries=True,
    random_crop=True,
    use_grayscale=False,
):
    """Returns a random variation of the image.

    Args:
      image: Tensor [height, width, channels]; integers of the full range of their type, or floats
        0 to 1. Or a `jpeg.Jpeg`.
      height: Height of the result in pixels.
      width: Width of the result in pixels.
      bbox: Boxes of the objects, see `distorted_bounding_box_crop`; None for the whole image.
      fast_mode: Whether to leave out the slow distortions.
      scope: Name of the operations.
      add_image_summaries: Whether to show the image at several steps in TensorBoard.
      random_crop: Whether to take a part of the image.
      use_grayscale: Whether to convert images to grayscale.

    Returns:
      A float32 tensor [height, width, channels], -1 to 1.
    """

    def summarize(name, image, box=None):
        if add_image_summaries and not isinstance(image, jpeg.Jpeg):
            images = tf.expand_dims(tf.image.convert_image_dtype(image, tf.float32), 0)
            tf.summary.image(
                name, images if box is None else tf.image.draw_bounding_boxes(images, box)
            )

    with tf.name_scope(scope, "distort_image", [height, width, bbox]):
        if bbox is None:
            bbox = tf.constant([0.0, 0.0, 1.0, 1.0], shape=[1, 1, 4])
        image = jpeg.needing(image, [height, width])
        summarize("image_with_bounding_boxes", image, bbox)
        whole = image
        if random_crop:
            area_range = (_min_crop_area.get(), 1.0)
            image, box = distorted_bounding_box_crop(whole, bbox, area_range=area_range)
            summarize("images_with_distorted_bounding_box", whole, box)
        image = channels.to_rgb(jpeg.decoded(image))
        if fast_mode:
            image = _resize(image, height, width)
        else:
            image = apply_with_random_selector(
                tf.image.convert_image_dtype(image, tf.float32),
                lambda x, method: tf.image.resize_images(x, [height, width], method),
                num_cases=4,
            )
        shape = [height, width, tf.dimension_value(image.shape[-1]) or 3]
        image.set_shape(shape)
        summarize("cropped_resized_image", image)
        image = augmentations.flip_left_right(image)
        image = apply_with_random_selector(
            image,
            lambda x, ordering: distort_color(x, ordering, fast_mode),
            num_cases=1 if fast_mode else len(_ORDERS),
        )
        image.set_shape(shape)
        if use_grayscale:
            image = channels.to_grayscale(image)
        image = augmentations.apply(image)
        summarize("final_distorted_image", image)
        return (image - 0.5) * 2.0


def preprocess_for_eval(
    image,
    height,
    width,
    central_fraction=0.875,
    scope=None,
    central_crop=True,
    use_grayscale=False,
):
    """Returns the middle of the image, resized without regard to its ratio.

    Args:
      image: Tensor [height, width, channels]; integers of the full range of their type, or floats
        0 to 1. Or a `jpeg.Jpeg`.
      height: Height of the result in pixels; None keeps that of the middle.
      width: Width of the result in pixels; None keeps that of the middle.
      central_fraction: Fraction of the height and of the width to take.
      scope: Name of the operations.
      central_crop: Whether to take the middle; otherwise the whole image is resized.
      use_grayscale: Whether to convert images to grayscale.

    Returns:
      A float32 tensor [height, width, channels], -1 to 1.
    """
    with tf.name_scope(scope, "eval_image", [height, width]):
        if height and width:
            image = jpeg.needing(image, [height, width])
        if central_crop and central_fraction:
            image = _middle(image, central_fraction)
        image = jpeg.decoded(image)
        if use_grayscale:
            image = channels.to_grayscale(tf.image.convert_image_dtype(image, tf.float32))
        else:
            image = channels.to_rgb(image)
        if height and width:
            image = _resize(image, height, width)
        return (tf.image.convert_image_dtype(image, tf.float32) - 0.5) * 2.0


def _middle(image, fraction):
    if not isinstance(image, jpeg.Jpeg):
        return tf.image.central_crop(image, central_fraction=fraction)
    sides = tf.cast(image.size, tf.float64)
    begin = tf.cast((sides - sides * fraction) / 2, tf.int32)  # As tf.image.central_crop rounds.
    return image.part(begin, image.size - 2 * begin)


def _resize(image, height, width):
    """Returns an image of integers or of floats 0 to 1 resized, as floats 0 to 1.

    Its integers become floats on the way, which takes less memory than to do so before.
    """
    image = tf.convert_to_tensor(image)
    resized = tf.squeeze(tf.image.resize_bilinear(tf.expand_dims(image, 0), [height, width]), 0)
    return resized / image.dtype.max if image.dtype.is_integer else resized


@jpeg.takes_jpeg
def preprocess_image(
    image,
    height,
    width,
    is_training=False,
    bbox=None,
    fast_mode=True,
    add_image_summaries=True,
    crop_image=True,
    use_grayscale=False,
):
    """Returns the image as Inception reads it; see the two functions above.

    `crop_image` says whether training and evaluation take a part of the image.
    """
    if is_training:
        return preprocess_for_train(
            image,
            height,
            width,
            bbox,
            fast_mode,
            add_image_summaries=add_image_summaries,
            random_crop=crop_image,
            use_grayscale=use_grayscale,
        )
    return preprocess_for_eval(
        image, height, width, central_crop=crop_image, use_grayscale=use_grayscale
    )
