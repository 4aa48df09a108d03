"""Runs the training program as a user does: on real digits, with interruptions and mistakes."""

import io
import json
import logging
import multiprocessing
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import train_image_classifier
from datasets import dataset_utils
from datasets.conversion import convert
from datasets.conversion.settings import Conversion
from datasets.storage import tfrecords
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest
from slim_internal.programs.classification import classifier
from slim_internal.programs.classification.settings import Classification
from slim_internal.programs.evaluation import evaluate
from slim_internal.programs.evaluation.settings import Evaluation
from slim_internal.programs.export import inference_graph
from slim_internal.programs.export.settings import Export
from slim_internal.programs.training import train
from slim_internal.programs.training.settings import TrainConfig

_ACCURACY = "validation/accuracy"
_IMAGE = str(pathlib.Path(__file__).parent / "golden" / "images" / "gray_28x28.png")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("digits"))
    convert.convert(Conversion(dataset_name="digits", dataset_dir=folder))
    return folder


def _environment():
    """Returns what a user has, without the log level that tests run under."""
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def start(digits):
    """Returns a function that starts the program; what still runs after the test is killed."""
    children = []

    def start_training(**flags):
        defaults = {
            "dataset_name": "digits",
            "dataset_dir": digits,
            "model_name": "lenet",
            "max_number_of_steps": 50,
            "optimizer": "momentum",
            "batch_size": 8,
            "log_every_n_steps": 1,
            "cpu_threads": 1,
        }
        child = subprocess.Popen(
            [
                sys.executable,
                train_image_classifier.__file__,
                *(f"--{name}={value}" for name, value in {**defaults, **flags}.items()),
            ],
            env=_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start_training
    for child in children:
        child.kill()
        child.wait()
        child.stderr.close()


def _wait_for(child, text):
    """Reads the log until a line begins with the text."""
    lines = []
    for line in child.stderr:
        lines.append(line)
        if line.startswith(text):
            return line
    raise AssertionError(f"No line begins with {text!r}:\n{''.join(lines)}")


def _values(train_dir):
    reader = tf.train.NewCheckpointReader(latest.newest_good(str(train_dir)))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_interrupted_run_continues_to_the_same_weights(start, tmp_path):
    interrupted = start(train_dir=tmp_path / "parts")
    _wait_for(interrupted, "step 7/50")
    begin = time.monotonic()
    interrupted.send_signal(signal.SIGTERM)
    _, log = interrupted.communicate(timeout=20)
    assert time.monotonic() - begin < 10
    assert interrupted.returncode == 143
    (step,) = re.findall(r"Saved .*/model\.ckpt-(\d+)\n", log)
    assert 7 <= int(step) < 50

    resumed = start(train_dir=tmp_path / "parts")
    _wait_for(resumed, f"Continuing from step {step}: ")
    resumed.communicate()
    straight = start(train_dir=tmp_path / "straight")
    straight.communicate()
    assert (resumed.returncode, straight.returncode) == (0, 0)
    expected, values = _values(tmp_path / "straight"), _values(tmp_path / "parts")
    assert expected["global_step"] == 50
    assert expected.keys() == values.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(value, values[name], err_msg=name)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="files cannot be limited from outside")
def test_full_disk_is_one_line(start, tmp_path):
    child = start(train_dir=tmp_path)
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))
    _, log = child.communicate()
    assert child.returncode == 1
    message = log.splitlines()[-1]
    assert re.fullmatch(
        r"error: Step 50 cannot be saved: .*File too large\. The last good .*", message
    )
    assert "Traceback" not in log
    assert not list(tmp_path.glob("model.ckpt*"))


def test_progress_line(start, tmp_path):
    child = start(train_dir=tmp_path, max_number_of_steps=1)
    line = _wait_for(child, "step 1/1")
    assert re.fullmatch(
        r"step 1/1  epoch 0\.01  loss \d+\.\d{4}  accuracy \d+\.\d%  lr 0\.01  [\d.]+ images/s"
        r"  input wait \d+%  ETA 0 s\n",
        line,
    )


def test_killed_while_saving_it_can_always_continue(digits, tmp_path, monkeypatch):
    # Each child is a fork of one server that has TensorFlow loaded: seconds instead of minutes.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # Else the server finds no module.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["slim_internal.programs.training.train"])
    config = TrainConfig(
        dataset_name="digits",
        dataset_dir=digits,
        model_name="lenet",
        train_dir=str(tmp_path),
        batch_size=8,
        max_number_of_steps=100_000,
        save_interval_secs=0,
        cpu_threads=1,
    )
    draw = random.Random(0)
    reached = 0
    for _ in range(20):
        child = context.Process(target=train.train, args=(config,))
        child.start()
        deadline = time.monotonic() + 60
        while _newest_step(tmp_path) <= reached:
            assert child.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5))
        child.kill()
        child.join()
        newest = latest.newest_good(str(tmp_path))
        assert latest.damage(newest) is None
        assert latest.step_of(newest) > reached
        reached = latest.step_of(newest)


def _newest_step(train_dir):
    checkpoints = latest.list_checkpoints(str(train_dir))
    return latest.step_of(checkpoints[0]) if checkpoints else 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"model_name": "lenett"}, "Unknown network 'lenett'. Did you mean 'lenet'? Allowed: "),
        ({"dataset_name": "digts"}, "Unknown dataset 'digts'. Did you mean 'digits'? Allowed: "),
        (
            {"dataset_split_name": "trian"},
            "Unknown split of digits 'trian'. Did you mean 'train'? Allowed: train, validation.\n",
        ),
        ({"dataset_dir": ""}, "--dataset_dir is required: folder with the converted dataset.\n"),
        ({"dataset_dir": "absent"}, "No data to read: absent/digits_train.tfrecord: "),
        (
            {"preprocessing_name": "lenett"},
            "Unknown preprocessing 'lenett'. Did you mean 'lenet'? Allowed: ",
        ),
        (
            {"train_dir": f"{__file__}/run"},
            f"Cannot write to --train_dir={__file__}/run: Not a directory. ",
        ),
        (
            {"learning_rat": 1},
            "Unknown command line flag 'learning_rat'. Did you mean: learning_rate, ",
        ),
        ({"checkpoint_path": "absent"}, "No checkpoint 'absent'."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_mistake_is_one_line(start, tmp_path, flags, message):
    child = start(**{"train_dir": tmp_path, **flags})
    _, log = child.communicate()
    assert child.returncode == 1
    assert log.startswith(f"error: {message}")
    assert len(log.splitlines()) == 1


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory):
    """Returns the folder of a run that has evaluated itself."""
    folder = str(tmp_path_factory.mktemp("trained"))
    common = {"dataset_name": "digits", "dataset_dir": digits, "model_name": "lenet"}
    sizes = {"train_image_size": 32, "batch_size": 8, "max_number_of_steps": 2}
    train.train(TrainConfig(**common, **sizes, train_dir=folder, eval_every_steps=1))
    return folder


@pytest.mark.parametrize("place", ["", "best", "model.ckpt-2"])
def test_the_checkpoint_alone_is_enough_to_evaluate(trained, tmp_path, place):
    checkpoint = os.path.join(trained, place)
    metrics = evaluate.evaluate(Evaluation(checkpoint_path=checkpoint, eval_dir=str(tmp_path)))
    assert metrics.num_examples == 360  # All of the validation split.
    with open(os.path.join(trained, "metrics.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    (seen,) = (line for line in lines if line["step"] == metrics.step and _ACCURACY in line)
    assert metrics.accuracy == pytest.approx(seen[_ACCURACY])


def test_pages_about_training_and_evaluation_lead_to_each_other(trained, digits):
    folder = os.path.join(trained, "eval")
    config = {"checkpoint_path": os.path.join(trained, "best"), "eval_dir": folder}
    evaluate.evaluate(Evaluation(**config, max_num_batches=1))
    assert 'href="../report.html"' in pathlib.Path(folder, "report.html").read_text()
    assert 'href="eval/report.html"' in pathlib.Path(trained, "report.html").read_text()
    flags = {"dataset_dir": digits, "batch_size": 8, "eval_every_epochs": 0}
    train.train(TrainConfig(**flags, train_dir=trained, max_number_of_steps=2))
    assert 'href="eval/report.html"' in pathlib.Path(trained, "report.html").read_text()


def test_the_checkpoint_alone_is_enough_to_export_and_classify(trained, tmp_path):
    path = str(tmp_path / "net.pb")
    model = inference_graph.export(Export(checkpoint_path=trained, output_file=path)).model
    assert (model.model_name, model.image_size, model.class_names[7]) == ("lenet", 32, "seven")
    with classifier.open_classifier(Classification(checkpoint_path=trained)) as opened:
        ((_, guesses),) = opened.classify([_IMAGE], top_k=10)
    assert {guess.name for guess in guesses} == set(model.class_names)


def test_other_classes_than_the_run_has_learned(trained, digits, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(digits, other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["class_names"][:2] = "one", "zero"
    (other / "manifest.json").write_text(json.dumps(manifest))
    (other / "labels.txt").unlink()
    changed = {"dataset_dir": str(other), "dataset_name": "digits"}
    message = r"settings\.json: the weights .*class 0 is 'zero' there and 'one' here"
    with pytest.raises(UserError, match=message):
        evaluate.evaluate(Evaluation(**changed, checkpoint_path=trained, eval_dir=str(tmp_path)))
    export = Export(**changed, checkpoint_path=trained, output_file=str(tmp_path / "net.pb"))
    with pytest.raises(UserError, match=message):
        inference_graph.export(export)
    with pytest.raises(UserError, match=message):
        train.train(TrainConfig(**changed, train_dir=trained, max_number_of_steps=3, batch_size=8))


def test_a_run_continues_with_what_it_began_with(trained, digits, tmp_path):
    folder = str(tmp_path / "run")
    shutil.copytree(trained, folder)
    # Other tests may have run in the folder that is copied here.
    earlier = json.loads(pathlib.Path(folder, "settings.json").read_text(encoding="utf-8"))["runs"]
    flags = {"dataset_dir": digits, "batch_size": 8, "max_number_of_steps": 3}
    assert train.train(TrainConfig(**flags, train_dir=folder)).step == 3
    with open(os.path.join(folder, "settings.json"), encoding="utf-8") as file:
        saved = json.load(file)
    assert (saved["model_name"], saved["image_size"]) == ("lenet", 32)
    assert saved["runs"][:-1] == earlier
    assert earlier[0]["first_step"] == 0
    assert saved["runs"][-1]["first_step"] == 2
    with pytest.raises(UserError, match=r"--model_name=vgg_a contradicts .* another --train_dir"):
        train.train(TrainConfig(**flags, train_dir=folder, model_name="vgg_a"))


def test_fine_tuning_takes_network_and_size_from_the_weights(trained, digits, tmp_path):
    flags = {"dataset_name": "digits", "dataset_dir": digits, "batch_size": 8}
    folder = str(tmp_path)
    train.train(
        TrainConfig(**flags, checkpoint_path=trained, train_dir=folder, max_number_of_steps=1)
    )
    with open(os.path.join(folder, "settings.json"), encoding="utf-8") as file:
        saved = json.load(file)
    assert (saved["model_name"], saved["image_size"]) == ("lenet", 32)
    assert saved["runs"][0]["from_checkpoint"] == trained


def _example(pixels, label, *, width=28):
    """Returns an example of 28 x 28 pixels: a PNG where such files have the channels, else raw."""
    raw = pixels.shape[-1] != 4
    content = pixels.tobytes()
    if not raw:
        buffer = io.BytesIO()
        Image.fromarray(pixels, "RGBA").save(buffer, "PNG")
        content = buffer.getvalue()
    image_format = b"raw" if raw else b"png"
    return dataset_utils.image_to_tfexample(content, image_format, 28, width, label)


@pytest.fixture(params=[4, 6])
def of_many_channels(request, tmp_path):
    """Trains on images of which only the last channel tells the class.

    Returns the number of channels, the examples and the settings that name dataset and network.
    """
    random = np.random.default_rng(0)
    examples = []
    for number in range(32):
        pixels = random.integers(0, 256, (28, 28, request.param), np.uint8)
        pixels[..., -1] = 60 + 120 * (number % 2)
        examples.append(_example(pixels, number % 2))
    broken = [_example(pixels, 0, width=27)]
    for split, contents in (("train", examples), ("broken", broken)):
        tfrecords.write_shard(tmp_path / split, [each.SerializeToString() for each in contents])
    names = {
        "dataset_name": "tfrecords",
        "tfrecord_pattern": f"{tmp_path}/%s",
        "tfrecord_num_classes": 2,
        "model_name": "lenet",
        "eval_every_epochs": 0,
    }
    adam = {"optimizer": "adam", "opt_epsilon": 1e-8, "learning_rate": 0.001, "batch_size": 16}
    run = {"train_dir": f"{tmp_path}/run", "max_number_of_steps": 30}
    train.train(TrainConfig(**names, **adam, **run, channels=request.param))
    return request.param, examples, names


def test_more_channels_than_three_from_training_to_the_answer(of_many_channels, tmp_path, caplog):
    channels, examples, names = of_many_channels
    weights = {"checkpoint_path": f"{tmp_path}/run"}
    held_out = {"dataset_split_name": "train", "eval_dir": f"{tmp_path}/eval"}
    assert evaluate.evaluate(Evaluation(**weights, **held_out)).accuracy == 1
    with pytest.raises(UserError, match=f"--channels=3 contradicts .* says channels={channels}"):
        evaluate.evaluate(Evaluation(**weights, **held_out, channels=3))
    formats = {"format": "frozen,saved_model", "output_file": f"{tmp_path}/model.pb"}
    assert inference_graph.export(Export(**weights, **formats)).model.channels == channels
    graph = Classification(graph=f"{tmp_path}/model.pb")
    if channels == 4:
        (content,) = examples[1].features.feature["image/encoded"].bytes_list.value
        (tmp_path / "solid.png").write_bytes(content)
        with classifier.open_classifier(graph) as opened:
            ((_, guesses),) = opened.classify([f"{tmp_path}/solid.png"])
        assert guesses[0].index == 1
        caplog.set_level(logging.INFO)
        gray = {"channels": 1, "train_dir": f"{tmp_path}/gray", "max_number_of_steps": 1}
        train.train(TrainConfig(**names, **gray, **weights))
        assert "Adapted LeNet/conv1/weights from 4 to 1 channels: summed up." in caplog.text
        return
    refused = r"lenet reads images of 6 channels; image files have 1, 3 or 4\.$"
    with pytest.raises(UserError, match=refused), classifier.open_classifier(graph):
        pass
    with pytest.raises(UserError, match=r"record 0 holds 4704 bytes .*--channels=6 needs raw pix"):
        evaluate.evaluate(Evaluation(**weights, **held_out | {"dataset_split_name": "broken"}))
