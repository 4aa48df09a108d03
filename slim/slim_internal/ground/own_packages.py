"""Whether the published packages are found where they belong, and no others of their names."""

import base64
import csv
import glob
import hashlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterator

_PUBLISHED = ("datasets", "deployment", "nets", "preprocessing")
_FOLDERS = tuple(f"{name}/" for name in _PUBLISHED)
_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


def require() -> None:
    """Requires that the published packages are those beside the private one.

    Raises:
      ImportError: If another package of the name comes before one of them on the path, or another
        distribution was installed over one of them.
    """
    for name in _PUBLISHED:
        expected = os.path.join(_FOLDER, name, "__init__.py")
        spec = importlib.util.find_spec(name)
        if not os.path.exists(expected) or spec is None or spec.origin is None:
            continue
        if os.path.realpath(spec.origin) != os.path.realpath(expected):
            raise ImportError(_problem(name, spec.origin), name=name)
    for file, distribution in _replaced():
        raise ImportError(
            f"slim needs its own file {file}, but {distribution} was installed over it. Install"
            f" slim again without {distribution}, or give slim an environment of its own."
        )


def _problem(name: str, other: str) -> str:
    expected = os.path.join(_FOLDER, name, "__init__.py")
    return (
        f"slim needs its own package {name}, {expected}, but another one comes before it on the"
        f" path: {other}. Remove it, rename it, or give slim an environment of its own."
    )


def _replaced() -> Iterator[tuple[str, str]]:
    """Yields our files that another distribution has replaced, with its name and version.

    What somebody has edited stays ours, and where slim was installed last all is well.
    """
    records = glob.glob(os.path.join(glob.escape(_FOLDER), "*.dist-info", "RECORD"))
    names = {path: os.path.basename(os.path.dirname(path)) for path in records}
    own = {path for path, name in names.items() if name.startswith("slim-")}
    # Bytecode has none.
    digests = {row[0]: row[1] for path in own for row in _rows(path) if row[1]}
    for path in sorted(set(records) - own if own else ()):
        for file, *_ in _rows(path):
            if file in digests and _digest(os.path.join(_FOLDER, file)) != digests[file]:
                name = names[path].removesuffix(".dist-info").replace("-", " ")
                yield os.path.join(_FOLDER, file), name


def _rows(record: str) -> list[list[str]]:
    """Returns the rows of a RECORD that name files of the published packages."""
    with open(record, encoding="utf-8", newline="") as lines:
        return list(csv.reader(line for line in lines if line.startswith(_FOLDERS)))


def _digest(path: str) -> str:
    """Returns the digest of a file as a RECORD has it; none of a file that is gone."""
    if not os.path.exists(path):
        return ""
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class _Explainer(importlib.abc.MetaPathFinder):
    """Says why a module of ours was not found where another package took the place of its own."""

    def find_spec(self, fullname, path=None, target=None):
        """Finds nothing; nobody else has found the module either.

        Raises:
          ImportError: If it is ours, and the package that was found is not.
        """
        name = fullname.partition(".")[0]
        other = getattr(sys.modules.get(name), "__file__", None)
        ours = os.path.join(_FOLDER, *fullname.split("."))
        if name in _PUBLISHED and other and (os.path.isdir(ours) or os.path.exists(f"{ours}.py")):
            raise ImportError(_problem(name, other), name=fullname)


def explain() -> None:
    """Makes Python say it in one line when a program imports such a module."""
    sys.meta_path.append(_Explainer())


def require_for_program(main_file: str | None) -> None:
    """Does the same; where one of the scripts is run, the problem is one line.

    Args:
      main_file: The file that Python runs.
    """
    try:
        require()
    except ImportError as error:
        folder = os.path.dirname(os.path.realpath(main_file)) if main_file else None
        if folder == os.path.realpath(_FOLDER):
            raise SystemExit(f"error: {error}") from None
        raise
