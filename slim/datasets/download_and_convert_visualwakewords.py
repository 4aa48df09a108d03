"""The original's entry point to converting Visual Wake Words from Python."""

from datasets.conversion import convert
from datasets.conversion.settings import Conversion


def run(dataset_dir, small_object_area_threshold, foreground_class_of_interest):
    """Downloads COCO 2014 and labels its images, unless that is done already.

    Args:
      dataset_dir: Folder to write into.
      small_object_area_threshold: Share of the image that an object must exceed, 0..1.
      foreground_class_of_interest: COCO category that the positive class stands for.
    """
    convert.convert(
        Conversion(
            dataset_name="visualwakewords",
            dataset_dir=dataset_dir,
            small_object_area_threshold=small_object_area_threshold,
            foreground_class_of_interest=foreground_class_of_interest,
        )
    )
