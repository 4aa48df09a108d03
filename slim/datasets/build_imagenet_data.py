"""Converts ImageNet images that lie unpacked in folders to TFRecord files.

    python -m datasets.build_imagenet_data --train_directory=/data/train \\
        --validation_directory=/data/validation --output_directory=/data/imagenet

expects `<directory>/<synset>/*.JPEG` and writes `train-00000-of-01024` and so on. To convert the
archives as they are downloaded, without unpacking them, use download_and_preprocess_imagenet.
"""

import os
import sys

if not __package__:  # Run as a file, Python looks for modules beside it instead of in slim/.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from datasets.converters.imagenet.settings import FolderSettings
from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags

FLAGS = cli.FLAGS


class ImageCoder:
    """Decodes and rewrites single images; the converter itself uses `ground.images.prepare`."""

    def png_to_jpeg(self, image_data):
        """Returns a PNG image as RGB JPEG of quality 100."""
        return self._rewrite(image_data)

    def cmyk_to_rgb(self, image_data):
        """Returns a CMYK JPEG image as RGB JPEG of quality 100."""
        return self._rewrite(image_data)

    def decode_jpeg(self, image_data):
        """Returns an image as `[height, width, 3]` uint8, 0..255.

        Raises:
          ValueError: if it cannot be decoded; the message says why.
        """
        from slim_internal.ground.images import prepare

        return prepare.decode_rgb(image_data)

    def _rewrite(self, image_data):
        from PIL import Image

        from slim_internal.ground.images import pixels

        decoded = Image.fromarray(self.decode_jpeg(image_data))
        return pixels.encode(decoded, "JPEG", quality=100)


@cli.entry(tensorflow=False)
def main(_):
    """Converts the images in the folders that the flags name."""
    from datasets.converters.imagenet import launch

    total = launch.from_folders(config_flags.read(FolderSettings))
    print(f"Finished writing all {total} images in data set.")


config_flags.define(FolderSettings)

if __name__ == "__main__":
    cli.run(main)
