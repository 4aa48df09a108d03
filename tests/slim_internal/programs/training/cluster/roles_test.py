"""What a process of a cluster refuses, before anything is started or written."""

import socket

import pytest

from deployment import cluster, servers, sessions
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.training.cluster import replica, roles
from slim_internal.programs.training.settings import TrainConfig

_CLUSTER = {"cluster": "ps=127.0.0.1:1;worker=127.0.0.1:2,127.0.0.1:3", "job_name": "worker"}
_IN_ONE_PROCESS = {
    "accumulate_steps": 2,
    "cache": True,
    "cache_features": "1",
    "find_learning_rate": "curve.png",
    "mixed_precision": True,
    "precision": "fastest",
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
    ("setting", "is_told"),
    [("num_readers", True), ("batch_size", True), ("num_preprocessing_threads", False)],
)
def test_what_decides_which_examples_come_next_is_the_same_everywhere(setting, is_told):
    mine, chiefs = (replica.compared(config(**{setting: number})) for number in (3, 2))
    told = f"--{setting} is 3 here and 2 at the chief" if is_told else None
    assert replica.difference(mine, chiefs) == told


@pytest.mark.parametrize("distribution", ["collective", "parameter_server"])
def test_the_only_process_of_a_cluster_trains_alone(distribution):
    alone = roles.replica(config(cluster="worker=127.0.0.1:2", distribution=distribution))
    assert alone.trains_alone


@pytest.mark.parametrize(
    ("settings", "warnings"),
    [
        ({}, []),
        ({"sync_replicas": True, "replicas_to_aggregate": 2}, []),
        (
            {"replicas_to_aggregate": 2},
            ["--replicas_to_aggregate=2 changes nothing without --sync_replicas."],
        ),
    ],
)
def test_what_counts_for_synchronous_workers_only_is_said(caplog, settings, warnings):
    roles.replica(config(**_CLUSTER, **settings))
    assert caplog.messages == warnings


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


def test_a_task_that_runs_on_another_machine_is_refused(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        role = cluster.resolve(config(cluster=f"worker={address}"), {})
        with pytest.raises(UserError, match=r"port .*: Address already in use"):
            servers._require_free(role, address)
        monkeypatch.setattr(servers, "port_problem", lambda port: "")  # The port is free here.
        with pytest.raises(UserError, match=f"^Worker 0 runs already, at {address} on another mac"):
            servers._require_free(role, address)


@pytest.mark.parametrize(
    ("gpus", "settings", "device", "hint"),
    [
        (2, {}, "/device:GPU:0", b"nccl"),
        (2, {"num_clones": 2}, "/device:GPU:0", b"nccl"),
        (2, {"clone_on_cpu": True}, "/device:CPU:0", b"auto"),
        (0, {}, "/device:CPU:0", b"auto"),
    ],
)
def test_workers_add_up_on_gpus_by_nccl(monkeypatch, gpus, settings, device, hint):
    monkeypatch.setattr(sessions, "gpus", lambda: ("GPU",) * gpus)
    workers = {"cluster": "worker=127.0.0.1:2,127.0.0.1:3", "task": 1}
    worker = roles.replica(config(distribution="collective", **workers, **settings))
    with tf.Graph().as_default() as graph, worker.placed():
        with tf.device("/device:CPU:0"):  # Where several clones of a process meet.
            tf.train.get_or_create_global_step()
            weights = tf.get_variable("weights", [3])
            tf.get_variable("moving_mean", [2], trainable=False)
            worker.combined(tf.constant(1.0), [(tf.ones([3]), weights)], [], tf.constant(0.5))
        worker._shared_variables()
        found = [op for op in graph.get_operations() if op.type == "CollectiveReduce"]
    # Gradients and statistics of a step, statistics at the end, floats and integers at the start.
    assert len(found) == 4
    assert {op.device for op in found} == {f"/job:worker/task:1{device}"}
    assert {op.get_attr("communication_hint") for op in found} == {hint}
    assert len({op.get_attr("instance_key") for op in found}) == 4
    assert {(op.get_attr("group_size"), op.get_attr("group_key")) for op in found} == {(2, 1)}
