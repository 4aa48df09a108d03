"""Image files with labels: what goes into which split and shard, and the records of a shard.

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

from datasets.conversion.plan import PlannedShard, Problem, digest, shard_names
from datasets.conversion.settings import Conversion
from datasets.converters import bad_images
from datasets.storage import example
from slim_internal.ground.images import prepare, reading
from slim_internal.ground.images.image import BadImageError, EncodedImage
from slim_internal.ground.progress import reporting

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


@dataclasses.dataclass(frozen=True)
class LabelledFile:
    """One image of a dataset.

    Attributes:
      path: Relative to the folder of images, with forward slashes.
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


def is_image(path: str) -> bool:
    """Returns whether a file calls itself an image."""
    return path.lower().endswith(IMAGE_SUFFIXES)


def digests(root: str | os.PathLike, paths: Sequence[str]) -> dict[str, str]:
    """Returns path -> digest of the content of each file; of nothing, if it cannot be read.

    Reading all images once more is quick beside decoding them, and nothing less shows whether
    what an earlier run wrote was made from the same.
    """

    def digest(path: str) -> str:
        data = b""
        with contextlib.suppress(BadImageError):
            data = reading.read(pathlib.Path(root, path))
        return hashlib.sha256(data).hexdigest()[:16]

    found = {}
    pool = futures.ThreadPoolExecutor()
    try:
        log = reporting.ProgressLog()
        with reporting.Meter(log, "Read", total=len(paths), unit="images") as meter:
            for path, value in zip(paths, pool.map(digest, paths), strict=True):
                found[path] = value
                meter.advance()
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
    own_images: bool,
) -> list[PlannedShard]:
    """Plans the shards of one split, in the order of the files.

    Args:
      root: Folder of the images.
      files: What goes into the split.
      config: Tells what to do with bad images.
      split: Name of the split.
      pattern: File pattern of the dataset, with `%s` for the split and `*` for the shard.
      num_shards: How many files to write.
      own_images: Whether they come from anywhere: they are turned upright, and their records
        say where they came from. Else they are as the publisher meant them.
    """
    names = shard_names((pattern % split).replace("*", "%05d-of-%05d"), num_shards)
    root = os.path.abspath(root)
    return [
        PlannedShard(
            name=name,
            split=split,
            inputs=digest(
                [dataclasses.astuple(file) for file in part], config.on_bad_image, own_images
            ),
            examples=len(part),
            records=functools.partial(_records, root, part, config.on_bad_image, own_images),
        )
        for name, part in zip(names, split_evenly(files, num_shards), strict=True)
    ]


def _records(
    root: str, files: Sequence[LabelledFile], on_bad_image: str, own_images: bool
) -> Iterator[bytes | Problem]:
    policy = prepare.ANYBODYS if own_images else prepare.PUBLISHED
    for file in files:
        path = os.path.join(root, file.path)
        read = functools.partial(reading.read, path)
        for found in bad_images.prepared(read, policy, on_bad_image, name=file.path, place=path):
            yield found if isinstance(found, Problem) else _record(file, found, own_images)


def _record(file: LabelledFile, image: EncodedImage, own_images: bool) -> bytes:
    features = []
    if own_images:
        features = [example.bytes_feature("image/filename", os.fsencode(file.path))]
    return example.image_example(
        image.encoded,
        image.format.encode(),
        image.height,
        image.width,
        file.label,
        *features,
    )
