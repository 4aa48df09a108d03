"""Preprocessing of VGG and of residual networks: a crop of the resized image, minus the mean.

K. Simonyan and A. Zisserman, arXiv:1409.1556, section 3.1: the smaller side is resized to 256
pixels, in training to a random number of pixels, so that objects appear at several scales.
"""

from preprocessing import augmentations, channels, jpeg
from slim_internal.ground import errors
from slim_internal.ground.compat import tf

_R_MEAN = 123.68
_G_MEAN = 116.78
_B_MEAN = 103.94

_RESIZE_SIDE_MIN = 256
_RESIZE_SIDE_MAX = 512

# Of an image that is longer than this many times its smaller side, only a part around the crop is
# resized: 512 pixels for a side of 1 would make gigabytes of an image of 9000 x 1.
_MAX_ASPECT_RATIO = 32


def preprocess_for_train(
    image,
    output_height,
    output_width,
    resize_side_min=_RESIZE_SIDE_MIN,
    resize_side_max=_RESIZE_SIDE_MAX,
    use_grayscale=False,
):
    """Returns a random part of the image at a random scale, mirrored or not.

    Args:
      image: Tensor [height, width, channels], 0 to 255, or a `jpeg.Jpeg`.
      output_height: Height of the result in pixels.
      output_width: Width of the result in pixels.
      resize_side_min: Minimum length of the smaller side in pixels; never less than the result's.
      resize_side_max: Maximum length of the smaller side in pixels; never less than the minimum.
      use_grayscale: Whether to convert images to grayscale.

    Returns:
      A float32 tensor [output_height, output_width, channels] around zero.
    """
    # At the sizes of the paper, up to 256 pixels, the crop always fits.
    resize_side_min = max(resize_side_min, output_height, output_width)
    resize_side_max = max(resize_side_max, resize_side_min)
    side = tf.random_uniform([], resize_side_min, resize_side_max + 1, tf.int32)
    # One draw for all axes, as tf.image.random_crop has it.
    draw = tf.random_uniform([3], maxval=tf.int32.max, dtype=tf.int32)[:2]
    if isinstance(image, jpeg.Jpeg):
        image = _sampled_part(
            image, side, lambda room: draw % (room + 1), output_height, output_width
        )
    else:
        image = _in_color(image)
        room = _resized_size(image, side) - [output_height, output_width]
        image = _resized_part(image, side, draw % (room + 1), output_height, output_width)
    image = augmentations.apply(augmentations.flip_left_right(image), maximum=255.0)
    return _subtract_mean(image, use_grayscale)


def preprocess_for_eval(image, output_height, output_width, resize_side, use_grayscale=False):
    """Returns the middle of the image at a fixed scale.

    Args:
      image: Tensor [height, width, channels], 0 to 255, or a `jpeg.Jpeg`.
      output_height: Height of the result in pixels.
      output_width: Width of the result in pixels.
      resize_side: Length of the smaller side in pixels before the crop; never less than the
        result's.
      use_grayscale: Whether to convert images to grayscale.

    Returns:
      A float32 tensor [output_height, output_width, channels] around zero.
    """
    resize_side = max(resize_side, output_height, output_width)
    if isinstance(image, jpeg.ShrinkingJpeg):
        image = _sampled_part(
            image, resize_side, lambda room: room // 2, output_height, output_width
        )
    else:
        image = _in_color(jpeg.decoded(image))
        room = _resized_size(image, resize_side) - [output_height, output_width]
        image = _resized_part(image, resize_side, room // 2, output_height, output_width)
    return _subtract_mean(image, use_grayscale)


@jpeg.takes_jpeg
def preprocess_image(
    image,
    output_height,
    output_width,
    is_training=False,
    resize_side_min=_RESIZE_SIDE_MIN,
    resize_side_max=_RESIZE_SIDE_MAX,
    use_grayscale=False,
):
    """Returns the image as VGG reads it; see the two functions above.

    Evaluation resizes the smaller side to `resize_side_min`.
    """
    size = (output_height, output_width)
    if is_training:
        return preprocess_for_train(image, *size, resize_side_min, resize_side_max, use_grayscale)
    return preprocess_for_eval(image, *size, resize_side_min, use_grayscale)


def _smallest_size_at_least(height, width, smallest_side):
    """Returns the height and width of which the smaller is `smallest_side`, ratio unchanged."""
    height, width = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    scale = tf.cast(smallest_side, tf.float32) / tf.minimum(height, width)
    sizes = (tf.rint(side * scale) for side in (height, width))
    return tuple(tf.saturate_cast(size, tf.int32) for size in sizes)


def _resized_size(image, smallest_side):
    """Returns [height, width] of an image once its smaller side is resized."""
    shape = tf.shape(image)
    return tf.stack(_smallest_size_at_least(shape[0], shape[1], smallest_side))


def _resize_smaller_side(image, smallest_side):
    size = _resized_size(image, smallest_side)
    image = tf.image.resize_bilinear(tf.expand_dims(image, 0), size)
    return tf.squeeze(image, 0)


def _resized_part(image, smallest_side, offset, height, width):
    """Returns a part of the resized image, of which a very long one is never there as a whole.

    Args:
      image: Tensor [height, width, 3].
      smallest_side: Length of its smaller side in pixels after resizing.
      offset: int32 tensor: top and left of the part in the resized image.
      height: Height of the part.
      width: Width of the part.

    Returns:
      A float32 tensor [height, width, 3].
    """
    shape = tf.shape(image)[:2]
    kept = tf.minimum(shape, _MAX_ASPECT_RATIO * tf.reduce_min(shape))
    scale = tf.cast(smallest_side, tf.float32) / tf.cast(tf.reduce_min(shape), tf.float32)
    middle = tf.add(tf.cast(offset, tf.float32), [height / 2, width / 2]) / scale
    start = tf.clip_by_value(tf.cast(middle, tf.int32) - kept // 2, 0, shape - kept)
    image = tf.slice(image, tf.pad(start, [[0, 1]]), tf.pad(kept, [[0, 1]], constant_values=3))
    image = _resize_smaller_side(image, smallest_side)
    before = tf.cast(tf.rint(tf.cast(start, tf.float32) * scale), tf.int32)
    offset = tf.clip_by_value(offset - before, 0, tf.shape(image)[:2] - [height, width])
    image = tf.slice(image, tf.pad(offset, [[0, 1]]), [height, width, 3])
    image.set_shape([height, width, 3])
    return image


def _sampled_part(image, smallest_side, place, height, width):
    """Returns a part of the resized image, of which no more is decoded and resized than that part.

    Its place is rounded to pixels of the file instead of pixels of the resized image, so it may lie
    half a pixel beside where `_resized_part` takes it.

    Args:
      image: A `jpeg.Jpeg`.
      smallest_side: Length of its smaller side in pixels after resizing.
      place: Function of the room that the part has in the file, int32 [2], in pixels; returns its
        top and its left.
      height: Height of the part.
      width: Width of the part.

    Returns:
      A float32 tensor [height, width, 3].
    """
    scale = tf.cast(tf.reduce_min(image.size), tf.float32) / tf.cast(smallest_side, tf.float32)
    size = tf.cast(tf.rint(scale * [height, width]), tf.int32)
    size = tf.clip_by_value(size, 1, image.size)
    part = image.needing([height, width]).part(place(image.size - size), size)
    return tf.squeeze(tf.image.resize_bilinear(tf.expand_dims(part, 0), [height, width]), 0)


def _in_color(image):
    image = channels.to_rgb(image)
    if image.shape[-1] != 3:  # Which is false of a number that is not known.
        raise errors.UserError(
            "The preprocessing vgg subtracts the mean color of ImageNet, which images of"
            f" {image.shape[-1]} channels do not have: choose --preprocessing_name=inception,"
            " cifarnet or lenet, or --channels=3."
        )
    return image


def _subtract_mean(image, use_grayscale):
    """Subtracts the mean color of ImageNet; grayscale follows from it, so its mean is zero too."""
    image -= [_R_MEAN, _G_MEAN, _B_MEAN]
    return channels.to_grayscale(image) if use_grayscale else image


# Helpers of the original that client code imports.


def _crop(image, offset_height, offset_width, crop_height, crop_width):
    """Returns the part [crop_height, crop_width, channels] of an image at an offset.

    Raises:
      tf.errors.InvalidArgumentError: when run, if the image is smaller than that.
    """
    size = tf.stack([crop_height, crop_width])
    end = tf.stack([offset_height, offset_width]) + size
    fits = tf.Assert(
        tf.reduce_all(tf.shape(image)[:2] >= end), ["Crop size greater than the image size."]
    )
    with tf.control_dependencies([fits]):
        part = image[offset_height : end[0], offset_width : end[1]]
        return tf.reshape(part, tf.stack([crop_height, crop_width, tf.shape(image)[2]]))


def _random_crop(image_list, crop_height, crop_width):
    """Returns the same random part of each of several images of one size."""
    room = tf.shape(image_list[0])[:2] - [crop_height, crop_width] + 1
    top, left = (tf.random_uniform([], maxval=room[axis], dtype=tf.int32) for axis in (0, 1))
    return [_crop(image, top, left, crop_height, crop_width) for image in image_list]


def _central_crop(image_list, crop_height, crop_width):
    """Returns the middle of each of several images."""
    corners = [(tf.shape(image)[:2] - [crop_height, crop_width]) // 2 for image in image_list]
    return [
        _crop(image, top_left[0], top_left[1], crop_height, crop_width)
        for image, top_left in zip(image_list, corners, strict=True)
    ]


def _mean_image_subtraction(image, means):
    """Subtracts a number from each channel of an image [height, width, channels].

    Raises:
      ValueError: if there is not one number per channel.
    """
    if image.shape.ndims != 3:
        raise ValueError("Input must be of size [height, width, C>0]")
    if len(means) != image.shape.as_list()[-1]:
        raise ValueError("len(means) must match the number of channels")
    return tf.cast(image, tf.float32) - means


def _aspect_preserving_resize(image, smallest_side):
    """Returns the image resized so that its smaller side has that many pixels."""
    resized = _resize_smaller_side(tf.convert_to_tensor(image), smallest_side)
    resized.set_shape([None, None, 3])
    return resized
