"""Finds the damaged record or the file that is gone behind an error of an input pipeline."""

import contextlib
from collections.abc import Iterator, Sequence

from datasets.descriptor import data_files
from datasets.storage import decoding, tfrecords
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError

# What reading or decoding a damaged record ends in, or opening a file that was there before.
# (UnicodeDecodeError: TensorFlow quotes the bytes that it takes for an example.)
DAMAGE_ERRORS = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    UnicodeDecodeError,
)


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


def _find_damage(dataset: slim.dataset.Dataset, files: Sequence[str]) -> str | None:
    """Returns which record of which file cannot be read or decoded, and why; None if all can."""
    for path in files:
        if not tf.gfile.Exists(path):
            return (
                f"{path} was removed or renamed while it was being read: put it back, or convert"
                " the dataset again, and give the same command again."
            )
        try:
            for bad in decoding.bad_records(dataset.decoder, path):
                image = f"; image {bad.name!r}" if bad.name else ""
                return f"Record {bad.number} (from 0{image}) of {path} is damaged: {bad.fault}"
        except tfrecords.DamagedShardError as error:
            return str(error)
    return None
