"""Says which Python files and functions are longer than a reader holds in the head."""

import ast
import pathlib
from collections.abc import Iterator, Sequence

MAX_FILE_LINES = 450
# Tables of cases are longer, and read one case at a time.
MAX_TEST_FILE_LINES = 520
# Of the body alone: a docstring or a published signature may take its room.
MAX_FUNCTION_LINES = 70


def problems(root: pathlib.Path, files: Sequence[pathlib.Path]) -> Iterator[str]:
    """Yields a line for each Python file and each function that is too long.

    Args:
      root: Top of the repository.
      files: Files relative to it; only those in Python are looked at.
    """
    for file in sorted(file for file in files if file.suffix == ".py"):
        text = (root / file).read_text(encoding="utf-8")
        lines = text.count("\n")
        most = MAX_TEST_FILE_LINES if file.name.endswith("_test.py") else MAX_FILE_LINES
        if lines > most:
            yield f"{file}: {lines} lines; at most {most}"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (length := _length(node)) > MAX_FUNCTION_LINES:
                yield (
                    f"{file}:{node.lineno}: the body of {node.name} has {length} lines;"
                    f" at most {MAX_FUNCTION_LINES}"
                )


def _length(function: ast.FunctionDef) -> int:
    """Returns the number of lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0
