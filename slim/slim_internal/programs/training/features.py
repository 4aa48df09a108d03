"""Computes the features of frozen layers once and keeps them.

Where the first layers of a network are frozen, they make the same of an image in every step. The
tensors at which they end (their boundary) are computed for all examples before the first step, kept
in the folder of the run, and take the place of what the layers would compute. All that comes after
them, the variables and the order of the examples stay as they are.
"""

import dataclasses
import logging
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from datasets import descriptor
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.progress import human_bytes
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.parts.input_pipeline import class_balance, decoding, mixing, order
from slim_internal.programs.training import feature_files, freezing
from slim_internal.programs.training import settings as train_config
from slim_internal.programs.training.reporting import announced
from slim_internal.programs.training.settings import TrainConfig

_LOG = logging.getLogger(__name__)

# Of what was not asked for; the page cache of most machines holds as much.
_MAX_BYTES = 2 << 30
# Relative to the largest feature, between a batch and one image alone: rounding is far below.
_TOLERANCE = 1e-3
# Where nothing of this is saved, keeping features is not worth a file.
_WORK = ("Conv2D", "DepthwiseConv2dNative", "MatMul")

# What an image goes through before the network reads it.
Prepare = Callable[[tf.Tensor], tf.Tensor]


class _NotKeptError(Exception):
    """Why features are not kept, in words."""


@dataclasses.dataclass(frozen=True)
class Features:
    """The features of all examples.

    Attributes:
      labels: Labels of a batch, after the offset.
      input_seconds: How long a step waited for its batch.
      tensors: The boundary, which gives no images a value any more that training uses.
    """

    labels: tf.Tensor
    input_seconds: tf.Tensor
    tensors: Sequence[tf.Tensor]
    _images: tf.Tensor
    _stored: Sequence[tf.Tensor]
    _examples: dict[str, tf.Tensor]
    _num_examples: int
    _key: dict[str, Any]
    _frozen: Sequence[tf.Variable]
    _file: feature_files.FeatureFile

    def prepare(self, session: tf.Session, must_stop: Callable[[], bool]) -> None:
        """Reads the features from the folder of the run, or computes them and keeps them there.

        Args:
          session: Session with the variables.
          must_stop: Asked before each batch; where it says so, nothing is kept.

        Raises:
          UserError: If the frozen layers mix the examples of a batch with each other.
        """
        key = {**self._key, "variables": feature_files.digest(session.run(list(self._frozen)))}
        if self._file.open(key):
            _LOG.info("Features of the frozen layers: read from %s", self._file.folder)
            return
        what = f"Computing the features of the frozen layers for {self._num_examples} images"
        with announced(what):
            self._compute(session, key, must_stop)

    def _compute(self, session, key, must_stop):
        shapes = [tensor.shape.as_list()[1:] for tensor in self.tensors]
        self._file.create(shapes, self._num_examples)
        done = 0
        while done < self._num_examples:
            if must_stop():
                return
            batch = session.run(self._examples)
            images = batch["image"]
            missing = self._images.shape[0] - len(images)  # The shape of a batch is fixed.
            images = np.concatenate([images, *[images[:1]] * missing])
            values = self._values(session, images)
            if not done:
                self._require_independence(session, images, values)
            count = len(batch["label"])
            self._file.put(done, [value[:count] for value in values], batch["label"])
            done += count
        self._file.finish(key)

    def _values(self, session, images):
        return session.run(list(self._stored), {self._images: images})

    def _require_independence(self, session, images, values):
        alone = self._values(session, np.repeat(images[:1], len(images), axis=0))
        for one, other in zip(values, alone, strict=True):
            limit = _TOLERANCE * max(1e-3, float(np.abs(one).max()))
            if np.abs(one[0] - other[0]).max() > limit:
                raise UserError(
                    "The frozen layers mix the images of a batch with each other, so that their"
                    " features cannot be kept: give --cache_features=off."
                )


def plan(
    config: TrainConfig,
    dataset: slim.dataset.Dataset,
    prepare: Prepare,
    batch: tuple[tf.Tensor, tf.Tensor],
    outputs: Sequence[tf.Tensor | tf.Operation],
    first_step: int,
) -> Features | None:
    """Reroutes a graph to features that are kept, if the settings ask for it and it can be.

    Args:
      config: The settings of the run.
      dataset: What is trained on.
      prepare: What its images go through.
      batch: Images and labels, after the offset, that the graph was built on.
      outputs: What training computes of them.
      first_step: Number of the first batch.

    Raises:
      UserError: If the settings ask for what cannot be.
    """
    wanted = _draws(config.cache_features)
    try:
        if wanted == 0:
            return None
        num_draws = _possible_draws(config, dataset, prepare, wanted)
        counts = _counts(dataset)
        tensors = _boundary(config, batch[0], outputs, sum(counts) * num_draws, wanted)
    except _NotKeptError as reason:
        if wanted is not None:
            raise UserError(f"--cache_features={config.cache_features}: {reason}.") from reason
        if config.trainable_scopes:
            _LOG.info("Features of the frozen layers are not kept: %s.", reason)
        return None
    return _install(
        config, dataset, prepare, batch, outputs, first_step, counts, num_draws, tensors
    )


def are_possible(config: TrainConfig, dataset: slim.dataset.Dataset, prepare: Prepare) -> bool:
    """Returns whether `plan` is to keep features, unless the network stands in the way."""
    wanted = _draws(config.cache_features)
    try:
        return bool(_possible_draws(config, dataset, prepare, wanted)) and wanted != 0
    except _NotKeptError:
        return False


def of_validation(
    config: TrainConfig, images: tf.Tensor, logits: tf.Tensor, num_examples: int
) -> list[tf.Tensor]:
    """Returns the tensors at which frozen layers end in a tower for validation.

    They are worth keeping in memory from one evaluation to the next; there are none if not.

    Args:
      config: The settings of the run, which keeps the features of its training images.
      images: Images of a batch of the tower.
      logits: What is computed of them.
      num_examples: Number of validation images.
    """
    frozen = freezing.frozen_variables(train_config.scopes(config.trainable_scopes))
    tensors = freezing.boundary([logits], images, frozen)
    saved = freezing.ancestors(tensors) - freezing.ancestors([images])
    sizes = [tensor.shape[1:].num_elements() for tensor in tensors if tensor.op.type != "Shape"]
    small = None not in sizes and 4 * num_examples * sum(sizes) <= _MAX_BYTES
    return tensors if small and _is_work(saved) else []


def _is_work(operations) -> bool:
    return any(operation.type in _WORK for operation in operations)


def _draws(text: str) -> int | None:
    """Returns how many draws of each image to keep; None to decide, 0 to keep nothing."""
    known = {"auto": None, "off": 0}
    if text in known:
        return known[text]
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise UserError(
            "--cache_features must be auto, off or the number of draws of each image to keep, 1 to"
            f" 1000; got {text!r}."
        )
    return int(text)


def _possible_draws(config, dataset, prepare, wanted: int | None) -> int:
    """Returns how many draws of each image there are to be kept.

    Raises:
      _NotKeptError: If features cannot be kept, or were not asked for and are different each time.
    """
    obstacles = {
        "no layer is frozen; --trainable_scopes says which are not": not config.trainable_scopes,
        "with --nofreeze_batch_norm they depend on the batch": not config.freeze_batch_norm,
        "with --data_service other processes prepare the images": bool(config.data_service),
        "with --quantize_delay their ranges follow the batches": config.quantize_delay >= 0,
        "mixup and cutmix mix the images before the first layer": any(
            getattr(config, f"{name}_alpha") for name in mixing.MIXINGS
        ),
        "they are kept for one clone in one process only": (
            config.num_clones > 1 or config.worker_replicas > 1
        ),
    }
    for words, stands_in_the_way in obstacles.items():
        if stands_in_the_way:
            raise _NotKeptError(words)
    if not decoding.is_random(dataset.decoder, prepare):
        return 1
    if wanted is None:
        raise _NotKeptError(
            "the images are varied at random each time; --cache_features=4 keeps 4 variations of"
            " each, --norandom_preprocessing prepares them as for evaluation"
        )
    return wanted


def _counts(dataset) -> list[int]:
    """Returns the number of examples in each file of the dataset."""
    files = descriptor.data_files(dataset)
    counts = [*map(order.counter(files), range(len(files)))]
    if sum(counts) != dataset.num_samples:
        raise _NotKeptError(
            f"the files hold {sum(counts)} images, not {dataset.num_samples} as stated"
        )
    return counts


def _boundary(config, images, outputs, num_examples: int, wanted: int | None) -> list[tf.Tensor]:
    """Returns the tensors at which the frozen layers end.

    Raises:
      _NotKeptError: If nothing is saved by keeping them, or too much is to be kept.
    """
    frozen = freezing.frozen_variables(train_config.scopes(config.trainable_scopes))
    tensors = freezing.boundary(outputs, images, frozen)
    saved = freezing.ancestors(tensors) - freezing.ancestors([images])
    if not _is_work(saved):
        raise _NotKeptError(
            "nothing is computed before what is trained or random, dropout for example"
        )
    kept = [tensor for tensor in tensors if not _is_constant_shape(tensor)]
    if any(not tensor.shape.is_fully_defined() or not tensor.shape for tensor in kept):
        raise _NotKeptError("the frozen layers end at tensors of changing shapes")
    size = 4 * num_examples * sum(math.prod(tensor.shape[1:]) for tensor in kept)
    if wanted is None and size > _MAX_BYTES:
        raise _NotKeptError(
            f"they would take {human_bytes(size)}; --cache_features=1 keeps them anyway"
        )
    return tensors


def _is_constant_shape(tensor: tf.Tensor) -> bool:
    return tensor.op.type == "Shape" and tensor.op.inputs[0].shape.is_fully_defined()


def _install(
    config, dataset, prepare, batch, outputs, first_step, counts, num_draws, tensors
) -> Features:
    images, labels = batch
    file = feature_files.FeatureFile(os.path.join(config.train_dir, "features"))
    kept = [tensor for tensor in tensors if not _is_constant_shape(tensor)]
    balanced = class_balance.labels(dataset) if config.balanced_sampling else None
    values, new_labels, input_seconds = _inputs(
        config, dataset, file, kept, labels, counts, num_draws, first_step, balanced
    )
    replacements = dict(zip(map(id, kept), values, strict=True))
    examples = input_pipeline.numbered_batches(
        dataset,
        prepare,
        batch_size=config.batch_size,
        seed=config.seed,
        num_draws=num_draws,
        num_threads=input_pipeline.threads(config.num_preprocessing_threads),
    )
    frozen = freezing.frozen_variables(train_config.scopes(config.trainable_scopes))
    frozen_operations = freezing.ancestors(tensors)
    readers = freezing.ancestors(outputs) - frozen_operations
    for tensor in tensors:
        if _is_constant_shape(tensor):
            value = tf.constant(tensor.op.inputs[0].shape.as_list(), tensor.dtype)
        else:
            value = replacements[id(tensor)]
        freezing.reroute(tensor, value, readers)
    freezing.reroute(labels, new_labels, readers)
    return Features(
        labels=new_labels,
        input_seconds=input_seconds,
        tensors=kept,
        _images=images,
        _stored=[tf.cast(tensor, tf.float32) for tensor in kept],
        _examples=tf.data.make_one_shot_iterator(examples).get_next(),
        _num_examples=sum(counts) * num_draws,
        _key=_key(config, dataset, num_draws, kept, decoding.is_random(dataset.decoder, prepare)),
        _frozen=[
            variable
            for variable in slim.get_model_variables()
            if variable.op.name in frozen and variable.op in frozen_operations
        ],
        _file=file,
    )


def _indices(config, dataset, counts, num_draws, first_step, labels):
    """Returns the numbers of the examples of the next batch."""
    indices = input_pipeline.training_indices(
        dataset,
        counts,
        batch_size=config.batch_size,
        seed=config.seed,
        first_batch=first_step,
        num_readers=config.num_readers,
        num_draws=num_draws,
        labels=labels,
    )
    return tf.data.make_one_shot_iterator(indices).get_next()


def _inputs(config, dataset, file, tensors, labels, counts, num_draws, first_step, balanced):
    """Returns the features and labels of the next batch, and how long it took to get them."""
    asked = tf.timestamp()
    with tf.control_dependencies([asked]):
        indices = _indices(config, dataset, counts, num_draws, first_step, balanced)
    types = [tf.float32] * len(tensors) + [tf.int64]
    *values, raw_labels = tf.numpy_function(file.take, [indices], types)
    with tf.control_dependencies(values):
        input_seconds = tf.timestamp() - asked
    for value, tensor in zip([*values, raw_labels], [*tensors, labels], strict=True):
        value.set_shape(tensor.shape)
    values = [tf.cast(value, tensor.dtype) for value, tensor in zip(values, tensors, strict=True)]
    return values, raw_labels - config.labels_offset, input_seconds


def _key(config, dataset, num_draws, tensors, is_random) -> dict[str, Any]:
    """Returns what the features follow from, beside the variables, as JSON."""
    files = descriptor.data_files(dataset)
    settings = (
        "model_name",
        "preprocessing_name",
        "train_image_size",
        "augment",
        "min_crop_area",
        "fast_decoding",
        "random_preprocessing",
    )
    return {
        **{name: getattr(config, name) for name in settings},
        "seed": config.seed if is_random else None,
        "draws": num_draws,
        "files": [[os.path.basename(file), *_state(file)] for file in files],
        "tensors": [[tensor.name, tensor.shape.as_list()[1:]] for tensor in tensors],
        "tensorflow": tf.__version__,
    }


def _state(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns
