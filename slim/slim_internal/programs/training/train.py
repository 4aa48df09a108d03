"""Trains a network: the loop around the graph."""

import contextlib
import dataclasses
import logging
import math

from datasets import dataset_factory
from deployment import sessions
from nets import nets_factory
from nets.network import Network
from slim_internal.ground.compat import paths, slim, tf
from slim_internal.ground.errors import UserError, require_writable_folder
from slim_internal.ground.files import locks
from slim_internal.parts.checkpoints import latest
from slim_internal.parts.input_pipeline import damage
from slim_internal.programs.training import graph as model
from slim_internal.programs.training import hooks, loop, reestimation, schedules, start
from slim_internal.programs.training.settings import TrainConfig
from slim_internal.programs.training.stop_request import StopRequest

_LOG = logging.getLogger(__name__)


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
    sessions.announce()
    network = nets_factory.get_network(config.model_name)
    if network.num_frames:
        raise UserError(f"Network {network.name} reads clips; only images can be trained on.")
    dataset = dataset_factory.get_dataset(
        config.dataset_name, config.dataset_split_name, config.dataset_dir
    )
    return train_on(dataset, network, config)


def train_on(dataset: slim.dataset.Dataset, network: Network, config: TrainConfig) -> Result:
    """Does what `train` does, with a dataset that need not have a name."""
    require_writable_folder("train_dir", config.train_dir)
    with _alone_in(config.train_dir):
        if config.reestimate_batch_norm:
            checkpoint = reestimation.reestimate(dataset, network, config)
            return Result(latest.step_of(checkpoint), None, checkpoint, 0)
        return _train_alone(dataset, network, config)


def _train_alone(dataset: slim.dataset.Dataset, network: Network, config: TrainConfig) -> Result:
    last_step = _last_step(config, dataset.num_samples)
    schedule = schedules.build(config, dataset.num_samples, last_step)
    begin = start.find(config)
    with tf.Graph().as_default(), damage.damage_named(dataset):
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
            with StopRequest() as stop:
                return _run(config, session, graph, saver, begin, stop, schedule, last_step)


def _run(config, session, graph, saver, begin, stop, schedule, last_step) -> Result:
    _LOG.info(
        "Batch: %d images (%d x %d clones). The learning rate is not scaled by it.",
        config.batch_size * config.num_clones,
        config.batch_size,
        config.num_clones,
    )
    saving = hooks.Saving(
        session,
        saver,
        config.train_dir,
        graph.finite,
        every_secs=config.save_interval_secs,
        checkpoint=begin.checkpoint,
        first_step=begin.step,
    )
    training = loop.Loop(
        session,
        graph,
        schedule,
        _hooks(config, graph, saving, begin.step, last_step),
        step=begin.step,
        last_step=last_step,
        must_stop=lambda: stop.signal_number is not None,
    )
    training.run()
    _LOG.info("Stopped at step %d; newest checkpoint: %s", training.step, saving.checkpoint)
    return Result(training.step, training.loss, saving.checkpoint, stop.exit_code)


def _last_step(config: TrainConfig, num_samples: int) -> int | None:
    """Returns the step at which the run ends, or None if it has no end."""
    ends = [config.max_number_of_steps] if config.max_number_of_steps else []
    if config.num_epochs:
        images_per_step = config.batch_size * config.num_clones
        ends.append(math.ceil(config.num_epochs * num_samples / images_per_step))
    return min(ends, default=None)


def _hooks(
    config: TrainConfig,
    graph: model.TrainingGraph,
    saving: hooks.Saving,
    first_step: int,
    last_step: int | None,
) -> list[hooks.Hook]:
    """Returns what the run does beside its steps: first what may end it, saving last."""
    events = tf.summary.FileWriter(config.train_dir)
    return [
        hooks.LabelCheck(graph.label_range, graph.num_classes, config.labels_offset),
        hooks.DivergenceWatch(saving),
        hooks.Summaries(graph.summaries, events, config.save_summaries_secs),
        hooks.Reporting(
            config.train_dir,
            events,
            graph.input_seconds,
            images_per_step=config.batch_size * config.num_clones,
            every_steps=config.log_every_n_steps,
            first_step=first_step,
            last_step=last_step,
        ),
        saving,
    ]


def _alone_in(train_dir: str) -> contextlib.AbstractContextManager:
    """Keeps other runs out of the folder: two would overwrite and remove each other's checkpoints.

    Raises:
      UserError: If another process is training there.
    """
    return locks.refuse(
        train_dir,
        f"Another process is training in --train_dir={train_dir}: stop it, wait for its end, or"
        " choose another folder.",
    )
