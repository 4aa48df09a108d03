"""Batches of images from a dataset descriptor, through tf.data.

Every dataset is read the same way: the descriptor says where the TFRecords are and how to decode
one, a function prepares the image.
"""

import functools
import os
from collections.abc import Callable, Sequence

import numpy as np

from datasets.descriptor import data_files
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import (
    class_balance,
    decoding,
    in_memory,
    order,
    stateless_random,
)

AUTOTUNE = tf.data.AUTOTUNE


def threads(number: int | None) -> int:
    """Returns what `num_threads` is to be: one per CPU for None, TensorFlow's choice for 0."""
    if number is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return number or AUTOTUNE


def training_batches(
    dataset: slim.dataset.Dataset,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    *,
    batch_size: int,
    seed: int,
    first_batch: int = 0,
    num_readers: int = 4,
    num_threads: int = AUTOTUNE,
    class_counts: Sequence[int] | None = None,
    part: tuple[int, int] = (0, 1),
    kept: in_memory.InMemory | None = None,
) -> tf.data.Dataset:
    """Returns an endless tf.data.Dataset of shuffled batches {"image", "label"}.

    Batch n depends on the seed and n alone, whatever `first_batch` and the number of threads:
    each epoch has its own order of files and of examples, and random preprocessing draws by the
    number of the example. (`dataset.num_samples` has to be true.) Before the first batch, no more
    is read than the window of records that it is in; see `order`.

    Args:
      dataset: Descriptor with the items `image` and `label`.
      preprocess: Function of an image [height, width, channels], 0..255, that returns one of
        fixed size.
      batch_size: Examples per batch; all batches are full.
      seed: Decides the order and the random preprocessing.
      first_batch: Number of the first batch to return.
      num_readers: Files to read at the same time.
      num_threads: Images to decode at the same time.
      class_counts: Examples of each class, by label, to show classes alike; None to show examples
        alike.
      part: (k, n): of n batches in turn only the k-th, from 0, so that n processes have all of
        them. Each reads everything, but decodes only its own; `first_batch` counts its own.
      kept: The dataset in memory; its files are not read then.

    Raises:
      UserError: If there is nothing to read.
    """
    files = filled_files(dataset)
    own, parts = part
    position = first_batch * batch_size * parts

    def read(file, first, _):
        return tf.data.TFRecordDataset(tf.gather(files, file)).skip(first)

    label_of = kept.label_of if kept else functools.partial(_label_of, dataset)
    records = order.endless(
        kept.numbers if kept else read,
        len(files),
        order.counter(files),
        window=order.window_size(files, dataset.num_samples),
        num_readers=num_readers,
        num_samples=dataset.num_samples,
        position=position,
        seed=seed,
        resample=_balancing(class_counts, label_of, seed),
    )
    examples = records.enumerate(position)
    if parts > 1:
        examples = examples.filter(
            lambda number, _: tf.equal(number // batch_size % parts, own)  # == is another thing.
        )
    if kept:
        batches = kept.batches(
            examples, preprocess, batch_size=batch_size, seed=seed, num_threads=num_threads
        )
    else:
        example = _drawn_by_number(dataset, preprocess, seed)
        examples = examples.map(example, num_parallel_calls=num_threads)
        batches = examples.batch(batch_size, drop_remainder=True)
    return batches.prefetch(AUTOTUNE)


def training_indices(
    dataset: slim.dataset.Dataset,
    counts: Sequence[int],
    *,
    batch_size: int,
    seed: int,
    first_batch: int = 0,
    num_readers: int = 4,
    num_draws: int = 1,
    labels: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Returns the batches of `training_batches` as numbers of examples, of which none is read.

    Args:
      dataset: As for `training_batches`.
      counts: Examples in each file, the files in order of name; examples are numbered through.
      batch_size: Examples per batch.
      seed: As for `training_batches`.
      first_batch: Number of the first batch to return.
      num_readers: As for `training_batches`.
      num_draws: The numbers of epoch n are those of its examples plus `n % num_draws` epochs.
      labels: Label of each example, to show classes alike; None to show examples alike.

    Returns:
      A tf.data.Dataset of int64 [batch_size].
    """
    num_samples = sum(counts)
    ends = tf.constant(np.cumsum(counts), tf.int64)
    starts = ends - tf.constant(counts, tf.int64)

    def numbers(file, first, epoch):
        offset = num_samples * (epoch % num_draws)
        return tf.data.Dataset.range(offset + starts[file] + first, offset + ends[file])

    examples = order.endless(
        numbers,
        len(counts),
        lambda file: counts[file],
        window=order.window_size(filled_files(dataset), num_samples),
        num_readers=num_readers,
        num_samples=num_samples,
        position=first_batch * batch_size,
        seed=seed,
        resample=_balancing(
            None if labels is None else np.bincount(labels),
            lambda number: tf.gather(tf.constant(labels), number % num_samples),
            seed,
        ),
    )
    return examples.batch(batch_size, drop_remainder=True).prefetch(AUTOTUNE)


def numbered_batches(
    dataset: slim.dataset.Dataset,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    *,
    batch_size: int,
    seed: int,
    num_draws: int = 1,
    num_threads: int = AUTOTUNE,
) -> tf.data.Dataset:
    """Returns batches {"image", "label"} of all examples in the order of `training_indices`.

    Args:
      dataset: Descriptor with the items `image` and `label`.
      preprocess: As for `training_batches`; what is random in it is drawn by the number.
      batch_size: Examples per batch; the last batch holds what is left over.
      seed: Decides the random preprocessing.
      num_draws: How many times all examples are returned, each time drawn anew.
      num_threads: Images to decode at the same time.
    """
    records = tf.data.TFRecordDataset(filled_files(dataset)).repeat(num_draws).enumerate()
    example = _drawn_by_number(dataset, preprocess, seed)
    examples = records.map(example, num_parallel_calls=num_threads)
    return examples.batch(batch_size).prefetch(AUTOTUNE)


def _balancing(class_counts, label_of, seed):
    """Returns what makes an epoch show classes alike, or None where it is to stay as it is."""
    if class_counts is None:
        return None
    return functools.partial(
        class_balance.resampled, label_of=label_of, class_counts=class_counts, seed=seed
    )


def _label_of(dataset, record):
    return dataset.decoder.decode(record, ["label"])[0]


def _drawn_by_number(dataset, preprocess, seed):
    """Returns the function that makes an example of its number and its record."""

    @tf.autograph.experimental.do_not_convert
    def example(number, record):
        drawing = stateless_random.drawn_at(number, preprocess, seed)
        image, label = decoding.prepared(dataset.decoder, record, drawing, ["label"])
        return {"image": image, "label": label}

    return example


def evaluation_batches(
    dataset: slim.dataset.Dataset,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    *,
    batch_size: int,
    items: Sequence[str] = ("label",),
    with_records: bool = False,
    num_readers: int = 4,
    num_threads: int = AUTOTUNE,
) -> tf.data.Dataset:
    """Returns a tf.data.Dataset that has each example exactly once, always in the same order.

    The elements are dicts of batches: "image" and each of the items. The last batch holds what
    is left over.

    Args:
      dataset: Descriptor with the item `image` and the items asked for.
      preprocess: Function of an image [height, width, channels], 0..255, that returns one of
        fixed size.
      batch_size: Examples per batch.
      items: What to return beside the image.
      with_records: Whether to return the serialized example, too, as "record".
      num_readers: Files to read at the same time.
      num_threads: Images to decode at the same time.

    Raises:
      UserError: If there is nothing to read.
    """

    @tf.autograph.experimental.do_not_convert
    def example(record):
        image, *others = decoding.prepared(dataset.decoder, record, preprocess, items)
        more = {"record": record} if with_records else {}
        return {"image": image, **dict(zip(items, others, strict=True)), **more}

    files = tf.data.Dataset.from_tensor_slices(filled_files(dataset))
    examples = _records(files, num_readers).map(example, num_parallel_calls=num_threads)
    return examples.batch(batch_size).prefetch(AUTOTUNE)


def filled_files(dataset: slim.dataset.Dataset) -> list[str]:
    """Returns the files of a split.

    Raises:
      UserError: If there are none, or there is nothing in them.
    """
    files = data_files(dataset)
    if not any(tf.io.gfile.stat(path).length for path in files) or not dataset.num_samples:
        raise UserError(f"The data files are empty: {', '.join(files[:3])}")
    return files


def _records(files: tf.data.Dataset, num_readers: int) -> tf.data.Dataset:
    return files.interleave(
        tf.data.TFRecordDataset,
        cycle_length=num_readers,
        num_parallel_calls=AUTOTUNE,
        deterministic=True,
    )
