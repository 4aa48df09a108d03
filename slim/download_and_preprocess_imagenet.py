"""Downloads ImageNet (ILSVRC 2012) and converts it to TFRecord files, straight from its archives.

    download_and_preprocess_imagenet DATA_DIR

takes the four official archives from DATA_DIR/raw-data or --source; those that are missing are
downloaded with the login in IMAGENET_USERNAME and IMAGENET_ACCESS_KEY, or asked for. Nothing is
unpacked: the disk holds the archives and the converted files, DATA_DIR/train-00000-of-01024 and so
on. A run that was stopped continues where it was. With --train_directory and
--validation_directory it converts images that lie unpacked instead, as build_imagenet_data does.

    download_and_preprocess_imagenet --verify DATA_DIR

reads the converted files again and names the damaged ones; run again without --verify to rebuild
only these.
"""

import dataclasses
import os

from absl import flags

from datasets.converters.imagenet.settings import ArchiveSettings
from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.errors import UserError

FLAGS = flags.FLAGS


@cli.entry(max_arguments=1, tensorflow=False)
def main(arguments):
    """Converts or verifies the dataset in the folder that is named."""
    settings = _settings(arguments)
    if settings.verify:
        from datasets.conversion import verify

        print(verify.run(settings.output_directory, decode=settings.verify == "decode"))
        return
    from datasets.converters.imagenet import launch

    unpacked = FLAGS["train_directory"].present or FLAGS["validation_directory"].present
    total = launch.from_folders(settings) if unpacked else launch.from_archives(settings)
    print(f"Finished writing all {total} images in data set.")


def _settings(arguments) -> ArchiveSettings:
    """Returns the settings that flags and arguments give."""
    settings = config_flags.read(ArchiveSettings)
    named = list(arguments)
    if FLAGS["output_directory"].present:
        named.append(settings.output_directory)
    if len(named) != 1:
        raise UserError(
            "Name the folder of the dataset, once: download_and_preprocess_imagenet DATA_DIR"
        )
    return dataclasses.replace(settings, output_directory=os.path.expanduser(named[0]))


config_flags.define(ArchiveSettings)

if __name__ == "__main__":
    cli.run(main)
