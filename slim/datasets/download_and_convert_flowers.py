"""The original's entry point to converting flowers from Python."""

from datasets.conversion import convert
from datasets.conversion.settings import Conversion
from slim_internal.ground.compat import tf


class ImageReader:
    """Decodes JPEGs in a session; converters that were copied from the original import it."""

    def __init__(self):
        self._encoded = tf.placeholder(tf.string)
        self._decoded = tf.image.decode_jpeg(self._encoded, channels=3)

    def read_image_dims(self, sess, image_data):
        """Returns height and width in pixels of an encoded image."""
        return self.decode_jpeg(sess, image_data).shape[:2]

    def decode_jpeg(self, sess, image_data):
        """Returns the pixels of an encoded image, uint8 [height, width, 3]."""
        return sess.run(self._decoded, {self._encoded: image_data})


def run(dataset_dir):
    """Downloads flowers and converts it into a folder, unless it is there already."""
    convert.convert(Conversion(dataset_name="flowers", dataset_dir=dataset_dir))
