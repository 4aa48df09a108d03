"""Trains a network: the loop around the graph."""

import contextlib
import dataclasses
import fcntl
import glob
import logging
import math
import os
import time
from collections.abc import Iterator

from datasets import dataset_factory
from deployment import sessions
from nets import nets_factory
from nets.network import Network
from slim_internal.ground.compat import first_cause, paths, slim, tf
from slim_internal.ground.errors import UserError, require_writable_folder
from slim_internal.parts.checkpoints import latest
from slim_internal.parts.input_pipeline import batches
from slim_internal.programs.training import freezing, start
from slim_internal.programs.training import graph as model
from slim_internal.programs.training.report import Report
from slim_internal.programs.training.settings import TrainConfig
from slim_internal.programs.training.stop_request import StopRequest

_LOG = logging.getLogger(__name__)

# What is left of the first, arbitrary statistics of batch normalization when a warning is due.
_MAX_UNSETTLED = 0.05


class DivergedError(UserError):
    """The loss or the weights are no longer finite numbers."""


@dataclasses.dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
      step: Steps done, those of earlier runs included.
      loss: Loss of the last step; None if there was nothing left to do.
      checkpoint: The newest checkpoint.
      exit_code: 0, or 128 + the number of the signal that stopped the run.
    """

    step: int
    loss: float | None
    checkpoint: str | None
    exit_code: int


def train(config: TrainConfig) -> Result:
    """Trains a network until its last step or until a signal comes.

    Interrupted and continued, a run sees the same batches and draws the same random numbers as
    one that was never interrupted; with `cpu_threads=1` on a CPU it ends with the same weights to
    the last bit, otherwise up to the rounding of sums.

    Raises:
      UserError: If the settings do not fit each other or what they name.
      DivergedError: If the loss or the weights become NaN or infinite; nothing is written then.
    """
    network = nets_factory.get_network(config.model_name)
    if network.num_frames:
        raise UserError(f"Network {network.name} reads clips; only pictures can be trained on.")
    dataset = dataset_factory.get_dataset(
        config.dataset_name, config.dataset_split_name, config.dataset_dir
    )
    return train_on(dataset, network, config)


def train_on(dataset: slim.dataset.Dataset, network: Network, config: TrainConfig) -> Result:
    """Does what `train` does, with a data set that need not have a name."""
    require_writable_folder("train_dir", config.train_dir)
    with _alone_in(config.train_dir):
        return _train_alone(dataset, network, config)


def _train_alone(dataset: slim.dataset.Dataset, network: Network, config: TrainConfig) -> Result:
    begin = start.find(config)
    with tf.Graph().as_default(), batches.damage_named(dataset):
        graph = model.build(config, network, dataset, begin.step)
        restoring = start.plan(begin, config, network)
        saver = tf.train.Saver(max_to_keep=config.max_to_keep, save_relative_paths=True)
        saver.recover_last_checkpoints(
            [
                paths.literal_checkpoint(path)
                for path in latest.list_checkpoints(config.train_dir)[::-1]
            ]
        )
        initializer = tf.group(tf.global_variables_initializer(), tf.local_variables_initializer())
        with tf.Session(config=sessions.config(config.cpu_threads)) as session:
            session.run(initializer)
            if restoring:
                restoring.restore(session)
            else:
                _warn_of_unsettled_statistics(config, session)
            with StopRequest() as stop:
                return _Loop(config, session, graph, saver, begin, stop).run()


class _Loop:
    """Runs steps, saves, reports, and watches over the loss."""

    def __init__(self, config, session, graph, saver, begin, stop):
        self._config = config
        self._session = session
        self._graph = graph
        self._saver = saver
        self._stop = stop
        self._step = begin.step
        self._checkpoint = begin.checkpoint
        self._learning_rate = math.nan

    def run(self) -> Result:
        config, step, loss = self._config, self._step, None
        images_per_step = config.batch_size * config.num_clones
        _LOG.info(
            "Batch: %d pictures (%d x %d clones). The learning rate is not scaled by it.",
            images_per_step,
            config.batch_size,
            config.num_clones,
        )
        save_due = time.monotonic() + config.save_interval_secs
        summaries_due = time.monotonic()
        with Report(config.train_dir, images_per_step, config.max_number_of_steps) as report:
            while not self._is_last() and self._stop.signal_number is None:
                with_summaries = time.monotonic() >= summaries_due
                try:
                    loss = self._run_step(report, with_summaries)
                except batches.DAMAGE_ERRORS:  # It has not touched the weights.
                    self._save_unless_saved(step)
                    raise
                if with_summaries:
                    summaries_due = time.monotonic() + config.save_summaries_secs
                if self._step % config.log_every_n_steps == 0 or self._is_last():
                    report.tell(self._step, loss, self._learning_rate)
                if time.monotonic() >= save_due:
                    self._save()
                    save_due = time.monotonic() + config.save_interval_secs
        self._save_unless_saved(step)
        _LOG.info("Stopped at step %d; newest checkpoint: %s", self._step, self._checkpoint)
        return Result(self._step, loss, self._checkpoint, self._stop.exit_code)

    def _is_last(self) -> bool:
        last = self._config.max_number_of_steps
        return last is not None and self._step >= last

    def _run_step(self, report: Report, with_summaries: bool) -> float:
        """Makes one update and returns the loss before it."""
        graph = self._graph
        fetches = [graph.loss, graph.learning_rate, graph.input_seconds, graph.label_range]
        if with_summaries:
            fetches.append(graph.summaries)
        try:
            values = self._session.run(fetches)
        except tf.errors.InvalidArgumentError as error:
            if "summary histogram" not in error.message:
                raise
            raise self._diverged("Activations or weights are not finite") from error
        loss, self._learning_rate, input_seconds, label_range, *summaries = values
        self._step += 1
        _check_labels(*label_range, graph.num_classes, self._config.labels_offset)
        if not math.isfinite(loss):
            raise self._diverged(f"The loss is {loss}")
        report.add_step(input_seconds)
        for summary in summaries:
            report.add_summaries(self._step, summary)
        return float(loss)

    def _save_unless_saved(self, first_step: int) -> None:
        if self._step > first_step and latest.step_of(self._checkpoint or "") != self._step:
            self._save()

    def _save(self) -> None:
        if not self._session.run(self._graph.finite):
            raise self._diverged("The weights are not finite")
        path = os.path.join(self._config.train_dir, "model.ckpt")
        try:
            self._saver.save(
                self._session,
                paths.literal_checkpoint(path),
                global_step=self._step,
                write_meta_graph=False,
            )
            self._checkpoint = f"{path}-{self._step}"
        except tf.errors.OpError as error:  # A full disk, most likely.
            for unfinished in glob.glob(f"{glob.escape(path)}-{self._step}.*tempstate*"):
                os.remove(unfinished)
            raise UserError(
                f"Step {self._step} cannot be saved: {first_cause(error)}. {self._last_good()}"
            ) from error
        _LOG.info("Saved %s", self._checkpoint)

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"{what} at step {self._step} (learning rate {self._learning_rate:.4g})."
            f" {self._last_good()} Try a lower --learning_rate or --clip_gradient_norm=1, and look"
            " for damaged pictures."
        )

    def _last_good(self) -> str:
        return (
            f"The last good checkpoint is {self._checkpoint or 'none: nothing was saved before'}."
        )


def _check_labels(smallest: int, largest: int, num_classes: int, labels_offset: int) -> None:
    if smallest < 0 or largest >= num_classes:
        raise UserError(
            f"With --labels_offset={labels_offset} the labels of a batch are {smallest} to"
            f" {largest}, but the network has the classes 0 to {num_classes - 1}."
        )


@contextlib.contextmanager
def _alone_in(train_dir: str) -> Iterator[None]:
    """Keeps other runs out of the folder: two would overwrite and remove each other's checkpoints.

    The lock ends with the process, however that ends, and leaves nothing behind.

    Raises:
      UserError: If another process is training there.
    """
    folder = os.open(train_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"Another process is training in --train_dir={train_dir}: stop it, wait for its"
                " end, or choose another folder."
            ) from error
        except OSError as error:  # Some network file systems know no locks.
            _LOG.info("%s cannot be locked: %s", train_dir, error)
        yield
    finally:
        os.close(folder)


def _warn_of_unsettled_statistics(config: TrainConfig, session: tf.Session) -> None:
    """Warns when evaluation would use statistics that training has hardly moved."""
    decay = freezing.statistics_decay(session)
    steps = config.max_number_of_steps
    if decay and steps and decay**steps > _MAX_UNSETTLED:
        _LOG.warning(
            "Batch normalization averages its statistics over about %d steps; after %d steps"
            " %.0f %% of them are still the initial values, and evaluation will be far worse than"
            " training. Train longer, or start from a checkpoint.",
            round(1 / (1 - decay)),
            steps,
            100 * decay**steps,
        )
