"""Pictures in colour and in grey."""

from slim_internal.ground.compat import tf


def to_grayscale(image):
    """Returns [height, width, 1] of a picture in colour or in grey."""
    return image if image.shape[-1] == 1 else tf.image.rgb_to_grayscale(image)


def to_rgb(image):
    """Returns [height, width, 3] of a picture in colour or in grey."""
    return tf.image.grayscale_to_rgb(tf.convert_to_tensor(image)) if image.shape[-1] == 1 else image
