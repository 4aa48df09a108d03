"""Tables that people add lines to: a name that stands there twice is an error."""

import ast
import collections
import pathlib
from collections.abc import Iterable
from typing import Any

from slim_internal.ground.errors import UserError


def unique(table: str, pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a table.

    Args:
      table: What it is called in messages: "datasets_map".
      pairs: Its names and entries.

    Raises:
      UserError: If a name stands there twice.
    """
    found: dict[str, Any] = {}
    for name, entry in pairs:
        if name in found:
            raise UserError(
                f"{table} has two entries {name!r}: {_shown(found[name])} and {_shown(entry)}."
                " Give one of them another name."
            )
        found[name] = entry
    return found


def _shown(entry: Any) -> str:
    return getattr(entry, "__name__", None) or repr(entry)


def require_unique_keys(source_file: str) -> None:
    """Requires that no dict that is spelled out in a source file has a key twice.

    Python takes the last one without a word.

    Args:
      source_file: The `__file__` of a module; where it cannot be read, nothing is required.

    Raises:
      UserError: If a key stands twice; the message names the lines.
    """
    try:
        tree = ast.parse(pathlib.Path(source_file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Dict):
            continue
        lines = collections.defaultdict(list)
        for key in node.keys:
            if isinstance(key, ast.Constant):
                lines[key.value].append(key.lineno)
        for name, places in lines.items():
            if len(places) > 1:
                raise UserError(
                    f"{source_file} has the key {name!r} twice in one table, in the lines"
                    f" {' and '.join(map(str, places))}. Remove one of them."
                )
