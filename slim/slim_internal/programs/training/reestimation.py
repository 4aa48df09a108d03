"""Estimates the moving statistics of a checkpoint's batch normalization anew."""

import dataclasses
import logging
import os

from deployment import sessions
from nets.network import Network
from slim_internal.ground.compat import paths, slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import graph_files, latest
from slim_internal.parts.input_pipeline import damage
from slim_internal.programs.training import graph as model
from slim_internal.programs.training import settings_file, start, statistics
from slim_internal.programs.training.cluster.replica import Replica
from slim_internal.programs.training.settings import TrainConfig

_LOG = logging.getLogger(__name__)


def reestimate(dataset: slim.dataset.Dataset, network: Network, config: TrainConfig) -> str:
    """Saves a copy of `checkpoint_path` whose statistics are the means over some batches.

    Args:
      dataset: What the batches are from; they are prepared as for training.
      network: Record of the network.
      config: The settings; `train_dir` must not hold a checkpoint.

    Returns:
      The new checkpoint, of the same step.

    Raises:
      UserError: If there is no checkpoint to take, or one in the way, or nothing to estimate.
    """
    _require_source_and_empty_folder(config)
    config = start.with_label_offset(start.Start(None, 0), config, network, dataset.num_classes)
    # No layer is frozen, and one clone counts.
    config = dataclasses.replace(config, trainable_scopes=None, num_clones=1)
    with tf.Graph().as_default(), damage.damage_named(dataset):
        model.build(config, network, dataset, first_step=0)
        sessions.announce()
        planned = start.plan(start.Start(None, 0), config, network)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        if not updates:
            raise UserError(f"{network.name} has no batch normalization to estimate statistics of.")
        saver = graph_files.Saver(save_meta_graph=config.save_meta_graph, save_relative_paths=True)
        step = max(0, latest.step_of(planned.checkpoint_path))
        set_step = tf.train.get_global_step().assign(step)
        with tf.Session(config=sessions.config(config.cpu_threads)) as session:
            Replica().initialize(session, lambda: planned.restore(session))
            session.run(set_step)
            statistics.Estimation(session, updates, config.reestimate_batch_norm).estimate()
            path = os.path.join(config.train_dir, "model.ckpt")
            saver.save(
                session,
                paths.literal_checkpoint(path),
                global_step=step,
            )
            settings_file.write(config, network, dataset, start.Start(None, step))
    _LOG.info(
        "Estimated the statistics on %d batches; saved %s-%d",
        *(config.reestimate_batch_norm, path, step),
    )
    return f"{path}-{step}"


def _require_source_and_empty_folder(config: TrainConfig) -> None:
    if not config.checkpoint_path:
        raise UserError("--reestimate_batch_norm needs the checkpoint: --checkpoint_path=...")
    present = latest.list_checkpoints(config.train_dir)
    if present:
        raise UserError(
            f"--reestimate_batch_norm writes a new checkpoint, but --train_dir={config.train_dir}"
            f" holds {os.path.basename(present[0])} already: choose an empty folder."
        )
