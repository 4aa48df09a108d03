"""The journal of a conversion that has not ended: what it is going to write and what is written.

Its first line names the dataset and all of its files; every further line is a finished shard. It
gives way to the manifest at the end, so a folder with a journal holds an unfinished set.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import TextIO

from datasets.storage import manifest
from datasets.storage.manifest import Shard
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic, json_objects
from slim_internal.ground.files.json_objects import DamageError

FILENAME = ".conversion.jsonl"


@dataclasses.dataclass(frozen=True)
class Journal:
    """What a run that did not end has noted.

    Attributes:
      dataset: Name of the record of the dataset; "unknown" if the journal does not tell.
      files: Names of all files that it was going to write.
      shards: Name -> shard, of those that it finished.
    """

    dataset: str
    files: frozenset[str]
    shards: Mapping[str, Shard]


@dataclasses.dataclass(frozen=True)
class _Header:
    """The first line."""

    dataset: str
    files: tuple[str, ...]


def begin(
    dataset_dir: str | os.PathLike, dataset: str, files: Iterable[str], shards: Iterable[Shard]
) -> None:
    """Starts a journal, in the place of the one that may be there.

    Args:
      dataset_dir: Folder of the dataset.
      dataset: Name of its record.
      files: Names of all files that are going to be there.
      shards: Those that are there already.
    """
    header = json.dumps({"dataset": dataset, "files": list(files)}) + "\n"
    atomic.write(path(dataset_dir), header + "".join(map(_line, shards)))


def note(journal: TextIO, shard: Shard) -> None:
    """Adds a finished shard to a journal that is open for appending."""
    journal.write(_line(shard))
    journal.flush()


def end(dataset_dir: str | os.PathLike) -> None:
    """Removes the journal, if there is one, of a set that is complete or was not even begun."""
    with contextlib.suppress(OSError):  # The folder may be one that can only be read.
        path(dataset_dir).unlink()


def read(dataset_dir: str | os.PathLike) -> Journal | None:
    """Returns what the journal of a folder says, or None if there is none.

    Raises:
      UserError: There is one that cannot be read.
    """
    try:
        header, *lines = path(dataset_dir).read_bytes().splitlines() or [b""]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"Cannot read {path(dataset_dir)}: {error.strerror}.") from error
    begun, shards = _Header("unknown", ()), {}
    with contextlib.suppress(DamageError):
        begun = json_objects.build(_Header, json_objects.decode(header))
    for line in lines:  # The last one is torn if the run was killed while writing it.
        with contextlib.suppress(DamageError):
            shard = Shard.from_json(json_objects.decode(line))
            shards[shard.name] = shard
    return Journal(begun.dataset, frozenset(map(os.path.basename, begun.files)), shards)


def occupant(dataset_dir: str | os.PathLike) -> str | None:
    """Returns the name of the dataset that a folder holds, whole or in part, or None."""
    found = manifest.read(dataset_dir) or read(dataset_dir)
    return found.dataset if found else None


def path(dataset_dir: str | os.PathLike) -> pathlib.Path:
    """Returns where the journal of a folder is."""
    return pathlib.Path(dataset_dir, FILENAME)


def _line(shard: Shard) -> str:
    return json.dumps(dataclasses.asdict(shard)) + "\n"
