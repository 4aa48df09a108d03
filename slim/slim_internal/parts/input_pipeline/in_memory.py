"""Keeps the images of a small dataset in memory, so that each is read and decoded once.

What is not varied at random is kept as the network reads it, everything else as it is decoded.
Either way the batches are those of a dataset that is read from its files, to the last bit.
"""

import dataclasses
import logging
from collections.abc import Callable, Sequence

import numpy as np

from datasets.descriptor import data_files
from deployment import sessions
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.progress import human_bytes
from slim_internal.parts.input_pipeline import decoding, stateless_random

_LOG = logging.getLogger(__name__)

_IMAGES_AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class InMemory:
    """All examples of a dataset, numbered through; the files come in order of name.

    Attributes:
      counts: Examples in each file.
      images: Of each example what the network reads, float32 [height, width, channels], or the
        decoded image as a serialized tensor.
      labels: Label of each example, int64 [examples].
      is_jpeg: Whether it was stored as JPEG, bool [examples].
      decoded: What the decoded images are, where these are kept.
    """

    counts: np.ndarray
    images: Sequence[np.ndarray | bytes]
    labels: np.ndarray
    is_jpeg: np.ndarray
    decoded: tf.TensorSpec | None

    def numbers(self, file: tf.Tensor, first: tf.Tensor, _: tf.Tensor) -> tf.data.Dataset:
        """Returns the numbers of the examples of a file from its `first` one on."""
        ends = tf.constant(np.cumsum(self.counts), tf.int64)
        start = ends[file] - tf.constant(self.counts, tf.int64)[file]
        return tf.data.Dataset.range(start + first, ends[file])

    def label_of(self, number: tf.Tensor) -> tf.Tensor:
        """Returns the label of an example."""
        return tf.gather(tf.constant(self.labels), number)

    def batches(
        self,
        examples: tf.data.Dataset,
        preprocess: Callable[[tf.Tensor], tf.Tensor],
        *,
        batch_size: int,
        seed: int,
        num_threads: int,
    ) -> tf.data.Dataset:
        """Returns full batches {"image", "label"}.

        Args:
          examples: Endless pairs of a position in training and the number of an example.
          preprocess: As it was given to `load`.
          batch_size: Examples per batch.
          seed: Decides, with the position, what is drawn at random.
          num_threads: Images to prepare at the same time.
        """
        numbers = examples.batch(batch_size, drop_remainder=True)
        if self.decoded is None:
            return numbers.map(lambda _, batch: self._prepared(batch))

        @tf.autograph.experimental.do_not_convert
        def example(position, serialized, is_jpeg, label):
            prepare = stateless_random.drawn_at(position, preprocess, seed)
            image = tf.io.parse_tensor(serialized, self.decoded.dtype)
            image = tf.ensure_shape(image, self.decoded.shape)
            return {"image": decoding.prepared_from(image, is_jpeg, prepare), "label": label}

        taken = numbers.map(lambda positions, batch: (positions, *self._decoded(batch)))
        prepared = taken.unbatch().map(example, num_parallel_calls=num_threads)
        return prepared.batch(batch_size, drop_remainder=True)

    def _prepared(self, numbers):
        def take(numbers):
            return np.stack([self.images[number] for number in numbers]), self.labels[numbers]

        images, labels = tf.numpy_function(take, [numbers], [self.images[0].dtype, tf.int64])
        images.set_shape([*numbers.shape, *self.images[0].shape])
        labels.set_shape(numbers.shape)
        return {"image": images, "label": labels}

    def _decoded(self, numbers):
        def take(numbers):
            images = np.array([self.images[number] for number in numbers], object)
            return images, self.is_jpeg[numbers], self.labels[numbers]

        values = tf.numpy_function(take, [numbers], [tf.string, tf.bool, tf.int64])
        for value in values:
            value.set_shape(numbers.shape)
        return values


def load(
    dataset: slim.dataset.Dataset,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    *,
    max_mb: int,
    num_threads: int,
) -> InMemory | None:
    """Reads a dataset into memory; returns None, and says so, if it takes too much.

    Args:
      dataset: Descriptor with the items `image` and `label`.
      preprocess: Function of an image [height, width, channels], 0..255, that returns one of
        fixed size.
      max_mb: How many megabytes it may take.
      num_threads: Images to decode at the same time.
    """
    examples: list[np.ndarray | bytes] = []
    columns: list[Sequence[np.ndarray]] = []  # Of each batch: number of the file, is JPEG, label.
    size, max_bytes = 0, max_mb * 1_000_000
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        batches, decoded = _read(dataset, preprocess, num_threads)
        batch = tf.data.make_one_shot_iterator(batches).get_next()
        while True:
            try:
                images, *others = session.run(batch)
            except tf.errors.OutOfRangeError:
                break
            examples += list(images)
            columns.append(others)
            size += images.nbytes if decoded is None else sum(map(len, images))
            expected = size / len(examples) * max(dataset.num_samples, len(examples))
            if size > max_bytes or expected > 2 * max_bytes:
                _too_large(dataset, int(expected), max_mb)
                return None
    if not examples:
        return None  # Whoever reads the files says so.
    numbers, is_jpeg, labels = (np.concatenate(column) for column in zip(*columns, strict=True))
    counts = np.bincount(numbers, minlength=len(data_files(dataset)))
    kind = "prepared" if decoded is None else "decoded"
    _LOG.info("Keeping %d %s images in memory: %s", len(examples), kind, human_bytes(size))
    return InMemory(counts, examples, labels, is_jpeg, decoded)


def bears(dataset: slim.dataset.Dataset, images: tf.Tensor, max_mb: int) -> bool:
    """Returns whether prepared images and the records of a dataset fit; says so if not.

    Args:
      dataset: The dataset.
      images: Float32 [batch, height, width, channels], a batch of them.
      max_mb: How many megabytes they may take.
    """
    size = dataset.num_samples * images.shape[1:].num_elements() * images.dtype.size
    size += sum(tf.io.gfile.stat(path).length for path in data_files(dataset))
    if size <= max_mb * 1_000_000:
        return True
    _too_large(dataset, size, max_mb)
    return False


def _too_large(dataset, size, max_mb):
    _LOG.warning(
        "--cache: %d images take about %s, more than --cache_mb=%d; they are read from their"
        " files, as without --cache.",
        *(dataset.num_samples, human_bytes(size), max_mb),
    )


def _read(dataset, preprocess, num_threads):
    """Returns batches (image, number of the file, is JPEG, label), and what decoded images are."""
    decoder, files = dataset.decoder, data_files(dataset)
    is_random = decoding.is_random(decoder, preprocess)
    found = []

    @tf.autograph.experimental.do_not_convert
    def example(file, record):
        if not is_random:
            image, label = decoding.prepared(decoder, record, preprocess, ["label"])
            return image, file, tf.constant(False), label
        image, is_jpeg, label = decoding.decoded(decoder, record, ["label"])
        found.append(tf.TensorSpec(image.shape, image.dtype))
        return tf.io.serialize_tensor(image), file, is_jpeg, label

    records = tf.data.Dataset.range(len(files)).flat_map(
        lambda file: tf.data.TFRecordDataset(tf.gather(files, file)).map(
            lambda record: (file, record)
        )
    )
    batches = records.map(example, num_parallel_calls=num_threads).batch(_IMAGES_AT_ONCE)
    return batches.prefetch(tf.data.AUTOTUNE), next(iter(found), None)
