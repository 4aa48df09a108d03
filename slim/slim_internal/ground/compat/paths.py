"""Paths that mean themselves, where TensorFlow would take them for patterns.

TensorFlow looks for a checkpoint by matching its name against the files that are there. A folder
named `run[1]` is therefore not found, and `birds*` may turn out to be another one.
"""

import atexit
import functools
import itertools
import os
import re
import tempfile

_SPECIAL = re.compile(r"[*?\[\\]")


def literal_pattern(path: str) -> str:
    """Returns the pattern that only `path` matches."""
    return _SPECIAL.sub(r"\\\g<0>", path)


def meant_by(pattern: str) -> str:
    """Returns the path of which `literal_pattern` made a pattern."""
    return re.sub(r"\\(.)", r"\1", pattern)


def literal_checkpoint(path: str) -> str:
    """Returns a name of a checkpoint that TensorFlow does not take for a pattern.

    Args:
      path: The name that the files of a checkpoint have in common.

    Returns:
      `path` if nothing in it is special; else a name for the same files by way of a link that
      goes when the process ends.
    """
    folder, name = os.path.split(path)
    if _SPECIAL.search(name):
        return _linked_files(folder or ".", name)
    if _SPECIAL.search(folder):
        return os.path.join(_linked_folder(os.path.abspath(folder)), name)
    return path


@functools.cache
def _links() -> tuple[str, itertools.count]:
    """Returns the folder of this process's links, and the numbers to name them by."""
    folder = tempfile.TemporaryDirectory(prefix="slim-")
    atexit.register(folder.cleanup)
    return folder.name, itertools.count()


def _new_link() -> str:
    folder, numbers = _links()
    return os.path.join(folder, str(next(numbers)))


@functools.cache
def _linked_folder(folder: str) -> str:
    link = _new_link()
    os.symlink(folder, link)
    return link


def _linked_files(folder: str, name: str) -> str:
    """Links the files of a checkpoint one by one; those of today, so nothing is remembered."""
    links = _new_link()
    os.mkdir(links)
    for file in os.listdir(folder):
        if file == name or file.startswith(f"{name}."):
            target = os.path.abspath(os.path.join(folder, file))
            os.symlink(target, os.path.join(links, "checkpoint" + file.removeprefix(name)))
    return os.path.join(links, "checkpoint")
