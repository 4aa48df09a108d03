"""Small datasets with images, boxes and faults, made for the tests."""

import io
import os
from collections.abc import Iterable, Mapping

import numpy as np
from PIL import Image

from datasets.storage import labels, manifest, tfrecords
from slim_internal.ground.compat import tf


def image(seed: int, width: int = 40, height: int = 30, kind: str = "JPEG") -> bytes:
    """The file of an image that no other seed gives."""
    pixels = np.random.RandomState(seed).randint(0, 255, (3, 4, 3)).astype(np.uint8)
    resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    resized.save(buffer, kind)
    return buffer.getvalue()


def record(encoded: bytes | None, label: int | None, **features) -> bytes:
    """A serialized example; further features by key, "/" written as "__"."""
    values = {f"image/{key.replace('__', '/')}": value for key, value in features.items()}
    values |= {} if encoded is None else {"image/encoded": [encoded]}
    values |= {} if label is None else {"image/class/label": [label]}
    example = tf.train.Example()
    for key, value in values.items():
        feature = example.features.feature[key]
        if isinstance(value[0], bytes):
            feature.bytes_list.value.extend(value)
        elif isinstance(value[0], int):
            feature.int64_list.value.extend(value)
        else:
            feature.float_list.value.extend(value)
    return example.SerializeToString()


def boxes(*corners: tuple[float, float, float, float]) -> dict[str, list[float]]:
    """Features of boxes (xmin, ymin, xmax, ymax)."""
    sides = zip(*corners, strict=True)
    names = ("xmin", "ymin", "xmax", "ymax")
    return {f"object__bbox__{name}": list(side) for name, side in zip(names, sides, strict=True)}


def write(
    folder: str | os.PathLike,
    shards: Mapping[str, Iterable[bytes]],
    class_names: Iterable[str] = ("cat", "dog"),
    *,
    with_manifest: bool = True,
) -> None:
    """Writes a dataset; the split of a shard is its name up to the first hyphen."""
    os.makedirs(folder, exist_ok=True)
    class_names = tuple(class_names)
    entries = []
    for name, records in shards.items():
        contents = tfrecords.write_shard(os.path.join(folder, name), records)
        entries.append(
            manifest.Shard(
                name=name,
                split=name.partition("-")[0],
                records=contents.records,
                bytes=contents.bytes,
                checksum=contents.checksum,
            )
        )
    labels.write_label_file(dict(enumerate(class_names)), folder)
    if with_manifest:
        complete = manifest.Manifest(dataset="pets", class_names=class_names, shards=tuple(entries))
        manifest.write(folder, complete)
