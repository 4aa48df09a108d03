"""Evaluates a tiny network while it trains, and compares with what training does without."""

import json

import numpy as np
import pytest
from tensorflow.python.tools import freeze_graph

from nets import nets_factory
from slim_internal.ground.compat import paths, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest
from slim_internal.programs.training import train, validation
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.programs.training import tiny_dataset, tiny_network


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
    dataset = tiny_dataset.write(str(tmp_path / "data"), 64, num_classes=4)
    held_out = tiny_dataset.write(str(tmp_path / "held_out"), 21, num_classes=4)

    def train_tiny(folder, steps, validates=True, **settings):
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
        return train.train_on(
            dataset, tiny_network.NETWORK, config, held_out if validates else None
        )

    return train_tiny


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


def test_follows_the_moving_averages_where_they_are_kept(run, tmp_path):
    settings = {"learning_rate": 0.3, "eval_every_steps": 4, "final_statistics_batches": 0}
    run("plain", 4, **settings)
    run("averages", 4, moving_average_decay=0.99, **settings)
    plain, averages = (_validations(tmp_path / name)[4] for name in ("plain", "averages"))
    assert plain["validation/loss"] != averages["validation/loss"]


def test_epochs_between_evaluations(run, tmp_path):
    run("run", 9, eval_every_epochs=0.5)  # 64 images, 8 at a time.
    assert list(_validations(tmp_path / "run")) == [4, 8, 9]


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


def test_stops_early(run, tmp_path):
    result = run("run", 50, eval_every_steps=1, early_stopping_patience=3, learning_rate=0.0,
                 batch_norm_decay=0.0, freeze_batch_norm=False)  # fmt: skip
    assert result.step < 50
    state = json.loads((tmp_path / "run" / "best" / "best.json").read_text())
    assert (state["step"] + 3, state["since"]) == (result.step, 3)
    assert latest.step_of(result.checkpoint) == result.step


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
        validation.is_asked_for(TrainConfig(dataset_dir="data", early_stopping_patience=2))


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
