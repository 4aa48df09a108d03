"""Which stored records TensorFlow cannot decode, and which images these are."""

import os
from collections.abc import Iterator
from concurrent import futures
from typing import NamedTuple

from google.protobuf import message

from datasets.storage import layout, tfrecords
from slim_internal.ground.compat import first_cause, slim, tf
from slim_internal.ground.errors import raise_if_out_of_memory
from slim_internal.ground.images import header

_RECORDS_AT_ONCE = 64


class BadRecord(NamedTuple):
    """A record that is no good.

    Attributes:
      number: Its place in the file, from 0.
      name: Name of the image as it is stored, or "".
      fault: What is wrong with it.
    """

    number: int
    name: str
    fault: str


def bad_records(
    decoder: slim.tfexample_decoder.TFExampleDecoder,
    path: str | os.PathLike,
    *,
    num_classes: int | None = None,
    with_details: bool = False,
) -> Iterator[BadRecord]:
    """Decodes all records of a file as training does and yields those that are no good.

    Args:
      decoder: Decodes `image` and `label` of an example.
      path: The file.
      num_classes: How many classes there are, where labels and stored sizes are to be checked too.
      with_details: Whether to look at the kinds of the features that evaluation reads, too.

    Raises:
      DamagedShardError: The file itself cannot be read to its end.
    """
    config = tf.ConfigProto(device_count={"GPU": 0})  # Another program may need its memory.
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        serialized = tf.placeholder(tf.string, [])
        image, label = decoder.decode(serialized, ["image", "label"])
        # Not tf.shape, which knows the answer of some datasets without decoding anything.
        wanted = [tf.raw_ops.Shape(input=image), label]

        def look(record: bytes) -> tuple[str, str]:
            try:
                features = tf.train.Example.FromString(record).features.feature
            except message.DecodeError as error:
                raise_if_out_of_memory(error)
                return "", "it is not a tf.train.Example"
            name = b"".join(features["image/filename"].bytes_list.value).decode("utf-8", "replace")
            try:
                size, number = session.run(wanted, {serialized: record})
            except tf.errors.ResourceExhaustedError:
                raise  # Memory is what lacks, not anything in the record.
            except tf.errors.OpError as error:
                return name, first_cause(error)
            except UnicodeDecodeError:  # TensorFlow quotes the bytes of a strange example.
                return name, "it is not an example of this dataset"
            if len(size) != 3:
                return name, _no_image(features)
            if with_details and (odd := next(layout.odd_details(features), None)):
                return name, f"it has {odd}"
            if num_classes is None:
                return name, ""
            return name, _contradiction(
                features, tuple(size[:2].tolist()), int(number), num_classes
            )

        with futures.ThreadPoolExecutor() as pool:
            for start, records in _batches(path):
                for offset, (name, fault) in enumerate(pool.map(look, records)):
                    if fault:
                        yield BadRecord(start + offset, name, fault)


def _no_image(features: layout.Features) -> str:
    """Returns what an example holds that decodes to something else than an image."""
    (encoded,) = features["image/encoded"].bytes_list.value or (b"",)
    if (kind := header.kind(encoded)) in layout.CLIPS:
        return f"its image is a {kind}, which may be animated; JPEG and PNG are read"
    stated = layout.text_of(features, "image/format")
    return (
        f"its image, {kind or 'of no known format'}, does not decode as 'image/format' {stated!r}"
    )


def _contradiction(features, size: tuple[int, ...], label: int, num_classes: int) -> str:
    """Returns what a record says that is not so, or ""."""
    if not 0 <= label < num_classes:
        return f"its label is {label}, but there are {num_classes} classes"
    stated = tuple(
        number
        for side in ("height", "width")
        for number in features[f"image/{side}"].int64_list.value
    )
    if stated and stated != size:
        return f"it states {stated} pixels (height, width), but its image has {size}"
    return ""


def _batches(path: str | os.PathLike) -> Iterator[tuple[int, list[bytes]]]:
    """Yields runs of records with the number of the first; those before damage, too."""
    start, records = 0, []
    try:
        for record in tfrecords.read_records(path):
            records.append(record)
            if len(records) == _RECORDS_AT_ONCE:
                yield start, records
                start, records = start + len(records), []
    except tfrecords.DamagedShardError:
        yield start, records
        raise
    yield start, records
