"""Downloads ImageNet (ILSVRC 2012) and converts it to TFRecord files, straight from its archives.

    download_and_preprocess_imagenet DATA_DIR

takes the four official archives from DATA_DIR/raw-data or --source; those that are missing are
downloaded with the login in IMAGENET_USERNAME and IMAGENET_ACCESS_KEY, or asked for. Nothing is
unpacked: the disk holds the archives and the converted files, DATA_DIR/train-00000-of-01024 and so
on. A run that was stopped continues where it was. With --train_directory and
--validation_directory it converts pictures that lie unpacked instead, as build_imagenet_data does.

    download_and_preprocess_imagenet --verify DATA_DIR

reads the converted files again and names the damaged ones; another run without --verify rebuilds
exactly these.
"""

import os

from absl import flags

from datasets import build_imagenet_data
from slim_internal.ground import cli
from slim_internal.ground.errors import UserError

FLAGS = flags.FLAGS

flags.DEFINE_string("source", None, "Folder or base URL of all archives, instead of raw-data.")
flags.DEFINE_string(
    "base_url",
    "https://image-net.org/data/ILSVRC/2012/",
    "Where to download archives that are missing, with a login.",
)
flags.DEFINE_enum(
    "archive_checksums",
    "on",
    ("on", "off"),
    "Whether the archives must be the official ones; off converts a subset of them.",
)
flags.DEFINE_bool("bounding_boxes", True, "Whether to read the archive of bounding boxes.")
flags.DEFINE_bool("verify", False, "Check the converted files and convert nothing.")
flags.adopt_module_key_flags(build_imagenet_data)


def main(arguments):
    """Converts or verifies the data set in the folder that is named."""
    named = [*arguments, *([FLAGS.output_directory] if FLAGS["output_directory"].present else [])]
    if len(named) != 1:
        raise UserError(
            "Name the folder of the data set, once: download_and_preprocess_imagenet DATA_DIR"
        )
    data_dir = cli.user_path(named[0])
    if FLAGS.verify:
        from datasets.storage import verification

        print(verification.run(data_dir))
        return
    workers = FLAGS.num_threads if FLAGS["num_threads"].present else os.cpu_count()
    chosen = build_imagenet_data.options(data_dir, workers)
    if FLAGS["train_directory"].present or FLAGS["validation_directory"].present:
        build_imagenet_data.convert_folders(chosen)
    else:
        convert_archives(chosen)


def convert_archives(chosen):
    """Converts the official archives."""
    from datasets.converters.imagenet import archives, convert, inventory
    from slim_internal.ground.progress.reporting import StatusLine

    convert.check_folder(chosen)
    official = FLAGS.archive_checksums == "on"
    request = archives.Request(
        data_dir=chosen.output_directory,
        source=FLAGS.source and cli.user_path(FLAGS.source),
        base_url=FLAGS.base_url,
        checksums=official,
        boxes=FLAGS.bounding_boxes,
    )
    if request.missing() and (finished := convert.finished(chosen, whole=official)):
        build_imagenet_data.report(finished, chosen)
        return
    found = inventory.from_archives(archives.obtain(request, StatusLine()), whole=official)
    build_imagenet_data.convert_inventory(found, chosen)


if __name__ == "__main__":
    cli.run(main, max_arguments=1, tensorflow=False)
