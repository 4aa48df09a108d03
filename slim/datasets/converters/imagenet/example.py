"""Serializes the record of an image, with the features that the original converter wrote."""

import functools
import os

from datasets.converters.imagenet.source import Box, Source
from datasets.imagenet_classes import ImagenetClass
from datasets.storage import example
from datasets.storage.example import (
    bytes_feature,
    float_feature,
    int64_feature,
    large_bytes_feature,
)
from slim_internal.ground.images.image import EncodedImage

_CONSTANT_FEATURES = (
    int64_feature("image/channels", 3)
    + bytes_feature("image/colorspace", b"RGB")
    + bytes_feature("image/format", b"JPEG")
)


# Most images share these with many others.


@functools.lru_cache(maxsize=4096)
def _class_features(shows: ImagenetClass) -> bytes:
    return (
        int64_feature("image/class/label", shows.label)
        + bytes_feature("image/class/synset", shows.wordnet_id.encode())
        + bytes_feature("image/class/text", shows.names.encode())
    )


@functools.lru_cache(maxsize=4096)
def _size_features(height: int, width: int) -> bytes:
    return int64_feature("image/height", height) + int64_feature("image/width", width)


@functools.lru_cache(maxsize=4096)
def _box_features(boxes: tuple[Box, ...], label: int) -> bytes:
    xmin, ymin, xmax, ymax = zip(*boxes, strict=True) if boxes else ((),) * 4
    return (
        float_feature("image/object/bbox/xmin", *xmin)
        + float_feature("image/object/bbox/xmax", *xmax)
        + float_feature("image/object/bbox/ymin", *ymin)
        + float_feature("image/object/bbox/ymax", *ymax)
        + int64_feature("image/object/bbox/label", *[label] * len(boxes))
    )


def serialize(source: Source, image: EncodedImage) -> bytes:
    """Returns the record of an image with the features that the original converter wrote.

    Args:
      source: Where the image comes from and what it shows.
      image: The image.
    """
    return example.example(
        _CONSTANT_FEATURES,
        _class_features(source.shows),
        _size_features(image.height, image.width),
        _box_features(source.boxes, source.shows.label),
        bytes_feature("image/filename", os.fsencode(source.filename)),
        *large_bytes_feature("image/encoded", image.encoded),
    )
