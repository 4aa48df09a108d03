"""Trains a tiny network for real and looks at what is left in its folder."""

import dataclasses
import functools
import json
import logging
import math
import os
import subprocess

import numpy as np
import pytest

from nets import nets_factory
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.programs.training import hooks, train
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.programs.training import tiny_dataset, tiny_network

_EXAMPLES, _BATCH, _CLASSES = 64, 8, 4


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("data"))
    return tiny_dataset.write(folder, _EXAMPLES, num_classes=_CLASSES)


@pytest.fixture
def run(dataset, tmp_path):
    """Returns a function that trains and returns the result and the variables' values."""

    def train_tiny(folder, steps, network=tiny_network.NETWORK, dataset=dataset, **settings):
        config = TrainConfig(**{
            "train_dir": str(tmp_path / folder),
            "dataset_dir": "unused",
            "model_name": "tiny",
            "batch_size": _BATCH,
            "max_number_of_steps": steps,
            "optimizer": "momentum",
            "cpu_threads": 1,
            **settings,
        })  # fmt: skip
        result = train.train_on(dataset, network, config)
        return result, _values(result.checkpoint)

    return train_tiny


def _values(checkpoint):
    reader = latest.reader(checkpoint)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def _assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def _steps(folder):
    return [latest.step_of(path) for path in latest.list_checkpoints(str(folder))]


@pytest.mark.parametrize("folder", ["run[1]", "run*", "what?", "back\\slash"])
def test_a_folder_of_any_name_is_found_again(run, tmp_path, folder):
    run("straight", 4)
    run(folder, 2, max_to_keep=1)
    result, values = run(folder, 4, max_to_keep=1)
    assert result.step == 4
    assert os.path.dirname(result.checkpoint) == str(tmp_path / folder)
    assert _steps(tmp_path / folder) == [4]
    _assert_equal(values, _values(str(tmp_path / "straight" / "model.ckpt-4")))


@pytest.mark.parametrize("interrupted_at", [1, 7, 11])
def test_resumed_run_with_statistics_of_its_end_equals_straight_run(run, interrupted_at):
    settings = {"learning_rate": 0.1, "final_statistics_batches": 3}
    _, expected = run("straight", 12, **settings)
    run("parts", interrupted_at, **settings)
    _assert_equal(expected, run("parts", 12, **settings)[1])
    _, others = run("others", 12, **{**settings, "final_statistics_batches": 0})
    name = "Tiny/conv/BatchNorm/moving_mean"
    assert not np.array_equal(expected[name], others[name])


@pytest.mark.parametrize("interrupted_at", [1, 7, 11])
def test_resumed_run_equals_straight_run(run, interrupted_at):
    settings = {"moving_average_decay": 0.9, "weight_decay": 0.01, "learning_rate": 0.1}
    straight, expected = run("straight", 12, **settings)
    assert run("parts", interrupted_at, **settings)[0].step == interrupted_at
    resumed, values = run("parts", 12, **settings)
    assert (straight.step, straight.loss) == (resumed.step, resumed.loss)
    assert "Tiny/conv/BatchNorm/moving_mean/ExponentialMovingAverage" in values
    _assert_equal(expected, values)


def test_augmentation_is_applied_and_resumes_exactly(run):
    plain = run("plain", 4)[1]
    augmented = run("augmented", 4, augment="random_erasing,rand_augment")[1]
    assert not np.array_equal(plain["Tiny/logits/weights"], augmented["Tiny/logits/weights"])
    run("parts", 2, augment="random_erasing,rand_augment")
    _assert_equal(augmented, run("parts", 4, augment="random_erasing,rand_augment")[1])


def test_unknown_augmentation(run):
    with pytest.raises(UserError, match=r"^Unknown augmentation 'cutout'\. .*Allowed: "):
        run("run", 1, augment="cutout")


def test_seed_decides_the_run(run):
    _, first = run("first", 2)
    _assert_equal(first, run("again", 2)[1])
    _, other = run("other", 2, seed=1)
    assert not np.array_equal(first["Tiny/logits/weights"], other["Tiny/logits/weights"])


def test_dropout_differs_from_step_to_step(run, tmp_path):
    run("run", 8, learning_rate=0.0, log_every_n_steps=1, batch_size=_EXAMPLES)
    losses = {line["loss"] for line in _metrics(tmp_path / "run")}
    assert len(losses) == 8


def _use_builder(monkeypatch, builder):
    builder.default_image_size = 28
    network = dataclasses.replace(tiny_network.NETWORK, builder=builder)
    monkeypatch.setitem(nets_factory.networks, "tiny", network)


def test_clones_learn_what_one_learns_from_the_large_batch(run, monkeypatch):
    def linear(images, num_classes, is_training):
        logits = slim.fully_connected(
            slim.flatten(images), num_classes, activation_fn=None, scope="logits"
        )
        return logits, {}

    _use_builder(monkeypatch, linear)
    _, two = run("two", 3, num_clones=2, batch_size=4)
    _, one = run("one", 3, num_clones=1, batch_size=8)
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(
    ("settings", "targets", "logits"),
    [
        pytest.param({}, np.eye(4), [2, 0, 0, 0], id="plain"),
        pytest.param({"label_smoothing": 0.4}, np.eye(4) * 0.6 + 0.1, [2, 0, 0, 0], id="smoothed"),
    ],
)
def test_loss_of_both_heads_by_hand(run, monkeypatch, settings, targets, logits):
    def constant(images, num_classes, is_training):
        scores = slim.model_variable(
            "scores", initializer=tf.constant([2.0, 0, 0, 0][:num_classes])
        )
        head = tf.zeros([images.shape[0], 1]) + scores
        return head, {"AuxLogits": head}

    _use_builder(monkeypatch, constant)
    result, _ = run("run", 1, batch_size=_EXAMPLES, **settings)
    log_probabilities = np.array(logits) - np.log(np.sum(np.exp(logits)))
    cross_entropy = -(targets @ log_probabilities).mean()
    assert result.loss == pytest.approx(1.4 * cross_entropy, rel=1e-5)


@pytest.mark.parametrize(("offset", "labels"), [(1, "-1 to 2"), (-1, "1 to 4")])
def test_labels_that_no_class_has(run, dataset, monkeypatch, offset, labels):
    if offset < 0:
        monkeypatch.setattr(dataset, "num_classes", _CLASSES - 1)
    with pytest.raises(UserError, match=f"--labels_offset={offset} the labels .* are {labels}"):
        run("run", 1, batch_size=_EXAMPLES, labels_offset=offset)


def test_labels_offset(run, dataset, monkeypatch, tmp_path):
    monkeypatch.setattr(dataset, "num_classes", _CLASSES + 3)
    _, values = run("run", 1, labels_offset=-2)
    assert values["Tiny/logits/biases"].shape == (_CLASSES + 5,)


def test_frozen_scopes_stay_as_they_are(run, caplog):
    caplog.set_level(logging.INFO)
    whole, before = run("whole", 3)
    _, after = run("frozen", 5, checkpoint_path=whole.checkpoint, trainable_scopes="Tiny/logits")
    frozen = [name for name in after if name.startswith("Tiny/conv")]
    assert len(frozen) == 4  # Kernel, offset, and the two statistics.
    for name in frozen:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)
    assert not np.array_equal(before["Tiny/logits/weights"], after["Tiny/logits/weights"])
    assert "Trained (2 variables): Tiny/logits\n" in caplog.text
    assert "Frozen (2 variables): Tiny/conv\n" in caplog.text


def test_without_freezing_everything_moves(run):
    whole, before = run("whole", 3)
    _, after = run("more", 5, checkpoint_path=whole.checkpoint)
    for name in (name for name in after if name.startswith("Tiny")):
        assert not np.array_equal(before[name], after[name]), name


def test_unknown_trainable_scope(run):
    with pytest.raises(UserError, match=r"no variable to train in 'Tiny/logit'.*Tiny/logits"):
        run("run", 1, trainable_scopes="Tiny/logit")


def test_starts_in_the_documented_order(run, caplog, tmp_path):
    caplog.set_level(logging.INFO)
    given, _ = run("given", 2)
    assert "Starting from random weights." in caplog.text
    assert "Devices: " in caplog.text
    assert "first step ..." in caplog.text
    run("own", 1, checkpoint_path=given.checkpoint, checkpoint_exclude_scopes="Tiny/logits")
    assert (
        f"Starting from the weights of {given.checkpoint}; at random: Tiny/logits/weights,"
        " Tiny/logits/biases" in caplog.text
    )
    resumed, _ = run("own", 2, checkpoint_path=given.checkpoint)
    own = tmp_path / "own" / "model.ckpt-1"
    assert f"Continuing from step 1: {own} (not {given.checkpoint})" in caplog.text
    assert resumed.step == 2


def test_warns_of_an_excluded_scope_that_is_not_there(run, caplog):
    given, _ = run("given", 1)
    scopes = "Tiny/logit,Tiny/conv"
    run("own", 1, checkpoint_path=given.checkpoint, checkpoint_exclude_scopes=scopes)
    warning = "--checkpoint_exclude_scopes: the network has nothing in {!r}."
    assert warning.format("Tiny/logit") in caplog.messages
    assert warning.format("Tiny/conv") not in caplog.messages


def test_a_run_with_other_settings_is_not_continued(run, tmp_path):
    run("run", 1, optimizer="sgd")
    own = tmp_path / "run" / "model.ckpt-1"
    with pytest.raises(
        UserError, match=rf"Use the same.*--checkpoint_path={own} .*Momentum"
    ) as error:
        run("run", 2, optimizer="momentum")
    assert "\n" not in str(error.value)
    assert run("new", 1, optimizer="momentum", checkpoint_path=str(own))[0].step == 1


def test_another_network_in_train_dir_lists_all_that_differs(run, monkeypatch):
    def other(images, num_classes, is_training):
        logits = slim.fully_connected(
            slim.flatten(images), num_classes, activation_fn=None, scope="other"
        )
        return logits, {}

    run("run", 1)
    _use_builder(monkeypatch, other)
    with pytest.raises(UserError, match=r"(?s)used other settings.*Missing .*other/weights"):
        run("run", 2)


def test_weights_of_a_checkpoint_arrive(run):
    given, values = run("given", 2)
    _, after = run("own", 1, checkpoint_path=given.checkpoint, learning_rate=0.0)
    np.testing.assert_array_equal(values["Tiny/conv/weights"], after["Tiny/conv/weights"])


def test_nothing_left_to_do(run):
    first, values = run("run", 2)
    second, again = run("run", 2)
    assert (second.step, second.loss, second.checkpoint) == (2, None, first.checkpoint)
    _assert_equal(values, again)


def test_checkpoint_of_another_network_in_train_dir(run):
    run("run", 1)
    with pytest.raises(UserError, match="in a new --train_dir") as caught:
        run("run", 2, optimizer="adam")
    assert "Tiny/logits/weights/Adam" in str(caught.value)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_damaged_newest_checkpoint_costs_one_interval(run, caplog, tmp_path, suffix):
    run("run", 3, save_interval_secs=0)
    damaged = tmp_path / "run" / f"model.ckpt-3{suffix}"
    damaged.write_bytes(damaged.read_bytes()[:-7])
    caplog.set_level(logging.INFO)
    run("run", 4)
    assert "model.ckpt-3 is damaged and not used" in caplog.text
    assert "Continuing from step 2" in caplog.text


def test_keeps_as_many_checkpoints_as_asked_over_resumes(run, tmp_path):
    run("run", 3, save_interval_secs=0, max_to_keep=2)
    assert _steps(tmp_path / "run") == [3, 2]
    run("run", 5, save_interval_secs=0, max_to_keep=2)
    assert _steps(tmp_path / "run") == [5, 4]


def _poison(monkeypatch, number):
    """Makes one pixel of the picture of this number NaN."""
    get_preprocessing = preprocessing_factory.get_preprocessing

    def get_poisoned(*args, **kwargs):
        prepare = get_preprocessing(*args, **kwargs)

        def poisoned(image, height, width):
            bad = tf.equal(tf.reduce_max(image), number)
            return tf.where(bad, math.nan, 0.0) + prepare(image, height, width)

        return poisoned

    monkeypatch.setattr(preprocessing_factory, "get_preprocessing", get_poisoned)


def _brightness_in_batch(dataset, index):
    """Returns the number of a picture that the batch holds."""
    with tf.Graph().as_default(), tf.Session() as session:
        batches = input_pipeline.training_batches(
            dataset, lambda image: image, batch_size=_BATCH, seed=0, first_batch=index
        )
        return session.run(tf.data.make_one_shot_iterator(batches).get_next())["image"].flat[0]


def test_poisoned_picture_stops_the_run_before_anything_is_written(
    run, dataset, monkeypatch, tmp_path
):
    _poison(monkeypatch, _brightness_in_batch(dataset, 4))
    with pytest.raises(hooks.DivergedError) as caught:
        run("run", 8, save_interval_secs=0, learning_rate=0.02, log_every_n_steps=1)
    newest = tmp_path / "run" / "model.ckpt-4"
    assert "loss is nan at step 5 (learning rate 0.02)" in str(caught.value)
    assert f"last good checkpoint is {newest}" in str(caught.value)
    assert _steps(tmp_path / "run") == [4, 3, 2, 1]
    assert [line["step"] for line in _metrics(tmp_path / "run")] == [1, 2, 3, 4]
    assert all(np.isfinite(value).all() for value in _values(str(newest)).values())


def test_poisoned_picture_at_a_step_with_summaries(run, dataset, monkeypatch, tmp_path):
    _poison(monkeypatch, _brightness_in_batch(dataset, 0))
    with pytest.raises(hooks.DivergedError, match="not finite at step 0"):
        run("run", 8, histograms=True)
    assert _steps(tmp_path / "run") == []


def test_damaged_record_costs_no_step(run, tmp_path):
    dataset = tiny_dataset.write(str(tmp_path / "data"), _EXAMPLES, num_classes=_CLASSES)
    number = int(_brightness_in_batch(dataset, 4))
    path = str(tmp_path / f"data/part-{number % 3}")
    records = list(tf.python_io.tf_record_iterator(path))
    with tf.python_io.TFRecordWriter(path) as writer:
        for index, record in enumerate(records):
            writer.write(record.replace(b"IEND", b"DEAD") if index == number // 3 else record)
    with pytest.raises(UserError, match=rf"Record {number // 3} .* of {path} is damaged"):
        run("run", 8, dataset=dataset)
    assert _steps(tmp_path / "run") == [4]


def test_a_run_does_not_go_on_from_weights_that_are_not_finite(run, tmp_path):
    run("run", 1)
    with tf.Graph().as_default(), tf.Session() as session:
        for name, value in _values(str(tmp_path / "run/model.ckpt-1")).items():
            changed = np.full_like(value, np.inf) if name.endswith("logits/weights") else value
            tf.Variable(changed, name=name)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "run/model.ckpt"), global_step=1)
    with pytest.raises(UserError, match=r"model.ckpt-1 cannot be used: .*logits/weights are inf"):
        run("run", 2)
    assert _steps(tmp_path / "run") == [1]


def test_absurd_learning_rate_stops_the_run(run, tmp_path):
    with pytest.raises(hooks.DivergedError, match=r"learning rate 1e\+30.*--learning_rate"):
        run("run", 8, learning_rate=1e30, weight_decay=0.1)
    assert _steps(tmp_path / "run") == []


def test_weights_that_are_no_numbers_are_not_saved(run, tmp_path):
    with pytest.raises(hooks.DivergedError, match="weights are not finite at step 1"):
        run("run", 1, learning_rate=3e38, weight_decay=1e4)
    assert _steps(tmp_path / "run") == []


def test_clipped_gradients(run):
    _, before = run("before", 1, learning_rate=0.0)
    _, after = run("after", 1, learning_rate=1.0, optimizer="sgd", clip_gradient_norm=0.01)
    moved = [
        np.sum((after[name] - before[name]) ** 2)
        for name in after
        if name.startswith("Tiny") and "moving" not in name
    ]
    assert math.sqrt(sum(moved)) == pytest.approx(0.01, rel=1e-3)


def _brightness_of_the_moving_mean(run, folder, steps, **settings):
    """Returns the moving mean of a convolution that does nothing, which sees one number."""
    _, values = run(folder, steps, learning_rate=0.0, **settings)
    (weights,) = values["Tiny/conv/weights"].reshape(1, -1)
    return values["Tiny/conv/BatchNorm/moving_mean"] / weights


def test_statistics_of_a_short_run_are_those_of_its_batches(run, monkeypatch):
    arg_scope = functools.partial(tiny_network.tiny_arg_scope, batch_norm_decay=0.9997)
    slow = dataclasses.replace(tiny_network.NETWORK, arg_scope=arg_scope)
    monkeypatch.setitem(nets_factory.networks, "tiny", slow)
    settings = {"network": slow, "batch_size": _EXAMPLES}  # Each batch is the whole dataset.
    pixels = np.arange(_EXAMPLES) / 128 - 1
    for steps, batches in ((5, 0), (50, 0), (1, 2)):
        seen = _brightness_of_the_moving_mean(
            run, f"{steps}", steps, final_statistics_batches=batches, **settings
        )
        np.testing.assert_allclose(seen, pixels.mean(), rtol=2e-3)


@pytest.mark.parametrize(
    ("settings", "step"),
    [
        ({"num_epochs": 0.5}, 4),
        ({"num_epochs": 0.5, "num_clones": 2}, 2),
        ({"num_epochs": 0.3}, 3),  # 2.4 steps, and no part of one.
        ({"num_epochs": 0.5, "steps": 3}, 3),
    ],
)
def test_stops_after_epochs(run, settings, step):
    assert run("run", settings.pop("steps", None), **settings)[0].step == step


def test_decay_of_the_statistics(run):
    fast, slow = (
        _brightness_of_the_moving_mean(
            run, f"{decay}", 300, batch_norm_decay=decay, final_statistics_batches=0
        )
        for decay in (0.0, 0.9)
    )
    assert not np.allclose(fast, slow)


def test_frozen_layers_train_on_their_moving_statistics(run, tmp_path):
    whole, _ = run("whole", 3)
    losses = []
    for freeze in (True, False):
        folder = f"frozen{freeze}"
        settings = {"checkpoint_path": whole.checkpoint, "trainable_scopes": "Tiny/logits"}
        result, _ = run(folder, 1, freeze_batch_norm=freeze, **settings)
        losses.append(result.loss)
    assert losses[0] != losses[1]


@pytest.mark.parametrize("name", ["mixup_alpha", "cutmix_alpha"])
def test_mixed_examples_resume_equal(run, name):
    settings = {name: 0.4, "learning_rate": 0.1}
    straight, expected = run("straight", 6, **settings)
    run("parts", 3, **settings)
    resumed, values = run("parts", 6, **settings)
    assert straight.loss == resumed.loss
    _assert_equal(expected, values)
    assert straight.loss != run("plain", 6, learning_rate=0.1)[0].loss


def test_metrics_and_summaries(run, tmp_path):
    run("run", 5, log_every_n_steps=2, learning_rate=0.3, histograms=True)
    lines = _metrics(tmp_path / "run")
    assert [line["step"] for line in lines] == [2, 4, 5]
    for line in lines:
        assert line["learning_rate"] == pytest.approx(0.3)
        assert line["images_per_second"] > 0
        assert 0 <= line["accuracy"] <= 1
        assert line["epoch"] == line["step"] * _BATCH / _EXAMPLES
        assert 0 <= line["input_wait"] <= 1
    tags = {}
    for name in os.listdir(tmp_path / "run"):
        if "tfevents" in name:
            for event in tf.train.summary_iterator(str(tmp_path / "run" / name)):
                for value in event.summary.value:
                    tags.setdefault(value.tag, []).append(event.step)
    assert tags["loss"] == [2, 4, 5]
    assert tags["variables/Tiny/conv/weights"] == [1]
    assert {"learning_rate", "activations/Logits", "sparsity/Logits"} <= tags.keys()


def test_metrics_go_on_where_the_checkpoint_is(run, tmp_path):
    run("run", 4, log_every_n_steps=1)
    for path in (tmp_path / "run").glob("model.ckpt-4*"):
        path.unlink()
    _, _ = run("other", 2)
    for path in (tmp_path / "other").glob("model.ckpt-2*"):
        path.rename(tmp_path / "run" / path.name)
    run("run", 5, log_every_n_steps=1)
    assert [line["step"] for line in _metrics(tmp_path / "run")] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("folder", ["file", "file/run", "/proc"])  # Even root cannot write there.
def test_unwritable_train_dir(run, tmp_path, folder):
    (tmp_path / "file").write_text("")
    path = tmp_path / folder
    with pytest.raises(UserError, match=f"Cannot write to --train_dir={path}: "):
        run(folder, 1)


def test_a_folder_is_for_one_run_at_a_time(run, tmp_path):
    holder = subprocess.Popen(
        ["flock", "--exclusive", tmp_path, "sh", "-c", "echo locked; read _"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "locked\n"
    with pytest.raises(UserError, match=f"Another process is training in --train_dir={tmp_path}"):
        run(".", 1)
    assert not list(tmp_path.iterdir())
    holder.communicate("\n")
    assert run(".", 1)[0].step == 1


def _metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
