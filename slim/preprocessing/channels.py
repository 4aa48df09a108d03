"""Images in color, in grayscale and with opacity."""

from slim_internal.ground.compat import tf

OF_FILES = (1, 3, 4)  # Channels that image files have.
_OPAQUE = 255


def to_grayscale(image):
    """Returns [height, width, 1] of an image in color or in grayscale; opacity is dropped."""
    if image.shape[-1] == 1:
        return image
    return tf.image.rgb_to_grayscale(image[..., :3] if image.shape[-1] == 4 else image)


def to_rgb(image):
    """Returns [height, width, 3] of an image in grayscale; others stay as they are."""
    return tf.image.grayscale_to_rgb(tf.convert_to_tensor(image)) if image.shape[-1] == 1 else image


def decode(content, channels):
    """Returns the pixels of an image file, of an animation those of the first frame.

    Args:
      content: Scalar string tensor with the contents of the file: JPEG, PNG, GIF, BMP or WebP.
      channels: 1 (grayscale), 3 (color) or 4 (color and opacity, which PNG stores; images in other
        formats are opaque).

    Returns:
      A uint8 tensor [height, width, channels].
    """

    def decoded(count):
        return tf.io.decode_image(content, channels=count, expand_animations=False)

    if channels == 1:  # TensorFlow makes GIF, BMP and WebP (RIFF) no gray.
        only_color = tf.strings.regex_full_match(tf.strings.substr(content, 0, 2), "GI|BM|RI")
        gray = tf.image.rgb_to_grayscale
        image = tf.cond(only_color, lambda: gray(decoded(3)), lambda: decoded(1))
    elif channels == 4:
        is_png = tf.equal(tf.strings.substr(content, 1, 3), "PNG")
        image = tf.cond(is_png, lambda: decoded(4), lambda: _with_opacity(decoded(3)))
    else:
        image = decoded(channels)
    image.set_shape([None, None, channels])
    return image


def _with_opacity(image):
    opacity = tf.fill(tf.concat([tf.shape(image)[:2], [1]], axis=0), tf.cast(_OPAQUE, image.dtype))
    return tf.concat([image, opacity], axis=-1)
