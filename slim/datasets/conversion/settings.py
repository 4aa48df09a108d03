"""What a user can choose about a conversion; imports nothing, for `--help` is not to wait."""

import dataclasses
import os

# Folder inside `dataset_dir` that archives wait in until the data set is complete.
DOWNLOADS = ".downloads"

_COCO = "http://images.cocodataset.org"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Conversion:
    """What to convert, from where and how.

    Attributes:
      dataset_name: Name of the data set.
      dataset_dir: Folder to write into.
      source: Folder or base URL to take the archives from instead of the published places; for
        `image_folder` the folder of pictures.
      archive_checksums: Whether archives must have the published size and digest: "on" or "off".
      num_workers: Most processes that write shards; 0 means one per processor.
      seed: Decides what goes into which split and in which order.
      num_shards: Files per split; by default as many as suit the data set.
      validation_fraction: Share of each class that goes into the validation split, 0..1.
      labels_csv: File of `path,label,split` lines that replaces the class folders.
      on_bad_image: What to do with a picture that cannot be read: "error", "skip" or "repair".
      max_bad_images: How many skipped and repaired pictures are acceptable.
      small_object_area_threshold: Share of the picture that an object must exceed, 0..1.
      foreground_class_of_interest: COCO category that the positive class stands for.
      coco_dirname: Folder inside `dataset_dir` that the COCO archives go into.
      coco_annotations_url: Where to get the COCO annotations.
      coco_train_url: Where to get the COCO training pictures.
      coco_validation_url: Where to get the COCO validation pictures.
    """

    dataset_name: str | None = None
    dataset_dir: str | None = None
    source: str | None = None
    archive_checksums: str = "on"
    num_workers: int = 0
    seed: int = 0
    num_shards: int | None = None
    validation_fraction: float = 0.2
    labels_csv: str | None = None
    on_bad_image: str = "error"
    max_bad_images: int = 1000
    small_object_area_threshold: float = 0.005
    foreground_class_of_interest: str = "person"
    coco_dirname: str = "coco_dataset"
    coco_annotations_url: str = f"{_COCO}/annotations/annotations_trainval2014.zip"
    coco_train_url: str = f"{_COCO}/zips/train2014.zip"
    coco_validation_url: str = f"{_COCO}/zips/val2014.zip"

    @property
    def downloads(self) -> str:
        """Where archives are put, inside `dataset_dir`; COCO's 19 GB stay there for another try."""
        return os.path.join(self.dataset_dir, self.downloads_name)

    @property
    def downloads_name(self) -> str:
        """The part of `downloads` below `dataset_dir`."""
        return self.coco_dirname if self.dataset_name == "visualwakewords" else DOWNLOADS
