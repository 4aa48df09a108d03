"""Evaluates a tiny network while it trains, and compares with what training does without."""

import json
import logging
import re

import numpy as np
import pytest
from tensorflow.python.tools import freeze_graph

from nets import nets_factory
from slim_internal.ground.compat import paths, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest
from slim_internal.programs.training import allowance, train, validation
from slim_internal.programs.training.settings import TrainConfig
from tests import small_models
from tests.slim_internal.parts.input_pipeline import photos
from tests.slim_internal.programs.training import tiny_dataset, tiny_network


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
    dataset = tiny_dataset.write(str(tmp_path / "data"), 64, num_classes=4)
    held_out = tiny_dataset.write(str(tmp_path / "held_out"), 21, num_classes=4)
    other_labels = tiny_dataset.write(str(tmp_path / "other"), 21, num_classes=7)

    def train_tiny(folder, steps, validates=True, broken=False, **settings):
        config = TrainConfig(**{
            "train_dir": str(tmp_path / folder),
            "dataset_dir": "unused",
            "model_name": "tiny",
            "batch_size": 8,
            "max_number_of_steps": steps,
            "optimizer": "momentum",
            "cpu_threads": 1,
            **settings,
        })  # fmt: skip
        split = other_labels if broken else held_out
        return train.train_on(dataset, tiny_network.NETWORK, config, split if validates else None)

    return train_tiny


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return small_models.convert_digits(tmp_path_factory.mktemp("digits"))


def _values(checkpoint):
    reader = tf.train.NewCheckpointReader(checkpoint)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def _validations(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line for line in lines if "validation/loss" in line}


@pytest.mark.parametrize("decay", [None, 0.5])
def test_training_is_the_same_with_validation_and_without(run, tmp_path, decay):
    settings = {"moving_average_decay": decay, "learning_rate": 0.1}
    plain = _values(run("plain", 6, validates=False, **settings).checkpoint)
    validated = _values(run("validated", 6, eval_every_steps=2, **settings).checkpoint)
    run("parts", 3, eval_every_steps=2, **settings)
    resumed = _values(run("parts", 6, eval_every_steps=2, **settings).checkpoint)
    assert plain.keys() == validated.keys() == resumed.keys()
    for name, value in plain.items():
        np.testing.assert_array_equal(value, validated[name], err_msg=name)
        np.testing.assert_array_equal(value, resumed[name], err_msg=name)
    assert list(_validations(tmp_path / "validated")) == [2, 4, 6]


@pytest.mark.parametrize("preprocessing", ["lenet", "cifarnet"])  # The same each time, at random.
def test_training_is_the_same_with_images_in_memory(run, tmp_path, caplog, preprocessing):
    caplog.set_level(logging.INFO)
    settings = {
        "preprocessing_name": preprocessing,
        "eval_every_steps": 8,
        "learning_rate": 0.1,
        "final_statistics_batches": 2,
    }
    plain = _values(run("plain", 24, **settings).checkpoint)
    cached = _values(run("cached", 24, cache=True, **settings).checkpoint)
    run("parts", 11, cache=True, **settings)
    resumed = _values(run("parts", 24, **settings).checkpoint)
    for name, value in plain.items():
        np.testing.assert_array_equal(value, cached[name], err_msg=name)
        np.testing.assert_array_equal(value, resumed[name], err_msg=name)
    assert _losses(tmp_path / "plain") == _losses(tmp_path / "cached")
    kind = "prepared" if preprocessing == "lenet" else "decoded"
    kept = [line for line in caplog.messages if line.startswith("Keeping 64 ")]
    assert len(kept) == 2
    assert kept[0].startswith(f"Keeping 64 {kind} images in memory: ")


def test_training_and_validation_decode_fast(tmp_path, monkeypatch):
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
    dataset = photos.write(tmp_path)
    config = TrainConfig(
        train_dir=str(tmp_path / "run"),
        dataset_dir="unused",
        model_name="tiny",
        preprocessing_name="inception",
        max_number_of_steps=1,
        eval_every_steps=1,
        final_statistics_batches=0,
        batch_size=8,
        fast_decoding=True,
    )
    train.train_on(dataset, tiny_network.NETWORK, config, dataset)
    graph = (tmp_path / "run" / "graph.pbtxt").read_text()
    ratios = re.findall(r'key: "ratio"\s+value {\s+i: ([248])', graph)
    assert sorted(ratios) == ["2", "2", "4", "4", "8", "8"]
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())["runs"][0]["settings"]
    assert settings["fast_decoding"]


def _losses(folder):
    return {step: each["validation/loss"] for step, each in _validations(folder).items()}


def test_follows_the_moving_averages_where_they_are_kept(run, tmp_path):
    settings = {"learning_rate": 0.3, "eval_every_steps": 4, "final_statistics_batches": 0}
    run("plain", 4, **settings)
    run("averages", 4, moving_average_decay=0.99, **settings)
    plain, averages = (_validations(tmp_path / name)[4] for name in ("plain", "averages"))
    assert plain["validation/loss"] != averages["validation/loss"]


def test_epochs_between_evaluations(run, tmp_path):
    run("run", 9, eval_every_epochs=0.5)  # 64 images, 8 at a time.
    assert list(_validations(tmp_path / "run")) == [4, 8, 9]


def test_each_number_has_one_name(run, tmp_path):
    run("run", 2, eval_every_steps=2, log_every_n_steps=2)
    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    names = {name for line in lines for name in line} - {"step"}
    tags = {}
    for path in (tmp_path / "run").glob("events*"):
        for event in tf.train.summary_iterator(str(path)):
            for value in event.summary.value:
                tags.setdefault(value.tag, []).append(event.step)
    assert tags == {"input_images": [1], **{name: [2] for name in names}}
    assert {"loss", "accuracy", "learning_rate", "images_per_second", "validation/loss"} <= names


def test_best_checkpoint_is_kept_apart(run, tmp_path):
    run("run", 6, eval_every_steps=2, best_metric="loss", learning_rate=0.1)
    losses = {
        step: line["validation/loss"] for step, line in _validations(tmp_path / "run").items()
    }
    best = min(losses, key=losses.get)
    (kept,) = latest.list_checkpoints(str(tmp_path / "run" / "best"))
    assert latest.step_of(kept) == best
    state = json.loads((tmp_path / "run" / "best" / "best.json").read_text())
    for damaged in ("", "[]", "[" * 100_000, json.dumps(state | {"step": "3"}), '{"value": NaN}'):
        (tmp_path / "best.json").write_text(damaged)
        assert validation._read_best(str(tmp_path), state["metric"], 99).step == -1
    (tmp_path / "best.json").write_text(json.dumps(state))
    assert vars(validation._read_best(str(tmp_path), state["metric"], 99)) == state
    assert (state["metric"], state["step"], state["value"]) == ("loss", best, losses[best])


def test_stops_early_and_says_so_again(run, tmp_path, caplog):
    settings = {"eval_every_steps": 1, "early_stopping_patience": 3, "learning_rate": 0.0,
                "batch_norm_decay": 0.0, "freeze_batch_norm": False}  # fmt: skip
    result = run("run", 50, **settings)
    assert result.step < 50
    state = json.loads((tmp_path / "run" / "best" / "best.json").read_text())
    assert (state["step"] + 3, state["since"]) == (result.step, 3)
    assert latest.step_of(result.checkpoint) == result.step
    caplog.set_level(logging.INFO)
    assert run("run", 50, **settings).step == result.step
    assert "No better accuracy in 3 evaluations: stopping early." in caplog.text


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("accuracy", [0.5, 0.5, 0.7, 0.6], (0.7, 3, 1)),
        ("accuracy", [0.0, 0.0], (0.0, 1, 1)),
        ("loss", [0.5, 0.4, 0.4, 0.6], (0.4, 2, 2)),
    ],
)
def test_best(metric, values, expected):
    best = validation.Best(metric, 0.0)
    for step, value in enumerate(values, 1):
        best = best.follow(value, step)
    assert (best.value, best.step, best.since) == expected


def test_patience_without_evaluations():
    with pytest.raises(UserError, match="needs evaluations: --eval_every_epochs=1"):
        validation.is_asked_for(
            TrainConfig(dataset_dir="data", early_stopping_patience=2, eval_every_epochs=0)
        )


def test_once_per_epoch_unless_something_else_is_asked_for(run, tmp_path, monkeypatch):
    monkeypatch.setattr(allowance, "_LITTLE_SECONDS", 60.0)
    run("run", 20)  # 64 images, 8 at a time.
    assert list(_validations(tmp_path / "run")) == [8, 16, 20]
    run("run", 26, eval_every_steps=3)
    assert list(_validations(tmp_path / "run")) == [8, 16, 20, 21, 24, 26]


def test_what_nobody_asked_for_takes_little_time(run, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(allowance, "_LITTLE_SECONDS", 0.0)
    monkeypatch.setattr(allowance, "_FRACTION", 0.0)
    run("run", 9)
    assert not _validations(tmp_path / "run")
    said = [message for message in caplog.messages if message.startswith("Not evaluated at step")]
    assert [message.split(":")[0] for message in said] == [
        "Not evaluated at step 8",
        "Not evaluated at step 9",
    ]


def test_what_nobody_asked_for_does_not_end_a_run(run, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(allowance, "_LITTLE_SECONDS", 60.0)
    assert run("run", 20, labels_offset=0, broken=True).step == 20
    assert caplog.text.count("The run does not evaluate itself any more: ") == 1
    with pytest.raises(UserError, match="the validation split are outside the classes"):
        run("asked", 20, broken=True, eval_every_epochs=1)


@pytest.mark.parametrize(
    ("settings", "evaluates"),
    [
        ({}, True),
        ({"eval_every_epochs": 0}, False),
        ({"eval_every_epochs": 0, "eval_every_steps": 5}, True),
        ({"dataset_split_name": "validation"}, False),
        ({"early_stopping_patience": 2}, True),
    ],
    ids=str,
)
def test_which_split(digits, settings, evaluates):
    config = TrainConfig(dataset_name="digits", dataset_dir=digits, **settings)
    held_out = validation.open_split(config)
    assert (held_out is not None) == evaluates
    if held_out:
        assert held_out.num_samples == 360


def test_a_split_that_is_not_there(digits):
    config = {"dataset_name": "digits", "dataset_dir": digits}
    with pytest.raises(UserError, match=r"Unknown split of digits 'valid'. Did you mean 'valid"):
        validation.open_split(TrainConfig(**config, eval_split_name="valid"))


def test_an_evaluation_that_is_interrupted_does_not_count(run, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation.Validation, "_is_interrupted", lambda self: True, raising=False)
        patch.setattr(validation.Validation, "__setattr__", _leave_interrupted)
        run("run", 2, eval_every_steps=1)
    assert not _validations(tmp_path / "run")
    assert "The evaluation at step 1 was broken off." in caplog.text
    assert not (tmp_path / "run" / "best").exists()


def _leave_interrupted(self, name, value):
    if name != "_is_interrupted":
        object.__setattr__(self, name, value)


def test_the_worst_images_are_on_the_page(run, tmp_path):
    run("run", 2, eval_every_steps=1, learning_rate=0.0)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Worst images" in page
    assert 0 < page.count("<img") <= 12


def test_statistics_of_the_moving_averages_are_estimated_too(run, tmp_path):
    settings = {"moving_average_decay": 0.9, "learning_rate": 0.3}
    kept = _values(run("kept", 6, final_statistics_batches=0, **settings).checkpoint)
    ended = _values(run("ended", 6, final_statistics_batches=2, **settings).checkpoint)
    average = "/ExponentialMovingAverage"
    for name, value in kept.items():
        statistic = "moving_" in name
        assert (value == ended[name]).all() != statistic, name
    mean = "Tiny/conv/BatchNorm/moving_mean"
    assert not np.array_equal(ended[mean], ended[mean + average])


def test_early_stopping_is_an_end_and_a_signal_is_not(run, tmp_path):
    settings = {"eval_every_steps": 1, "early_stopping_patience": 3, "learning_rate": 0.0,
                "batch_norm_decay": 0.0, "freeze_batch_norm": False}  # fmt: skip
    stopped = run("stopped", 50, **settings)
    plain = run("plain", stopped.step, validates=False, final_statistics_batches=20)
    mean = "Tiny/conv/BatchNorm/moving_mean"
    expected = _values(plain.checkpoint)[mean]  # Nothing was learned: the same batches in both.
    assert stopped.step < 50
    np.testing.assert_allclose(_values(stopped.checkpoint)[mean], expected, rtol=0.2)


def test_unknown_metric():
    with pytest.raises(UserError, match=r"best_metric.*acuracy.*accuracy"):
        TrainConfig(dataset_dir="data", best_metric="acuracy")


def test_each_checkpoint_has_its_graph(run, tmp_path):
    """The newest, the best, and those of a run that goes on; old ones take theirs along."""
    settings = {"eval_every_steps": 1, "save_interval_secs": 0, "max_to_keep": 2}
    run("run[1]", 3, **settings)
    result = run("run[1]", 4, **settings)
    folder = tmp_path / "run[1]"
    for place, count in ((folder, 2), (folder / "best", 1)):
        checkpoints = {path.stem for path in place.glob("*.index")}
        assert {path.stem for path in place.glob("*.meta")} == checkpoints
        assert len(checkpoints) == count
    reader = latest.reader(result.checkpoint)
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(f"{result.checkpoint}.meta")
        saver.restore(session, paths.literal_checkpoint(result.checkpoint))
        for variable in tf.global_variables():
            saved = reader.get_tensor(variable.op.name)
            np.testing.assert_array_equal(session.run(variable), saved)
        assert session.run(tf.train.get_global_step()) == 4
        session.run("train_op:0", {"fed_learning_rate:0": 0.1})
        assert session.run(tf.train.get_global_step()) == 5


def test_the_graph_can_be_frozen(run, tmp_path):
    checkpoint = run("run", 1).checkpoint
    freeze_graph.freeze_graph(
        input_graph=str(tmp_path / "run" / "graph.pbtxt"),
        input_saver="",
        input_binary=False,
        input_checkpoint=checkpoint,
        output_node_names="Tiny/logits/BiasAdd",
        restore_op_name="save/restore_all",
        filename_tensor_name="save/Const:0",
        output_graph=str(tmp_path / "frozen.pb"),
        clear_devices=True,
        initializer_nodes="",
    )
    frozen = tf.GraphDef.FromString((tmp_path / "frozen.pb").read_bytes())
    values = {node.name: node.attr["value"].tensor for node in frozen.node if node.op == "Const"}
    name = "Tiny/logits/weights"
    saved = latest.reader(checkpoint).get_tensor(name)
    np.testing.assert_array_equal(tf.make_ndarray(values[name]), saved)


def test_the_graph_can_be_left_out(run, tmp_path):
    run("run", 2, eval_every_steps=1, save_meta_graph=False)
    left = {path.name.rpartition(".")[2] for path in (tmp_path / "run").rglob("*")}
    assert {"meta", "pbtxt"}.isdisjoint(left)
