"""Evaluation compared with the same numbers worked out in numpy, and what it refuses."""

import contextlib
import csv
import dataclasses
import json
import pathlib

import numpy as np
import pytest

from datasets import dataset_factory
from datasets.storage import manifest, tfrecords
from nets import nets_factory
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.evaluation import evaluate, statistics_check
from slim_internal.programs.evaluation.settings import Evaluation
from tests import small_models
from tests.slim_internal.parts.reports.parsed_page import ParsedPage
from tests.slim_internal.programs.training import tiny_dataset, tiny_network

_NUM_VALIDATION = 360


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    return {
        "dataset_name": "digits",
        "dataset_dir": small_models.convert_digits(folder / "digits"),
        "dataset_split_name": "validation",
        "model_name": "lenet",
        "checkpoint_path": small_models.save_lenet(folder / "train"),
        "eval_dir": str(folder / "eval"),
    }


@pytest.fixture(scope="module")
def expected(setup):
    """Accuracy, recall at 5 and loss from logits alone, with plain numpy around the network."""
    images, labels = [], []
    path = pathlib.Path(setup["dataset_dir"], "digits_validation.tfrecord")
    with tf.Graph().as_default(), tf.Session() as session:
        encoded = tf.placeholder(tf.string)
        decoded = tf.io.decode_png(encoded)
        for record in tfrecords.read_records(path):
            feature = tf.train.Example.FromString(record).features.feature
            labels.append(feature["image/class/label"].int64_list.value[0])
            picture = session.run(decoded, {encoded: feature["image/encoded"].bytes_list.value[0]})
            images.append((np.pad(picture, ((10, 10), (10, 10), (0, 0))) - 128.0) / 128.0)
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = tf.placeholder(tf.float32, [None, 28, 28, 1])
        logits, _ = nets_factory.get_network_fn("lenet", 10)(inputs)
        tf.train.Saver().restore(session, setup["checkpoint_path"])
        logits = session.run(logits, {inputs: np.stack(images)}).astype(np.float64)
    labels = np.array(labels)
    own = logits[np.arange(len(labels)), labels]
    rank = np.sum(logits > own[:, None], axis=1)
    loss = np.log(np.sum(np.exp(logits - own[:, None]), axis=1))
    return {
        "num_examples": len(labels),
        "accuracy": np.mean(rank < 1),
        "recall_at_5": np.mean(rank < 5),
        "loss": np.mean(loss),
    }


@pytest.mark.parametrize("batch_size", [1, 7, 100, 360, 2000])
def test_counts_every_example_once_whatever_the_batch_size(setup, expected, batch_size):
    metrics = evaluate.evaluate(Evaluation(**setup, batch_size=batch_size))
    assert metrics.num_examples == expected["num_examples"] == _NUM_VALIDATION
    for name in ("accuracy", "recall_at_5", "loss"):
        assert getattr(metrics, name) == pytest.approx(expected[name], rel=1e-5), name


def test_fast_decoding_says_that_it_is_for_photographs(setup, expected, caplog):
    metrics = evaluate.evaluate(Evaluation(**setup, fast_decoding=True))
    assert "--fast_decoding changes nothing: this preprocessing does not resize" in caplog.text
    assert metrics.loss == pytest.approx(expected["loss"], rel=1e-5)


@pytest.fixture(scope="module")
def evaluate_1003(tmp_path_factory):
    """Returns a function of the batch size that evaluates a tiny network on 1,003 pictures."""
    folder = tmp_path_factory.mktemp("many")
    dataset = tiny_dataset.write(str(folder / "data"), 1003, num_classes=4)
    config = Evaluation(
        dataset_dir="unused",
        model_name="tiny",
        checkpoint_path=str(folder / "model.ckpt"),
        eval_dir=str(folder / "eval"),
    )
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        images = tf.placeholder(tf.float32, [1, 28, 28, 1])
        tiny_network.NETWORK.builder(images, 4, is_training=False)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, config.checkpoint_path)

    def evaluate_in_batches(batch_size):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(nets_factory.networks, "tiny", tiny_network.NETWORK)
            patch.setattr(dataset_factory, "get_dataset", lambda *_: dataset)
            return evaluate.evaluate(dataclasses.replace(config, batch_size=batch_size))

    return evaluate_in_batches


@pytest.fixture(scope="module")
def in_hundreds(evaluate_1003):
    return evaluate_1003(100)


@pytest.mark.parametrize("batch_size", [1, 7, 100, 1003, 2000])
def test_1003_examples_give_the_same_metrics_to_1e_6(evaluate_1003, in_hundreds, batch_size):
    metrics = evaluate_1003(batch_size)
    assert metrics.num_examples == 1003
    assert 0 < metrics.accuracy < 1
    for name in ("accuracy", "recall_at_5", "loss"):
        assert getattr(metrics, name) == pytest.approx(getattr(in_hundreds, name), rel=1e-6), name


def test_writes_metrics_and_summaries(setup):
    metrics = evaluate.evaluate(Evaluation(**setup))
    folder = pathlib.Path(setup["eval_dir"])
    written = json.loads((folder / "metrics.json").read_text())
    assert written["accuracy"] == metrics.accuracy
    assert written["step"] == 3
    values = {
        value.tag: (event.step, value.simple_value)
        for path in folder.glob("events.*")
        for event in tf.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert values["eval/Accuracy"] == (3, pytest.approx(metrics.accuracy))
    assert set(values) == {"eval/Accuracy", "eval/Recall_5", "eval/Loss"}


def test_leaves_room_on_the_gpu_for_training(setup, monkeypatch):
    configs = []
    session = tf.Session
    monkeypatch.setattr(
        tf, "Session", lambda config=None: configs.append(config) or session(config=config)
    )
    evaluate.evaluate(Evaluation(**setup, max_num_batches=1))
    # One to read the weights, one to evaluate.
    assert [config.gpu_options.allow_growth for config in configs] == [True, True]


def test_stops_after_the_batches_asked_for(setup):
    metrics = evaluate.evaluate(Evaluation(**setup, batch_size=10, max_num_batches=3))
    assert metrics.num_examples == 30


def test_takes_the_newest_checkpoint_of_a_folder(setup, tmp_path):
    small_models.save_lenet(tmp_path, step=9)
    newest = small_models.save_lenet(tmp_path, step=10)
    metrics = evaluate.evaluate(Evaluation(**{**setup, "checkpoint_path": str(tmp_path)}))
    assert (metrics.checkpoint_path, metrics.step) == (newest, 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset_dir": None}, "--dataset_dir"),
        ({"dataset_dir": "/nonexistent"}, "/nonexistent"),
        ({"dataset_name": "digit"}, "'digits'"),
        ({"dataset_split_name": "test"}, "^--dataset_split_name=test: .* train, validation"),
        ({"model_name": "lennet"}, "'lenet'"),
        ({"preprocessing_name": "lennet"}, "'lenet'"),
        ({"checkpoint_path": "/nonexistent"}, "/nonexistent"),
        ({"checkpoint_path": __file__}, f"Checkpoint {__file__} cannot be read"),
        ({"model_name": "cifarnet"}, r"is of another network: .* --model_name .* such as lenet\.$"),
        ({"batch_size": 0}, "--batch_size must be at least 1; got 0"),
        ({"num_preprocessing_threads": 0}, "--num_preprocessing_threads must be at least 1; got 0"),
        ({"labels_offset": 10}, "--labels_offset=10 leaves none of the 10 classes"),
        ({"master": "grpc://there"}, "--master"),
        ({"quantize": True}, "--quantize"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_refuses_what_cannot_be_used(setup, changes, message):
    with pytest.raises(UserError, match=message):
        evaluate.evaluate(Evaluation(**{**setup, **changes}))


def test_an_empty_split_is_an_error_naming_the_flag(setup, tmp_path):
    (tmp_path / "digits_validation.tfrecord").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"^--dataset_split_name=validation: The data files are empty"
    ):
        evaluate.evaluate(Evaluation(**{**setup, "dataset_dir": str(tmp_path)}))


def test_an_unwritable_eval_dir_is_an_error_before_any_example_is_read(
    setup, tmp_path, monkeypatch
):
    monkeypatch.setattr(evaluate, "_run", None)  # Calling it would be a TypeError.
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", pathlib.Path("/proc")):  # Even root cannot write there.
        with pytest.raises(UserError, match=f"Cannot write to --eval_dir={folder}: "):
            evaluate.evaluate(Evaluation(**{**setup, "eval_dir": str(folder)}))


@pytest.mark.parametrize(
    ("num_classes", "labels_offset", "message"),
    [
        (10, 1, r"has 10 classes; digits with --labels_offset=1 has 9. .*se --labels_offset=0\.$"),
        (
            11,
            0,
            r"has 11 classes; digits with --labels_offset=0 has 10. .*se --labels_offset=-1\.$",
        ),
        (9, 0, r"has 9 classes; digits with --labels_offset=0 has 10. Give the dataset and the --"),
        (1, 0, r"has 1 class; digits with --labels_offset=0 has 10. Give the dataset and the --l"),
        (1001, 0, r"has 1,001 classes; digits with --labels_offset=0 has 10. Give the dataset "),
    ],
)
def test_another_number_of_classes_is_an_error_naming_both_sizes_and_the_flag(
    setup, tmp_path, num_classes, labels_offset, message
):
    checkpoint = small_models.save_lenet(tmp_path, num_classes=num_classes)
    changed = {**setup, "checkpoint_path": checkpoint, "labels_offset": labels_offset}
    with pytest.raises(UserError, match=message) as error:
        evaluate.evaluate(Evaluation(**changed))
    assert "\n" not in str(error.value)


def test_labels_outside_the_network_s_classes_are_counted(setup, tmp_path):
    checkpoint = small_models.save_lenet(tmp_path, num_classes=9)
    with pytest.raises(UserError, match="36 of 360 labels are outside"):
        evaluate.evaluate(Evaluation(**{**setup, "checkpoint_path": checkpoint}, labels_offset=1))


def _save_with_logits(folder, row):
    """Saves a LeNet whose outputs are the same for every picture."""
    with tf.Graph().as_default(), tf.Session() as session:
        nets_factory.get_network_fn("lenet", 10)(tf.placeholder(tf.float32, [1, 28, 28, 1]))
        session.run(tf.global_variables_initializer())
        weights, biases = tf.trainable_variables("LeNet/fc4")
        session.run([weights.assign(tf.zeros_like(weights)), biases.assign(row)])
        return tf.train.Saver().save(session, str(folder / "model.ckpt"))


def test_a_network_that_finds_all_classes_equally_likely_is_not_always_right(setup, tmp_path):
    checkpoint = _save_with_logits(tmp_path, [0.0] * 10)
    metrics = evaluate.evaluate(Evaluation(**{**setup, "checkpoint_path": checkpoint}))
    assert metrics.accuracy == pytest.approx(0.1, abs=0.02)
    assert metrics.recall_at_5 == pytest.approx(0.5, abs=0.05)
    assert metrics.loss == pytest.approx(np.log(10), rel=1e-6)


def test_outputs_that_are_not_finite_are_an_error(setup, tmp_path):
    checkpoint = _save_with_logits(tmp_path, [0.0] * 9 + [np.nan])
    with pytest.raises(UserError, match="Of 360 images 360 get outputs that are not finite") as e:
        evaluate.evaluate(Evaluation(**{**setup, "checkpoint_path": checkpoint}))
    assert "1 of 10 numbers of LeNet/fc4/biases are infinite or NaN" in str(e.value)


def test_infinite_weights_are_an_error_even_where_no_output_shows_them(setup, tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        nets_factory.get_network_fn("lenet", 10)(tf.placeholder(tf.float32, [1, 28, 28, 1]))
        session.run(tf.global_variables_initializer())
        (biases,) = tf.trainable_variables("LeNet/fc3/biases")
        session.run(biases.assign([-np.inf] + [0.0] * (biases.shape[0] - 1)))
        saved = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    with pytest.raises(UserError, match="1 of 1024 numbers of LeNet/fc3/biases are infinite"):
        evaluate.evaluate(Evaluation(**{**setup, "checkpoint_path": saved}))


def test_a_damaged_record_is_an_error_naming_the_file(setup, tmp_path):
    folder = pathlib.Path(small_models.convert_digits(tmp_path / "digits"))
    shard = folder / "digits_validation.tfrecord"
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    shard.write_bytes(damaged)
    with pytest.raises(UserError, match=r"digits_validation\.tfrecord"):
        evaluate.evaluate(Evaluation(**{**setup, "dataset_dir": str(folder)}))


@pytest.mark.parametrize("there", [1, 359, 361])
def test_a_split_of_another_size_than_published_is_counted_and_a_warning(
    setup, tmp_path, caplog, there
):
    source = pathlib.Path(setup["dataset_dir"], "digits_validation.tfrecord")
    records = list(tfrecords.read_records(source))
    records = (records + records)[:there]
    tfrecords.write_shard(tmp_path / "digits_validation.tfrecord", records)
    metrics = evaluate.evaluate(Evaluation(**{**setup, "dataset_dir": str(tmp_path)}))
    assert metrics.num_examples == there
    expected = f"holds {there} examples of the split validation; the published digits has 360."
    assert expected in caplog.text


def test_a_split_of_another_size_than_its_manifest_says_is_an_error(setup, tmp_path):
    folder = pathlib.Path(small_models.convert_digits(tmp_path / "digits"))
    contents = manifest.read(folder)
    shards = [
        dataclasses.replace(shard, records=shard.records + 1)
        if shard.split == "validation"
        else shard
        for shard in contents.shards
    ]
    manifest.write(folder, dataclasses.replace(contents, shards=tuple(shards)))
    with pytest.raises(UserError, match="361 examples, the files hold 360"):
        evaluate.evaluate(Evaluation(**{**setup, "dataset_dir": str(folder)}))


def test_a_module_that_names_another_size_is_a_warning(setup, monkeypatch, caplog):
    """As one that was cloned from the original's flowers.py may."""

    def get_dataset(*arguments):
        dataset = original(*arguments)
        del dataset.has_manifest
        dataset.num_samples = 7
        return dataset

    original = dataset_factory.get_dataset
    monkeypatch.setattr(dataset_factory, "get_dataset", get_dataset)
    assert evaluate.evaluate(Evaluation(**setup)).num_examples == _NUM_VALIDATION
    assert "should hold 7 examples, the files hold 360." in caplog.text


def test_page_shows_the_mistakes(setup, expected):
    evaluate.evaluate(Evaluation(**setup))
    page = ParsedPage(pathlib.Path(setup["eval_dir"], evaluate.PAGE).read_text(encoding="utf-8"))
    assert f"{expected['accuracy']:.2%}" in page.text
    assert "lenet on digits, validation" in page.text
    num_mistakes = round(_NUM_VALIDATION * (1 - expected["accuracy"]))
    num_hits = _NUM_VALIDATION - num_mistakes
    assert len(page.all("img")) == min(num_mistakes, 24) + min(num_hits, 24)


def test_predictions_of_every_example_are_written(setup):
    metrics = evaluate.evaluate(Evaluation(**setup, batch_size=77))
    with open(pathlib.Path(setup["eval_dir"], "predictions.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["example"]) for row in rows] == list(range(_NUM_VALIDATION))
    right = [row["label"] == row["class_1"] for row in rows]
    assert right == [row["correct"] == "1" for row in rows]
    assert np.mean(right) == metrics.accuracy
    among = [row["label"] in [row[f"class_{place}"] for place in range(1, 6)] for row in rows]
    assert np.mean(among) == metrics.recall_at_5
    for row in rows:
        probabilities = [float(row[f"probability_{place}"]) for place in range(1, 6)]
        assert probabilities == sorted(probabilities, reverse=True)
    assert {(row["label"], row["label_name"]) for row in rows} >= {("7", "seven"), ("0", "zero")}


def test_a_failed_evaluation_leaves_the_older_predictions(setup, tmp_path):
    folder = tmp_path / "eval"
    evaluate.evaluate(Evaluation(**{**setup, "eval_dir": str(folder)}, max_num_batches=1))
    before = (folder / "predictions.csv").read_bytes()
    checkpoint = _save_with_logits(tmp_path, [np.nan] * 10)
    changed = {**setup, "eval_dir": str(folder), "checkpoint_path": checkpoint}
    with pytest.raises(UserError, match="not finite"):
        evaluate.evaluate(Evaluation(**changed))
    assert (folder / "predictions.csv").read_bytes() == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("both", "moving", "own", "warns"),
    [
        (30, 0, 32, True),
        (30, 5, 37, True),
        (90, 1, 2, False),
        (40, 10, 14, False),  # By chance.
        (30, 30, 0, False),  # Batches of one class have statistics of their own.
        (0, 0, 0, False),
    ],
)
def test_statistics_that_make_many_images_wrong(both, moving, own, warns):
    """So many of 100 images are right in both ways, with the moving ones, with their own."""
    right_with_moving = np.arange(100) < both + moving
    right_with_own = (np.arange(100) < both) | (np.arange(100) >= 100 - own)
    logits = [np.eye(2)[right.astype(int)] for right in (right_with_moving, right_with_own)]
    warnings = statistics_check.compare(np.ones(100, np.int64), *logits, "run/model.ckpt-3")
    assert len(warnings) == warns
    for warning in warnings:
        assert f"of the first 100 images {both + moving}.0% are right with them" in warning
        assert "--reestimate_batch_norm=100 --checkpoint_path=run/model.ckpt-3" in warning


@pytest.mark.parametrize(
    ("sizes", "distance", "seen"),
    [
        ([15], 9.0, []),  # Such batches have no statistics to speak of.
        ([100], 9.0, [50, 50]),
        ([150, 150, 150], np.nan, [50, 50, 50, 50]),  # The first ones are enough.
        ([67, 7], 9.0, [34, 33]),  # Parts are alike in size.
        ([100, 15], 0.1, []),  # Nothing is suspicious.
    ],
)
def test_a_second_pass_is_for_the_first_images_of_suspicious_networks(sizes, distance, seen):
    found = []

    def logits(images):
        found.append(len(images))
        return np.zeros([len(images), 2])

    class Session:
        def make_callable(self, *_):
            return lambda record: np.array([record])

    check = statistics_check.StatisticsCheck(
        [], lambda: contextlib.nullcontext(logits), tf.identity
    )
    assert check.fetches() == {}  # There is no batch normalization.
    for size in sizes:
        batch = {"labels": np.zeros(size, int), "logits": np.zeros([size, 2])}
        check.add({**batch, "records": np.arange(size), "statistics_distance": distance})
    with tf.Graph().as_default():
        check.warnings(Session(), "run")
    assert found == seen


@pytest.mark.parametrize("moving_mean", [0.0, 50.0])
def test_warns_of_statistics_that_cannot_be_right(tmp_path, caplog, moving_mean):
    dataset = tiny_dataset.write(str(tmp_path / "data"), 96, num_classes=2)
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, 28, 28, 1])
        _odd_or_even(images, 2, is_training=False)
        session.run(tf.global_variables_initializer())
        used = [each for each in tf.global_variables() if "AuxLogits" not in each.op.name]
        (mean,) = (each for each in used if "moving_mean" in each.op.name)
        mean.load([moving_mean], session)
        tf.train.Saver(used).save(session, str(tmp_path / "model.ckpt"))
    network = dataclasses.replace(tiny_network.NETWORK, name="odd", builder=_odd_or_even)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(nets_factory.networks, "odd", network)
        patch.setattr(dataset_factory, "open_split", lambda *_: dataset)
        config = {"dataset_dir": "unused", "model_name": "odd", "preprocessing_name": "odd"}
        patch.setitem(preprocessing_factory.preprocessing_fn_map, "odd", _OddOrEven)
        metrics = evaluate.evaluate(
            Evaluation(**config, checkpoint_path=str(tmp_path / "model.ckpt"),
                       eval_dir=str(tmp_path / "eval"))
        )  # fmt: skip
    warned = "statistics of batch normalization do not fit" in caplog.text
    page = (tmp_path / "eval" / "report.html").read_text()
    assert ("statistics of batch normalization do not fit" in page) == warned
    assert (metrics.accuracy, warned) == ((1.0, False) if moving_mean == 0 else (0.5, True))


def test_page_does_not_replace_that_of_the_run(tmp_path):
    assert evaluate.page_path(str(tmp_path)).name == "report.html"
    (tmp_path / "settings.json").write_text("{}")
    assert evaluate.page_path(str(tmp_path)).name == "evaluation.html"


class _OddOrEven:
    """A preprocessing that leaves of an image only whether its brightness is odd."""

    @staticmethod
    def preprocess_image(image, height, width, is_training=False, use_grayscale=False):
        del is_training, use_grayscale
        image = tf.cast(image, tf.float32)
        return tf.ensure_shape(tf.mod(image, 2.0) * 2.0 - 1.0, [height, width, 1])


def _odd_or_even(images, num_classes, is_training, scope="Odd"):
    """Builds a network that needs the mean of its images to tell the two kinds apart.

    Its auxiliary head may miss in a checkpoint, as that of Inception v3 at another image size.
    """
    del num_classes
    with tf.variable_scope(scope, "Odd"):
        slim.batch_norm(images, is_training=is_training, scope="AuxLogits")
        net = slim.avg_pool2d(images, 28, 28, scope="pool")
        net = slim.batch_norm(net, is_training=is_training, scope="norm")
        net = slim.flatten(net)
        logits = tf.concat([-net, net], axis=1)
    return logits, {"Logits": logits}


_odd_or_even.default_image_size = 28
