"""Finds the damaged record or the file that is gone behind an error of an input pipeline."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence

from datasets.descriptor import data_files
from datasets.storage import decoding, tfrecords
from deployment import sessions
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError

_LABELS_AT_ONCE = 1024

# What reading or decoding a damaged record ends in, or opening a file that was there before.
# (UnicodeDecodeError: TensorFlow quotes the bytes that it takes for an example.)
DAMAGE_ERRORS = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    UnicodeDecodeError,
)


class LabelsOutsideError(UserError):
    """Labels that the network has no class for.

    Args:
      message: What is wrong.
      num_classes: Number of classes of the network.
      labels_offset: What is subtracted from the labels as they are stored.
    """

    def __init__(self, message: str, num_classes: int, labels_offset: int):
        super().__init__(message)
        self.classes = range(labels_offset, labels_offset + num_classes)


@contextlib.contextmanager
def damage_named(dataset: slim.dataset.Dataset) -> Iterator[None]:
    """Within it, an error from a damaged record or lost file becomes a UserError that names it.

    tf.data does not tell where a record came from, so after an error the files are read again.
    """
    files = data_files(dataset)
    try:
        yield
    except DAMAGE_ERRORS as error:
        found = _find_damage(dataset, files)
        if found is None:
            raise
        raise UserError(found) from error
    except LabelsOutsideError as error:
        found = _find_label(dataset, files, error.classes)
        raise UserError(f"{error} {found}".rstrip()) from error


def _find_damage(dataset: slim.dataset.Dataset, files: Sequence[str]) -> str | None:
    """Returns which record of which file cannot be read or decoded, and why; None if all can."""
    # Features that only evaluation reads come last, and only where others may not say otherwise.
    looks = (False,) if getattr(dataset, "layout", None) else (False, True)
    for with_details, path in itertools.product(looks, files):
        if not tf.gfile.Exists(path):
            return (
                f"{path} was removed or renamed while it was being read: put it back, or convert"
                " the dataset again, and give the same command again."
            )
        try:
            for bad in decoding.bad_records(dataset.decoder, path, with_details=with_details):
                image = f"; image {bad.name!r}" if bad.name else ""
                return f"Record {bad.number} (from 0{image}) of {path} is damaged: {bad.fault}"
        except tfrecords.DamagedShardError as error:
            return str(error)
    return None


def _find_label(dataset: slim.dataset.Dataset, files: Sequence[str], classes: range) -> str:
    """Returns where the first label stands that is none of `classes`, or ""."""
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        path = tf.placeholder(tf.string, [])
        labels = tf.data.TFRecordDataset(path).map(
            lambda record: dataset.decoder.decode(record, ["label"])[0]
        )
        iterator = tf.data.make_initializable_iterator(labels.batch(_LABELS_AT_ONCE))
        batch = iterator.get_next()
        for file in files:
            session.run(iterator.initializer, {path: file})
            number = 0
            with contextlib.suppress(tf.errors.OutOfRangeError):
                while True:
                    for label in session.run(batch).ravel().tolist():
                        if label not in classes:
                            return f"The first is {label}, of record {number} (from 0) of {file}."
                        number += 1
    return ""
