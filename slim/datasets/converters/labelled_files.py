"""Picture files with labels: what goes into which split and shard, and the records of a shard.

Order and split follow a digest of seed and path, never a listing or a generator's state: the same
files give the same bytes on every machine, and a new file moves few of the others.
"""

import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures

from datasets.conversion import builder
from datasets.conversion.settings import Conversion
from datasets.converters import pictures
from datasets.storage import example
from slim_internal.ground.errors import UserError
from slim_internal.ground.images.header import BadPictureError
from slim_internal.ground.progress import ProgressLog

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


@dataclasses.dataclass(frozen=True)
class LabelledFile:
    """One picture of a data set.

    Attributes:
      path: Relative to the folder of pictures, with forward slashes.
      label: Number of its class.
      digest: See `digests`.
    """

    path: str
    label: int
    digest: str


def shuffled(files: Sequence[LabelledFile], seed: int) -> list[LabelledFile]:
    """Returns the files in the order that the seed gives them."""

    def key(file: LabelledFile) -> bytes:
        return hashlib.sha256(b"%d/" % seed + os.fsencode(file.path)).digest()

    return sorted(files, key=key)


def split_evenly(items: Sequence, parts: int) -> list[Sequence]:
    """Cuts a sequence into runs of equal length, of which only the last ones may be shorter."""
    length = -(-len(items) // parts)
    return [items[length * part : length * (part + 1)] for part in range(parts)]


def walk(root: str | os.PathLike, *, leave_out: Iterable[str] = ()) -> Iterator[str]:
    """Yields the path of each file below a folder, relative and with forward slashes.

    Hidden files and folders are left out. Linked folders are followed after all others: a file
    that can be reached on several ways is yielded once, and never under the name of a link if it
    has another.

    Args:
      root: The folder.
      leave_out: Folders not to look into.
    """
    root, seen, pending = pathlib.Path(root), set(map(os.path.realpath, leave_out)), [root]

    def fail(error: OSError):
        raise error

    while pending:
        for folder, subfolders, names in os.walk(pending.pop(0), onerror=fail):
            if os.path.realpath(folder) in seen:
                subfolders.clear()
                continue
            seen.add(os.path.realpath(folder))
            subfolders[:] = sorted(filter(is_visible, subfolders))
            linked = (os.path.join(folder, name) for name in subfolders)
            pending += filter(os.path.islink, linked)  # Which this walk does not enter.
            for name in sorted(filter(is_visible, names)):
                yield pathlib.Path(folder, name).relative_to(root).as_posix()


def is_visible(name: str) -> bool:
    """Returns whether a file or folder is meant for people."""
    return not name.startswith((".", "__MACOSX"))


def is_picture(path: str) -> bool:
    """Returns whether a file calls itself a picture."""
    return path.lower().endswith(PICTURE_SUFFIXES)


def digests(root: str | os.PathLike, paths: Sequence[str]) -> dict[str, str]:
    """Returns path -> digest of the content of each file; of nothing, if it cannot be read.

    Reading all pictures once more is quick beside decoding them, and nothing less shows whether
    what an earlier run wrote was made from the same.
    """

    def digest(path: str) -> str:
        data = b""
        with contextlib.suppress(OSError):
            data = pathlib.Path(root, path).read_bytes()
        return hashlib.sha256(data).hexdigest()[:16]

    found = {}
    progress = ProgressLog("Read")
    pool = futures.ThreadPoolExecutor()
    try:
        for path, value in zip(paths, pool.map(digest, paths), strict=True):
            found[path] = value
            progress(len(found), len(paths))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C is not to wait for what has not begun.
    return found


def plan_shards(
    root: str | os.PathLike,
    files: Sequence[LabelledFile],
    config: Conversion,
    *,
    split: str,
    pattern: str,
    num_shards: int,
    own_pictures: bool,
) -> list[builder.PlannedShard]:
    """Plans the shards of one split, in the order of the files.

    Args:
      root: Folder of the pictures.
      files: What goes into the split.
      config: Tells what to do with bad pictures.
      split: Name of the split.
      pattern: File pattern of the data set, with `%s` for the split and `*` for the shard.
      num_shards: How many files to write.
      own_pictures: Whether they come from anywhere: they are turned upright, and their records
        say where they came from. Else they are as the publisher meant them.
    """
    names = builder.shard_names((pattern % split).replace("*", "%05d-of-%05d"), num_shards)
    root = os.path.abspath(root)
    return [
        builder.PlannedShard(
            name=name,
            split=split,
            inputs=builder.digest(
                [dataclasses.astuple(file) for file in part], config.on_bad_image, own_pictures
            ),
            examples=len(part),
            records=functools.partial(_records, root, part, config.on_bad_image, own_pictures),
        )
        for name, part in zip(names, split_evenly(files, num_shards), strict=True)
    ]


def _records(
    root: str, files: Sequence[LabelledFile], on_bad_image: str, own_pictures: bool
) -> Iterator[bytes | builder.Problem]:
    for file in files:
        data = b""
        try:
            data = _read(pathlib.Path(root, file.path))
            picture = pictures.prepare(data, turn=own_pictures)
        except BadPictureError as error:
            if on_bad_image == "error":
                raise UserError(
                    f"{os.path.join(root, file.path)!r} cannot be used: {error}. "
                    "--on_bad_image=skip leaves such pictures out, repair keeps what can be read."
                ) from error
            picture = None
            if on_bad_image == "repair":
                picture = _repaired(data, own_pictures)
            yield builder.Problem(file.path, str(error), "repaired" if picture else "skipped")
        if picture:
            yield _record(file, picture, own_pictures)


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadPictureError(f"it cannot be read: {error.strerror}") from error


def _repaired(data: bytes, own_pictures: bool) -> pictures.Picture | None:
    try:
        return pictures.prepare(data, turn=own_pictures, repair=True)
    except BadPictureError:
        return None


def _record(file: LabelledFile, picture: pictures.Picture, own_pictures: bool) -> bytes:
    features = []
    if own_pictures:
        features = [example.bytes_feature("image/filename", os.fsencode(file.path))]
    return example.image_example(
        picture.encoded,
        picture.format.encode(),
        picture.height,
        picture.width,
        file.label,
        *features,
    )
