"""JPEG files of which only the part that is needed is decoded.

Most of the time that input takes goes into decoding, and training uses half of an image on average.
A preprocessing that takes a `Jpeg` in place of an image says so by `@takes_jpeg`; everything else
gets decoded images.
"""

import functools
from collections.abc import Callable, Sequence

from slim_internal.ground.compat import tf

# The decoder interpolates colors between pixels that are two apart. At the sides of a part they
# lack a neighbor; with a few more columns the part is as in the whole.
_MARGIN = 2

# What the decoder divides the sides of an image by while it decodes.
_RATIOS = (1, 2, 4, 8)


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
        return self._window(begin, size, 1)

    def needing(self, size: tf.Tensor | Sequence[int]) -> "Jpeg":
        """Returns the image for a caller who resizes its parts; see `ShrinkingJpeg`.

        Args:
          size: int32 [2], height and width after resizing.
        """
        del size
        return self

    def _window(self, begin, size, ratio):
        """Decodes a part at a fraction of its size.

        Its corners are rounded down to pixels of the result: resizing reads the first of several
        pixels, decoding shows the middle of them. So what is seen stays in its place on average.
        """
        whole = self.size
        if ratio > 1:
            end = (begin + size) // ratio
            begin = begin // ratio
            size, whole = end - begin, (whole + ratio - 1) // ratio
        left = tf.maximum(begin[1] - _MARGIN, 0)
        right = tf.minimum(begin[1] + size[1] + _MARGIN, whole[1])
        window = tf.stack([begin[0], left, size[0], right - left])
        part = tf.image.decode_and_crop_jpeg(self._encoded, window, channels=3, ratio=ratio)
        return part[:, begin[1] - left : begin[1] - left + size[1]]


class ShrinkingJpeg(Jpeg):
    """The same, but parts that are going to be made smaller are decoded smaller.

    The decoder takes the mean of each 2 x 2, 4 x 4 or 8 x 8 pixels by reading fewer coefficients,
    so that pixels differ a little, but no detail that is needed is lost.

    Args:
      image: The image.
      needed: int32 [2], what parts are going to be resized to; a part never gets smaller. None
        decodes them as they are.
    """

    def __init__(self, image: Jpeg, needed: tf.Tensor | Sequence[int] | None = None):
        self._encoded = image._encoded
        self._needed = needed
        self.size = image.size

    def needing(self, size: tf.Tensor | Sequence[int]) -> Jpeg:
        """Returns the image for a caller who resizes its parts."""
        return ShrinkingJpeg(self, size)

    def part(self, begin: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Decodes a part at 1, 1/2, 1/4 or 1/8 of its size; see `Jpeg.part`."""
        if self._needed is None:
            return super().part(begin, size)
        fits = tf.reduce_min(size // self._needed) >= _RATIOS[1:]
        windows = [functools.partial(self._window, begin, size, ratio) for ratio in _RATIOS]
        return tf.switch_case(tf.reduce_sum(tf.cast(fits, tf.int32)), windows)


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


def shrinking(preprocess: Callable) -> Callable:
    """Returns the function with files that are decoded at a fraction of their size where it fits.

    It changes a function that takes a `Jpeg` only, and images that are not decoded yet.
    """

    @functools.wraps(preprocess)  # It may be marked by `takes_jpeg`.
    def preprocess_shrinking(image, *args, **kwargs):
        if isinstance(image, Jpeg) and not isinstance(image, DecodedJpeg):
            image = ShrinkingJpeg(image)
        return preprocess(image, *args, **kwargs)

    return preprocess_shrinking


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


def needing(image: tf.Tensor | Jpeg, size: tf.Tensor | Sequence[int]) -> tf.Tensor | Jpeg:
    """Returns an image for a caller who resizes its parts to a size; see `Jpeg.needing`."""
    return image.needing(size) if isinstance(image, Jpeg) else image


def decoded(image: tf.Tensor | Jpeg) -> tf.Tensor:
    """Returns an image as a tensor, whole."""
    return image.part(tf.zeros([2], tf.int32), image.size) if isinstance(image, Jpeg) else image
