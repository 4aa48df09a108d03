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
from slim_internal.ground.errors import UserError, tables, unknown

# Any module with a function `get_split` can be entered, by a line here or at run time.
datasets_map = tables.unique(
    "dataset_factory.datasets_map",
    (
        (module.RECORD.name, module)
        for module in tuple(globals().values())
        if hasattr(module, "RECORD")
    ),
)

records = {
    name: module.RECORD for name, module in datasets_map.items() if hasattr(module, "RECORD")
}

tables.require_unique_keys(__file__)


def get_record(name: str) -> DatasetRecord:
    """Returns the record of a dataset.

    Raises:
      UserError: No dataset has this name, or it has no record.
    """
    if name not in datasets_map:
        raise unknown("dataset", name, datasets_map)
    record = getattr(datasets_map[name], "RECORD", None)
    if record is None:
        raise UserError(
            f"Of the dataset {name!r} only get_split is known: convert it with a program of its"
            " own, and give --dataset_dir."
        )
    return record


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
    if name not in datasets_map:
        raise unknown("dataset", name, datasets_map)
    get_split = getattr(datasets_map[name], "get_split", None)
    if not callable(get_split):
        raise UserError(
            f"The entry {name!r} of dataset_factory.datasets_map has no function get_split; enter a"
            " module that has one."
        )
    try:
        return get_split(split_name, dataset_dir, file_pattern, reader)
    except UserError:
        raise
    except ValueError as error:  # What the original's modules raise.
        raise UserError(f"Dataset {name!r}: {error}") from error
