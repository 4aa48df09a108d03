"""Converts Visual Wake Words from the archives of COCO 2014, which are read without unpacking."""

import contextlib
import dataclasses
import functools
import pathlib
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from datasets.conversion.plan import Fetch, Plan, PlannedShard, Problem, digest, shard_names
from datasets.conversion.settings import Conversion
from datasets.converters import bad_images, coco
from datasets.record import DatasetRecord
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import json_objects
from slim_internal.ground.images import prepare
from slim_internal.ground.images.image import BadImageError, EncodedImage

_NUM_SHARDS = {"train": 100, "val": 10}
# As the original wrote them: nothing but JPEG, never turned, for boxes are not.
_POLICY = dataclasses.replace(prepare.PUBLISHED, kept=("JPEG",))


def plan(record: DatasetRecord, config: Conversion, fetch: Fetch) -> Plan:
    """Plans 100 shards of training images and 10 of validation images."""
    remotes = [
        dataclasses.replace(remote, name=_file_name(flag, url), urls=(url,))
        for remote, (flag, url) in zip(
            record.sources,
            {
                "coco_annotations_url": config.coco_annotations_url,
                "coco_train_url": config.coco_train_url,
                "coco_validation_url": config.coco_validation_url,
            }.items(),
            strict=True,
        )
    ]
    annotations, *archives_of_images = map(fetch, remotes)
    shards = []
    for archive, (split, num_shards) in zip(archives_of_images, _NUM_SHARDS.items(), strict=True):
        labelled = _labelled(annotations, f"annotations/instances_{split}2014.json", config)
        checksums = _checksums(archive)
        names = shard_names(f"{split}.record-%05d-of-%05d", num_shards)
        for index, name in enumerate(names):
            images = labelled["images"][index::num_shards]
            objects = [labelled["annotations"][str(image["id"])] for image in images]
            shards.append(
                PlannedShard(
                    name=name,
                    split=split,
                    inputs=digest(
                        [checksums.get(f"{split}2014/{image['file_name']}") for image in images],
                        *(images, objects, config.on_bad_image),
                    ),
                    examples=len(images),
                    records=functools.partial(
                        _records, archive, f"{split}2014", images, objects, config.on_bad_image
                    ),
                )
            )
    return Plan(
        dataset="visualwakewords",
        class_names=("background", config.foreground_class_of_interest),
        shards=tuple(shards),
        needed_bytes=sum(pathlib.Path(path).stat().st_size for path in archives_of_images),
        max_problems=config.max_bad_images,
    )


@contextlib.contextmanager
def _opened(archive: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise UserError(f"{archive} is damaged or another archive: {error}.") from error


def _checksums(archive: str) -> dict[str, int]:
    """Returns the checksum of each file of an archive, by which another archive is noticed."""
    with _opened(archive) as opened:
        return {member.filename: member.CRC for member in opened.infolist()}


def _labelled(archive: str, member: str, config: Conversion) -> dict[str, Any]:
    with _opened(archive) as opened, opened.open(member) as file:
        try:
            annotations = json_objects.decode(file.read())
        except json_objects.DamageError as error:
            raise UserError(f"{archive}: {member} cannot be used: {error}.") from error
    try:
        return coco.filter_annotations(
            annotations, config.small_object_area_threshold, config.foreground_class_of_interest
        )
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(
            f"{archive}: {member} does not hold annotations as COCO publishes them "
            f"({type(error).__name__}: {error})."
        ) from error


def _file_name(flag: str, url: str) -> str:
    name = urllib.parse.urlsplit(url).path.rpartition("/")[2]
    if not name:
        raise UserError(f"--{flag} must be the URL of a zip archive. Received: {url!r}.")
    return name


def _records(
    archive: str,
    folder: str,
    images: list[Mapping],
    objects: list[Mapping],
    on_bad_image: str,
) -> Iterator[bytes | Problem]:
    with _opened(archive) as opened:
        for entry, labelled in zip(images, objects, strict=True):
            name = f"{folder}/{entry['file_name']}"
            for found in bad_images.prepared(
                functools.partial(opened.read, name),
                _POLICY,
                on_bad_image,
                name=name,
                place=f"{archive}: {name}",
                check=functools.partial(_check_size, entry),
            ):
                is_image = isinstance(found, EncodedImage)
                yield coco.example(entry, labelled, found.encoded) if is_image else found


def _check_size(entry: Mapping, image: EncodedImage) -> None:
    """Refuses an image whose boxes are those of another one."""
    if (image.height, image.width) != (entry["height"], entry["width"]):
        raise BadImageError(
            f"it is {image.width} x {image.height} pixels, its annotation says "
            f"{entry['width']} x {entry['height']}"
        )
