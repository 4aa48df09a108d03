"""From the settings to the part that this process plays."""

import logging
import os

from deployment import cluster, servers, sessions
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.training.cluster.collective import CollectiveWorker
from slim_internal.programs.training.cluster.parameter_servers import ServedWorker
from slim_internal.programs.training.cluster.replica import Replica
from slim_internal.programs.training.settings import TrainConfig

_LOG = logging.getLogger(__name__)

# Setting -> the values with which several processes train together.
_IN_A_CLUSTER = {
    "accumulate_steps": (1,),
    "cache": (False,),
    "cache_features": ("auto", "off"),
    "data_service": (None, ""),
    "find_learning_rate": (None, ""),
    "mixed_precision": (False,),
    "precision": (None, "float32"),
    "reestimate_batch_norm": (0,),
    "xla": (False,),
}


def replica(config: TrainConfig) -> Replica:
    """Returns what this process is among those that train together."""
    role = cluster.resolve(config, os.environ)
    if role is None or (role.num_workers == 1 and not role.num_servers and not role.master):
        return Replica()
    _require_what_a_cluster_bears(config)
    if config.replicas_to_aggregate > 1 and not role.sync:
        _LOG.warning(
            "--replicas_to_aggregate=%d changes nothing without --sync_replicas.",
            config.replicas_to_aggregate,
        )
    if not role.collective:
        return ServedWorker(role)
    return CollectiveWorker(role, on_gpu=bool(sessions.gpus()) and not config.clone_on_cpu)


def _require_what_a_cluster_bears(config: TrainConfig) -> None:
    for name, values in _IN_A_CLUSTER.items():
        value = getattr(config, name)
        if value not in values:
            given = f"--{name}" if value is True else f"--{name}={value}"
            raise UserError(f"{given} works in one process: leave the cluster out.")


def serve(config: TrainConfig) -> bool:
    """Is a parameter server until the workers have ended, if the settings ask for that.

    Returns:
      Whether this process was one.
    """
    role = cluster.resolve(config, os.environ)
    if role is None or role.job != "ps":
        return False
    settings = sessions.config(config.cpu_threads)
    settings.device_count["GPU"] = 0
    settings.device_filters.append(servers.device(role.job, role.task))
    servers.serve(role, settings)
    return True


def require_gpus(config: TrainConfig) -> None:
    """Requires a GPU for each clone, on a machine that has any.

    Raises:
      UserError: There are fewer.
    """
    gpus = len(tf.config.list_physical_devices("GPU"))
    if 0 < gpus < config.num_clones and not config.clone_on_cpu:
        raise UserError(
            f"--num_clones must be at most the number of GPUs, {gpus}; got {config.num_clones}."
            " --clone_on_cpu runs the clones on the CPU."
        )
