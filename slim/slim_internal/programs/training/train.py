"""Trains a network: the loop around the graph."""

import contextlib
import dataclasses
import functools
import logging
import math
from collections.abc import Iterator, Sequence

from datasets import dataset_factory, descriptor
from deployment import precision, sessions
from nets import nets_factory
from nets.network import Network
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import paths, slim, tf
from slim_internal.ground.errors import UserError, require_writable_folder
from slim_internal.ground.files import locks
from slim_internal.ground.progress import start_up
from slim_internal.ground.settings import replaced
from slim_internal.parts.checkpoints import graph_files, latest
from slim_internal.parts.input_pipeline import damage, decoding, service
from slim_internal.parts.metrics.tensorboard import TensorBoard
from slim_internal.parts.metrics.writers import Several
from slim_internal.programs.training import graph as model
from slim_internal.programs.training import (
    hooks,
    input_images,
    loop,
    range_test,
    reestimation,
    reporting,
    schedules,
    settings_file,
    start,
    statistics,
    training_page,
    validation,
)
from slim_internal.programs.training.cluster import roles
from slim_internal.programs.training.cluster.replica import OtherSaves, Replica
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
    if roles.serve(config):
        return Result(0, None, None, 0)
    config = settings_file.completed(config)
    network = nets_factory.get_network(config.model_name)
    if network.num_frames:
        raise UserError(f"Network {network.name} reads clips; only images can be trained on.")
    dataset = dataset_factory.open_split(config, config.dataset_split_name)
    held_out = None if config.reestimate_batch_norm else validation.open_split(config)
    return train_on(dataset, network, config, held_out)


def train_on(
    dataset: slim.dataset.Dataset,
    network: Network,
    config: TrainConfig,
    held_out: slim.dataset.Dataset | None = None,
) -> Result:
    """Does what `train` does, with datasets that need not have a name.

    Args:
      dataset: What to train on.
      network: Record of the network.
      config: The settings.
      held_out: What to evaluate on during training; None to evaluate nothing.
    """
    roles.require_gpus(config)
    for each in (dataset, held_out) if held_out else (dataset,):
        decoding.read_channels(each, config.channels)
    replica = roles.replica(config)
    if config.find_learning_rate:
        found = range_test.find(dataset, network, config)
        return Result(0, None, None, found.exit_code)
    if not replica.is_chief:
        return _train_alone(dataset, network, config, None, replica)
    require_writable_folder("train_dir", config.train_dir)
    with _alone_in(config.train_dir):
        if config.reestimate_batch_norm:
            checkpoint = reestimation.reestimate(dataset, network, config)
            return Result(latest.step_of(checkpoint), None, checkpoint, 0)
        return _train_alone(dataset, network, config, held_out, replica)


def _train_alone(dataset, network, config: TrainConfig, held_out, replica: Replica) -> Result:
    # Wrong names are told before anything else, and before what takes time.
    preprocessing_factory.get_preprocessing(config.preprocessing_name or network.preprocessing)
    descriptor.data_files(dataset)
    begin = replica.meet(config, lambda: start.find(config))
    labelled = begin
    if not replica.is_chief:  # What the chief begins with decides.
        labelled = dataclasses.replace(begin, checkpoint=_newest(config.train_dir))
        if replica.num_input_parts == 1:  # Statistics that are shared are the chief's to estimate.
            config = replaced(config, final_statistics_batches=0)
    config = start.with_label_offset(labelled, config, network, dataset.num_classes)
    if begin.checkpoint:
        settings_file.require_same_classes(config, dataset)
    _require_data_service(config)
    chosen = precision.choose(config, on_cpu=config.clone_on_cpu)
    extent = _extent(config, dataset.num_samples, begin.step, replica.batches_per_step)
    if config.quantize_delay_epochs is not None:
        delay = extent.steps(config.quantize_delay_epochs) or 0
        config = replaced(config, quantize_delay=delay, quantize_delay_epochs=None)
    schedule = schedules.build(
        config, dataset.num_samples / replica.batches_per_step, extent.last_step
    )
    newest = functools.partial(_newest, config.train_dir)
    with (
        replica.guarded(newest),
        tf.Graph().as_default(),
        damage.damage_named(dataset),
        replica.placed(),
    ):
        # A mistake that is found there is told in one line.
        with reporting.announced("Building the graph", at_once=False), start_up.measured("graph"):
            graph = model.build(config, network, dataset, begin.step, chosen, replica)
            tower = held_out and validation.build(
                *(config, network, held_out, graph.num_classes),
                keep_features=graph.features is not None,
            )
        # Here, and not before: a mistake in the settings is told in one line.
        sessions.announce(chosen.words)
        restoring = None
        if replica.is_chief and not replica.begins_ready:
            restoring = start.plan(begin, config, network)
        saver = _saver(config) if replica.is_chief else None
        if saver:
            saver.write_graph(config.train_dir)
        with replica.session(chosen.configure(sessions.config(config.cpu_threads))) as session:
            what = "Setting the variables"
            with reporting.announced(what, at_once=False), start_up.measured("variables"):
                replica.initialize(session, lambda: restoring and restoring.restore(session))
            if replica.is_chief:
                settings_file.write(config, network, dataset, begin)
            with StopRequest() as stop:
                if graph.features:
                    graph.features.prepare(session, lambda: stop.signal_number is not None)
                return _run(
                    *(config, session, graph, saver, begin, stop, schedule, extent, tower),
                    *(chosen, replica),
                )


def _require_data_service(config: TrainConfig) -> None:
    if not config.data_service:
        return
    if config.balanced_sampling:
        raise UserError("--balanced_sampling has an order of its own: leave --data_service out.")
    if config.cache:
        raise UserError("--cache keeps images of this process: leave it or --data_service out.")
    service.require(config.data_service)
    _LOG.warning(
        "The data service at %s decides the order of the examples: it differs from run to run, and"
        " a run that continues does not equal an uninterrupted one.",
        config.data_service,
    )


def _newest(train_dir: str) -> str | None:
    """Returns the newest checkpoint of a folder, or None."""
    return next(iter(latest.list_checkpoints(train_dir)), None)


def _saver(config: TrainConfig) -> graph_files.Saver:
    saver = graph_files.Saver(
        save_meta_graph=config.save_meta_graph,
        max_to_keep=config.max_to_keep,
        save_relative_paths=True,
    )
    present = latest.list_checkpoints(config.train_dir)[::-1]
    saver.recover_last_checkpoints([paths.literal_checkpoint(path) for path in present])
    return saver


def _run(
    config, session, graph, saver, begin, stop, schedule, extent, tower, chosen, replica: Replica
) -> Result:
    _LOG.info("Batch: %s. The learning rate is not scaled by it.", replica.summary(config))
    if replica.is_chief:
        saving = hooks.Saving(
            session,
            saver,
            config.train_dir,
            graph.finite,
            every_secs=config.save_interval_secs,
            every_steps=extent.steps(config.save_every_epochs),
            checkpoint=begin.checkpoint,
            first_step=replica.saved_step(begin),
        )
    else:
        saving = OtherSaves()
    others = replica.hooks(
        session,
        saving.at_end,
        lambda: stop.exit_code,
        lambda step: {graph.learning_rate: schedule(step)},
    )
    run_hooks = _hooks(config, session, graph, saving, extent, tower, stop, others)
    validations = [hook for hook in run_hooks if isinstance(hook, validation.Validation)]
    training = loop.Loop(
        session,
        graph,
        schedule,
        run_hooks,
        step=begin.step,
        last_step=extent.last_step,
        must_stop=lambda: replica.must_stop(
            stop.signal_number is not None or any(hook.must_stop for hook in validations)
        ),
        look_at_first=chosen.check if chosen.smaller_type else None,
    )
    training.run()
    saved = f"newest checkpoint: {saving.checkpoint}" if replica.is_chief else "the chief saves it"
    _LOG.info("Stopped at step %d; %s", training.step, saved)
    return Result(training.step, training.loss, saving.checkpoint, stop.exit_code)


def _extent(
    config: TrainConfig, num_samples: int, first_step: int, num_batches: int = 1
) -> reporting.Extent:
    images_per_step = config.batch_size * config.num_clones * config.accumulate_steps * num_batches
    ends = [config.max_number_of_steps] if config.max_number_of_steps else []
    if config.num_epochs:
        ends.append(math.ceil(config.num_epochs * num_samples / images_per_step))
    return reporting.Extent(first_step, min(ends, default=None), images_per_step, num_samples)


def _hooks(
    config: TrainConfig,
    session: tf.Session,
    graph: model.TrainingGraph,
    saving: hooks.Saving,
    extent: reporting.Extent,
    tower: validation.Tower | None,
    stop: StopRequest,
    others: Sequence[hooks.Hook],
) -> list[hooks.Hook]:
    """Returns what the run does beside its steps: first what may end it, the longest last."""
    writes = not isinstance(saving, OtherSaves)
    metrics, board = Several(), None
    if writes:
        metrics, board = reporting.open_metrics(config.train_dir, extent.first_step)
    tensors = {"accuracy": graph.accuracy, "input_seconds": graph.input_seconds}
    every_steps = extent.steps(config.log_every_epochs) or config.log_every_n_steps
    report = reporting.Reporting(metrics, tensors, extent, every_steps=every_steps)
    evaluating = tower and validation.Validation(
        *(session, tower, config, metrics, extent, report.leave_out),
        is_interrupted=lambda: stop.signal_number is not None,
        class_names=graph.class_names,
    )
    estimation = statistics.Estimation(
        session,
        graph.statistics_updates,
        config.final_statistics_batches,
        is_end=lambda step: (
            step >= (extent.last_step or math.inf) or bool(evaluating and evaluating.must_stop)
        ),
        must_stop=lambda: stop.signal_number is not None,
    )
    run_hooks = [
        hooks.LabelCheck(graph.label_range, graph.num_classes, config.labels_offset),
        hooks.DivergenceWatch(saving),
        report,
        estimation,
        *others,
    ]
    if not writes:
        return run_hooks
    title = f"{config.model_name} on {config.dataset_name}"
    shown = {}
    if evaluating:
        shown = {"worst": evaluating.worst, "evaluated": lambda: evaluating.last_step}
    return [
        *run_hooks,
        *_for_tensorboard(config, graph, board),
        saving,
        *([evaluating] if evaluating else []),
        training_page.Page(config.train_dir, config, title, **shown),
    ]


def _for_tensorboard(
    config: TrainConfig, graph: model.TrainingGraph, board: TensorBoard
) -> Iterator[hooks.Hook]:
    """Yields what writes more than numbers."""
    every_secs = config.save_summaries_secs
    if graph.images is not None:
        yield input_images.InputImages(*graph.images, graph.class_names, board, every_secs)
    if graph.summaries is not None:
        yield hooks.Summaries(graph.summaries, board, every_secs)


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
