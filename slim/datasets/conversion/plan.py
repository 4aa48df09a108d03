"""What a conversion is going to write: the plan that a converter makes and `write` carries out.

A plan names every shard and gives it a digest of what its bytes are made from.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from datasets.storage import manifest
from slim_internal.ground.downloads.remote_file import RemoteFile

# Gets an archive of the dataset and returns its path.
Fetch = Callable[[RemoteFile], str]


@dataclasses.dataclass(frozen=True)
class Problem:
    """An input that was not taken as it was.

    Attributes:
      file: Its path.
      fault: What is wrong with it.
      action: What was done: "skipped", "repaired", or "kept" in spite of a remark.
    """

    file: str
    fault: str
    action: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlannedShard:
    """One file to be written.

    Attributes:
      name: Its name in the folder of the dataset.
      split: The split it belongs to.
      inputs: Digest of everything its bytes depend on.
      examples: Number of examples it is made from, for the progress report.
      records: Yields its records in order, and a problem for each input that had one. It is
        sent to another process, so it must be a function of a module or a partial of one.
    """

    name: str
    split: str
    inputs: str
    examples: int
    records: Callable[[], Iterable[bytes | Problem]]


@dataclasses.dataclass(frozen=True)
class ExtraFile:
    """A text file that belongs to the dataset beside its shards.

    Attributes:
      name: Its name in the folder of the dataset.
      text: Its content.
      conflict: What to tell somebody whose own file of that name says something else; it is not
        replaced. Follows the path of the file.
    """

    name: str
    text: str
    conflict: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a conversion is going to write.

    Attributes:
      dataset: Name of the record.
      class_names: Name of each class by label.
      shards: The files.
      options: What the user chose that shaped them; goes into the manifest.
      left_out: Extension -> number of files that are not taken for images; into the manifest.
      extra_files: What is written beside the shards, apart from labels and manifest.
      needed_bytes: About how much disk they take.
      max_problems: How many skipped and repaired inputs are still acceptable.
      examples_per_worker: Fewer than these do not repay the time that a worker process takes to
        start, which is seconds if `records` needs TensorFlow.
      look_at_skipped: Is given the names of all inputs that were skipped, once all is written, and
        says what follows from it.
    """

    dataset: str
    class_names: tuple[str, ...]
    shards: tuple[PlannedShard, ...]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    extra_files: tuple[ExtraFile, ...] = ()
    needed_bytes: int = 0
    max_problems: int | None = None
    look_at_skipped: Callable[[Set[str]], None] | None = None
    examples_per_worker: int = 2000


def shard_names(pattern: str, num_shards: int) -> list[str]:
    """Returns the names that a pattern of two numbers, index and count, gives to the shards."""
    return [pattern % (index, num_shards) for index in range(num_shards)]


def digest(*parts: Any) -> str:
    """Returns a short digest of plain values, for `PlannedShard.inputs`."""
    return hashlib.sha256(json.dumps([manifest.WRITER_VERSION, *parts]).encode()).hexdigest()[:16]
