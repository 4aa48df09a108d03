"""What is evaluated: checkpoints of a folder, a training that runs, several networks, files."""

import contextlib
import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import eval_image_classifier
import train_image_classifier
from datasets.conversion import convert
from datasets.conversion.settings import Conversion
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference import describe, freeze
from slim_internal.parts.inference.formats import table
from slim_internal.parts.reports import near_duplicates
from slim_internal.programs.evaluation import evaluate, following, other_splits
from slim_internal.programs.evaluation.settings import Evaluation
from slim_internal.programs.export import inference_graph
from slim_internal.programs.export.settings import Export
from tests import small_models
from tests.slim_internal.parts.reports.parsed_page import ParsedPage

_SECONDS = 120


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return small_models.convert_digits(tmp_path_factory.mktemp("data") / "digits")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two checkpoints with different weights."""
    folder = tmp_path_factory.mktemp("train")
    small_models.save_lenet(folder, step=9)
    small_models.save_lenet(folder, step=10, seed=2)
    small_models.save_lenet(folder / "best", step=9)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory, folder):
    """Format -> the newest checkpoint as a file of that format."""
    config = Export(
        output_file=str(tmp_path_factory.mktemp("export") / "lenet.pb"),
        model_name="lenet",
        dataset_name="digits",
        checkpoint_path=str(folder),
        format="frozen,saved_model,tflite",
    )
    paths = inference_graph.export(config).paths[:3]
    return dict(zip(("frozen", "saved_model", "tflite"), map(str, paths), strict=True))


@pytest.fixture
def run(digits, folder, tmp_path):
    def run_with(**changes):
        settings = {
            "dataset_name": "digits",
            "dataset_dir": digits,
            "dataset_split_name": "validation",
            "model_name": "lenet",
            "checkpoint_path": str(folder),
            "eval_dir": str(tmp_path / "eval"),
            **changes,
        }
        return list(following.run(Evaluation(**settings)))

    return run_with


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_all_checkpoints_are_evaluated_the_oldest_first_and_drawn(run, folder, tmp_path):
    (newest,) = run()
    older, newer = run(all_checkpoints=True)
    assert (older.step, newer.step) == (9, 10)
    assert newer.accuracy == newest.accuracy != older.accuracy
    rows = _rows(tmp_path / "eval/checkpoints.csv")
    assert [float(row["accuracy"]) for row in rows] == [older.accuracy, newer.accuracy]
    assert [row["checkpoint_path"] for row in rows] == [
        older.checkpoint_path,
        f"{folder}/model.ckpt-10",
    ]
    text = (tmp_path / "eval" / evaluate.PAGE).read_text(encoding="utf-8")
    assert "Over the checkpoints" in ParsedPage(text).text
    (alone,) = run(checkpoint_path=older.checkpoint_path)
    assert alone.loss == older.loss


def test_the_best_checkpoint_is_that_of_its_folder(run, folder):
    (best,) = run(best_checkpoint=True)
    assert best.checkpoint_path == str(folder / "best/model.ckpt-9")


@pytest.mark.parametrize(
    ("name", "flag"),
    [("frozen", "graph"), ("saved_model", "checkpoint_path"), ("tflite", "checkpoint_path")],
)
def test_exported_networks_say_what_the_checkpoint_says(run, exported, name, flag):
    (expected,) = run()
    given = {"checkpoint_path": None, "model_name": "nasnet_large", flag: exported[name]}
    (found,) = run(**given, batch_size=77)
    assert (found.checkpoint_path, found.num_examples) == (exported[name], 360)
    assert found.accuracy == expected.accuracy
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)


@pytest.fixture(scope="module")
def other_classes(tmp_path_factory):
    """Classes left out -> a network exported so: one before the digits, or none for the 0."""
    paths = {}
    for offset in (-1, 1):
        folder = tmp_path_factory.mktemp("other")
        saved = small_models.save_lenet(folder, num_classes=10 - offset)
        model = describe.describe("lenet", "digits", checkpoint_path=saved, labels_offset=offset)
        table.get_format("frozen").write(freeze.freeze(model, saved), folder, "lenet.pb")
        paths[offset] = str(folder / "lenet.pb")
    return paths


def test_the_classes_that_an_exported_network_leaves_out_are_known(run, other_classes, caplog):
    caplog.set_level("INFO")
    given = {"checkpoint_path": other_classes[-1], "model_name": None}
    (found,) = run(**given)
    assert f"From {other_classes[-1]}: --labels_offset=-1" in caplog.text
    assert (found,) == (run(**given, labels_offset=-1)[0],)
    with pytest.raises(
        UserError, match=r"has 11 classes; digits .*=0 has 10\. Leave out the flag or"
    ):
        run(**given, labels_offset=0)
    with pytest.raises(UserError, match=r"With --labels_offset=1, .* labels are outside the 9"):
        run(checkpoint_path=other_classes[1])


def _probabilities(path):
    """Returns the probability of each class, [examples, classes]."""
    rows = _rows(path)
    found = np.zeros([len(rows), 10])
    for row in rows:
        for place in range(1, 11):
            index = int(row[f"class_{place}"])
            found[int(row["example"]), index] = float(row[f"probability_{place}"])
    return found


def test_several_networks_are_evaluated_by_the_mean_of_their_probabilities(
    run, folder, exported, tmp_path
):
    members = [f"{folder}/model.ckpt-9", f"{folder}/model.ckpt-10", exported["tflite"]]
    path = tmp_path / "eval/predictions.csv"
    alone = []
    for member in members:
        run(checkpoint_path=member, top_k=10)
        alone.append(_probabilities(path))
    (together,) = run(checkpoint_path=",".join(members), top_k=10, batch_size=50)
    np.testing.assert_allclose(_probabilities(path), np.mean(alone, axis=0), atol=2e-6)
    assert together.checkpoint_path == ",".join(members)
    assert together.num_examples == 360


def test_each_of_several_networks_is_taken_as_its_own_record_says(run, folder, tmp_path):
    small_models.save_lenet(tmp_path / "averages", step=11)
    record = {"model_name": "lenet", "dataset_name": "digits", "labels_offset": 0}
    members = f"{folder}/model.ckpt-9,{tmp_path}/averages"
    for more, message in (
        ({}, None),
        ({"image_size": 32}, "reads images of 28x28x1 by lenet .* reads images of 32x32x1"),
        ({"preprocessing_name": "vgg"}, "by lenet and has 10 .* by vgg and has 10 classes"),
        ({"labels_offset": 1}, "averages.* has 10 classes; digits with --labels_offset=1 has 9"),
        ({"class_names": list("9876543210")}, "class 0 is '9' there and 'zero' here"),
        ({"moving_average_decay": 0.9}, "lacks the moving averages of 8 of 8 variables"),
    ):
        (tmp_path / "averages/settings.json").write_text(json.dumps(record | more))
        with pytest.raises(UserError, match=message) if message else contextlib.nullcontext():
            run(checkpoint_path=members)


@pytest.mark.parametrize("recorded", [False, True])
def test_networks_that_read_other_channels_are_refused_together(run, folder, tmp_path, recorded):
    in_color = tmp_path / "color"
    small_models.save_lenet(in_color, channels=3)
    if recorded:
        record = {"model_name": "lenet", "dataset_name": "digits", "channels": 3}
        (in_color / "settings.json").write_text(json.dumps(record))
    (alone,) = run(checkpoint_path=str(in_color))
    assert alone.num_examples == 360
    sizes = {str(folder): "28x28x1", str(in_color): "28x28x3"}
    for first, second in (sizes, reversed(sizes)):
        message = rf"must read the same: .*{sizes[first]} .*{sizes[second]} [^\n]*$"
        with pytest.raises(UserError, match=message):
            run(checkpoint_path=f"{first},{second}")


@pytest.mark.parametrize("batch_size", [7, 400])
def test_views_are_averaged_whatever_the_size_of_batches(run, tmp_path, batch_size):
    path = tmp_path / "eval/predictions.csv"
    run(flip=True, top_k=10)
    expected = _probabilities(path)
    (found,) = run(flip=True, top_k=10, batch_size=batch_size)
    assert found.num_examples == 360
    np.testing.assert_allclose(_probabilities(path), expected, atol=2e-6)
    assert {value.name: value.value for value in found.values}["views_per_image"] == 2


def test_batches_are_counted_in_images_not_in_views(run):
    (found,) = run(num_crops=10, batch_size=7, max_num_batches=3)
    assert found.num_examples == 21


def test_what_changed_is_told(run, folder, tmp_path):
    (before,) = run(checkpoint_path=f"{folder}/model.ckpt-9", eval_dir=str(tmp_path / "a"))
    (now,) = run(compare=str(tmp_path / "a"))
    values = {value.name: value.value for value in now.values}
    was, is_ = (
        np.array([row["correct"] == "1" for row in _rows(tmp_path / name / "predictions.csv")])
        for name in ("a", "eval")
    )
    assert values["became_right"] == np.count_nonzero(is_ & ~was) > 0
    assert values["became_wrong"] == np.count_nonzero(was & ~is_) > 0
    assert values["accuracy_before"] == before.accuracy
    assert values["accuracy_change"] == pytest.approx(now.accuracy - before.accuracy)
    rows = _rows(tmp_path / "eval/changes.csv")
    assert [int(row["example"]) for row in rows if row["became"] == "right"] == list(
        np.flatnonzero(is_ & ~was)
    )
    page = ParsedPage((tmp_path / "eval" / evaluate.PAGE).read_text(encoding="utf-8"))
    assert f"Became wrong: {values['became_wrong']}" in page.text
    (same,) = run(compare=str(tmp_path / "eval/predictions.csv"))
    assert {value.name: value.value for value in same.values}["mcnemar_p_value"] == 1.0


def test_the_label_offset_that_a_message_proposes_is_taken(run, digits, tmp_path):
    """By evaluation and export, and by evaluation of what was exported."""
    checkpoint = small_models.save_lenet(tmp_path / "train", num_classes=11)
    with pytest.raises(UserError, match=r"has 11 classes; .* has 10\. Use --labels_offset=-1\.$"):
        run(checkpoint_path=checkpoint)
    (expected,) = run(checkpoint_path=checkpoint, labels_offset=-1)
    assert expected.num_examples == 360
    settings = {"checkpoint_path": checkpoint, "model_name": "lenet", "dataset_name": "digits"}
    output = str(tmp_path / "lenet.pb")
    exported = inference_graph.export(Export(**settings, output_file=output, labels_offset=-1))
    assert exported.model.class_names[:2] == ("background", "zero")
    (found,) = run(checkpoint_path=None, graph=output, labels_offset=-1)
    assert found.accuracy == expected.accuracy


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"graph": "FROZEN"}, "both say what to evaluate"),
        ({"checkpoint_path": ""}, "Say what to evaluate: --checkpoint_path"),
        ({"checkpoint_path": "/nonexistent/a,/nonexistent/b"}, "No checkpoint '/nonexistent/a'"),
        (
            {"graph": "/nonexistent.pb", "checkpoint_path": None},
            "no exported network /nonexistent.pb",
        ),
        ({"checkpoint_path": "FROZEN", "labels_offset": 1}, "has 10 classes; digits with --labels"),
        ({"checkpoint_path": "FROZEN", "eval_image_size": 32}, "reads images of 28 pixels"),
        ({"checkpoint_path": "FROZEN", "watch": True}, "--watch takes one folder of checkpoints"),
        ({"checkpoint_path": __file__, "all_checkpoints": True}, "takes a folder of checkpoints"),
        ({"watch": True, "all_checkpoints": True}, "--watch and --all_checkpoints exclude"),
        ({"watch": True, "best_checkpoint": True}, "--watch and --best_checkpoint exclude"),
        ({"checkpoint_path": "EMPTY", "all_checkpoints": True}, "No usable checkpoint in folder"),
        ({"checkpoint_path": "EMPTY", "best_checkpoint": True}, "has no folder 'best'"),
        ({"compare": "/nonexistent"}, "cannot read /nonexistent: No such file"),
        ({"compare": __file__}, "is not the predictions.csv of an evaluation: it has no column"),
        ({"top_k": 11}, "--top_k must be at most 10, the number of classes; got 11"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_evaluated_is_refused(run, exported, tmp_path, changes, message):
    real = {"FROZEN": exported["frozen"], "EMPTY": str(tmp_path)}
    with pytest.raises(UserError, match=message):
        run(**{name: real.get(value, value) for name, value in changes.items()})


def test_evaluations_of_other_images_are_not_compared(run, tmp_path):
    run(eval_dir=str(tmp_path / "a"), max_num_batches=1)
    before = (tmp_path / "a/predictions.csv").read_text()
    for max_num_batches, message in ((None, "has more"), (2, "has more")):
        with pytest.raises(UserError, match=f"holds 100 examples, this evaluation {message}"):
            run(compare=str(tmp_path / "a"), max_num_batches=max_num_batches)
    with pytest.raises(UserError, match="holds 100 examples, this evaluation has 50: compare"):
        run(compare=str(tmp_path / "a"), max_num_batches=1, batch_size=50)
    assert (tmp_path / "a/predictions.csv").read_text() == before
    with pytest.raises(UserError, match="is of other images: the label of example 0 is"):
        run(compare=str(tmp_path / "a"), dataset_split_name="train", max_num_batches=1)


def test_near_duplicates_in_another_split_are_shown(tmp_path, monkeypatch):
    images = tmp_path / "images"
    for place, seed, side in (
        ("train/x/a.png", 0, 40),
        ("train/y/b.png", 1, 40),
        ("val/x/c.png", 0, 60),
        ("val/y/d.png", 9, 60),
    ):
        (images / place).parent.mkdir(parents=True)
        pixels = np.random.RandomState(seed).randint(0, 256, (4, 4)).astype(np.uint8)
        bicubic = Image.Resampling.BICUBIC
        Image.fromarray(pixels).resize((side, side), bicubic).save(images / place)
    named = {"dataset_name": "image_folder", "dataset_dir": str(tmp_path / "data")}
    convert.convert(Conversion(source=str(images), **named))
    config = Evaluation(**named, dataset_split_name="validation")
    found = other_splits.find(config, ["x", "y"], 5)
    assert found.count == 1
    (pair,) = found.shown
    assert [each.name for each in pair] == ["x", "x"]
    assert [each.detail.partition(" · ")[0] for each in pair] == ["validation", "train"]
    assert [pathlib.Path(each.place).name for each in pair] == ["c.png", "a.png"]
    monkeypatch.setattr(near_duplicates, "MAX_COMPARISONS", 3)
    monkeypatch.delattr(other_splits, "_prints")  # No image is read where there are too many.
    assert other_splits.find(config, ["x", "y"], 5).count is None


def _start(script, tmp_path, name, **flags):
    command = [sys.executable, script.__file__, *(f"--{k}={v}" for k, v in flags.items())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with open(tmp_path / name, "wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _until(log, text):
    end = time.monotonic() + _SECONDS
    while text not in log.read_text(errors="replace"):
        assert time.monotonic() < end, log.read_text(errors="replace")
        time.sleep(0.1)


def test_exported_networks_on_a_machine_with_one_cpu(digits, exported, tmp_path):
    """The network runs within an operation of the evaluation, which has the only thread."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})  # What is started has no others either.
    try:
        evaluation = _start(
            eval_image_classifier,
            tmp_path,
            "one_cpu.log",
            dataset_name="digits",
            dataset_dir=digits,
            dataset_split_name="validation",
            graph=exported["frozen"],
            eval_dir=tmp_path / "eval",
        )
    finally:
        os.sched_setaffinity(0, cpus)
    try:
        assert evaluation.wait(_SECONDS) == 0, (tmp_path / "one_cpu.log").read_text()
    finally:
        evaluation.kill()


def test_watch_follows_a_real_training_to_its_end(digits, tmp_path):
    train_dir = tmp_path / "train"
    shared = {"model_name": "lenet", "dataset_name": "digits", "dataset_dir": digits}
    watch = _start(
        eval_image_classifier,
        tmp_path,
        "watch.log",
        **shared,
        dataset_split_name="validation",
        checkpoint_path=train_dir,
        eval_dir=tmp_path / "eval",
        watch="true",
        watch_interval_secs=0.1,
    )
    log = tmp_path / "watch.log"
    _until(log, f"Waiting for the start of a training in {train_dir}")
    training = _start(
        train_image_classifier,
        tmp_path,
        "train.log",
        **shared,
        train_dir=train_dir,
        batch_size=8,
        max_number_of_steps=1_000_000,
        save_interval_secs=1,
    )
    try:
        _until(log, "Written to")
        training.send_signal(signal.SIGTERM)
        assert training.wait(_SECONDS) == 128 + signal.SIGTERM
        assert watch.wait(_SECONDS) == 0
    finally:
        for process in (training, watch):
            process.kill()
            process.wait()
    rows = _rows(tmp_path / "eval/checkpoints.csv")
    last = tf.train.latest_checkpoint(str(train_dir))
    assert rows[-1]["checkpoint_path"] == last
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted(set(steps))
    assert f"evaluated {last} last" in log.read_text()


def test_a_signal_ends_the_watch(digits, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(following.locks, "is_held", lambda _: True)  # It trains for ever.
    monkeypatch.setattr(following.time, "sleep", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    config = Evaluation(
        dataset_name="digits",
        dataset_dir=digits,
        dataset_split_name="validation",
        model_name="lenet",
        checkpoint_path=str(folder),
        eval_dir=str(tmp_path),
        watch=True,
    )
    before = signal.getsignal(signal.SIGTERM)
    found = following.run(config)
    assert next(found).step == 10
    with pytest.raises(SystemExit) as ended:
        next(found)
    assert ended.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
    assert pathlib.Path(tmp_path, "metrics.json").exists()
