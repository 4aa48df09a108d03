"""Every dataset by name: the one table that programs, tests and documents read.

A dataset joins by its line among the imports; all else stands in its own record.
"""

import contextlib
import dataclasses

from datasets import (  # noqa: F401 - the table: each module with a record is a dataset
    any_tfrecords,
    cifar10,
    descriptor,
    digits,
    flowers,
    image_folder,
    imagenet,
    mnist,
    visualwakewords,
)
from datasets.record import DatasetRecord
from datasets.settings import DatasetSettings, TfrecordSettings
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

datasets_map.setdefault(any_tfrecords.NAME, any_tfrecords)

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


def open_split(settings: DatasetSettings, split_name: str):
    """Describes the split of the dataset that the settings of a program name.

    Raises:
      UserError: As `get_dataset`; or if settings are given that the dataset has no use for.
    """
    if of_any_origin(settings):
        return any_tfrecords.open_split(settings, split_name, settings.dataset_dir)
    return get_dataset(settings.dataset_name, split_name, settings.dataset_dir)


def has_split(settings: DatasetSettings, split_name: str) -> bool:
    """Returns whether the dataset that the settings of a program name has a split.

    Raises:
      UserError: No dataset has this name, or the folder does not hold it.
    """
    if of_any_origin(settings):
        with contextlib.suppress(UserError):
            return bool(any_tfrecords.find(settings, split_name, settings.dataset_dir).files)
        return False
    record = getattr(datasets_map.get(settings.dataset_name), "RECORD", None)
    if record is not None:
        return split_name in descriptor.split_names(record, settings.dataset_dir)
    with contextlib.suppress(UserError):
        get_dataset(settings.dataset_name, split_name, settings.dataset_dir)
        return True
    return False


def known_classes(settings: DatasetSettings) -> tuple[int, tuple[str, ...]] | None:
    """Returns the number of classes and their names, if the settings tell; names may be unknown.

    Raises:
      UserError: If they should tell and do not.
    """
    if of_any_origin(settings):
        return any_tfrecords.known_classes(settings, settings.dataset_dir)
    return None


def require_splits_apart(settings: DatasetSettings) -> None:
    """Requires that two splits are not the same files by another name.

    Raises:
      UserError: If a pattern does not tell them apart.
    """
    if of_any_origin(settings) and "%s" not in (settings.tfrecord_pattern or "%s"):
        raise UserError(
            f"--tfrecord_pattern={settings.tfrecord_pattern} is the same for all splits: write %s"
            " where the name of the split stands."
        )


def of_any_origin(settings: DatasetSettings) -> bool:
    """Returns whether the settings mean TFRecords of any origin.

    Raises:
      UserError: If they mean another dataset and say how to read TFRecords of any origin.
    """
    if settings.dataset_name == any_tfrecords.NAME:
        return datasets_map.get(any_tfrecords.NAME) is any_tfrecords
    for field in dataclasses.fields(TfrecordSettings):
        if getattr(settings, field.name) != field.default:
            got = f"; got --dataset_name={settings.dataset_name}" if settings.dataset_name else ""
            raise UserError(f"--{field.name} needs --dataset_name={any_tfrecords.NAME}{got}.")
    return False
