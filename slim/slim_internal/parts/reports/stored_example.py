"""What a stored example says, and whether its image can be read."""

import contextlib
import dataclasses

from PIL import Image

from datasets.storage.layout import (
    CLIPS,
    FORMATS,
    Features,
    Layout,
    UnusableExampleError,
    features_of,
    odd_details,
    text_of,
)
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import raise_if_out_of_memory
from slim_internal.ground.images import header, prepare
from slim_internal.ground.images.image import BadImageError
from slim_internal.parts.reports.thumbnail import Box

_FORMAT = "image/format"
_SIDES = ("xmin", "ymin", "xmax", "ymax")


class DamageError(Exception):
    """What is wrong with an example, in words."""


@dataclasses.dataclass(frozen=True)
class StoredExample:
    """A labeled image as it is stored.

    Attributes:
      encoded: The bytes of the image file.
      label: Number of its class, or None.
      text: Name of its class as stored with it, or "".
      boxes: Where objects are.
      size: Stored (width, height) in pixels, or None.
      filename: Name of the file it was made from, or "".
    """

    encoded: bytes
    label: int | None
    text: str
    boxes: tuple[Box, ...]
    size: tuple[int, int] | None
    filename: str


def parse(record: bytes, layout: Layout | None = None) -> StoredExample:
    """Returns what a record holds; raises `DamageError` if it is no labeled image.

    Args:
      record: The serialized example.
      layout: Where its parts stand, if not where this library puts them.
    """
    if layout is not None:
        return _parse_foreign(record, layout)
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # protobuf's implementations raise different ones.
        raise_if_out_of_memory(error)
        raise DamageError("is no tf.train.Example") from error

    def values(key: str, kind: str) -> list:
        return list(getattr(features[key], kind).value) if key in features else []

    def text(key: str) -> str:
        return b"".join(values(key, "bytes_list")[:1]).decode("utf-8", "replace")

    encoded = values("image/encoded", "bytes_list")
    if not encoded or not encoded[0]:
        raise DamageError("holds no image")
    labels = values("image/class/label", "int64_list")
    for what, found in (("images", encoded), ("labels", labels)):
        if len(found) > 1:
            raise DamageError(f"has {len(found)} {what}; a classifier needs one")
    _check_format(features, encoded[0])
    width, height = (values(f"image/{side}", "int64_list") for side in ("width", "height"))
    corners = [values(f"image/object/bbox/{side}", "float_list") for side in _SIDES]
    if len({len(side) for side in corners}) > 1:
        raise DamageError("has boxes without all four sides")
    return StoredExample(
        encoded=encoded[0],
        label=labels[0] if labels else None,
        text=text("image/class/text"),
        boxes=tuple(zip(*corners, strict=True)),
        size=(width[0], height[0]) if width and height else None,
        filename=text("image/filename"),
    )


def _check_format(features: Features, encoded: bytes) -> None:
    """Raises `DamageError` if programs could not read an example whose image others can decode."""
    kind = header.kind(encoded)
    if kind not in FORMATS:
        what = f"it is {kind}, which is not decoded" if kind else "it is of no known format"
        raise DamageError(f"has an image that cannot be read ({what})")
    if kind in CLIPS:
        raise DamageError(f"has a {kind}, which may be animated; JPEG and PNG are read")
    for odd in odd_details(features):
        raise DamageError(f"has {odd}")
    feature = features.get(_FORMAT)
    given = feature.WhichOneof("kind") if feature else None
    if given and (given != "bytes_list" or len(feature.bytes_list.value) != 1):
        raise DamageError(f"has no single text in {_FORMAT!r}")
    if text_of(features, _FORMAT).lower() == "raw":
        raise DamageError(f"holds an encoded image, but {_FORMAT!r} says raw pixels")


def _parse_foreign(record: bytes, layout: Layout) -> StoredExample:
    try:
        features = features_of(record)
        encoded = layout.encoded_image(features)
        _, label = layout.stored_label(features)
        found = layout.class_of(label)
    except UnusableExampleError as error:
        raise DamageError(str(error)) from error
    if found < 0 or found >= (layout.num_classes or found + 1):
        raise DamageError(f"has the label {label}, which no class has")
    return StoredExample(
        encoded=encoded,
        label=found,
        text=text_of(features, layout.text),
        boxes=(),
        size=None,
        filename=text_of(features, "image/filename"),
    )


def open_image(encoded: bytes, *, decode: bool = True) -> Image.Image:
    """Returns an image; raises `DamageError` if it cannot be read.

    Args:
      encoded: The bytes of its file.
      decode: Whether to decode its pixels, which finds damage that header and end do not show.
    """
    try:
        return prepare.open_checked(encoded, decode=decode)
    except BadImageError as error:
        raise DamageError(f"has an image that cannot be read ({error})") from error


def faults(example: StoredExample, image: Image.Image, class_names: dict[int, str]) -> list[str]:
    """Returns what is wrong with an example whose image is good."""
    found = []
    if example.label is None:
        found.append("has no label")
    elif class_names and example.label not in class_names:
        found.append(f"has the label {example.label}, which no class has")
    if example.size not in (None, image.size):
        stored, actual = ("x".join(map(str, size)) for size in (example.size, image.size))
        found.append(f"says {stored} pixels but its image has {actual}")
    for box in example.boxes:
        xmin, ymin, xmax, ymax = box
        if not (0 <= xmin < xmax <= 1 and 0 <= ymin < ymax <= 1):
            shown = ", ".join(f"{side:.3f}" for side in box)
            found.append(f"has a box that is empty or outside the image ({shown})")
    with contextlib.suppress(BadImageError):  # Damaged data, where only headers are looked at.
        remark = prepare.remark_on(example.encoded)
        found += [f"has an odd image ({remark})"] * bool(remark)
    return found
