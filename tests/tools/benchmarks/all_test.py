"""Measures contenders whose rates are known, in processes of their own."""

import functools
import importlib
import json
import os
import subprocess
import sys
import time

import pytest

from deployment import sessions
from slim_internal.ground.compat import tf
from tools.benchmarks import all as benchmark
from tools.benchmarks import contenders


def sleeper(seconds):
    """Returns work that takes as long for one image."""

    def work():
        time.sleep(seconds)
        return 1

    return work


def absent():
    """Needs a library that there is not."""
    importlib.import_module("a_library_that_is_not_installed")


def broken():
    """Fails while it is prepared."""
    raise ValueError("no such network\nand more")


def test_a_group():
    rows = [
        benchmark.Contender("slow", functools.partial(sleeper, 0.2)),
        benchmark.Contender("fast", functools.partial(sleeper, 0.02), bar=2.0),
        benchmark.Contender("rival", functools.partial(sleeper, 0.2), bar=0.5, is_rival=True),
        benchmark.Contender("absent", absent),
        benchmark.Contender("broken", broken),
    ]
    slow, fast, rival, missing, failed = measured = benchmark.measure("group", rows, 2, 0.5)
    assert slow.cells()[3] == "1.00"
    assert slow.cells()[1] == f"{sum(slow.rates) / 2:.3f}"
    assert 3 < slow.rates[0] <= 5
    assert all(ratio > 2 for ratio in fast.ratios)
    assert fast.cells()[4] == "\N{GREATER-THAN OR EQUAL TO} 2.00 yes"
    assert rival.cells()[4] == "\N{LESS-THAN OR EQUAL TO} 0.50 no"
    assert missing.problem == "a_library_that_is_not_installed is not installed"
    assert failed.problem == "failed: no such network"
    page = benchmark.render(measured)
    assert all(row.name in page for row in rows)
    assert "is not installed" in page


@pytest.mark.parametrize("name", ["input, JPEGs of 500 x 375, 224 px", "machine"])
def test_contenders_without_networks_work(name, monkeypatch):
    monkeypatch.setattr(contenders, "_PHOTOGRAPHS", 4)
    monkeypatch.setattr(contenders, "_INPUT_BATCH", 2)
    for row in benchmark.GROUPS[name]:
        assert row.prepare()() > 0


@pytest.mark.parametrize("cache", [False, True])
def test_lenet_learns_digits(cache):
    with tf.Graph().as_default():
        assert contenders.train_on_digits(cache)() == 32


def test_a_gpu_is_missed(monkeypatch):
    monkeypatch.setattr(sessions, "gpus", lambda: ())
    with pytest.raises(contenders.NotHereError, match="TensorFlow finds no GPU"):
        contenders.slim_step("lenet", 2, 28, 10, on_gpu=True)


def test_slim_s_networks_work(monkeypatch):
    monkeypatch.setattr(contenders, "_PHOTOGRAPHS", 4)
    with tf.Graph().as_default():
        assert contenders.evaluate_images("mobilenet_v1_025", 2)() == 2
    assert contenders.slim_step("lenet", 2, 28, 10)() == 2
    assert contenders.slim_inference("mobilenet_v1_025", 2, 96)() == 2


# In a process of its own: every benchmark has flags of these names.
_SET_UPS = """
import json
from tools.benchmarks import workers_benchmark as benchmark
measured = benchmark.Measurement("", [2.0, 1.0, 4.0], [64.0, 32.0, 128.0], [1.0, 0.5, 2.0])
print(json.dumps([[each.commands() for each in benchmark.SETUPS], measured.cells()]))
"""


def test_processes_that_train_together():
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    printed = subprocess.check_output(
        [sys.executable, "-c", _SET_UPS], env={**os.environ, "PYTHONPATH": path}
    )
    (alone, *together), cells = json.loads(printed)
    assert alone == [[]]
    assert [[flags[-2:] for flags in commands] for commands in together] == [
        [["--job_name=worker", "--task=0"]],
        [["--job_name=worker", "--task=0"], ["--job_name=worker", "--task=1"]],
        [["--job_name=worker", "--task=0"], ["--job_name=ps", "--task=0"]],
        [
            ["--job_name=worker", "--task=0"],
            ["--job_name=worker", "--task=1"],
            ["--job_name=ps", "--task=0"],
        ],
    ]
    for commands in together:
        (cluster,) = {flags[0] for flags in commands}  # All have the same one.
        assert len(set(cluster.replace(";", ",").split(","))) == len(commands)
    assert cells == ["2.0", "64", "4.00", "1.00"]
