"""Finds the damaged record behind an error of an input pipeline."""

import contextlib
from collections.abc import Iterator

from datasets.descriptor import data_files
from deployment import sessions
from slim_internal.ground.compat import first_cause, slim, tf
from slim_internal.ground.errors import UserError

# What reading or decoding a damaged record ends in.
DAMAGE_ERRORS = (tf.errors.DataLossError, tf.errors.InvalidArgumentError)


@contextlib.contextmanager
def damage_named(dataset: slim.dataset.Dataset) -> Iterator[None]:
    """Within it, an error from a damaged record becomes a UserError that names its file.

    tf.data does not tell where a record came from, so after an error the files are read again.
    """
    try:
        yield
    except DAMAGE_ERRORS as error:
        found = find_damage(dataset)
        if found is None:
            raise
        raise UserError(found) from error


def find_damage(dataset: slim.dataset.Dataset) -> str | None:
    """Returns which record of which file cannot be read or decoded, and why; None if all can."""
    with tf.Graph().as_default(), tf.Session(config=sessions.config()) as session:
        path = tf.placeholder(tf.string, [])
        examples = tf.data.TFRecordDataset(path).map(
            lambda record: dataset.decoder.decode(record, ["image", "label"])
        )
        iterator = tf.data.make_initializable_iterator(examples)
        next_label = iterator.get_next()[1]
        for name in data_files(dataset):
            session.run(iterator.initializer, {path: name})
            number = 0
            try:
                while True:
                    session.run(next_label)
                    number += 1
            except tf.errors.OutOfRangeError:
                continue
            except DAMAGE_ERRORS as error:
                problem = first_cause(error)
                return f"Record {number} (from 0) of {name} is damaged: {problem}"
    return None
