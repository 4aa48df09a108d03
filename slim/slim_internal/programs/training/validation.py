"""Evaluates a network while it trains, keeps the best checkpoint, and knows when to stop.

The tower shares the variables of the training graph (or follows their moving averages, where these
are kept) and runs in the same session: it adds no variable and changes nothing that training does.
"""

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from datasets import dataset_factory
from nets import nets_factory
from nets.network import Network
from preprocessing import jpeg, preprocessing_factory
from slim_internal.ground.compat import paths, slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic, json_objects
from slim_internal.ground.progress import duration
from slim_internal.parts.checkpoints import graph_files, latest, restore, run_record
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.parts.input_pipeline import damage, in_memory
from slim_internal.parts.metrics.measurement import Measurement
from slim_internal.parts.metrics.writers import Writer
from slim_internal.parts.quantization import simulation
from slim_internal.parts.reports.telling_examples import TellingExamples
from slim_internal.parts.reports.thumbnail import Thumbnail
from slim_internal.programs.training import allowance, features, reporting
from slim_internal.programs.training.hooks import Hook, Timer
from slim_internal.programs.training.settings import TrainConfig

_LOG = logging.getLogger(__name__)

FOLDER = latest.BEST_FOLDER
_STATE_FILENAME = "best.json"
_LOWER_IS_BETTER = ("loss",)
_NUM_SHOWN = 12  # Of the worst images.
_METRICS = ("accuracy", "recall_at_5", "loss")


@dataclasses.dataclass(frozen=True)
class Tower:
    """The network as it is evaluated.

    Attributes:
      dataset: What it is evaluated on.
      initializer: Starts with the first example.
      logits: Logits of the next batch.
      labels: Its labels, after the offset.
      records: Its serialized examples.
      kept: Tensors that are the same in each evaluation, and enough to compute the logits.
    """

    dataset: slim.dataset.Dataset
    initializer: tf.Operation
    logits: tf.Tensor
    labels: tf.Tensor
    records: tf.Tensor
    kept: Sequence[tf.Tensor] = ()


def is_asked_for(config: TrainConfig) -> bool:
    """Returns whether the settings ask for an evaluation during training.

    Raises:
      UserError: If they ask for what needs one, and for none.
    """
    asked = any((config.eval_every_steps, config.eval_every_secs, config.eval_every_epochs))
    if config.early_stopping_patience and not asked and _is_off(config):
        raise UserError(
            "--early_stopping_patience needs evaluations: --eval_every_epochs=1, for example, or"
            " --eval_every_steps or --eval_every_secs."
        )
    return asked or (
        not _is_off(config)
        and (config.early_stopping_patience > 0 or "eval_split_name" in config.given)
    )


def _is_off(config: TrainConfig) -> bool:
    return config.eval_every_epochs == 0


def open_split(config: TrainConfig) -> slim.dataset.Dataset | None:
    """Returns what a run is evaluated on during training, or None.

    What was not asked for must not stop a run: if it cannot be had, that is said.

    Raises:
      UserError: If the settings ask for an evaluation, and the split cannot be read.
    """
    if is_asked_for(config):
        dataset_factory.require_splits_apart(config)
        return dataset_factory.open_split(config, config.eval_split_name)
    if _is_off(config) or config.eval_split_name == config.dataset_split_name:
        return None
    try:
        dataset_factory.require_splits_apart(config)
        if dataset_factory.has_split(config, config.eval_split_name):
            dataset = dataset_factory.open_split(config, config.eval_split_name)
            return dataset if dataset.num_samples else None
    except UserError as error:
        _LOG.warning("The run does not evaluate itself: %s", error)
    return None


def build(
    config: TrainConfig,
    network: Network,
    dataset: slim.dataset.Dataset,
    num_classes: int,
    *,
    keep_features: bool = False,
) -> Tower:
    """Adds the tower to the default graph, which trains the network already.

    Args:
      config: The settings.
      network: Record of the network.
      dataset: What to evaluate on.
      num_classes: Number of classes of the network.
      keep_features: Whether what frozen layers compute may be kept between evaluations.
    """
    size = config.train_image_size or network.default_image_size
    prepare = preprocessing_factory.for_channels(
        config.preprocessing_name or network.preprocessing, config.channels
    )
    if config.fast_decoding:
        prepare = jpeg.shrinking(prepare)
    with tf.device("/device:CPU:0"):
        batches = input_pipeline.evaluation_batches(
            dataset,
            preprocessing_factory.sized(prepare, size, size),
            batch_size=config.batch_size,
            num_readers=config.num_readers,
            num_threads=input_pipeline.threads(config.num_preprocessing_threads),
            with_records=True,
        )
        iterator = tf.data.make_initializable_iterator(batches)
        batch = iterator.get_next()
    network_fn = nets_factory.get_network_fn(network.name, num_classes)
    getter = _averages if config.moving_average_decay else None
    scope = tf.get_variable_scope()
    with tf.name_scope("validation"):
        with tf.variable_scope(scope, reuse=True, custom_getter=getter, auxiliary_name_scope=False):
            logits, _ = network_fn(batch["image"])
            if config.quantize_delay >= 0:
                step = tf.train.get_global_step()
                logits = simulation.train(batch["image"], logits, config.quantize_delay, step)
    kept = ()
    if keep_features:
        kept = features.of_validation(config, batch["image"], logits, dataset.num_samples)
    if config.cache and not kept and in_memory.bears(dataset, batch["image"], config.cache_mb):
        kept = (batch["image"],)
    labels = batch["label"] - config.labels_offset
    return Tower(dataset, iterator.initializer, logits, labels, batch["record"], kept)


def _averages(getter, name, *args, **kwargs):
    """Returns the moving average of a variable instead of itself."""
    variable = getter(name, *args, **kwargs)
    (average_name,) = restore.moving_averages([variable])
    for candidate in tf.global_variables():
        if candidate.op.name == average_name:
            return candidate
    return variable


@dataclasses.dataclass(frozen=True)
class Best:
    """The best evaluation of a run.

    Attributes:
      metric: Name of the metric.
      value: Its value.
      step: Step after which it was measured; -1 before the first evaluation.
      since: Evaluations since then, none of them better.
    """

    metric: str
    value: float
    step: int = -1
    since: int = 0

    def follow(self, value: float, step: int) -> "Best":
        """Returns the best after one more evaluation."""
        better = value < self.value if self.metric in _LOWER_IS_BETTER else value > self.value
        if self.step < 0 or better:
            return Best(self.metric, value, step)
        return dataclasses.replace(self, since=self.since + 1)


class Validation(Hook):
    """Evaluates from time to time and after the last step.

    Args:
      session: The session that trains.
      tower: The network as it is evaluated.
      config: The settings.
      metrics: Writes the numbers.
      extent: How much there is to train.
      leave_out: Told how many seconds an evaluation took.
      is_interrupted: Asked before each batch; an evaluation that is broken off does not count.
      class_names: Names of the network's classes; empty if not known.

    Attributes:
      last_step: Step of the last evaluation that came to its end; -1 before the first.
    """

    def __init__(
        self,
        session: tf.Session,
        tower: Tower,
        config: TrainConfig,
        metrics: Writer,
        extent: reporting.Extent,
        leave_out: Callable[[float], None],
        is_interrupted: Callable[[], bool] = lambda: False,
        class_names: Sequence[str] = (),
    ):
        self._session = session
        self._kept: list[tuple[np.ndarray, np.ndarray, list[np.ndarray]]] = []
        self._tower = tower
        self._labels_offset = config.labels_offset
        self._metrics = metrics
        self._is_interrupted = is_interrupted
        self._class_names = class_names or [str(each) for each in range(tower.logits.shape[-1])]
        self._layout = getattr(tower.dataset, "layout", None)
        self._telling = TellingExamples(_NUM_SHOWN, self._layout)
        self._leave_out = leave_out
        self._patience = config.early_stopping_patience
        self._folder = os.path.join(config.train_dir, FOLDER)
        self._extent = extent
        self._timers = [
            Timer(every_steps=config.eval_every_steps, every_secs=config.eval_every_secs),
            Timer(every_steps=extent.steps(_epochs(config))),
        ]
        self._saver = graph_files.Saver(
            save_meta_graph=config.save_meta_graph, max_to_keep=1, save_relative_paths=True
        )
        self._allowance = None  # What was asked for takes as long as it takes.
        if not is_asked_for(config):
            self._allowance = allowance.Allowance(tower.dataset.num_samples, extent.images_per_step)
        self._is_due = self._has_waited = False
        self._best = _read_best(self._folder, config.best_metric, extent.first_step)
        self._evaluated = -1
        self.last_step = -1
        if self.must_stop:  # An earlier run has ended for that.
            self._say_why()

    @property
    def must_stop(self) -> bool:
        """Whether the evaluations have not become better for too long."""
        return 0 < self._patience <= self._best.since

    def fetches(self, step):
        """Asks for nothing, but counts the time from here on."""
        if self._allowance:
            self._allowance.begin_step()
        return {}

    def after_step(self, step):
        """Evaluates if it is time; what the run ends with comes later."""
        self._is_due |= any(timer.due(step.number) for timer in self._timers)
        if self._is_due and not step.is_last and self._has_time(step.number):
            self._is_due = False
            self._evaluate(step.number)
            if self.must_stop:
                self._say_why()

    def at_end(self, step):
        """Evaluates what the run ends with, if it has made its last step."""
        if step == self._extent.last_step and step > self._extent.first_step:
            self._has_waited = False  # It is said once more.
            if self._has_time(step, at_end=True):
                self._evaluate(step)

    def _say_why(self) -> None:
        _LOG.info(
            "No better %s in %d evaluations: stopping early. The best is of step %d.",
            *(self._best.metric, self._best.since, self._best.step),
        )

    def worst(self) -> list[Thumbnail]:
        """Returns the wrong answers of the last evaluation that the network was surest of."""
        return self._telling.mistakes(self._class_names)

    def _has_time(self, step: int, *, at_end: bool = False) -> bool:
        if self._allowance is None or self._allowance.allows_one(at_end=at_end):
            return True
        if not self._has_waited:
            self._has_waited = True
            _LOG.info(
                "Not evaluated at step %d: the %d images of the validation split take up to %s,"
                " too much of the time so far. --eval_every_epochs=1 insists, 0 switches it off.",
                *(step, self._tower.dataset.num_samples, duration(self._allowance.expected())),
            )
        return False

    def _evaluate(self, step: int) -> None:
        if step == self._evaluated:
            return
        self._evaluated = step
        start = time.monotonic()
        try:
            with damage.damage_named(self._tower.dataset):
                values = self._measure(step)
        except UserError as error:
            if self._allowance is None:
                raise
            _LOG.warning("The run does not evaluate itself any more: %s", error)
            self._timers = []
            self._evaluated = self._extent.last_step or -1
            return
        if values is None:
            _LOG.info("The evaluation at step %d was broken off.", step)
            return
        _LOG.info(
            "validation at step %d  %s",
            step,
            "  ".join(f"{name} {value:.4f}" for name, value in values.items()),
        )
        named = {f"validation/{name}": value for name, value in values.items()}
        self._metrics.write(step, reporting.values(named))
        self._best = self._best.follow(values[self._best.metric], step)
        if self._best.step == step:
            self._save(step)
        atomic.write_json(os.path.join(self._folder, _STATE_FILENAME), vars(self._best))
        for timer in self._timers:
            timer.restart()
        seconds = time.monotonic() - start
        if self._allowance:
            self._allowance.spend(seconds)
        self._leave_out(seconds)

    def _measure(self, step: int) -> dict[str, float] | None:
        """Returns the metrics over the whole split, or None if it was interrupted."""
        measured = Measurement(self._class_names)
        telling = TellingExamples(_NUM_SHOWN, self._layout)
        what = f"Evaluating on {self._tower.dataset.num_samples} images at step {step}"
        with reporting.announced(what, at_once=False):
            for logits, labels, records in self._batches():
                measured.add(logits, labels)
                if not (measured.unknown_labels or measured.not_finite):
                    telling.add(logits, labels, records)
                if self._is_interrupted():
                    return None
        if measured.unknown_labels:
            raise damage.LabelsOutsideError(
                f"{measured.unknown_labels} of {measured.num_examples} labels of the validation"
                " split are outside the classes of the network.",
                self._tower.logits.shape[-1].value,
                self._labels_offset,
            )
        if measured.not_finite:
            raise UserError(f"Validation at step {step}: the network's outputs are not finite.")
        self._telling, self.last_step = telling, step
        values = {value.name: value.value for value in measured.values()}
        return {name: float(values[name]) for name in _METRICS}

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yields logits, labels, records, from what an earlier evaluation kept if there is any."""
        tower = self._tower
        for labels, records, values in self._kept:
            logits = self._session.run(tower.logits, dict(zip(tower.kept, values, strict=True)))
            yield logits, labels, records
        if self._kept:
            return
        self._session.run(tower.initializer)
        kept = []
        while True:
            try:
                logits, labels, records, values = self._session.run(
                    [tower.logits, tower.labels, tower.records, list(tower.kept)]
                )
            except tf.errors.OutOfRangeError:
                break
            if values:
                kept.append((labels, records, values))
            yield logits, labels, records
        self._kept = kept

    def _save(self, step: int) -> None:
        os.makedirs(self._folder, exist_ok=True)
        self._saver.recover_last_checkpoints(
            [paths.literal_checkpoint(os.path.join(self._folder, f"model.ckpt-{old}"))
             for old in _steps_saved(self._folder)]
        )  # fmt: skip
        path = paths.literal_checkpoint(os.path.join(self._folder, "model.ckpt"))
        self._saver.save(self._session, path, global_step=step)
        run_record.copy(os.path.dirname(self._folder), self._folder)


def _epochs(config: TrainConfig) -> float | None:
    """Returns the epochs between two evaluations: one unless something else is asked for."""
    if config.eval_every_epochs is None and not (config.eval_every_steps or config.eval_every_secs):
        return 1.0
    return config.eval_every_epochs


def _steps_saved(folder: str) -> list[int]:
    names = (name for name in os.listdir(folder) if name.endswith(".index"))
    return sorted(int(name.removesuffix(".index").rpartition("-")[2]) for name in names)


def _read_best(folder: str, metric: str, first_step: int) -> Best:
    """Returns the best evaluation of the steps that were made before, as far as it is known."""
    try:
        best = json_objects.build(Best, json_objects.read(os.path.join(folder, _STATE_FILENAME)))
    except (FileNotFoundError, json_objects.DamageError):
        return Best(metric, 0.0)
    return best if best.metric == metric and best.step <= first_step else Best(metric, 0.0)
