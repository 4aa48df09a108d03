"""Pictures classified by graph and by checkpoint, and what a classifier refuses."""

import contextlib
import csv
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image

import classify_image
from nets import nets_factory
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.classification import classifier, files, report, writing
from slim_internal.programs.classification.settings import Classification
from slim_internal.programs.export import inference_graph
from slim_internal.programs.export.settings import Export
from tests import golden_files, small_models
from tests.slim_internal.ground.images import mutations
from tests.slim_internal.parts.reports.parsed_page import ParsedPage

_PICTURES = ("gray_28x28.png", "rgb_32x32.png", "rgb_500x333.png")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return small_models.save_lenet(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def graph(tmp_path_factory, checkpoint):
    path = tmp_path_factory.mktemp("export") / "lenet.pb"
    inference_graph.export(
        Export(
            output_file=str(path),
            model_name="lenet",
            dataset_name="digits",
            checkpoint_path=checkpoint,
        )
    )
    return str(path)


@pytest.fixture(scope="module")
def pictures():
    return [str(golden_files.path(f"images/{name}")) for name in _PICTURES]


def _classify(pictures, *, top_k=10, batch_size=32, **config):
    with classifier.open_classifier(Classification(**config)) as opened:
        return list(opened.classify(pictures, top_k=top_k, batch_size=batch_size))


def test_probabilities_are_those_of_the_network(checkpoint, graph, pictures):
    picture = np.asarray(Image.open(pictures[0]), np.float32).reshape(1, 28, 28, 1)
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, 28, 28, 1])
        logits, _ = nets_factory.get_network_fn("lenet", 10)(images)
        tf.train.Saver().restore(session, checkpoint)
        expected = session.run(tf.nn.softmax(logits), {images: (picture - 128) / 128})[0]
    ((path, guesses),) = _classify(pictures[:1], graph=graph)
    assert path == pictures[0]
    assert [guess.index for guess in guesses] == list(np.argsort(-expected))
    for guess in guesses:
        assert guess.probability == pytest.approx(expected[guess.index], abs=1e-5)
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    assert [guess.name for guess in guesses] == [names[guess.index] for guess in guesses]


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_graph_checkpoint_and_batch_size_agree(checkpoint, graph, pictures, batch_size):
    by_graph = _classify(pictures, graph=graph)
    by_checkpoint = _classify(
        pictures,
        model_name="lenet",
        checkpoint_path=checkpoint,
        dataset_name="digits",
        batch_size=batch_size,
    )
    for (path, guesses), (same_path, same_guesses) in zip(by_graph, by_checkpoint, strict=True):
        assert path == same_path
        assert [g.index for g in guesses] == [g.index for g in same_guesses]
        probabilities = [g.probability for g in same_guesses]
        assert [g.probability for g in guesses] == pytest.approx(probabilities, abs=1e-5)


def test_nothing_is_said_of_no_image():
    assert {name: write([]) for name, write in report.FORMATS.items()} == {
        "text": "",
        "csv": "file,rank,class,name,probability\n",
        "json": "[]\n",
    }


@pytest.mark.parametrize("name", report.FORMATS)
def test_formats_carry_file_name_class_and_probability(name):
    guesses = [classifier.Guess(7, "seven, or so", 0.75), classifier.Guess(1, "one", 0.25)]
    text = report.FORMATS[name]([("a b.png", guesses)])
    if name == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["name"] for row in rows] == ["seven, or so", "one"]
        assert rows[0] == {
            "file": "a b.png",
            "rank": "1",
            "class": "7",
            "name": "seven, or so",
            "probability": "0.750000",
        }
    elif name == "json":
        (answer,) = json.loads(text)
        assert answer["file"] == "a b.png"
        assert answer["guesses"][1] == {"index": 1, "name": "one", "probability": 0.25}
    else:
        assert text == "a b.png\n   75.00%  seven, or so\n   25.00%  one\n"


def test_an_unknown_format_names_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'json'"):
        Classification(format="jsn")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "either --graph"),
        ({"graph": "GRAPH", "checkpoint_path": "/x"}, "not both"),
        ({"graph": "/nonexistent.pb"}, "no exported network /nonexistent.pb"),
        ({"checkpoint_path": "/nonexistent"}, "--model_name"),
        ({"checkpoint_path": "/nonexistent", "model_name": "lenet"}, "/nonexistent"),
        ({"checkpoint_path": __file__, "model_name": "lenet"}, "cannot be read"),
        (
            {"checkpoint_path": "CHECKPOINT", "model_name": "lenet"},
            "has 10 classes, the network here 1,001. Give the --dataset_name",
        ),
    ],
    ids=["nothing", "both", "no_graph", "no_model", "no_checkpoint", "text", "other_classes"],
)
def test_refuses_what_cannot_classify(checkpoint, graph, config, message):
    real = {"GRAPH": graph, "CHECKPOINT": checkpoint}
    config = {name: real.get(value, value) for name, value in config.items()}
    with pytest.raises(UserError, match=message):
        _classify([], **config)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_graph_of_a_fixed_batch_size_takes_any_number_of_pictures(
    tmp_path, checkpoint, graph, pictures, size
):
    path = str(tmp_path / "fixed.pb")
    config = Export(
        output_file=path,
        model_name="lenet",
        dataset_name="digits",
        checkpoint_path=checkpoint,
        batch_size=size,
    )
    inference_graph.export(config)
    expected = _classify(pictures, graph=graph)
    answers = _classify(pictures, graph=path)
    assert [name for name, _ in answers] == pictures
    for (_, guesses), (_, others) in zip(answers, expected, strict=True):
        assert [guess.index for guess in guesses] == [guess.index for guess in others]


def test_names_of_pictures_that_are_no_text(tmp_path, graph, pictures):
    picture = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(pictures[0], picture)
    command = [sys.executable, classify_image.__file__, f"--graph={graph}", "--format=csv"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONIOENCODING": "utf-8:strict",  # As in most languages' locales.
    }
    printed = subprocess.run([*command, picture], env=environment, stdout=subprocess.PIPE)
    assert (printed.returncode, printed.stdout.count(picture)) == (0, 5)
    command.append(f"--output_file={tmp_path}/answers.csv")
    assert subprocess.run([*command, picture], env=environment).returncode == 0
    assert (tmp_path / "answers.csv").read_bytes() == printed.stdout


@pytest.mark.parametrize("setting", ["top_k", "batch_size"])
def test_refuses_numbers_below_one(graph, setting):
    with pytest.raises(UserError, match=f"--{setting} must be at least 1; got 0"):
        Classification(graph=graph, **{setting: 0})


def test_refuses_files_that_are_no_graph(tmp_path, graph, pictures):
    (tmp_path / "other.pb").write_bytes(b"\xff\xfe no graph")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UserError, match=r"other\.json does not describe"):
        _classify(pictures, graph=str(tmp_path / "other.pb"))
    shutil.copy(f"{graph[:-2]}json", tmp_path / "other.json")
    with pytest.raises(UserError, match=r"other\.pb is not a graph"):
        _classify(pictures, graph=str(tmp_path / "other.pb"))


def test_refuses_a_graph_without_weights(tmp_path, pictures):
    path = str(tmp_path / "bare.pb")
    inference_graph.export(Export(output_file=path, model_name="lenet", dataset_name="digits"))
    with pytest.raises(UserError, match="holds no weights"):
        _classify(pictures, graph=path)


def test_pictures_of_all_kinds_and_turned_photographs_say_the_same(tmp_path, graph, pictures):
    picture = Image.open(pictures[0]).convert("L")
    turned = Image.Exif()
    turned[0x0112] = 6  # To be turned by a quarter, clockwise, before it is shown.
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "0.png", exif=turned)
    picture.convert("RGB").save(tmp_path / "1.webp", lossless=True)
    picture.save(tmp_path / "2.gif", save_all=True, append_images=[picture.rotate(90)])
    picture.convert("RGB").save(tmp_path / "3.bmp")
    picture.convert("RGBA").save(tmp_path / "4.png")
    ((_, expected),) = _classify(pictures[:1], graph=graph)
    for _, guesses in _classify(sorted(map(str, tmp_path.iterdir())), graph=graph):
        assert [guess.index for guess in guesses] == [guess.index for guess in expected]
        np.testing.assert_allclose(
            [guess.probability for guess in guesses],
            [guess.probability for guess in expected],
            rtol=0.01,
        )


def test_refuses_what_is_no_picture(tmp_path, graph):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture")
    Image.new("RGB", (99, 99)).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-9])
    for path, message in [
        (tmp_path / "empty.png", r"empty\.png cannot be used: it is empty"),
        (tmp_path / "text.jpg", r"text\.jpg cannot be used: it is not a JPEG, PNG, GIF, BMP or W"),
        (tmp_path / "cut.jpg", r"cut\.jpg cannot be used: it is cut off: its end marker is miss"),
        (tmp_path / "missing.png", r"missing\.png cannot be used: it cannot be read: No such file"),
        (tmp_path, "is a folder"),
    ]:
        with pytest.raises(UserError, match=message):
            _classify([str(path)], graph=graph)


def test_what_cannot_be_right_of_an_image_is_said(tmp_path, graph, caplog):
    """Nor is a pipe waited for, or a socket, or a very thin image enlarged."""
    (tmp_path / "dark.png").write_bytes(mutations.sixteen_bits(4095))
    ((_, guesses),) = _classify([str(tmp_path / "dark.png")], graph=graph)
    assert len(guesses) == 10
    assert "dark.png: it is nearly black: of its 16 bits" in caplog.text
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as unix, contextlib.chdir(tmp_path):
        unix.bind("socket.jpg")
    Image.new("RGB", (9000, 1)).save(tmp_path / "thin.png")
    for name, message in [
        ("pipe.jpg", "it is not a regular file but a device or pipe"),
        ("socket.jpg", "it cannot be read: No such device or address"),
        ("thin.png", "it is 9000 x 1 pixels: one side is more than 100 times"),
        ("a\0b.jpg", "its name has a null character"),
    ]:
        with pytest.raises(UserError, match=f"{name} cannot be used: {message}"):
            _classify([str(tmp_path / name)], graph=graph)


def test_one_bad_image_is_reported_and_the_others_are_answered(tmp_path, graph, pictures):
    (tmp_path / "bad.png").write_bytes(b"no image")
    images = [pictures[0], str(tmp_path / "bad.png"), pictures[1], str(tmp_path / "missing.png")]
    expected = _classify([pictures[0], pictures[1]], graph=graph)
    errors = []
    for size in (1, 2, 32):
        with classifier.open_classifier(Classification(graph=graph)) as opened:
            answers = list(
                opened.classify(images, top_k=10, batch_size=size, on_error=errors.append)
            )
        assert [path for path, _ in answers] == [path for path, _ in expected]
        for (_, guesses), (_, others) in zip(answers, expected, strict=True):
            assert [guess.index for guess in guesses] == [guess.index for guess in others]
    assert len(errors) == 6
    assert "bad.png cannot be used: it is not a JPEG" in str(errors[0])


def test_outputs_that_are_not_finite_are_no_answer(pictures):
    model = types.SimpleNamespace(
        channels=1, image_size=28, preprocessing_name="lenet", class_name=str
    )
    rows = np.array([[0.5, 0.5], [np.nan, 0.5]], np.float32)
    predictor = types.SimpleNamespace(model=model, batch_size=None, predict_all=lambda images: rows)
    errors = []
    with tf.Graph().as_default(), tf.Session() as session:
        opened = classifier.Classifier(session, predictor)
        answers = list(opened.classify(pictures[:2], on_error=errors.append))
        assert [path for path, _ in answers] == pictures[:1]
        assert f"{pictures[1]} cannot be classified: the network's outputs are" in str(errors[0])
        with pytest.raises(UserError, match="infinite or NaN"):
            list(opened.classify(pictures[:2]))


def test_contents_that_were_read_already(graph, pictures):
    with (
        open(pictures[0], "rb") as file,
        classifier.open_classifier(Classification(graph=graph)) as opened,
    ):
        ((name, guesses),) = opened.classify({"-": file.read()}, top_k=10)
    assert name == "-"
    assert guesses == _classify(pictures[:1], graph=graph)[0][1]


@pytest.mark.parametrize("format_name", ["text", "csv", "json"])
def test_the_exit_code_tells_of_images_that_cannot_be_used(tmp_path, graph, pictures, format_name):
    (tmp_path / "images").mkdir()
    shutil.copy(pictures[0], tmp_path / "images/good.png")
    command = [sys.executable, classify_image.__file__, f"--graph={graph}"]
    command += [f"--format={format_name}", str(tmp_path / "images")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    good = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert good.returncode == 0
    (tmp_path / "images/bad.png").write_bytes(b"no image")
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, good.stdout)
    *_, first, last = result.stderr.splitlines()
    assert "bad.png cannot be used: it is not a JPEG" in first
    assert last == "error: 1 of 2 images cannot be used; all others are done."


@pytest.mark.parametrize("name", ["saved_model", "tflite"])
def test_other_formats_say_the_same(tmp_path, checkpoint, graph, pictures, name):
    exported = inference_graph.export(
        Export(
            output_file=str(tmp_path / "lenet.pb"),
            model_name="lenet",
            dataset_name="digits",
            checkpoint_path=checkpoint,
            format=f"frozen,{name}",
        )
    )
    expected = _classify(pictures, graph=graph)
    answers = _classify(pictures, graph=str(exported.paths[1]))
    for (path, guesses), (same_path, same_guesses) in zip(answers, expected, strict=True):
        assert path == same_path
        assert [guess.index for guess in guesses] == [guess.index for guess in same_guesses]
        probabilities = [guess.probability for guess in same_guesses]
        assert [guess.probability for guess in guesses] == pytest.approx(probabilities, abs=1e-5)


def _carry_out(images, **settings):
    config = Classification(**settings)
    writing.require_consistent(config)
    errors = []
    with classifier.open_classifier(config) as opened:
        write = writing.write_features if config.end_point else writing.write_answers
        text = write(config, opened, files.find(images), errors)
    return text, errors


@pytest.fixture(scope="module")
def inside(checkpoint, pictures):
    """Features and Grad-CAM of a picture from the network itself."""
    picture = np.asarray(Image.open(pictures[0]), np.float32).reshape(1, 28, 28, 1)
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, 28, 28, 1])
        _, end_points = nets_factory.get_network_fn("lenet", 10)(images)
        tf.train.Saver().restore(session, checkpoint)
        scores, maps = (end_points[name] for name in ("Logits", "pool2"))
        (gradient,) = tf.gradients(tf.reduce_max(scores), maps)
        values = {"fc3": end_points["fc3"], "pool2": maps, "gradient": gradient}
        found = session.run(values, {images: (picture - 128) / 128})
    weights = found["gradient"].mean(axis=(1, 2), keepdims=True)
    heat = np.maximum((weights * found["pool2"]).sum(axis=3), 0)[0]
    return {**found, "heat": heat / heat.max()}


@pytest.fixture(params=["graph", "checkpoint"])
def network(request, graph, checkpoint):
    by_checkpoint = {"model_name": "lenet", "checkpoint_path": checkpoint, "dataset_name": "digits"}
    return {"graph": graph} if request.param == "graph" else by_checkpoint


@pytest.mark.parametrize("end_point", ["fc3", "pool2"])
def test_features_are_those_of_the_network(tmp_path, network, pictures, inside, end_point):
    path = tmp_path / "a" / "features.npy"
    (tmp_path / "bad.png").write_bytes(b"no image")
    images = [str(tmp_path / "bad.png"), *pictures]
    _, errors = _carry_out(images, **network, end_point=end_point, output_file=str(path))
    features = np.load(path)
    assert features.shape == (3, *inside[end_point].shape[1:])
    np.testing.assert_allclose(features[0], inside[end_point][0], atol=1e-4)
    with open(path.with_suffix(".csv"), newline="") as file:
        assert list(csv.reader(file)) == [
            ["row", "file"],
            *([str(n), name] for n, name in enumerate(pictures)),
        ]
    assert len(errors) == 1


def test_grad_cam_is_that_of_the_paper(network, pictures, inside):
    with classifier.open_classifier(
        Classification(**network, page="unused", grad_cam=True)
    ) as opened:
        image, heat = opened.look(pictures[0], None)
        assert image.shape == (28, 28, 1)
        np.testing.assert_allclose(heat, inside["heat"], atol=1e-4)
        ((_, guesses),) = opened.classify(pictures[:1], top_k=10)
    assert guesses == _classify(pictures[:1], **network)[0][1]


@pytest.mark.parametrize("grad_cam", [False, True])
def test_page_shows_every_image_with_its_answer(tmp_path, graph, pictures, grad_cam):
    name = tmp_path / "<b>&.png"
    shutil.copy(pictures[0], name)
    (tmp_path / "bad.png").write_bytes(b"no image")
    images = [str(name), str(tmp_path / "bad.png"), *pictures[1:]]
    page = tmp_path / "new" / "page.html"
    text, errors = _carry_out(images, graph=graph, page=str(page), grad_cam=grad_cam)
    parsed = ParsedPage(page.read_text(encoding="utf-8"))
    assert len(parsed.all("img")) == 3 * (1 + grad_cam)
    assert not parsed.all("script")
    assert "<b>&.png" in parsed.text
    (_, guesses), *_ = _classify(images[:1], graph=graph)
    assert f"{guesses[0].name} {guesses[0].probability:.1%}" in parsed.text
    assert text.startswith(f"{name}\n")
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grad_cam": True}, "--page=answers.html"),
        ({"end_point": "fc3"}, "--output_file=NAME.npy; got None"),
        ({"end_point": "fc3", "output_file": "a.csv"}, "--output_file=NAME.npy; got 'a.csv'"),
        ({"end_point": "fc3", "output_file": "TMP/a.npy", "page": "TMP/p"}, "exclude each other"),
        ({"end_point": "fc33", "output_file": "TMP/a.npy"}, "Did you mean 'fc3'"),
    ],
)
def test_looking_inside_needs_a_place_and_a_layer(tmp_path, graph, pictures, settings, message):
    settings = {
        name: value.replace("TMP", str(tmp_path)) if isinstance(value, str) else value
        for name, value in settings.items()
    }
    with pytest.raises(UserError, match=message):
        _carry_out(pictures[:1], graph=graph, **settings)


def test_a_terminal_of_ascii_alone_gets_every_name(tmp_path, graph, pictures):
    shutil.copy(pictures[0], tmp_path / "käfer.png")
    command = [sys.executable, classify_image.__file__, f"--graph={graph}", str(tmp_path)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
    }
    result = subprocess.run(command, env=environment, capture_output=True)
    assert result.returncode == 0, result.stderr
    assert b"fer.png\n" in result.stdout
    assert b"Traceback" not in result.stderr
