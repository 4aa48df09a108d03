"""JPEG files of which only the part that is needed is decoded.

Most of the time that input takes goes into decoding, and training uses half of an image on average.
A preprocessing that takes a `Jpeg` in place of an image says so by `@takes_jpeg`; everything else
gets decoded images.
"""

from collections.abc import Callable

from slim_internal.ground.compat import tf

# The decoder interpolates colors between pixels that are two apart. At the sides of a part they
# lack a neighbor; with a few more columns the part is as in the whole.
_MARGIN = 2


class Jpeg:
    """The image in a JPEG file, in color, that is not decoded yet.

    Args:
      encoded: Scalar string tensor with the contents of the file.
    """

    def __init__(self, encoded: tf.Tensor):
        self._encoded = encoded
        self.size = tf.image.extract_jpeg_shape(encoded)[:2]

    def part(self, begin: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Decodes a part, which is equal to that part of the whole.

        Args:
          begin: int32 [2], its first row and its first column.
          size: int32 [2], its height and its width.

        Returns:
          A uint8 tensor [height, width, 3].
        """
        left = tf.maximum(begin[1] - _MARGIN, 0)
        right = tf.minimum(begin[1] + size[1] + _MARGIN, self.size[1])
        window = tf.stack([begin[0], left, size[0], right - left])
        part = tf.image.decode_and_crop_jpeg(self._encoded, window, channels=3)
        return part[:, begin[1] - left : begin[1] - left + size[1]]


class DecodedJpeg(Jpeg):
    """The same for an image that is decoded already, so that it is prepared alike.

    Args:
      image: uint8 tensor [height, width, 3].
    """

    def __init__(self, image: tf.Tensor):
        self._image = image
        self.size = tf.shape(image)[:2]

    def part(self, begin: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Returns a part; see `Jpeg.part`."""
        return part(self._image, begin, size)


def takes_jpeg(preprocess: Callable) -> Callable:
    """Marks a preprocessing function whose argument `image` may be a `Jpeg`."""
    preprocess.takes_jpeg = True
    return preprocess


def is_taken_by(preprocess: Callable) -> bool:
    """Returns whether a function is marked by `takes_jpeg`."""
    return getattr(preprocess, "takes_jpeg", False)


def size(image: tf.Tensor | Jpeg) -> tf.Tensor:
    """Returns int32 [2], height and width of an image, decoded or not."""
    return image.size if isinstance(image, Jpeg) else tf.shape(image)[:2]


def part(image: tf.Tensor | Jpeg, begin: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Returns a part of an image [height, width, channels], decoded or not; see `Jpeg.part`."""
    if isinstance(image, Jpeg):
        return image.part(begin, size)
    depth = image.shape[-1]
    image = tf.slice(image, tf.pad(begin, [[0, 1]]), tf.pad(size, [[0, 1]], constant_values=-1))
    image.set_shape([None, None, depth])
    return image


def decoded(image: tf.Tensor | Jpeg) -> tf.Tensor:
    """Returns an image as a tensor, whole."""
    return image.part(tf.zeros([2], tf.int32), image.size) if isinstance(image, Jpeg) else image
