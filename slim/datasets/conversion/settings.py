"""The settings of a conversion; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses
import importlib
import os
from collections.abc import Iterable

from datasets import coco_urls
from slim_internal.ground.settings import Settings, setting

# Folder inside `dataset_dir` that archives wait in until the dataset is complete.
DOWNLOADS = ".downloads"
# What to verify: the files' checksums, or their images too, by decoding each.
VERIFY = ("files", "decode")
ON_BAD_IMAGE = ("error", "skip", "repair")

_WAKE_WORDS = "Visual Wake Words"


def _dataset_names() -> Iterable[str]:
    # By name, for the factory knows the converters, and these their settings; and only to complain,
    # for TensorFlow takes seconds to load.
    return importlib.import_module("datasets.dataset_factory").records


@dataclasses.dataclass(frozen=True, kw_only=True)
class Conversion(Settings, subject="Conversion"):
    """What to convert, from where and how."""

    dataset_name: str | None = setting(
        None,
        "Name of the dataset, such as flowers, mnist or image_folder.",
        required=True,
        choices=_dataset_names,
    )
    dataset_dir: str | None = setting(None, "Folder with the converted dataset.", required=True)
    source: str | None = setting(
        None,
        "Folder or base URL to take the archives from instead of the published places; for"
        " image_folder the folder of images.",
        common=True,
    )
    archive_checksums: str = setting(
        "on", "Whether archives must have the published size and digest.", choices=("on", "off")
    )
    num_workers: int = setting(
        0, "Maximum number of processes that write shards; 0 means one per CPU.", at_least=0
    )
    seed: int = setting(
        0,
        "Seed of the assignment to splits and of the order of the examples.",
        at_least=0,
        at_most=2**32 - 1,
    )
    num_shards: int | None = setting(
        None, "Files per split; as many as suit the dataset unless given.", at_least=1
    )
    validation_fraction: float = setting(
        0.2,
        "Fraction of each class that goes into the validation split.",
        at_least=0,
        at_most=1,
        subject="Own images (image_folder)",
    )
    splits: str | None = setting(
        None,
        "Folders of the splits, where their names do not tell: train:FOLDER,test:FOLDER.",
        subject="Own images (image_folder)",
    )
    folders_are_classes: bool = setting(
        False,
        "Take each folder for a class, even one that looks like a split.",
        subject="Own images (image_folder)",
    )
    labels_csv: str | None = setting(
        None,
        "File of `path,label,split` lines that replaces the class folders.",
        subject="Own images (image_folder)",
    )
    on_bad_image: str = setting(
        "error",
        "What to do with an image that cannot be read: stop, leave it out, or keep what can be"
        " read of it.",
        choices=ON_BAD_IMAGE,
    )
    max_bad_images: int = setting(
        1000, "Maximum number of skipped and repaired images.", at_least=0
    )
    small_object_area_threshold: float = setting(
        0.005,
        "Fraction of the image that an object must exceed.",
        at_least=0,
        at_most=1,
        subject=_WAKE_WORDS,
    )
    foreground_class_of_interest: str = setting(
        "person", "COCO category of the positive class.", subject=_WAKE_WORDS
    )
    coco_dirname: str = setting(
        "coco_dataset", "Folder inside --dataset_dir for the COCO archives.", subject=_WAKE_WORDS
    )
    coco_annotations_url: str = setting(
        coco_urls.ANNOTATIONS,
        "URL of the COCO annotations.",
        subject=_WAKE_WORDS,
    )
    coco_train_url: str = setting(
        coco_urls.TRAIN, "URL of the COCO training images.", subject=_WAKE_WORDS
    )
    coco_validation_url: str = setting(
        coco_urls.VALIDATION, "URL of the COCO validation images.", subject=_WAKE_WORDS
    )

    @property
    def downloads(self) -> str:
        """Where archives are put, inside `dataset_dir`; COCO's 19 GB stay there for another try."""
        return os.path.join(self.dataset_dir, self.downloads_name)

    @property
    def downloads_name(self) -> str:
        """The part of `downloads` below `dataset_dir`."""
        return self.coco_dirname if self.dataset_name == "visualwakewords" else DOWNLOADS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification(Settings, subject="Conversion"):
    """Which converted dataset to verify."""

    dataset_dir: str | None = setting(None, "Folder with the converted dataset.", required=True)
    verify: str | None = setting(
        None,
        "Check the converted files and convert nothing; --dataset_name is not needed.",
        choices=VERIFY,
        alone="files",
        common=True,
    )
