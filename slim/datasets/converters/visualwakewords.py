"""Converts Visual Wake Words from the archives of COCO 2014, which are read without unpacking."""

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from datasets import builder
from datasets.conversion_options import Conversion
from datasets.converters import coco
from datasets.record import DatasetRecord
from errors import UserError

_NUM_SHARDS = {"train": 100, "val": 10}


def plan(record: DatasetRecord, config: Conversion, fetch: builder.Fetch) -> builder.Plan:
    """Plans 100 shards of training pictures and 10 of validation pictures."""
    annotations, *pictures = (
        fetch(dataclasses.replace(remote, name=url.rpartition("/")[2], urls=(url,)))
        for remote, url in zip(
            record.sources,
            (config.coco_annotations_url, config.coco_train_url, config.coco_validation_url),
            strict=True,
        )
    )
    shards = []
    for archive, (split, num_shards) in zip(pictures, _NUM_SHARDS.items(), strict=True):
        labelled = coco.filter_annotations(
            _annotations(annotations, f"annotations/instances_{split}2014.json"),
            config.small_object_area_threshold,
            config.foreground_class_of_interest,
        )
        names = builder.shard_names(f"{split}.record-%05d-of-%05d", num_shards)
        for index, name in enumerate(names):
            images = labelled["images"][index::num_shards]
            objects = [labelled["annotations"][str(image["id"])] for image in images]
            shards.append(
                builder.PlannedShard(
                    name=name,
                    split=split,
                    inputs=builder.digest(os.path.basename(archive), images, objects),
                    examples=len(images),
                    records=functools.partial(_records, archive, f"{split}2014", images, objects),
                )
            )
    return builder.Plan(
        dataset="visualwakewords",
        class_names=("background", config.foreground_class_of_interest),
        shards=tuple(shards),
        needed_bytes=sum(pathlib.Path(path).stat().st_size for path in pictures),
    )


@contextlib.contextmanager
def _opened(archive: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise UserError(f"{archive} is damaged or another archive: {error}.") from error


def _annotations(archive: str, member: str) -> dict[str, Any]:
    with _opened(archive) as opened, opened.open(member) as file:
        try:
            return json.load(file)
        except ValueError as error:
            raise UserError(f"{archive}: {member} is no JSON: {error}.") from error


def _records(
    archive: str, folder: str, images: list[Mapping], objects: list[Mapping]
) -> Iterator[bytes]:
    with _opened(archive) as opened:
        for image, labelled in zip(images, objects, strict=True):
            data = opened.read(f"{folder}/{image['file_name']}")
            yield coco.example(image, labelled, data)
