"""Goes on with a run at another precision."""

import logging

import numpy as np
import pytest

from deployment import precision, sessions
from nets import nets_factory
from slim_internal.ground.compat import tf
from slim_internal.parts.checkpoints import latest
from slim_internal.programs.training import graph, train
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.programs.training import tiny_dataset, tiny_network


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Returns a function that goes on to a step and returns what was saved there."""
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
    dataset = tiny_dataset.write(str(tmp_path / "data"), 32, num_classes=4)

    def train_until(step, chosen=precision.FLOAT32):
        monkeypatch.setattr(precision, "choose", lambda settings: chosen)
        config = TrainConfig(
            train_dir=str(tmp_path / "run"),
            dataset_dir="unused",
            model_name="tiny",
            batch_size=8,
            max_number_of_steps=step,
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
        assert "--mixed_precision changes nothing" in caplog.text
    assert saved["global_step"] == 4
    assert set(precision.STATE) <= set(saved)
    assert {value.dtype for name, value in saved.items() if "weights" in name} == {
        np.dtype(np.float32)
    }
    saved = run(5, precision.Precision(tf.float16))
    assert saved["good_steps"] == 3
    assert not set(precision.STATE) & set(run(6))


@pytest.mark.parametrize("gpus", [(), ("GPU 0",)])
def test_dropout_is_built_for_the_device(gpus, monkeypatch, tmp_path):
    monkeypatch.setattr(sessions, "gpus", lambda: gpus)
    dataset = tiny_dataset.write(str(tmp_path), 32, num_classes=4)
    with tf.Graph().as_default() as built:
        config = TrainConfig(train_dir="unused", dataset_dir="unused", model_name="cifarnet")
        graph.build(config, nets_factory.get_network("cifarnet"), dataset, 0)
    names = [op.name for op in built.get_operations() if op.type == "SelectV2"]
    assert any("dropout" in name for name in names) != bool(gpus)
