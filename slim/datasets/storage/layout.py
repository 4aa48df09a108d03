"""Where the parts of a labeled image stand in an example of any origin, and why one cannot be used.

Many tools write TFRecords. Each names the features in its own way, and each has its own idea of a
label; what is no example of one class is refused with its cause, never taken for the first class.
"""

import dataclasses
import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from google.protobuf import message

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import nearest, raise_if_out_of_memory
from slim_internal.ground.images import header

# What TensorFlow decodes.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WebP")
# Those of them that decode to a clip [frames, height, width, channels], as the original reads them.
CLIPS = ("GIF", "WebP")
# What else programs ask an example for.
DETAILS = {
    "image/filename": "bytes",
    "image/height": "int64",
    "image/source": "bytes",
    "image/width": "int64",
}
_OBJECT_LABEL = "image/object/class/label"
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
HEIGHT, WIDTH = "image/height", "image/width"
_MAX_NAMES = 12  # Of features in a message.
_NUMBER = re.compile(r"\s*-?\d+\s*")


class UnusableExampleError(Exception):
    """Why a record is no labeled image: a phrase that goes on from the name of the record."""


Features = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """The names of the features of a labeled image, and how its label becomes a class.

    Attributes:
      image: Feature with the encoded image.
      format: Feature with its format; only "raw" matters, for the contents tell the others.
      label: Feature with the label: an integer, a whole number as float or text, or a class name.
      text: Feature with the name of the class.
      label_offset: What is subtracted from the label; 1 where labels are counted from 1.
      class_names: Name of each class, for labels that are names.
      num_classes: Number of classes, if it is known.
      raw_channels: Channels of images that are stored as pixels, uint8 [height, width, channels],
        beside their `HEIGHT` and `WIDTH`; None where they are encoded.
    """

    image: str = "image/encoded"
    format: str = "image/format"
    label: str = "image/class/label"
    text: str = "image/class/text"
    label_offset: int = 0
    class_names: tuple[str, ...] = ()
    num_classes: int | None = None
    raw_channels: int | None = None

    def encoded_image(self, features: Features) -> bytes:
        """Returns the bytes of the image; raw pixels where these are wanted.

        Raises:
          UnusableExampleError: If there is none that can be decoded.
        """
        _, values = self._values(features, self.image, "image")
        if not isinstance(values[0], bytes):
            raise UnusableExampleError(
                f"holds pixels as numbers in {self.image!r}, not an encoded image"
            )
        _require_one(self.image, values, "images", "image")
        if not values[0]:
            raise UnusableExampleError(f"holds an empty image in {self.image!r}")
        if self.raw_channels:
            self._require_raw(features, values[0])
            return values[0]
        kind = header.kind(values[0])
        if kind not in FORMATS:
            found = kind or (
                "raw pixels" if text_of(features, self.format).lower() == "raw" else "other bytes"
            )
            raise UnusableExampleError(
                f"holds {found} in {self.image!r}, no encoded image ({', '.join(FORMATS)})"
            )
        return values[0]

    def _require_raw(self, features: Features, pixels: bytes) -> None:
        sides = [side for name in (HEIGHT, WIDTH) for side in features[name].int64_list.value]
        shape = [*sides, self.raw_channels]
        if len(shape) != 3 or min(shape) < 1 or math.prod(shape) != len(pixels):
            raise UnusableExampleError(
                f"holds {len(pixels)} bytes in {self.image!r}; --channels={self.raw_channels} needs"
                f" raw pixels, {HEIGHT} x {WIDTH} x {self.raw_channels} bytes"
            )

    def stored_label(self, features: Features) -> tuple[str, int | str]:
        """Returns the type of the label ("int64", "float", "bytes") and its value as stored.

        Raises:
          UnusableExampleError: If there is none, or several, or it is no whole number or text.
        """
        kind, values = self._values(features, self.label, "label")
        _require_one(self.label, values, "labels", "label")
        (value,) = values
        if kind == "float":
            if not abs(value) < 2**53 or value != int(value):  # A NaN is not below anything.
                raise UnusableExampleError(f"has the label {value}, which is no whole number")
            value = int(value)
        elif kind == "bytes":
            value = value.decode("utf-8", "surrogateescape")
            if not value.strip():
                raise UnusableExampleError(f"has an empty text for a label in {self.label!r}")
        return kind, value

    def class_of(self, stored: int | str) -> int:
        """Returns the class that a stored label means; it may be outside the classes there are.

        Raises:
          UnusableExampleError: If it is the name of no class.
        """
        if stored in self.class_names:
            return self.class_names.index(stored)
        if isinstance(stored, str) and not _NUMBER.fullmatch(stored):
            match = nearest(stored, self.class_names)
            hint = f" (did you mean {match!r}?)" if match is not None else ""
            what = f"the name of no class{hint}" if self.class_names else "text, not a number"
            raise UnusableExampleError(f"has the label {stored!r}, which is {what}")
        return int(stored) - self.label_offset

    def _values(self, features: Features, name: str, part: str) -> tuple[str, list]:
        if name not in features:
            raise UnusableExampleError(_missing(features, name, part, self.label))
        kind = features[name].WhichOneof("kind")
        values = list(getattr(features[name], kind).value) if kind else []
        if not values:
            raise UnusableExampleError(f"has no {part}: its feature {name!r} is empty")
        return _KINDS[kind], values


def text_of(features: Features, name: str) -> str:
    """Returns the first text of a feature, or ""."""
    values = features[name].bytes_list.value if name in features else ()
    return b"".join(values[:1]).decode("utf-8", "replace")


def _require_one(name: str, values: list, parts: str, part: str) -> None:
    if len(values) != 1:
        raise UnusableExampleError(
            f"has {len(values)} {parts} in {name!r}; a classifier needs one {part}"
        )


def _missing(features: Features, name: str, part: str, label: str) -> str:
    if name == label and _OBJECT_LABEL in features:
        return (
            f"has labels of objects ({_OBJECT_LABEL}) and none of the image ({name}), as the Object"
            " Detection API writes it: a classifier needs one label per image"
        )
    names = sorted(features)
    if not names:
        return "holds no feature"
    shown = ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
    match = nearest(name, names)
    hint = f"; perhaps --tfrecord_{part}_key={match} is meant" if match is not None else ""
    return f"has no feature {name!r} for the {part}, but {shown}{hint}"


def features_of(record: bytes) -> Features:
    """Returns the features of a serialized example.

    Raises:
      UnusableExampleError: If it is none.
    """
    try:
        found = tf.train.Example.FromString(record).features.feature
    except message.DecodeError as error:
        raise_if_out_of_memory(error)
        raise UnusableExampleError("is no tf.train.Example") from error
    if not found or "image/encoded" not in found:
        try:
            sequence = tf.train.SequenceExample.FromString(record).feature_lists.feature_list
        except message.DecodeError:
            sequence = ()
        if sequence:
            raise UnusableExampleError("is a SequenceExample (of a clip), not a tf.train.Example")
    return found


def plain(features: Features, names: Mapping[str, str]) -> Collection[str]:
    """Returns which features are absent or hold one value of the type that they are expected to.

    Args:
      features: The features of an example.
      names: Name of a feature -> "bytes", "float" or "int64".
    """
    return [
        name
        for name, kind in names.items()
        if not (given := name in features and features[name].WhichOneof("kind"))
        or (_KINDS[given] == kind and len(getattr(features[name], given).value) == 1)
    ]


def odd_details(features: Features) -> Iterator[str]:
    """Yields for each of `DETAILS` that is of another kind what it is not."""
    for name in sorted(DETAILS.keys() - set(plain(features, DETAILS))):
        what = {"bytes": "text", "int64": "whole number"}[DETAILS[name]]
        yield f"no single {what} in {name!r}"
