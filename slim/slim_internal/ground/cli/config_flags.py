"""Flags from a frozen dataclass, so that a setting is declared once.

The fields of the dataclass give names, types and defaults; the "Attributes:" section of its
docstring gives the help texts. A library takes the dataclass and never sees a flag.
"""

import dataclasses
import inspect
import os
import re
import types
import typing
from collections.abc import Callable

from absl import flags

flags.disclaim_key_flags()  # Flags defined here belong to the script that calls `define`.

_DEFINE: dict[type, Callable[..., typing.Any]] = {
    bool: flags.DEFINE_bool,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    str: flags.DEFINE_string,
}


def define(config_class: type, flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one flag for each field of a dataclass.

    Args:
      config_class: A dataclass whose fields are bool, int, float or str, or one of these | None.
      flag_values: Where to define them.
    """
    helps = attribute_docs(config_class)
    field_types = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        define_flag = _DEFINE[_plain_type(field_types[field.name])]
        define_flag(field.name, field.default, helps[field.name], flag_values=flag_values)


def read(config_class: type, flag_values: flags.FlagValues = flags.FLAGS) -> typing.Any:
    """Returns an instance of the dataclass with the values that the user gave.

    A shell leaves the `~` in `--dataset_dir=~/data` to the program.
    """
    names = [field.name for field in dataclasses.fields(config_class)]
    values = {name: flag_values[name].value for name in names}
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    return config_class(**values | {name: os.path.expanduser(texts[name]) for name in texts})


def attribute_docs(config_class: type) -> dict[str, str]:
    """Returns the text that the class's docstring has for each of its attributes."""
    _, _, section = inspect.getdoc(config_class).partition("Attributes:\n")
    entries = re.findall(r"^  (\w+): (.*(?:\n {4}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _plain_type(annotation: typing.Any) -> type:
    """Returns T for both T and `T | None`."""
    if isinstance(annotation, types.UnionType):
        (annotation,) = (part for part in annotation.__args__ if part is not types.NoneType)
    return annotation
