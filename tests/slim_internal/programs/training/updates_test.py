"""Trains a tiny network with what changes the loss and the gradients of a step."""

import json
import logging
import re

import numpy as np
import pytest
from PIL import Image

from deployment import precision
from nets import nets_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest
from slim_internal.programs.training import graph, range_test, train
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.programs.training import tiny_dataset, tiny_network


def _plain(images, num_classes, is_training, scope="Tiny"):
    """A network without batch normalization and dropout, with a bias that is regularized."""
    del is_training
    with tf.variable_scope(scope, "Tiny"):
        net = slim.flatten(slim.avg_pool2d(images, 14, 14, scope="pool"))
        logits = slim.fully_connected(
            net,
            num_classes,
            activation_fn=None,
            biases_initializer=tf.ones_initializer(),
            biases_regularizer=slim.l2_regularizer(0.5),
            scope="logits",
        )
    return logits, {"Logits": logits}


_plain.default_image_size = 28


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return tiny_dataset.write(str(tmp_path_factory.mktemp("data")), 48, num_classes=4)


@pytest.fixture
def run(dataset, tmp_path, monkeypatch):
    """Returns a function that trains and returns the result and the values of the variables."""
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)

    def train_tiny(folder, steps, plain=True, **settings):
        config = TrainConfig(**{
            "train_dir": str(tmp_path / folder),
            "dataset_dir": "unused",
            "model_name": "tiny",
            "batch_size": 8,
            "max_number_of_steps": steps,
            "optimizer": "momentum",
            "learning_rate": 0.1,
            "cpu_threads": 1,
            **settings,
        })  # fmt: skip
        if plain:
            monkeypatch.setitem(nets_factory.networks_map, "tiny", _plain)
            monkeypatch.setitem(nets_factory.arg_scopes_map, "tiny", tiny_network.NETWORK.arg_scope)
        result = train.train_on(dataset, tiny_network.NETWORK, config)
        reader = latest.reader(result.checkpoint)
        names = reader.get_variable_to_shape_map()
        return result, {name: reader.get_tensor(name) for name in names}

    return train_tiny


def _assert_close(one, other, **limits):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], **limits, err_msg=name)


@pytest.mark.parametrize("more", [{}, {"clip_gradient_norm": 0.1, "class_weights": "1,2,3,4"}])
def test_accumulated_batches_are_one_large_batch(run, caplog, more):
    caplog.set_level(logging.INFO)
    large, expected = run("large", 5, batch_size=12, **more)
    small, values = run("small", 5, batch_size=4, accumulate_steps=3, **more)
    assert "Batch: 12 images (4 x 1 clones x 3 accumulated)." in caplog.text
    assert small.loss == pytest.approx(large.loss, rel=1e-5)
    _assert_close(values, expected, rtol=1e-5, atol=1e-6)


def test_an_accumulating_run_resumes_where_it_was(run):
    settings = {"plain": False, "accumulate_steps": 2, "moving_average_decay": 0.9}
    _, expected = run("straight", 4, **settings)
    run("parts", 3, **settings)
    _assert_close(run("parts", 4, **settings)[1], expected, rtol=0)


def test_a_run_with_two_learning_rates_resumes_where_it_was(run):
    settings = {
        "optimizer": "adam",
        "checkpoint_learning_rate_factor": 0.1,
        "checkpoint_exclude_scopes": "Tiny/logits",
    }
    _, expected = run("straight", 4, **settings)
    run("parts", 3, **settings)
    _assert_close(run("parts", 4, **settings)[1], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_label_outside_the_classes_is_found_in_any_accumulated_batch(run, seed):
    """Half of the labels are wrong, so at one of the seeds not that of the last batch."""
    settings = {"labels_offset": 2, "batch_size": 1, "accumulate_steps": 12, "seed": seed}
    with pytest.raises(UserError, match=r"the labels of a batch are -\d to \d"):
        run("run", 1, **settings)


def test_epochs_count_all_accumulated_batches(run):
    result, _ = run("epochs", None, batch_size=4, accumulate_steps=3, num_epochs=2)
    assert result.step == 2 * 48 // 12


def test_intervals_may_be_given_in_epochs(run, tmp_path):
    settings = {"save_every_epochs": 0.5, "log_every_epochs": 1, "max_to_keep": 9}
    run("run", 12, **settings)  # Six steps are an epoch.
    saved = map(latest.step_of, latest.list_checkpoints(str(tmp_path / "run")))
    assert sorted(saved) == [3, 6, 9, 12]
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [6, 12]


def test_the_delay_of_8_bits_may_be_given_in_epochs(run, monkeypatch):
    delays = []

    def simulate(images, logits, delay, step):
        delays.append(delay)
        return logits

    monkeypatch.setattr(graph.simulation, "train", simulate)
    run("run", 1, quantize_delay_epochs=2)
    run("at_once", 1, quantize_delay_epochs=0)
    assert delays == [12, 0]


def test_biases_decay_unless_told_otherwise(run):
    settings = {"learning_rate": 0.0, "weight_decay": 0.0}
    loss, without = (
        run(f"{only}", 1, weight_decay_kernels_only=only, **settings)[0].loss
        for only in (False, True)
    )
    assert loss - without == pytest.approx(0.5 * 4 / 2, rel=1e-4)  # L2 of four ones.


def test_weights_of_classes_scale_their_losses(run):
    settings = {"learning_rate": 0.0, "weight_decay_kernels_only": True, "weight_decay": 0.0}
    once = run("once", 1, **settings)[0].loss
    assert run("twice", 1, class_weights="2,2,2,2", **settings)[0].loss == pytest.approx(2 * once)
    balanced = run("balanced", 1, class_weights="balanced", **settings)[0].loss
    assert balanced == pytest.approx(once)  # All classes have twelve images.


@pytest.mark.parametrize("cache", ["off", "1"])
def test_balanced_sampling_resumes_to_the_last_bit(run, cache):
    settings = {"plain": False, "balanced_sampling": True}
    start = run("start", 1, plain=False)[0].checkpoint
    frozen = {"trainable_scopes": "Tiny/logits", "cache_features": cache, "checkpoint_path": start}
    _, expected = run("straight", 9, **settings, **frozen)
    run("parts", 4, **settings, **frozen)
    _assert_close(run("parts", 9, **settings, **frozen)[1], expected, rtol=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accumulate_steps": 0}, "--accumulate_steps must be at least 1"),
        ({"class_weights": "balance"}, "must be balanced, a weight for each class separated by"),
        ({"class_weights": "1,2"}, "a weight for each of the 4 classes (0, 1, 2, 3); got 2"),
        ({"class_weights": "0,0,0,0"}, "must be above 0 for some class; got 0 for each"),
        ({"class_weights": "1,2,-1,1"}, "must be numbers of at least 0; got -1.0"),
        ({"augment": "flip_left"}, "Unknown augmentation 'flip_left'. Did you mean 'flip_left_r"),
        ({"cache_features": "on"}, "--cache_features must be auto, off or"),
        ({"cluster": "somewhere"}, "--cluster"),
        ({"data_service": "here"}, "--data_service"),
        ({"learning_rate_decay_type": "piecewise"}, "--learning_rate_changes=EPOCH:RATE,..., 30:0"),
        (
            {"learning_rate_decay_type": "piecewise", "learning_rate_changes": "9:0.1,3:0.2"},
            "--learning_rate_changes must have rising epochs",
        ),
        ({"learning_rate_decay_type": "cosine", "max_number_of_steps": None}, "needs the end of"),
        ({"preprocessing_name": "vg"}, "Unknown preprocessing 'vg'. Did you mean 'vgg'?"),
        ({"channels": 2}, "--channels=2: image files have 1, 3 or 4 channels. Raw pixels in TFR"),
        ({"preprocessing_name": "vgg", "channels": 4}, "choose --preprocessing_name=inception"),
        ({"trainable_scopes": "Tiny/logit"}, "--trainable_scopes"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(run, settings, message):
    with pytest.raises(UserError) as error:
        run("refused", 1, **settings)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_range_test_draws_and_suggests_and_saves_nothing(
    tmp_path, dataset, caplog, monkeypatch
):
    caplog.set_level(logging.INFO)
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
    monkeypatch.setitem(nets_factory.networks_map, "tiny", _plain)
    monkeypatch.setitem(nets_factory.arg_scopes_map, "tiny", tiny_network.NETWORK.arg_scope)
    used = []
    for name in ("scaled", "configure"):  # What makes the step of a precision.
        change = lambda self, given, name=name: used.append((name, self.words)) or given  # noqa: E731
        monkeypatch.setattr(precision.Precision, name, change)
    config = TrainConfig(
        train_dir=str(tmp_path / "none"),
        dataset_dir="unused",
        model_name="tiny",
        batch_size=8,
        optimizer="sgd",
        find_learning_rate=str(tmp_path / "rates.png"),
        precision="fastest",
    )
    words = precision.choose(config).words
    assert train.train_on(dataset, tiny_network.NETWORK, config).exit_code == 0
    assert not (tmp_path / "none").exists()
    with Image.open(tmp_path / "rates.png") as image:
        assert image.size == (800, 450)
    (suggested,) = re.findall(
        r"Suggestion: --learning_rate=(\S+) \(sgd, batches of 8\)", caplog.text
    )
    assert 1e-4 < float(suggested) <= 1
    assert used == [("scaled", words), ("configure", words)]
    assert f"Precision: {words}." in caplog.text


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([(0.01, 2.0), (0.1, 1.0), (1.0, 3.0)], 0.01),
        ([(0.01, 2.0), (0.1, 1.99), (1.0, 3.0)], "No learning rate"),
        ([], "not finite from the first step on"),
    ],
)
def test_the_suggestion_lies_below_the_lowest_loss(curve, expected):
    if isinstance(expected, float):
        assert range_test.suggest(curve) == pytest.approx(expected)
        return
    with pytest.raises(UserError, match=expected):
        range_test.suggest(curve)


def test_statistics_of_a_checkpoint_are_kept_while_all_layers_learn(run, caplog):
    whole, before = run("whole", 3, plain=False, keep_batch_norm_statistics=True)
    assert "--keep_batch_norm_statistics changes nothing without" in caplog.text
    assert before["Tiny/conv/BatchNorm/moving_mean"].any()
    settings = {"checkpoint_path": whole.checkpoint, "keep_batch_norm_statistics": True}
    _, after = run("kept", 3, plain=False, **settings)
    for name in ("moving_mean", "moving_variance"):
        name = f"Tiny/conv/BatchNorm/{name}"
        np.testing.assert_array_equal(after[name], before[name])
    for name in ("Tiny/conv/weights", "Tiny/conv/BatchNorm/beta", "Tiny/logits/weights"):
        assert not np.array_equal(after[name], before[name])
    # A layer that is new has none to be kept.
    _, new = run("new", 3, plain=False, checkpoint_exclude_scopes="Tiny/conv", **settings)
    name = "Tiny/conv/BatchNorm/moving_mean"
    assert not np.array_equal(new[name], np.zeros_like(new[name]))
    assert not np.array_equal(new[name], before[name])


@pytest.mark.parametrize("path", ["rates.jpg", "/nowhere/rates.png"])
def test_a_wrong_file_for_the_range_test_is_refused(run, path):
    with pytest.raises(
        UserError, match=r"--find_learning_rate must be a file NAME\.png in a folder"
    ):
        run("refused", 1, find_learning_rate=path)
