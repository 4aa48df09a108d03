"""Trains with several processes, kills them in turn, and looks at what becomes of all."""

import os
import signal
import socket
import sys
import time

import numpy as np
import pytest

from datasets.conversion import convert
from datasets.conversion.settings import Conversion
from slim_internal.parts.checkpoints import latest
from tests.slim_internal.programs.training.cluster import cluster_run, tiny_runs
from tools.benchmarks import loopback

_STILL_SECS = 4.0  # So long nothing must happen where a process is to wait.


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("digits"))
    convert.convert(Conversion(dataset_name="digits", dataset_dir=folder))
    return folder


@pytest.fixture
def start(digits, tmp_path, monkeypatch):
    """Returns a function that starts a process; what still runs after the test is killed."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # Else forks find no module.
    monkeypatch.delenv("TF_CONFIG", raising=False)
    processes = []

    def start_process(job="worker", task=0, **settings):
        settings = {"dataset_dir": digits, "job_name": job, "task": task, **settings}
        processes.append(cluster_run.Process(tmp_path, **settings))
        return processes[-1]

    yield start_process
    for process in processes:
        process.close()


def _stands_still(process) -> bool:
    step = process.step
    time.sleep(_STILL_SECS)
    return process.step <= step + 1  # A line may have been under way.


def test_asynchronous_processes_are_killed_one_after_the_other(start, tmp_path):
    shared = {"cluster": loopback.cluster(1, 2), "save_interval_secs": 1}
    server = start("ps", **shared)
    chief, worker = (start(task=task, **shared) for task in range(2))
    chief.makes_steps()
    worker.makes_steps()

    worker.kill()
    chief.makes_steps()
    worker = start(task=1, **shared)
    worker.makes_steps()
    worker.send(signal.SIGSTOP)  # It hangs.
    chief.makes_steps()
    worker.send(signal.SIGCONT)

    chief.wait_for("Saved ")
    chief.kill()
    worker.makes_steps(20)
    newer = worker.step
    chief = start(**shared)
    chief.wait_for("Continuing with the variables on the parameter servers, of step ")
    assert latest.step_of(latest.newest_good(str(tmp_path / "run"))) < newer
    chief.makes_steps()
    first = next(line for line in chief.text.splitlines() if line.startswith("step "))
    assert int(first.split()[1].partition("/")[0]) > newer

    chief.send(signal.SIGTERM)
    assert (chief.ends(), worker.ends(), server.ends()) == (143, 0, 0)
    assert latest.step_of(latest.newest_good(str(tmp_path / "run"))) >= newer
    assert "Traceback" not in chief.text + worker.text + server.text


def test_synchronous_workers_wait_for_each_other_and_end_with_the_server(start):
    shared = {
        "cluster": loopback.cluster(1, 2),
        "sync_replicas": True,
        "replicas_to_aggregate": 2,
    }
    server = start("ps", **shared)
    chief = start(train=tiny_runs.die_between_update_and_tokens, **shared)
    worker = start(task=1, **shared)
    worker.makes_steps()

    worker.kill()
    assert _stands_still(chief)
    worker = start(task=1, **shared)

    assert chief.ends() == -signal.SIGKILL
    assert _stands_still(worker)
    chief = start(**shared)
    chief.makes_steps()
    worker.makes_steps()

    worker.send(signal.SIGSTOP)
    assert _stands_still(chief)
    worker.send(signal.SIGCONT)
    chief.makes_steps()

    server.kill()
    for process in (chief, worker):
        assert process.ends() == 1
        assert process.text.splitlines()[-1].startswith("error: Lost parameter server 0 at local")
        assert "From /job:" not in process.text
        assert "Traceback" not in process.text


def test_synchronous_worker_that_is_asked_to_stop_stops_all(start):
    shared = {"cluster": loopback.cluster(1, 2), "sync_replicas": True}
    shared["replicas_to_aggregate"] = 2
    server = start("ps", **shared)
    chief, worker = (start(task=task, **shared) for task in range(2))
    worker.makes_steps()
    worker.send(signal.SIGTERM)
    assert (worker.ends(), chief.ends(), server.ends()) == (143, 0, 0)
    assert "newest checkpoint: " in chief.text
    assert server.text.splitlines()[-1] == "All workers have ended."


def test_collective_workers_end_together_and_continue(start, tmp_path):
    shared = {
        "cluster": loopback.cluster(0, 2),
        "distribution": "collective",
        "save_interval_secs": 1,
    }
    chief, worker = (start(task=task, **shared) for task in range(2))
    chief.wait_for("Saved ")
    chief.makes_steps()
    assert "Batch: 8 images in all, per worker 4 images (4 x 1 clones)." in worker.text
    worker.send(signal.SIGSTOP)
    assert _stands_still(chief)
    worker.send(signal.SIGCONT)
    chief.makes_steps()
    worker.kill()
    assert chief.ends() == 1
    assert chief.text.splitlines()[-1].startswith("error: Lost worker 1 at localhost:")
    saved = latest.step_of(latest.newest_good(str(tmp_path / "run")))

    chief, worker = (start(task=task, **shared) for task in range(2))
    chief.wait_for(f"Continuing from step {saved}: ")
    assert worker.makes_steps() > saved
    worker.send(signal.SIGTERM)
    assert (worker.ends(), chief.ends()) == (143, 0)
    saved = latest.step_of(latest.newest_good(str(tmp_path / "run")))
    assert f"Stopped at step {saved}; " in worker.text

    chief, worker = (start(task=task, **shared) for task in range(2))
    worker.makes_steps()
    chief.kill()
    assert worker.ends() == 1
    assert worker.text.splitlines()[-1].startswith("error: Lost worker 0 at localhost:")


def test_divergence_ends_all_workers_and_saves_nothing(start, tmp_path):
    shared = {"cluster": loopback.cluster(1, 2), "learning_rate": 1e30}
    server = start("ps", **shared)
    workers = [start(task=task, **shared) for task in range(2)]
    assert [worker.ends() for worker in workers] == [1, 1]
    assert server.ends() == 0
    for worker in workers:
        assert "(learning rate 1e+30)" in worker.text.splitlines()[-1]
    assert not latest.list_checkpoints(str(tmp_path / "run"))


def test_processes_that_do_not_fit_each_other(start):
    told = loopback.cluster(1, 2)
    shared = {"cluster_timeout_secs": 60.0}
    start("ps", cluster=told, **shared).wait_for("Parameter server 0 of 1 at ")
    chief = start(cluster=told, **shared)
    chief.makes_steps(1)
    _, _, other = told.rpartition(":")
    another = told.replace(other, str(loopback.free_ports(1)[0]))
    mistakes = {
        "give all processes the same one": {"cluster": another},
        "--batch_size is 5 here and 4 at the chief": {"cluster": told, "batch_size": 5},
    }
    for message, settings in mistakes.items():
        worker = start(task=1, **shared, **settings)
        assert worker.ends() == 1
        (line,) = (line for line in worker.text.splitlines() if line.startswith("error: "))
        assert message in line


def test_unreachable_processes_and_ports_in_use(start, tmp_path):
    free, used, another = loopback.free_ports(3)
    mistakes = {
        "No answer from parameter server 0 at localhost": {"cluster": loopback.cluster(1, 1)},
        "No answer from worker 1 at localhost": {
            "cluster": loopback.cluster(0, 2),
            "distribution": "collective",
        },
        "No answer from the server of --master": {
            "job": None,
            "master": f"grpc://localhost:{free}",
            "num_ps_tasks": 1,
        },
        f"Lost the server of --master at localhost:{used}": {  # It takes connections, no more.
            "job": None,
            "master": f"grpc://localhost:{used}",
            "num_ps_tasks": 1,
        },
        "No answer from parameter server 0 within": {
            "cluster": f"ps=localhost:{used};worker=localhost:{another}",
        },
        f"port {used}: Address already in use": {
            "job": "ps",
            "cluster": f"ps=localhost:{used};worker=localhost:{free}",
        },
    }
    with socket.socket() as taken:
        taken.bind(("", used))
        taken.listen()
        processes = [
            start(cluster_timeout_secs=1.0, train_dir=str(tmp_path / str(number)), **settings)
            for number, settings in enumerate(mistakes.values())
        ]
        for message, process in zip(mistakes, processes, strict=True):
            assert process.ends() == 1
            lines = [line for line in process.text.splitlines() if line.startswith("error: ")]
            assert message in lines[-1], process.text
            assert "Traceback" not in process.text


@pytest.mark.parametrize("network", ["plain", "tiny"])
def test_collective_workers_have_the_same_weights(tmp_path, start, network):
    settings = {
        "train": tiny_runs.run,
        "model_name": network,
        "max_number_of_steps": 12,
        "optimizer": "momentum",
        "learning_rate": 0.05,
        "clip_gradient_norm": 1.0,
        "cache_features": "off",
        "labels_offset": 0,
    }
    two = {"cluster": loopback.cluster(0, 2), "distribution": "collective"}
    two |= {"train_dir": str(tmp_path / "two"), "batch_size": 4, **settings}
    workers = [start(task=task, **two) for task in range(2)]
    one = start(job=None, train_dir=str(tmp_path / "one"), batch_size=8, **settings)
    for process in (*workers, one):
        assert process.ends() == 0, process.text
    chief, worker = (dict(np.load(tmp_path / f"two-{task}.npz")) for task in range(2))
    for name, value in chief.items():
        np.testing.assert_array_equal(value, worker[name], err_msg=name)
    if network == "plain":  # What is random or of a batch's own would differ.
        alone = latest.reader(latest.newest_good(str(tmp_path / "one")))
        for name, value in chief.items():
            expected = alone.get_tensor(name)
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6, err_msg=name)
