"""Converts ImageNet pictures that lie unpacked in folders to TFRecord files.

    python -m datasets.build_imagenet_data --train_directory=/data/train \\
        --validation_directory=/data/validation --output_directory=/data/imagenet

expects `<directory>/<synset>/*.JPEG` and writes `train-00000-of-01024` and so on. To convert the
archives as they are downloaded, without unpacking them, use download_and_preprocess_imagenet.
"""

import logging
import os
import sys

from absl import flags

if not __package__:  # Run as a file, Python looks for modules beside it instead of in slim/.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from datasets.conversion.settings import ON_BAD_IMAGE
from datasets.converters.imagenet.settings import VERIFY_IMAGES, Options
from slim_internal.ground import cli

FLAGS = flags.FLAGS

flags.DEFINE_string("train_directory", "/tmp/", "Folder of the training pictures.")
flags.DEFINE_string("validation_directory", "/tmp/", "Folder of the validation pictures.")
flags.DEFINE_string("output_directory", "/tmp/", "Folder to write into.")
flags.DEFINE_integer("train_shards", 1024, "Files of the training split.", lower_bound=1)
flags.DEFINE_integer("validation_shards", 128, "Files of the validation split.", lower_bound=1)
flags.DEFINE_integer(
    "num_threads",
    8,
    "Processes that write files; without it download_and_preprocess_imagenet takes one per "
    "processor.",
    lower_bound=1,
)
flags.DEFINE_string(
    "labels_file",
    "imagenet_lsvrc_2015_synsets.txt",
    "The synsets, one a line, in the order of their labels, which start at 1.",
)
flags.DEFINE_string(
    "imagenet_metadata_file", "imagenet_metadata.txt", "Lines of <synset> TAB <names>."
)
flags.DEFINE_string(
    "bounding_box_file",
    "./imagenet_2012_bounding_boxes.csv",
    "Lines of <picture>,<xmin>,<ymin>,<xmax>,<ymax>, each 0..1; empty for no boxes.",
)
flags.DEFINE_integer("seed", Options.seed, "Decides the order of the pictures.")
flags.DEFINE_enum(
    "on_bad_image",
    Options.on_bad_image,
    ON_BAD_IMAGE,
    "What to do with a picture that cannot be read: stop, leave it out, or keep what can be read "
    "of it. bad_images.csv in the output lists such pictures.",
)
flags.DEFINE_integer(
    "max_bad_images",
    Options.max_bad_images,
    "How many skipped or repaired pictures to accept.",
    lower_bound=0,
)
flags.DEFINE_enum(
    "verify_images",
    Options.verify_images,
    VERIFY_IMAGES,
    "How closely to look at each picture: at its header and end marker, or decode it.",
)


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


def options(output_directory: str, num_workers: int) -> Options:
    """Returns what the flags say of how to convert."""
    return Options(
        output_directory=output_directory,
        num_workers=num_workers,
        train_shards=FLAGS.train_shards,
        validation_shards=FLAGS.validation_shards,
        seed=FLAGS.seed,
        on_bad_image=FLAGS.on_bad_image,
        max_bad_images=FLAGS.max_bad_images,
        verify_images=FLAGS.verify_images,
    )


def convert_folders(chosen: Options) -> None:
    """Converts the pictures in the folders that the flags name."""
    from datasets.converters.imagenet import convert, inventory

    inputs = {
        name: FLAGS[name].value and cli.user_path(FLAGS[name].value)
        for name in (
            "train_directory",
            "validation_directory",
            "labels_file",
            "imagenet_metadata_file",
            "bounding_box_file",
        )
    }
    convert.check_folder(chosen, may_hold=filter(None, inputs.values()))
    convert_inventory(inventory.from_folders(**inputs), chosen)


def convert_inventory(found, chosen: Options) -> None:
    """Converts the pictures of an inventory and prints what is there now."""
    from datasets.converters.imagenet import convert
    from slim_internal.ground.progress.reporting import ProgressLog

    report(convert.convert(found, chosen, progress=ProgressLog()), chosen)


def report(outcome, chosen: Options) -> None:
    """Prints what a conversion did and what is there now."""
    logging.info(outcome.summary(chosen.output_directory))
    total = sum(outcome.manifest.splits.values())
    print(f"Finished writing all {total} images in data set.")


def main(unused_argv):
    """Converts the pictures in the folders that the flags name."""
    convert_folders(options(cli.user_path(FLAGS.output_directory), FLAGS.num_threads))


if __name__ == "__main__":
    cli.run(main, tensorflow=False)
