"""Estimates statistics anew and compares them with the dataset."""

import logging

import numpy as np
import pytest

from nets import nets_factory
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest
from slim_internal.programs.training import train
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.programs.training import tiny_dataset, tiny_network

_EXAMPLES = 64


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
    dataset = tiny_dataset.write(str(tmp_path / "data"), _EXAMPLES, num_classes=4)

    def train_tiny(folder, **settings):
        config = TrainConfig(
            train_dir=str(tmp_path / folder),
            dataset_dir="unused",
            model_name="tiny",
            optimizer="momentum",
            cpu_threads=1,
            **settings,
        )
        return train.train_on(dataset, tiny_network.NETWORK, config)

    return train_tiny


def _values(checkpoint):
    reader = tf.train.NewCheckpointReader(checkpoint)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_statistics_are_the_means_over_the_batches(run):
    trained = run("run", max_number_of_steps=2, batch_size=8).checkpoint
    settings = {"checkpoint_path": trained, "batch_size": _EXAMPLES, "reestimate_batch_norm": 3}
    result = run("new", trainable_scopes="Tiny/logits", **settings)
    assert latest.step_of(result.checkpoint) == result.step == 2
    before, after = _values(trained), _values(result.checkpoint)
    kernel = before["Tiny/conv/weights"].reshape(-1)
    pixels = np.arange(_EXAMPLES) / 128 - 1
    moving = {name: after[f"Tiny/conv/BatchNorm/moving_{name}"] for name in ("mean", "variance")}
    np.testing.assert_allclose(moving["mean"], kernel * pixels.mean(), rtol=1e-4)
    # Over 2 x 2 pixels of each image, and unbiased.
    unbiased = pixels.var() * 4 * _EXAMPLES / (4 * _EXAMPLES - 1)
    np.testing.assert_allclose(moving["variance"], kernel**2 * unbiased, rtol=1e-4)
    for name in ("Tiny/conv/weights", "Tiny/logits/weights", "Tiny/conv/BatchNorm/beta"):
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)


def test_training_goes_on_from_the_new_checkpoint(run, caplog):
    trained = run("run", max_number_of_steps=2).checkpoint
    caplog.set_level(logging.INFO)
    run("new", checkpoint_path=trained, reestimate_batch_norm=1)
    assert "Precision: float32" in caplog.text
    assert run("new", max_number_of_steps=3).step == 3


def test_does_not_write_over_a_checkpoint(run):
    trained = run("run", max_number_of_steps=2).checkpoint
    with pytest.raises(UserError, match=r"holds model.ckpt-2 already: choose an empty folder"):
        run("run", checkpoint_path=trained, reestimate_batch_norm=1)


def test_needs_a_checkpoint(run):
    with pytest.raises(UserError, match="needs the checkpoint: --checkpoint_path="):
        run("run", reestimate_batch_norm=1)
