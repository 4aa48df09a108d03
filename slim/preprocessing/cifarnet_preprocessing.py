"""Preprocessing of CifarNet: each image standardized to mean 0 and deviation 1.

Training shifts, mirrors, brightens and contrasts the images at random, after the example of
A. Krizhevsky's cuda-convnet.
"""

from preprocessing import augmentations, channels
from slim_internal.ground.compat import tf

_PADDING = 4


def preprocess_for_train(
    image,
    output_height,
    output_width,
    padding=_PADDING,
    add_image_summaries=True,
    use_grayscale=False,
):
    """Returns a random variation of the image.

    Args:
      image: Tensor [height, width, channels], 0 to 255.
      output_height: Height of the result in pixels.
      output_width: Width of the result in pixels.
      padding: Black pixels to add on each side before the random crop; more where the image
        would still be smaller than the result.
      add_image_summaries: Whether to show the image, before and after, in TensorBoard.
      use_grayscale: Whether to convert images to grayscale.

    Returns:
      A float32 tensor [output_height, output_width, channels] of mean 0 and deviation 1.
    """
    _summarize("image", image, add_image_summaries)
    image = tf.cast(image, tf.float32)
    if use_grayscale:
        image = channels.to_grayscale(image)
    if padding > 0:
        image = tf.pad(image, [[padding, padding], [padding, padding], [0, 0]])
    image = _random_crop(image, output_height, output_width)
    image = augmentations.flip_left_right(image)
    _summarize("distorted_image", image, add_image_summaries)
    image = augmentations.brightness(image, max_delta=63)
    image = augmentations.contrast(image, lower=0.2, upper=1.8)
    image = augmentations.apply(image, maximum=255.0)
    return tf.image.per_image_standardization(image)


def _random_crop(image, height, width):
    """Returns a random part of an image, with black on all sides where that is smaller.

    A very long and thin image is cut before it is padded, or it would take gigabytes.
    """
    depth = image.shape[-1]
    shape = tf.shape(image)[:2]
    kept = tf.minimum([height, width], shape)
    # One draw for all axes, as tf.image.random_crop has it.
    draw = tf.random_uniform([3], maxval=tf.int32.max, dtype=tf.int32)
    start = draw[:2] % (shape - kept + 1)
    image = image[start[0] : start[0] + kept[0], start[1] : start[1] + kept[1]]
    missing = [height, width] - kept
    before = missing // 2
    image = tf.pad(image, tf.pad(tf.stack([before, missing - before], axis=1), [[0, 1], [0, 0]]))
    image.set_shape([height, width, depth])
    return image


def preprocess_for_eval(
    image, output_height, output_width, add_image_summaries=True, use_grayscale=False
):
    """Returns the middle of the image, padded with black where it is too small.

    Args:
      image: Tensor [height, width, channels], 0 to 255.
      output_height: Height of the result in pixels.
      output_width: Width of the result in pixels.
      add_image_summaries: Whether to show the image, before and after, in TensorBoard.
      use_grayscale: Whether to convert images to grayscale.

    Returns:
      A float32 tensor [output_height, output_width, channels] of mean 0 and deviation 1.
    """
    _summarize("image", image, add_image_summaries)
    image = tf.cast(image, tf.float32)
    if use_grayscale:
        image = channels.to_grayscale(image)
    image = tf.image.resize_image_with_crop_or_pad(image, output_height, output_width)
    _summarize("resized_image", image, add_image_summaries)
    return tf.image.per_image_standardization(image)


def preprocess_image(
    image,
    output_height,
    output_width,
    is_training=False,
    add_image_summaries=True,
    use_grayscale=False,
):
    """Returns the image as CifarNet reads it; see the two functions above."""
    preprocess = preprocess_for_train if is_training else preprocess_for_eval
    return preprocess(
        image,
        output_height,
        output_width,
        add_image_summaries=add_image_summaries,
        use_grayscale=use_grayscale,
    )


def _summarize(name, image, wanted):
    if wanted:
        tf.summary.image(name, tf.expand_dims(image, 0))
