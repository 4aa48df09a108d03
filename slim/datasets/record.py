"""The record that declares a dataset: everything the library knows of it, said once.

Each descriptor module (`mnist.py`, `flowers.py`, ...) holds one `RECORD`. The factory, the one
`get_split` body, the converters, the command line and the tests all read it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from slim_internal.ground.downloads.remote_file import RemoteFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertibleDataset:
    """What a converter has to know of a dataset.

    Attributes:
      name: The name in the factory and on the command line.
      file_pattern: Shell pattern of the files of a split; `%s` stands for the split's name.
      splits: Split -> number of examples as published. Empty when only the converted files know
        (`image_folder`). A manifest beside the files always has the last word.
      class_names: Name of each class by label, where the names are fixed.
      sources: The files it is made from, each with its mirrors, size and digest.
      options: The settings of its conversion that have a meaning for it; the others are refused.
    """

    name: str
    file_pattern: str
    splits: Mapping[str, int] = dataclasses.field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    sources: tuple[RemoteFile, ...] = ()
    options: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetRecord(ConvertibleDataset):
    """One dataset that can be converted and read.

    Attributes:
      keys_to_features: How to parse a stored example: feature key -> tf parsing configuration.
      items_to_handlers: What to make of the parsed features: item -> tf_slim item handler.
      items_to_descriptions: Item -> what it is, in words.
      num_classes: Number of classes; None when only the converted files know.
      converter: Module with `plan(record, config, fetch)`, see `datasets.converters`.
      program: The command that converts it, where that is not download_and_convert_data.
    """

    keys_to_features: Mapping[str, Any]
    items_to_handlers: Mapping[str, Any]
    items_to_descriptions: Mapping[str, str]
    num_classes: int | None = None
    converter: str
    program: str = ""
