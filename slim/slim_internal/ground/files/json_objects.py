"""Reading JSON objects that this library wrote, whatever has become of the files since.

`decode` gives the fields of an object; `build` makes a dataclass of them once each has the type
that its annotation says. Whatever is wrong is one kind of error with one line of words.
"""

import contextlib
import dataclasses
import functools
import json
import math
import os
import stat
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

_Built = TypeVar("_Built")
_LARGEST = 2**63 - 1


class DamageError(ValueError):
    """A file does not hold the object that it should; the message says why, after its name."""


def read(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the fields of the object that a file holds.

    Raises:
      FileNotFoundError: There is no such file.
      DamageError: It cannot be read, or holds something else.
    """
    try:
        # Without O_NONBLOCK a FIFO would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise DamageError("it is not a regular file")
            return decode(file.read())
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise DamageError("it is a folder") from None
    except OSError as error:
        raise DamageError(f"it cannot be read: {error.strerror}") from error


def decode(content: bytes | str) -> dict[str, Any]:
    """Returns the fields of an object.

    Raises:
      DamageError: It is no JSON, nested too deeply, no object, or has a field twice.
    """
    if not content or content.isspace():
        raise DamageError("it is empty")
    try:
        text = content.decode() if isinstance(content, bytes) else content
        fields = json.loads(text, parse_constant=_refuse, object_pairs_hook=unique)
    except UnicodeDecodeError:
        raise DamageError("it is not UTF-8") from None
    except RecursionError:
        raise DamageError("it is nested too deeply") from None
    except DamageError:
        raise
    except ValueError as error:
        raise DamageError(f"it is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise DamageError("it does not hold an object")
    return fields


def build(kind: type[_Built], fields: Any, place: str = "") -> _Built:
    """Returns the dataclass of which JSON holds the fields.

    Lists become the tuples that the annotations ask for.

    Args:
      kind: The dataclass. Its fields are texts, numbers, dataclasses, tuples and mappings of these.
      fields: What the JSON holds.
      place: Where it stands in a larger object, for the message.

    Raises:
      DamageError: A field is missing, unknown or of another type.
    """
    if not isinstance(fields, dict):
        raise DamageError(f"{place or 'it'} is not an object")
    start = f"{place}." if place else ""
    hints = _hints(typing.cast(Any, kind))
    for name in fields:
        if name not in hints:
            raise DamageError(f"{start}{name} is not known")
    values = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in fields:
            values[field.name] = _value(hints[field.name], fields[field.name], start + field.name)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise DamageError(f"{start}{field.name} is missing")
    return kind(**values)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _value(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value, place)
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, place)
    if origin is tuple:
        return _items(arguments, value, place)
    if origin in (Mapping, dict):
        if not isinstance(value, dict):
            raise DamageError(f"{place} is not an object")
        return {key: _value(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    is_right, words = _SIMPLE[hint]
    if not is_right(value):
        shown = repr(value) if isinstance(value, (str, int, float)) else type(value).__name__
        raise DamageError(f"{place} must be {words}; got {shown[:80]}")
    return value


def _items(arguments: tuple[Any, ...], value: Any, place: str) -> tuple:
    if not isinstance(value, list):
        raise DamageError(f"{place} is not a list")
    if arguments[1:] == (...,):
        arguments = arguments[:1] * len(value)
    if len(value) != len(arguments):
        raise DamageError(f"{place} must have {len(arguments)} items; got {len(value)}")
    return tuple(
        _value(hint, item, f"{place}[{index}]")
        for index, (hint, item) in enumerate(zip(arguments, value, strict=True))
    )


def is_text(value: Any) -> bool:
    """Returns whether a value is a text of which the name of a file can be made."""
    if not isinstance(value, str) or "\0" in value:
        return False
    with contextlib.suppress(UnicodeEncodeError):
        value.encode(errors="surrogateescape")
        return True
    return False


def _is_integer(value: Any) -> bool:
    return type(value) is int and abs(value) <= _LARGEST


def is_number(value: Any) -> bool:
    """Returns whether a value is a finite number of usual size."""
    return _is_integer(value) or (type(value) is float and math.isfinite(value))


_SIMPLE = {
    str: (is_text, "a text"),
    int: (_is_integer, "an integer"),
    float: (is_number, "a number"),
    bool: (lambda value: type(value) is bool, "true or false"),
}


def _refuse(constant: str) -> Any:
    raise DamageError(f"{constant} is not a number")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the fields of an object, for `object_pairs_hook`; none may be there twice."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DamageError(f"{twice!r} is listed twice")
    return fields
