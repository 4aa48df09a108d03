"""Images in color and in grayscale."""

from slim_internal.ground.compat import tf


def to_grayscale(image):
    """Returns [height, width, 1] of an image in color or in grayscale."""
    return image if image.shape[-1] == 1 else tf.image.rgb_to_grayscale(image)


def to_rgb(image):
    """Returns [height, width, 3] of an image in color or in grayscale."""
    return tf.image.grayscale_to_rgb(tf.convert_to_tensor(image)) if image.shape[-1] == 1 else image
