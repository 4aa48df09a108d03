"""Every dataset by name: the one table that programs, tests and documents read.

A dataset joins by its line among the imports; all else stands in its own record.
"""

from datasets import (  # noqa: F401 - the table: each module with a record is a dataset
    cifar10,
    digits,
    flowers,
    image_folder,
    imagenet,
    mnist,
    visualwakewords,
)
from datasets.record import DatasetRecord
from slim_internal.ground.errors import unknown

datasets_map = {
    module.RECORD.name: module for module in tuple(globals().values()) if hasattr(module, "RECORD")
}

records = {name: module.RECORD for name, module in datasets_map.items()}


def get_record(name: str) -> DatasetRecord:
    """Returns the record of a dataset.

    Raises:
      UserError: No dataset has this name.
    """
    if name not in records:
        raise unknown("dataset", name, records)
    return records[name]


def get_dataset(name, split_name, dataset_dir, file_pattern=None, reader=None):
    """Describes one split of a dataset; see `descriptor.get_split`.

    Args:
      name: Name of the dataset.
      split_name: Name of the split.
      dataset_dir: Folder with the converted files.
      file_pattern: Pattern of the files instead of the dataset's own.
      reader: Class of the TensorFlow reader; TFRecord by default.

    Returns:
      A `slim.dataset.Dataset`.

    Raises:
      UserError: The dataset or the split is unknown, or the files are not what they should be.
    """
    get_record(name)
    return datasets_map[name].get_split(split_name, dataset_dir, file_pattern, reader)
