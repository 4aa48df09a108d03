"""Preprocessing of LeNet: cropped or padded to size, scaled to -1..1.

Training sees the same images as evaluation: a mirrored or turned digit may be another digit.
"""

from preprocessing import augmentations, channels
from slim_internal.ground.compat import tf


def preprocess_image(image, output_height, output_width, is_training, use_grayscale=False):
    """Returns the image as LeNet reads it.

    Args:
      image: Tensor [height, width, channels], 0 to 255.
      output_height: Height of the result in pixels.
      output_width: Width of the result in pixels.
      is_training: Makes a difference to augmentations only.
      use_grayscale: Whether to convert images to grayscale.

    Returns:
      A float32 tensor [output_height, output_width, channels], -1 to 1.
    """
    image = tf.cast(image, tf.float32)
    if use_grayscale:
        image = channels.to_grayscale(image)
    image = tf.image.resize_image_with_crop_or_pad(image, output_height, output_width)
    if is_training:
        image = augmentations.apply(image, maximum=255.0)
    return (image - 128.0) / 128.0
