"""The manifest of a converted dataset: what its files hold, written after all of them.

A folder with a manifest is a complete set, and its own authority on split sizes and class names.
A folder with a journal instead (`journal`) is a conversion that has not ended. A folder with
neither was written by the original library, and is taken at its word with a warning.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from datasets.storage import tfrecords
from slim_internal.ground.errors import UserError
from slim_internal.ground.errors.escaping import escaped
from slim_internal.ground.files import atomic, json_objects
from slim_internal.ground.files.json_objects import DamageError
from slim_internal.ground.progress import reporting

FILENAME = "manifest.json"

# Raised whenever the same inputs give other bytes than before.
WRITER_VERSION = 1

_MOST = 10**12  # Records or bytes of a file.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shard:
    """One file of a converted dataset.

    Attributes:
      name: File name in the folder of the dataset.
      split: The split it belongs to.
      records: Number of records.
      bytes: Size of the file.
      checksum: See `tfrecords.Contents`.
      inputs: Digest of everything the bytes were made from: a shard with the same inputs need
        not be written again.
      problems: [file, fault, action] of each input that was not taken as it was.
    """

    name: str
    split: str
    records: int
    bytes: int
    checksum: str
    inputs: str = ""
    problems: tuple[tuple[str, str, str], ...] = ()

    @property
    def contents(self) -> tfrecords.Contents:
        """What the file must contain."""
        return tfrecords.Contents(self.records, self.bytes, self.checksum)

    @classmethod
    def from_json(cls, fields: Any, place: str = "") -> "Shard":
        """Returns the shard that `dataclasses.asdict` and JSON made these fields from.

        Raises:
          DamageError: They are not those of a shard.
        """
        shard = json_objects.build(cls, fields, place)
        start = f"{place}." if place else ""
        if shard.name in ("", ".", "..") or "/" in shard.name:
            raise DamageError(f"{start}name must be that of a file beside it; got {shard.name!r}")
        for name in ("name", "split"):
            _require_name(getattr(shard, name), start + name)
        for name in ("records", "bytes"):
            if not 0 <= getattr(shard, name) <= _MOST:
                got = getattr(shard, name)
                raise DamageError(f"{start}{name} must be from 0 to {_MOST}; got {got}")
        return shard


def _require_name(text: str, place: str) -> None:
    """Raises `DamageError` if a text is not one that messages may show as it is."""
    if not text:
        raise DamageError(f"{place} is empty")
    if escaped(text) != text:
        raise DamageError(f"{place} must be a name; got {text!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything that is known of a complete set.

    Attributes:
      dataset: Name of its record.
      class_names: Name of each class by label.
      shards: Its files, by name.
      options: What the user chose that shaped the bytes: seed, number of shards, ...
      left_out: Extension -> number of files that were found and not taken for images.
      writer_version: `WRITER_VERSION` of the program that wrote it.
    """

    dataset: str
    class_names: tuple[str, ...]
    shards: tuple[Shard, ...]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    writer_version: int = WRITER_VERSION

    @property
    def splits(self) -> dict[str, int]:
        """Split -> number of examples."""
        sizes: dict[str, int] = {}
        for shard in self.shards:
            sizes[shard.split] = sizes.get(shard.split, 0) + shard.records
        return sizes

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


def write(dataset_dir: str | os.PathLike, manifest: Manifest) -> None:
    """Writes the manifest, which declares the set complete."""
    fields = dataclasses.asdict(manifest) | {"splits": manifest.splits}
    atomic.write(pathlib.Path(dataset_dir, FILENAME), json.dumps(fields, indent=1) + "\n")


def read(dataset_dir: str | os.PathLike) -> Manifest | None:
    """Returns the manifest of a folder, or None if it has none.

    Raises:
      UserError: There is one but it cannot be understood.
    """
    path = pathlib.Path(dataset_dir, FILENAME)
    try:
        return _checked(json_objects.read(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DamageError as error:
        raise UserError(
            f"{path} is damaged ({error}), so nothing says what the files beside it hold. Empty "
            "the folder and convert the dataset again."
        ) from error


def _checked(fields: dict[str, Any]) -> Manifest:
    """Returns the manifest that a file holds; fields that a later version has are passed over."""
    splits = fields.pop("splits", None)
    known = {field.name for field in dataclasses.fields(Manifest)}
    found = json_objects.build(Manifest, {k: v for k, v in fields.items() if k in known})
    for index, shard in enumerate(fields["shards"]):
        Shard.from_json(shard, f"shards[{index}]")
    _require_name(found.dataset, "dataset")
    if not found.class_names or not found.shards:
        empty = next(name for name in ("class_names", "shards") if not fields[name])
        raise DamageError(f"{empty} is empty")
    names = [shard.name for shard in found.shards]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DamageError(f"{twice!r} is listed twice")
    if splits not in (None, found.splits):
        raise DamageError(f"splits must be {found.splits} by its shards; got {splits!r:.80}")
    return found


def require_options(
    dataset_dir: str | os.PathLike, manifest: Manifest, wanted: Mapping[str, Any]
) -> None:
    """Raises `UserError` if a set was made with other options than those that are wanted."""
    if manifest.options != wanted:
        raise UserError(
            f"{os.fspath(dataset_dir)} holds {manifest.dataset} made with "
            f"{_as_flags(manifest.options)}, not {_as_flags(wanted)}. Choose another folder, or "
            "remove the converted files from this one to make it anew."
        )


def _as_flags(options: Mapping[str, Any]) -> str:
    return " ".join(f"--{name}={value}" for name, value in options.items())


def check(dataset_dir: str | os.PathLike, manifest: Manifest, split: str) -> None:
    """Compares the files of a split with the manifest as far as that is possible at no cost.

    Raises:
      UserError: A file is missing or has another size; the message names each.
    """
    faults = []
    for shard in manifest.shards:
        path = pathlib.Path(dataset_dir, shard.name)
        if shard.split != split:
            continue
        size = path.stat().st_size if path.exists() else None
        if size is None:
            faults.append(f"{shard.name} is missing")
        elif size != shard.bytes:
            faults.append(f"{shard.name} has {size} bytes instead of {shard.bytes}")
    if faults:
        raise UserError(
            f"{os.fspath(dataset_dir)} does not match its {FILENAME}: {'; '.join(faults)}. "
            "Convert the dataset again: only the damaged files are rebuilt."
        )


def damage(dataset_dir: str | os.PathLike, shard: Shard) -> str | None:
    """Reads a whole shard and says what is wrong with it, or None if nothing is."""
    path = pathlib.Path(dataset_dir, shard.name)
    try:
        found = tfrecords.scan(path)
    except UserError as error:
        return str(error)
    if found.records != shard.records:
        first = min(found.records, shard.records)
        return f"{path}: record {first} differs: {found.records} records, not {shard.records}."
    if found != shard.contents:
        return f"{path}: its records are intact but are not those that were written."
    return None


def inspect(
    dataset_dir: str | os.PathLike,
    shards: Sequence[Shard],
    progress: reporting.Progress = reporting.silent,
) -> Iterator[tuple[Shard, str | None]]:
    """Re-reads shards and yields each with what is wrong with it, or None if nothing is.

    Args:
      dataset_dir: Folder of the set.
      shards: The files to read.
      progress: Called as files are read.
    """
    total = sum(shard.bytes for shard in shards)
    with reporting.Meter(progress, "Checked", total=total) as meter:
        for shard in shards:
            yield shard, damage(dataset_dir, shard)
            meter.advance(shard.bytes)


def verify(
    dataset_dir: str | os.PathLike, progress: reporting.Progress = reporting.silent
) -> Iterator[str]:
    """Re-reads every shard of a set and yields a sentence for each that is damaged.

    Args:
      dataset_dir: Folder of the set.
      progress: Called as files are read.

    Raises:
      UserError: The folder has no manifest to compare with.
    """
    manifest = read(dataset_dir)
    if manifest is None:
        raise UserError(f"{os.fspath(dataset_dir)} has no {FILENAME} to verify its files against.")
    faults = (fault for _, fault in inspect(dataset_dir, manifest.shards, progress))
    yield from filter(None, faults)
