"""Picture files with labels: what goes into which split and shard, and the records of a shard.

Order and split follow a digest of seed and path, never a listing or a generator's state: the same
files give the same bytes on every machine, and a new file moves few of the others.
"""

import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Iterator, Sequence

from datasets import builder, serialization
from datasets.conversion_options import Conversion
from datasets.converters import pictures
from datasets.imagenet_conversion.image_header import BadPictureError
from errors import UserError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


@dataclasses.dataclass(frozen=True)
class LabelledFile:
    """One picture of a data set.

    Attributes:
      path: Relative to the folder of pictures, with forward slashes.
      label: Number of its class.
      size: Bytes.
    """

    path: str
    label: int
    size: int


def shuffled(files: Sequence[LabelledFile], seed: int) -> list[LabelledFile]:
    """Returns the files in the order that the seed gives them."""

    def key(file: LabelledFile) -> bytes:
        return hashlib.sha256(b"%d/" % seed + os.fsencode(file.path)).digest()

    return sorted(files, key=key)


def split_evenly(items: Sequence, parts: int) -> list[Sequence]:
    """Cuts a sequence into runs of equal length, of which only the last ones may be shorter."""
    length = -(-len(items) // parts)
    return [items[length * part : length * (part + 1)] for part in range(parts)]


def walk(root: str | os.PathLike) -> Iterator[tuple[str, int]]:
    """Yields path, relative and with forward slashes, and size of each picture below a folder.

    Hidden files and folders are left out; linked folders are followed, once each.
    """
    root, seen = pathlib.Path(root), set()

    def fail(error: OSError):
        raise error

    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=fail):
        if os.path.realpath(folder) in seen:
            subfolders.clear()
            continue
        seen.add(os.path.realpath(folder))
        subfolders[:] = [name for name in subfolders if not name.startswith((".", "__MACOSX"))]
        for name in names:
            if name.lower().endswith(PICTURE_SUFFIXES) and not name.startswith("."):
                path = pathlib.Path(folder, name)
                yield path.relative_to(root).as_posix(), path.stat().st_size


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
        data = pathlib.Path(root, file.path).read_bytes()
        try:
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


def _repaired(data: bytes, own_pictures: bool) -> pictures.Picture | None:
    try:
        return pictures.prepare(data, turn=own_pictures, repair=True)
    except BadPictureError:
        return None


def _record(file: LabelledFile, picture: pictures.Picture, own_pictures: bool) -> bytes:
    features = []
    if own_pictures:
        features = [serialization.bytes_feature("image/filename", os.fsencode(file.path))]
    return serialization.image_example(
        picture.encoded,
        picture.format.encode(),
        picture.height,
        picture.width,
        file.label,
        *features,
    )
