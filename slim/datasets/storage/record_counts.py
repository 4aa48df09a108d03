"""What files of records of any origin hold: counted by reading them once, and remembered.

What was found stands beside the files in `.tfrecord_counts.json`, where that can be written, and is
believed as long as a file keeps its size and its time.
"""

import collections
import dataclasses
import logging
import os
import pathlib
from collections.abc import Mapping, Sequence
from concurrent import futures
from typing import Any

from datasets.storage import tfrecords
from datasets.storage.layout import (
    DETAILS,
    Layout,
    UnusableExampleError,
    features_of,
    plain,
    text_of,
)
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic, json_objects
from slim_internal.ground.progress import reporting

_LOG = logging.getLogger(__name__)

FILENAME = ".tfrecord_counts.json"
_VERSION = 1

_LABEL_KINDS = {"bytes", "float", "int64"}


@dataclasses.dataclass
class Counts:
    """What one file holds, or several of them together.

    Attributes:
      records: Number of records, each a labeled image.
      labels: Label as it is stored -> number of records. Text stands for itself.
      names: Label as it is stored -> name of the class as it is stored with it.
      kinds: Types of the labels: "int64", "float", "bytes".
      odd_details: Names in `DETAILS` that are of another type in some record.
    """

    records: int = 0
    labels: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    names: dict[int | str, str] = dataclasses.field(default_factory=dict)
    kinds: set[str] = dataclasses.field(default_factory=set)
    odd_details: set[str] = dataclasses.field(default_factory=set)

    def add(self, other: "Counts") -> None:
        """Adds what another file holds."""
        self.records += other.records
        self.labels.update(other.labels)
        self.names = other.names | self.names
        self.kinds |= other.kinds
        self.odd_details |= other.odd_details

    def as_json(self) -> dict[str, Any]:
        """Returns it as plain values."""
        return {
            "records": self.records,
            "labels": [[*item] for item in self.labels.items()],
            "names": [[*item] for item in self.names.items()],
            "kinds": sorted(self.kinds),
            "odd_details": sorted(self.odd_details),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Counts":
        """Returns what `as_json` made plain.

        Raises:
          DamageError: It is something else.
        """
        plain_values = json_objects.build(_Plain, values)
        found = cls(
            records=plain_values.records,
            labels=collections.Counter(dict(plain_values.labels)),
            names=dict(plain_values.names),
            kinds=set(plain_values.kinds),
            odd_details=set(plain_values.odd_details),
        )
        are_labels = all(type(label) in (int, str) for label in (*found.labels, *found.names))
        is_sound = (
            are_labels
            and min(found.labels.values(), default=1) > 0
            and found.records == found.labels.total()
            and found.kinds <= _LABEL_KINDS
            and bool(found.kinds) == bool(found.records)
            and found.odd_details <= DETAILS.keys()
        )
        if not is_sound:
            raise json_objects.DamageError("these are no counts")
        return found


@dataclasses.dataclass(frozen=True)
class _Plain:
    """The fields of `Counts` as JSON holds them."""

    records: int
    labels: tuple[tuple[Any, int], ...]
    names: tuple[tuple[Any, str], ...]
    kinds: tuple[str, ...]
    odd_details: tuple[str, ...]


def count(
    files: Sequence[str], layout: Layout, progress: reporting.Progress = reporting.silent
) -> Counts:
    """Returns what files hold; reads those that are new or have changed.

    Args:
      files: Their paths.
      layout: Where the parts of an example stand.
      progress: Called as they are read.

    Raises:
      UserError: If a file is damaged, or a record is no labeled image; the message names it.
    """
    remembered = {folder: _read(folder) for folder in {os.path.dirname(file) for file in files}}
    stamps = {file: _stamp(file, layout) for file in files}
    found = {
        file: Counts.from_json(entry["counts"])
        for file in files
        if (entry := remembered[os.path.dirname(file)].get(os.path.basename(file)))
        and entry["stamp"] == stamps[file]
    }
    unread = [file for file in files if file not in found]
    if unread:
        found.update(_count_all(unread, layout, progress))
        for folder, entries in remembered.items():
            here = [file for file in unread if os.path.dirname(file) == folder]
            new = {
                os.path.basename(file): {"stamp": stamps[file], "counts": found[file].as_json()}
                for file in here
            }
            _remember(folder, entries | new)
    total = Counts()
    for file in files:
        total.add(found[file])
    return total


def _count_all(
    files: Sequence[str], layout: Layout, progress: reporting.Progress
) -> dict[str, Counts]:
    sizes = [os.path.getsize(file) for file in files]
    pool = futures.ThreadPoolExecutor(os.cpu_count())
    found = {}
    try:
        tasks = [pool.submit(_count, file, layout) for file in files]
        with reporting.Meter(progress, "Counting records:", total=sum(sizes)) as meter:
            for file, size, task in zip(files, sizes, tasks, strict=True):
                found[file] = task.result()
                meter.advance(size)
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C is not to wait for what has not begun.
    return found


def _count(file: str, layout: Layout) -> Counts:
    counts = Counts()
    for number, record in enumerate(tfrecords.read_records(file)):
        try:
            features = features_of(record)
            layout.encoded_image(features)
            kind, label = layout.stored_label(features)
        except UnusableExampleError as error:
            raise UserError(f"{file}: record {number} {error}.") from error
        counts.records += 1
        counts.labels[label] += 1
        counts.kinds.add(kind)
        counts.odd_details |= DETAILS.keys() - set(plain(features, DETAILS))
        if name := text_of(features, layout.text):
            counts.names.setdefault(label, name)
    return counts


def _stamp(file: str, layout: Layout) -> list:
    state = os.stat(file)
    keys = [layout.image, layout.format, layout.label, layout.text]
    raw = [layout.raw_channels] if layout.raw_channels else []
    return [_VERSION, state.st_size, state.st_mtime_ns, *keys, *raw]


def _read(folder: str) -> dict[str, Any]:
    """Returns what is remembered of the files of a folder, by name; nothing of what is damaged."""
    try:
        entries = json_objects.read(pathlib.Path(folder, FILENAME))
        for entry in entries.values():
            Counts.from_json(entry["counts"])
            _ = entry["stamp"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return entries


def _remember(folder: str, entries: Mapping[str, Any]) -> None:
    kept = {name: entries[name] for name in entries if os.path.exists(os.path.join(folder, name))}
    try:
        atomic.write_json(os.path.join(folder, FILENAME), kept)
    except (OSError, UserError):
        _LOG.info("Cannot write to %s: its files will be counted again next time.", folder or ".")
