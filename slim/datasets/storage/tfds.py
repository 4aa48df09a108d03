"""What TensorFlow Datasets (TFDS) says of the records that it wrote, in files beside them."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from slim_internal.ground.files import json_objects

_FEATURES = "features.json"
_MOST_CLASSES = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of records of TFDS.

    Attributes:
      image: Name of the feature with the image.
      label: Name of the feature with the label.
      num_classes: Number of classes; None if it is not told.
      class_names: Name of each class; empty if they are not told.
    """

    image: str = "image"
    label: str = "label"
    num_classes: int | None = None
    class_names: tuple[str, ...] = ()


def read(folder: str) -> Facts | None:
    """Returns what stands beside the records; None if that is not one image and one label."""
    try:
        features = json_objects.read(pathlib.Path(folder, _FEATURES))["featuresDict"]["features"]
        images = _of_type(features, "Image")
        labels = _of_type(features, "ClassLabel")
        if len(images) != 1 or len(labels) != 1:
            return None
        number = features[labels[0]].get("classLabel", {}).get("numClasses")
        num_classes = None if number is None else int(number)
        if num_classes is not None and not 1 <= num_classes <= _MOST_CLASSES:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    names = _names(folder, labels[0])
    if num_classes is not None and len(names) != num_classes:
        names = ()
    return Facts(images[0], labels[0], num_classes or len(names) or None, names)


def are_keys(features: Mapping[str, Any]) -> bool:
    """Returns whether an example has the features that TFDS gives to most sets of images."""
    return {"image", "label"} <= set(features)


def _of_type(features: Mapping[str, Any], name: str) -> list[str]:
    return [
        feature
        for feature, facts in features.items()
        if str(facts.get("pythonClassName", "")).rpartition(".")[2] == name
    ]


def _names(folder: str, label: str) -> tuple[str, ...]:
    try:
        text = pathlib.Path(folder, f"{label}.labels.txt").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ()
    return tuple(text.splitlines())
