"""Goes on with a run at another precision, and builds the graph of a GPU."""

import contextlib
import logging
import shutil

import numpy as np
import pytest
from tensorflow.python.framework import kernels

from deployment import precision, sessions
from nets import nets_factory
from slim_internal.ground.compat import tf
from slim_internal.parts.checkpoints import latest
from slim_internal.programs.training import freezing, graph, train
from slim_internal.programs.training.settings import TrainConfig
from tests import made_up_gpu
from tests.slim_internal.programs.training import tiny_dataset, tiny_network


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Returns a function that goes on to a step and returns what was saved there."""
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
    dataset = tiny_dataset.write(str(tmp_path / "data"), 32, num_classes=4)

    def train_until(step, chosen=precision.FLOAT32, folder="run"):
        monkeypatch.setattr(precision, "choose", lambda *_, **__: chosen)
        config = TrainConfig(
            train_dir=str(tmp_path / folder),
            dataset_dir="unused",
            model_name="tiny",
            batch_size=8,
            max_number_of_steps=step,
            cpu_threads=1,
            mixed_precision=chosen.smaller_type is not None,
        )
        reader = latest.reader(train.train_on(dataset, tiny_network.NETWORK, config).checkpoint)
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}

    return train_until


def test_a_run_goes_on_at_another_precision(run, caplog):
    caplog.set_level(logging.INFO)
    run(2)
    saved = run(4, precision.Precision(tf.float16))
    assert "Precision: float16 and float32" in caplog.text
    if not sessions.gpus():
        assert "Mixed precision changes nothing" in caplog.text
    assert saved["global_step"] == 4
    assert set(precision.STATE) <= set(saved)
    assert {value.dtype for name, value in saved.items() if "weights" in name} == {
        np.dtype(np.float32)
    }
    saved = run(5, precision.Precision(tf.float16))
    assert saved["good_steps"] == 3
    assert not set(precision.STATE) & set(run(6))


@pytest.mark.parametrize("gpus", [(), ("GPU 0",)])
def test_the_graph_is_built_for_the_device(gpus, monkeypatch, tmp_path):
    monkeypatch.setattr(sessions, "gpus", lambda: gpus)
    dataset = tiny_dataset.write(str(tmp_path), 32, num_classes=4)
    with tf.Graph().as_default() as built:
        config = TrainConfig(train_dir="unused", dataset_dir="unused", model_name="cifarnet")
        training = graph.build(config, nets_factory.get_network("cifarnet"), dataset, 0)
    names = [op.name for op in built.get_operations() if op.type == "SelectV2"]
    assert any("dropout" in name for name in names) != bool(gpus)
    devices = {op.type: op.device for op in built.get_operations()}
    if not gpus:
        assert devices["OneShotIterator"] == "/device:CPU:0"
        return
    assert "OneShotIterator" not in devices
    # GeneratorDataset fetches batches from the CPU, PrefetchDataset keeps the next one.
    for kind in ("GeneratorDataset", "PrefetchDataset", "IteratorV2", "IteratorGetNext"):
        assert devices[kind] == made_up_gpu.DEVICE.partition("task:0")[2], kind
        found = kernels.get_registered_kernels_for_op(kind).kernel
        assert "GPU" in {kernel.device_type for kernel in found}, kind
    (batch,) = (op for op in built.get_operations() if op.type == "IteratorGetNext")
    between = freezing.ancestors([*training.images]) - freezing.ancestors(batch.outputs)
    assert {op.device for op in between} == {devices["IteratorV2"]}


def test_a_run_whose_batches_are_copied_ahead_resumes_to_the_last_bit(run, monkeypatch, tmp_path):
    """A second CPU stands for the GPU; dropout is left as it is on a CPU."""
    used = []

    def clone_device(self, number):
        used.append(number)
        return "/device:CPU:1"

    def two_cpus(threads=0):
        settings = config(threads)
        settings.device_count["CPU"] = 2
        return settings

    config = sessions.config
    run(1)
    shutil.copytree(tmp_path / "run", tmp_path / "ahead")  # Both start from the same weights.
    expected = run(5)
    monkeypatch.setattr(sessions, "config", two_cpus)
    monkeypatch.setattr(sessions, "gpus", lambda: ("GPU 0",))
    monkeypatch.setattr(graph._OneGpu, "clone_device", clone_device)
    monkeypatch.setattr(graph.gpu_operations, "fast", contextlib.nullcontext)
    run(3, folder="ahead")
    resumed = run(5, folder="ahead")
    assert used
    for name, value in expected.items():
        np.testing.assert_array_equal(value, resumed[name], err_msg=name)
