"""The order in which training reads the records of an epoch, and how it goes on in the middle.

The files come at random, some are read side by side, and of what is read one window after another
is shuffled. So where an epoch is after any number of records can be counted: what was read before
that window need not be read again.
"""

import functools
import os
from collections.abc import Callable, Sequence

from datasets.storage import manifest, tfrecords
from deployment import sessions
from slim_internal.ground.compat import tf

_WINDOW = 4096  # Records; that many encoded images may take much memory, hence:
_WINDOW_BYTES = 128 << 20

# Most windows that an epoch may have, so that each window of each epoch has a seed of its own.
_MAX_WINDOWS = 1 << 24


def window_size(files: Sequence[str], num_samples: int) -> int:
    """Returns how many records are shuffled together; three times as many are in memory at most."""
    mean_bytes = sum(tf.io.gfile.stat(path).length for path in files) / num_samples
    return max(1, min(_WINDOW, num_samples, int(_WINDOW_BYTES / mean_bytes)))


def endless(
    read: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.data.Dataset],
    num_files: int,
    count: Callable[[int], int],
    *,
    window: int,
    num_readers: int,
    num_samples: int,
    position: int,
    seed: int,
    resample: Callable[[tf.data.Dataset, tf.Tensor], tf.data.Dataset] | None = None,
) -> tf.data.Dataset:
    """Returns what is in the files, epoch after epoch, each in its own order.

    Args:
      read: Function of the number of a file, the number of the first record that is wanted of it,
        and the number of the epoch.
      num_files: Number of files.
      count: Function of the number of a file that returns how many records it has.
      window: How many records are shuffled together.
      num_readers: Files that are read side by side.
      num_samples: Number of the records in all files.
      position: How many records not to return.
      seed: Decides the order.
      resample: Function of the records of an epoch and its number that returns as many of them,
        others perhaps. Then where an epoch is cannot be counted: one that is continued is read from
        its beginning.
    """
    first_epoch, already_seen = divmod(position, num_samples)
    windows_seen, seen_of_window = divmod(already_seen, window)

    def in_windows(files, epoch, first_window=0):
        tf.set_random_seed(seed)  # Of this function, whatever the graph around it has.
        records = files.interleave(
            lambda file, first: read(file, first, epoch),
            cycle_length=num_readers,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        if resample:
            records = resample(records, epoch)
        windows = records.window(window).prefetch(1).enumerate(first_window)
        return windows.flat_map(
            lambda number, of: of.shuffle(window, seed=epoch * _MAX_WINDOWS + number)
        )

    @tf.autograph.experimental.do_not_convert
    def whole(epoch):
        files = tf.data.Dataset.from_tensor_slices(_shuffled(num_files, seed, epoch))
        return in_windows(files.map(lambda file: (file, tf.zeros([], tf.int64))), epoch)

    @tf.autograph.experimental.do_not_convert
    def rest(epoch):
        columns = (tf.constant(column, tf.int64) for column in zip(*places, strict=True))
        return in_windows(tf.data.Dataset.from_tensor_slices(tuple(columns)), epoch, windows_seen)

    if not windows_seen or resample:
        return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(whole).skip(already_seen)
    in_order = _evaluated(lambda: _shuffled(num_files, seed, first_epoch))
    places = _places(in_order, count, num_readers, windows_seen * window)
    records = tf.data.Dataset.range(first_epoch, first_epoch + 1).flat_map(rest)
    later = tf.data.Dataset.range(first_epoch + 1, tf.int64.max).flat_map(whole)
    return records.skip(seen_of_window).concatenate(later)


def _shuffled(num_files: int, seed: int, epoch: int | tf.Tensor) -> tf.Tensor:
    """Returns the numbers of the files in the order of an epoch, int64 [num_files]."""
    numbers = tf.range(num_files, dtype=tf.int64)
    return tf.random.experimental.stateless_shuffle(numbers, tf.stack([seed, epoch]))


def _evaluated(build: Callable[[], tf.Tensor]) -> list[int]:
    """Returns the values of a tensor that is built in a graph of its own."""
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        return session.run(build()).tolist()


def _places(
    files: Sequence[int], count: Callable[[int], int], num_readers: int, position: int
) -> list[tuple[int, int]]:
    """Returns where to read on after the first `position` records.

    Args:
      files: Their numbers, in the order in which they are opened.
      count: Function of the number of a file that returns how many records it has.
      num_readers: Files that are read side by side.
      position: Number of records, at most as many as there are.

    Returns:
      Pairs in the order in which to open them: a file, and its next record.
    """
    waiting = [(file, 0) for file in reversed(files)]
    readers: list[tuple[int, int] | None] = [None] * num_readers
    turn = 0
    while position and (waiting or any(readers)):
        file, number = readers[turn] or (waiting.pop() if waiting else (None, 0))
        if file is not None and number < count(file):
            readers[turn] = (file, number + 1)
            position -= 1
        else:
            readers[turn] = None
        turn = (turn + 1) % num_readers
    in_turn = readers[turn:] + readers[:turn]
    # A reader without a file takes the next one when it is its turn.
    going_on = [reader or (waiting.pop() if waiting else None) for reader in in_turn]
    return [place for place in going_on if place] + waiting[::-1]


def counter(files: Sequence[str]) -> Callable[[int], int]:
    """Returns the function of the number of a file that returns how many records it has.

    The manifest beside the file tells it; without one the records are counted.
    """

    @functools.cache
    def stated(folder):
        contents = manifest.read(folder)
        return {shard.name: shard.records for shard in contents.shards} if contents else {}

    @functools.cache
    def count(number):
        folder, name = os.path.split(files[number])
        known = stated(folder).get(name)
        return tfrecords.check_framing(files[number]) if known is None else known

    return count
