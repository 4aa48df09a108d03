"""The settings of the conversion of ImageNet; imports no TensorFlow, so that `--help` is quick."""

import dataclasses
import os

from datasets.conversion.settings import ON_BAD_IMAGE, VERIFY
from slim_internal.ground.settings import Settings, setting

VERIFY_IMAGES = ("header", "decode")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardSettings(Settings, subject="Conversion"):
    """What the converted files hold."""

    train_shards: int = setting(1024, "Files of the training split.", at_least=1)
    validation_shards: int = setting(128, "Files of the validation split.", at_least=1)
    seed: int = setting(12345, "Seed of the order of the images.")
    on_bad_image: str = setting(
        "error",
        "What to do with an image that cannot be read: stop, leave it out, or keep what can be"
        " read of it. bad_images.csv in the output lists such images.",
        choices=ON_BAD_IMAGE,
    )
    max_bad_images: int = setting(100, "Maximum number of skipped and repaired images.", at_least=0)
    verify_images: str = setting(
        "header",
        "How closely to look at each image: at its header and end marker, or decode it.",
        choices=VERIFY_IMAGES,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(ShardSettings, subject="Conversion"):
    """How to convert."""

    output_directory: str | None = setting(None, "Folder to write into.", required=True)
    num_workers: int = setting(1, "Processes that write shards.", at_least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderSettings(ShardSettings, subject="Unpacked images"):
    """The conversion of images that lie unpacked in folders."""

    train_directory: str = setting("/tmp/", "Folder of the training images.", common=True)
    validation_directory: str = setting("/tmp/", "Folder of the validation images.", common=True)
    output_directory: str = setting(
        "/tmp/", "Folder to write into.", common=True, subject="Conversion"
    )
    num_threads: int = setting(8, "Processes that write shards.", at_least=1, subject="Conversion")
    labels_file: str = setting(
        "imagenet_lsvrc_2015_synsets.txt",
        "The synsets, one per line, in the order of their labels, which start at 1.",
    )
    imagenet_metadata_file: str = setting("imagenet_metadata.txt", "Lines of <synset> TAB <names>.")
    bounding_box_file: str = setting(
        "./imagenet_2012_bounding_boxes.csv",
        "Lines of <image>,<xmin>,<ymin>,<xmax>,<ymax>, each 0 to 1; empty for no boxes.",
    )

    def options(self) -> Options:
        """Returns how to convert."""
        shared = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(ShardSettings)
        }
        return Options(
            output_directory=self.output_directory,
            num_workers=self.num_threads or os.cpu_count(),
            **shared,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchiveSettings(FolderSettings, subject="Archives"):
    """The conversion of the official archives, or of unpacked images."""

    num_threads: int = setting(
        0,
        "Processes that write shards; 0 means one per CPU.",
        at_least=0,
        subject="Conversion",
    )
    source: str | None = setting(
        None, "Folder or base URL of all archives, instead of raw-data.", common=True
    )
    base_url: str = setting(
        "https://image-net.org/data/ILSVRC/2012/",
        "Where to download missing archives from, with a login.",
    )
    archive_checksums: str = setting(
        "on",
        "Whether the archives must be the official ones; off converts a subset of them.",
        choices=("on", "off"),
    )
    runner: str = setting(
        "processes",
        "What writes the shards: processes of this machine, or a pipeline of Apache Beam, which has"
        " a lock of its own, third_party/python/beam.lock.",
        choices=("processes", "beam"),
    )
    beam_args: str = setting(
        "", "Options of the pipeline, as Beam writes them: '--runner=DirectRunner'."
    )
    bounding_boxes: bool = setting(True, "Read the archive of bounding boxes.")
    verify: str | None = setting(
        None,
        "Check the converted files and convert nothing.",
        choices=VERIFY,
        alone="files",
        common=True,
    )
