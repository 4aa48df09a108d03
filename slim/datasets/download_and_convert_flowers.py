"""The original's entry point to converting flowers from Python."""

from datasets import conversion
from datasets.conversion_options import Conversion


def run(dataset_dir):
    """Downloads flowers and converts it into a folder, unless it is there already."""
    conversion.convert(Conversion(dataset_name="flowers", dataset_dir=dataset_dir))
