"""Keeps what the frozen layers of a tiny network compute, and compares with computing it anew."""

import json
import logging
import os
import signal
import time

import numpy as np
import pytest

from nets import nets_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest
from slim_internal.programs.training import feature_files, train
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.programs.training import tiny_dataset, tiny_network

_CLASSIFIER = "Tiny/logits"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a dataset, one to validate on, and a checkpoint to start from."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def datasets(folder):
    return [
        tiny_dataset.write(str(folder / name), count, num_classes=4)
        for name, count in (("data", 27), ("held_out", 21))
    ]


@pytest.fixture(scope="module")
def checkpoint(folder, datasets):
    config = _config(folder / "pretrained", 5, trainable_scopes=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
        return train.train_on(datasets[0], tiny_network.NETWORK, config).checkpoint


@pytest.fixture
def run(datasets, checkpoint, tmp_path, monkeypatch):
    """Returns a function that fine-tunes and returns the values of the last checkpoint, if any."""
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)

    def fine_tune(name, steps=9, network=tiny_network.NETWORK, **settings):
        config = _config(tmp_path / name, steps, checkpoint_path=checkpoint, **settings)
        held_out = datasets[1] if config.eval_every_steps else None
        result = train.train_on(datasets[0], network, config, held_out)
        if result.checkpoint is None:
            return {}
        reader = latest.reader(result.checkpoint)
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}

    return fine_tune


def _config(train_dir, steps, **settings):
    return TrainConfig(**{
        "train_dir": str(train_dir),
        "dataset_dir": "unused",
        "model_name": "tiny",
        "batch_size": 8,
        "max_number_of_steps": steps,
        "optimizer": "momentum",
        "learning_rate": 0.1,
        "cpu_threads": 1,
        "num_readers": 2,
        "trainable_scopes": _CLASSIFIER,
        **settings,
    })  # fmt: skip


def _assert_alike(one, other, rtol=1e-5):
    assert one.keys() == other.keys()
    for name, value in one.items():
        is_frozen = not name.startswith(_CLASSIFIER)
        limit = {"rtol": 0} if is_frozen else {"rtol": rtol, "atol": 1e-6}
        np.testing.assert_allclose(value, other[name], **limit, err_msg=name)


def test_the_checkpoint_is_that_of_computing_all_in_each_step(run, tmp_path, checkpoint):
    kept = run("kept", eval_every_steps=3)
    _assert_alike(kept, run("computed", eval_every_steps=3, cache_features="off"))
    assert (tmp_path / "kept" / "features" / "key.json").exists()
    assert not (tmp_path / "computed" / "features").exists()
    validations = [_validation(tmp_path / name) for name in ("kept", "computed")]
    assert len(validations[0]) == 3
    np.testing.assert_allclose(*validations, rtol=1e-5)


def _validation(train_dir):
    lines = map(json.loads, (train_dir / "metrics.jsonl").read_text().splitlines())
    return [line["validation/loss"] for line in lines if "validation/loss" in line]


def test_a_resumed_run_equals_a_straight_one_and_computes_nothing_again(run, caplog):
    caplog.set_level(logging.INFO)
    straight = run("straight", cache=True)
    assert "--cache keeps no training images: features of frozen layers" in caplog.text
    run("parts", 4)
    caplog.clear()
    _assert_alike(straight, run("parts"), rtol=0)
    assert "Features of the frozen layers: read from" in caplog.text
    assert "Computing" not in caplog.text


def test_other_layers_can_be_trained_with_batch_normalization(run):
    scopes = "Tiny/conv/BatchNorm,Tiny/logits"
    kept, computed = (
        run(f"{cache}", trainable_scopes=scopes, cache_features=cache) for cache in ("1", "off")
    )
    for name, value in kept.items():
        np.testing.assert_allclose(value, computed[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_changed_weights_are_noticed(run, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run("changed", 2)
    key = tmp_path / "changed" / "features" / "key.json"
    key.write_text(json.dumps({**json.loads(key.read_text()), "variables": "others"}))
    caplog.clear()
    run("changed", 3)
    assert "Computing the features of the frozen layers for 27 images" in caplog.text


def test_other_pixels_are_noticed(run, caplog):
    caplog.set_level(logging.INFO)
    run("changed", 1)
    caplog.clear()
    run("changed", 2, fast_decoding=True)
    assert "Computing the features of the frozen layers for 27 images" in caplog.text


def test_variations_are_kept_on_request(run, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run("told", 1, augment="brightness")
    assert "Features of the frozen layers are not kept: the images are varied at" in caplog.text
    run("varied", 9, augment="brightness", cache_features="3")
    features, labels = (
        np.load(tmp_path / "varied" / "features" / name)
        for name in ("features-00.npy", "labels.npy")
    )
    assert features.shape == (3 * 27, 16)
    np.testing.assert_array_equal(labels, np.tile(labels[:27], 3))
    assert not np.array_equal(features[:27], features[27:54])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cache_features": "0"}, "must be auto, off or the number of draws .* got '0'"),
        ({"cache_features": "on"}, "must be auto, off or the number of draws .* got 'on'"),
        ({"trainable_scopes": None}, "=1: no layer is frozen; --trainable_scopes says which"),
        ({"freeze_batch_norm": False}, "=1: with --nofreeze_batch_norm they depend on the batch"),
        ({"quantize_delay": 0}, "=1: with --quantize_delay their ranges follow"),
        ({"mixup_alpha": 0.2}, "=1: mixup and cutmix mix the images"),
        ({"num_clones": 2, "clone_on_cpu": True}, "=1: they are kept for one clone"),
        ({"trainable_scopes": "Tiny"}, "=1: nothing is computed before what is trained"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_one_line(run, settings, message):
    with pytest.raises(UserError, match=message) as error:
        run("refused", **{"cache_features": "1", **settings})
    assert "\n" not in str(error.value)


def _mixing(images, num_classes, is_training, scope="Tiny"):
    with tf.variable_scope(scope, "Tiny"):
        net = slim.avg_pool2d(images - tf.reduce_mean(images, 0), 14, 14, scope="pool")
        net = slim.flatten(slim.conv2d(net, 4, 1, scope="conv"))
        logits = slim.fully_connected(net, num_classes, activation_fn=None, scope="logits")
    return logits, {"Logits": logits}


def test_layers_that_mix_the_images_of_a_batch_are_found_out(run, monkeypatch):
    network = tiny_network.NETWORK
    monkeypatch.setitem(nets_factory.networks_map, "tiny", _mixing)
    monkeypatch.setitem(nets_factory.arg_scopes_map, "tiny", network.arg_scope)
    with pytest.raises(UserError, match=r"mix the images of a batch.*--cache_features=off"):
        run("mixing", ignore_missing_vars=True)


def test_a_stop_while_computing_keeps_nothing_unfinished(run, tmp_path, monkeypatch):
    written = []
    put = feature_files.FeatureFile.put

    def stopping(self, start, *arguments):
        written.append(start)
        put(self, start, *arguments)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)  # Until a thread of its own has heard it.

    monkeypatch.setattr(feature_files.FeatureFile, "put", stopping)
    assert run("stopped") == {}
    assert written == [0]
    assert not (tmp_path / "stopped" / "features" / "key.json").exists()
