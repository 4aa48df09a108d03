"""Which images are meant: files, folders, patterns, and what comes from standard input."""

import glob
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from datasets.converters.labelled_files import IMAGE_SUFFIXES
from slim_internal.ground.errors import UserError
from slim_internal.ground.images import header
from slim_internal.parts.reports.phrases import count

_LOG = logging.getLogger(__name__)

STANDARD_INPUT = "-"


def find(
    arguments: Sequence[str], on_error: Callable[[UserError], None] | None = None
) -> dict[str, bytes | None]:
    """Returns the images that the user's arguments mean, in their order, each once.

    Args:
      arguments: Files; folders, whose images are found at any depth; patterns such as `a/**/*.jpg`
        that the shell has not expanded; `-` for standard input, which holds an image, or the names
        of files, one a line.
      on_error: Called for an argument that means no image, which is left out then.

    Returns:
      Path -> the contents, where they are read already, or None. Paths that do not exist are among
      them: to read them tells what is wrong.

    Raises:
      UserError: If an argument means no image and there is no `on_error`, or none means one.
    """
    found: dict[str, bytes | None] = {}
    problem: UserError | None = None
    for argument in arguments:
        try:
            if argument == STANDARD_INPUT:
                found.update(_from_standard_input())
            else:
                found.update(dict.fromkeys(_expanded(argument)))
        except UserError as error:
            if on_error is None:
                raise
            on_error(error)
            problem = error
    if problem and not found:
        raise problem
    return found


def _expanded(argument: str) -> Iterator[str]:
    if os.path.isdir(argument):
        yield from _in_folder(argument)
    elif glob.has_magic(argument) and not os.path.lexists(argument):
        matches = sorted(glob.glob(argument, recursive=True))
        if not matches:
            raise UserError(f"No file matches {argument!r}.")
        yield from (match for match in matches if not os.path.isdir(match))
    else:
        yield argument


def _in_folder(folder: str) -> list[str]:
    images, others = [], 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(IMAGE_SUFFIXES):
                images.append(os.path.join(parent, name))
            else:
                others += 1
    if others:
        skipped = count(others, "file")
        _LOG.info("Skipped %s without an image extension in %s", skipped, folder)
    if not images:
        raise UserError(
            f"{folder} holds no image: no name in it ends in {', '.join(IMAGE_SUFFIXES)}."
        )
    return images


def _from_standard_input() -> dict[str, bytes | None]:
    content = sys.stdin.buffer.read()
    if header.kind(content):
        return {STANDARD_INPUT: content}
    names = [os.fsdecode(line) for line in content.splitlines() if line.strip()]
    if not names:
        raise UserError("Standard input is empty; it holds an image, or names of files.")
    return dict.fromkeys(names)
