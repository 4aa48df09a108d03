"""What a process of a cluster refuses, before anything is started or written."""

import pytest

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.training.cluster import roles
from slim_internal.programs.training.settings import TrainConfig

_CLUSTER = {"cluster": "ps=127.0.0.1:1;worker=127.0.0.1:2,127.0.0.1:3", "job_name": "worker"}
_IN_ONE_PROCESS = {
    "accumulate_steps": 2,
    "cache_features": "1",
    "find_learning_rate": "curve.png",
    "mixed_precision": True,
    "reestimate_batch_norm": 5,
    "xla": True,
}


def config(**settings):
    return TrainConfig(dataset_dir="unused", **settings)


@pytest.mark.parametrize("name", _IN_ONE_PROCESS)
def test_what_works_in_one_process_is_refused(name):
    value = _IN_ONE_PROCESS[name]
    with pytest.raises(UserError, match=f"^--{name}.* works in one process: leave the cluster out"):
        roles.replica(config(**_CLUSTER, **{name: value}))
    assert roles.replica(config(**{name: value})).is_chief  # Without a cluster it is not.


@pytest.mark.parametrize(
    ("gpus", "settings", "refused"),
    [
        (2, {"num_clones": 3}, True),
        (2, {"num_clones": 2}, False),
        (2, {"num_clones": 3, "clone_on_cpu": True}, False),
        (0, {"num_clones": 3}, False),
    ],
)
def test_each_clone_needs_a_gpu(monkeypatch, gpus, settings, refused):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU"] * gpus)
    if refused:
        with pytest.raises(UserError, match="--num_clones must be at most the number of GPUs, 2"):
            roles.require_gpus(config(**settings))
    else:
        roles.require_gpus(config(**settings))
