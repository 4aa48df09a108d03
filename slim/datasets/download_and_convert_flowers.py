"""The original's entry point to converting flowers from Python."""

from datasets.conversion import convert
from datasets.conversion.settings import Conversion


def run(dataset_dir):
    """Downloads flowers and converts it into a folder, unless it is there already."""
    convert.convert(Conversion(dataset_name="flowers", dataset_dir=dataset_dir))
