"""Measures contenders whose rates are known, in processes of their own."""

import functools
import itertools
import json
import os
import subprocess
import sys

import pytest

from deployment import sessions
from slim_internal.ground.compat import tf
from tests.tools.benchmarks import made_up_contenders
from tools.benchmarks import all as benchmark
from tools.benchmarks import contenders, groups


def test_a_group(capfd):
    rows = [
        groups.Contender("slow", functools.partial(made_up_contenders.sleeper, 0.2)),
        groups.Contender("fast", functools.partial(made_up_contenders.sleeper, 0.02), bar=2.0),
        groups.Contender(
            "rival", functools.partial(made_up_contenders.sleeper, 0.2), bar=0.5, is_rival=True
        ),
        groups.Contender("absent", made_up_contenders.absent),
        groups.Contender("broken", made_up_contenders.broken),
        groups.Contender("dying", made_up_contenders.dying),
        groups.Contender(
            "noisy", made_up_contenders.noisy, environment={"BENCHMARK_SECONDS": "0.2"}, warm_up=0.1
        ),
        groups.Contender("recorded", groups.Recorded(0.1, "slow"), 0.1, True, "fast"),
        groups.Contender("lost", groups.Recorded(0.1, "absent"), 0.1, True),
    ]
    measured = benchmark.measure("group", rows, 2, 0.5)
    slow, fast, rival, missing, failed, dead, loud, recorded, lost = measured
    assert slow.cells()[3] == "1.00"
    assert slow.cells()[1] == f"{sum(slow.rates) / 2:.3f}"
    assert 3 < slow.rates[0] <= 5
    assert 3 < loud.rates[0] <= 5
    assert 5 < slow.peak_mb < 5000
    assert slow.cells()[4] == f"{slow.peak_mb:,.0f}"
    assert all(ratio > 2 for ratio in fast.ratios)
    assert fast.cells()[5] == "\N{GREATER-THAN OR EQUAL TO} 2.00 yes"
    assert rival.cells()[5] == "\N{LESS-THAN OR EQUAL TO} 0.50 no"
    assert missing.problem == "a_library_that_is_not_installed is not installed"
    assert failed.problem == "failed: no such network"
    assert dead.problem == "its process died (exit code 3)"
    assert recorded.rates == [0.1 * rate for rate in slow.rates]
    assert recorded.ratios == pytest.approx([0.1, 0.1])
    ratio = sum(recorded.bar_ratios) / 2
    assert ratio < 0.1
    assert recorded.cells()[4:] == (
        "",
        f"\N{LESS-THAN OR EQUAL TO} 0.10 of fast: {ratio:.2f}, yes",
    )
    assert lost.problem == "absent: a_library_that_is_not_installed is not installed"
    page = benchmark.render(measured)
    assert all(row.name in page for row in rows)
    assert "is not installed" in page
    assert "one of many messages" not in capfd.readouterr().err


def test_without_its_yardstick_a_row_has_no_ratio(capfd):
    rows = [
        groups.Contender("absent", made_up_contenders.absent),
        groups.Contender(
            "noisy", made_up_contenders.noisy, 0.5, True, environment={"BENCHMARK_SECONDS": "0.01"}
        ),
        groups.Contender("mortal", made_up_contenders.mortal),
    ]
    _, measured, died = benchmark.measure("group", rows, 1, 0.1, verbose=True)
    assert died.cells()[1] == "its process died while it was measured"
    name, rate, spread, ratio, _, aim = measured.cells()
    assert (name, spread, ratio, aim) == ("noisy", "1.00", "", "")
    assert 10 < float(rate) <= 100
    assert "one of many messages" in capfd.readouterr().err


@pytest.mark.parametrize("name", groups.GROUPS)
def test_rows_are_compared_with_rows_of_their_group(name):
    rows = {row.name: row for row in groups.GROUPS[name]}
    assert len(rows) == len(groups.GROUPS[name])
    yardstick, *others = rows.values()
    assert callable(yardstick.source)
    for row in others:
        assert not row.against or row.against in rows
        if isinstance(row.source, groups.Recorded):
            assert "(recorded)" in row.name
            assert callable(rows[row.source.row].source)


def _options(row):
    return row.source.keywords


@pytest.mark.parametrize(
    ("network", "bar"),
    [("resnet_v1_50", 1), ("inception_v3", 1), ("mobilenet_v2", 1), ("vgg_16", 1 / 0.9)],
)
def test_groups_of_a_network_on_a_gpu(network, bar):
    mixed, plain = (
        next(rows for name, rows in groups.GROUPS.items() if name.startswith(f"GPU, {kind}, ")
             and f", {network}," in name)
        for kind in ("mixed precision", "float32")
    )  # fmt: skip
    gpu = {"on_gpu": True}
    assert [_options(row) for row in mixed] == [
        {**gpu, "mixed_precision": True, "xla": True},
        {**gpu, "autocast": True},
    ]
    assert [_options(row) for row in plain] == [{**gpu, "xla": True}, gpu, gpu]
    assert [rows[-1].bar for rows in (mixed, plain)] == [bar, 1.0]
    for row in (*mixed, *plain):
        assert row.source.args[:3] in {mixed[0].source.args[:3], mixed[-1].source.args[:3]}


def test_only_groups_of_a_gpu_see_one():
    for name, rows in groups.GROUPS.items():
        for row in rows:
            if isinstance(row.source, groups.Recorded):
                continue
            is_on_gpu = name.startswith("GPU, ")
            assert _options(row).get("on_gpu", False) == is_on_gpu
            assert row.environment.get("CUDA_VISIBLE_DEVICES") == (None if is_on_gpu else "-1")


@pytest.mark.parametrize("network", ["lenet", "mobilenet_v1"])
def test_the_levers_change_one_thing_each(network):
    rows = groups.GROUPS[f"levers, training step, {network}"]
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"}
    assert [(_options(row), row.environment) for row in rows] == [
        ({}, hidden),
        ({"keep_memory": False}, hidden),
        ({}, {**hidden, "TF_ENABLE_ONEDNN_OPTS": "0"}),
        ({"mixed_precision": True}, hidden),
    ]
    assert len({row.source.args for row in rows}) == 1


@pytest.mark.parametrize(
    "name",
    ["input, JPEGs of 500 x 375, 224 px", "levers, Inception training input", "machine"],
)
def test_contenders_without_networks_work(name, monkeypatch):
    monkeypatch.setattr(contenders, "_PHOTOGRAPHS", 4)
    monkeypatch.setattr(contenders, "_INPUT_BATCH", 2)
    for row in groups.GROUPS[name]:
        if not isinstance(row.source, groups.Recorded):
            assert row.source()() > 0


@pytest.mark.parametrize("cache", [False, True])
def test_lenet_learns_digits(cache):
    with tf.Graph().as_default():
        assert contenders.train_on_digits(cache)() == 32


def test_a_gpu_is_missed(monkeypatch):
    monkeypatch.setattr(sessions, "gpus", lambda: ())
    for row in itertools.chain(*(groups.GROUPS[name] for name in groups.GROUPS if "GPU" in name)):
        with pytest.raises((contenders.NotHereError, ImportError)) as caught:  # PyTorch.
            row.source()
        assert (
            "TensorFlow finds no GPU" in str(caught.value) or "torch" in str(caught.value).lower()
        )


def test_slim_s_networks_work(monkeypatch):
    monkeypatch.setattr(contenders, "_PHOTOGRAPHS", 4)
    with tf.Graph().as_default():
        assert contenders.evaluate_images("mobilenet_v1_025", 2)() == 2
    with tf.Graph().as_default():
        assert contenders.train_on_photographs("mobilenet_v1_025", 2)() == 2
    assert contenders.slim_step("lenet", 2, 28, 10, keep_memory=False)() == 2
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
