"""The original's entry point to converting CIFAR-10 from Python."""

from datasets.conversion import convert
from datasets.conversion.settings import Conversion


def run(dataset_dir):
    """Downloads CIFAR-10 and converts it into a folder, unless it is there already."""
    convert.convert(Conversion(dataset_name="cifar10", dataset_dir=dataset_dir))
