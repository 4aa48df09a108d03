"""The programs of docs/formats.md run, each where its library is installed, and agree."""

import base64
import contextlib
import importlib.util
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image
from sklearn import datasets as photographs

from nets import nets_factory
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference.formats import table
from slim_internal.programs.classification.classifier import open_classifier
from slim_internal.programs.classification.settings import Classification
from slim_internal.programs.export import inference_graph
from slim_internal.programs.export.settings import Export
from tests import golden_files
from tests.nets import golden_weights
from tools.benchmarks import exported_networks_benchmark

_PAGE = pathlib.Path("docs/formats.md").read_text(encoding="utf-8")
_PREPARE, *_REST = re.findall(r"^```python\n(.*?)^```", _PAGE, re.DOTALL | re.MULTILINE)
# Title of the chapter -> its program.
_SNIPPETS = dict(zip(re.findall(r"^### (.*)$", _PAGE, re.MULTILINE), _REST, strict=True))
_LIBRARIES = {"TFLite": "ai_edge_litert", "ONNX Runtime": "onnxruntime", "OpenCV": "cv2"}
_CLOSE = 0.02  # Pillow smooths what it makes smaller.


def _save_weights(folder: pathlib.Path) -> str:
    rule = golden_files.load("logits/mobilenet_v1_025.json")["weight_rule"]
    with tf.Graph().as_default(), tf.Session() as session:
        nets_factory.get_network_fn("mobilenet_v1_025", 10)(tf.zeros([1, 96, 96, 3]))
        golden_weights.assign(session, tf.global_variables(), rule)
        return tf.train.Saver().save(session, str(folder / "model.ckpt"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a photograph, and a network in every format whose library is installed."""
    folder = tmp_path_factory.mktemp("exported")
    formats = ["frozen", "saved_model", "tflite"]
    with contextlib.suppress(UserError):
        table.get_format("onnx").require_libraries()
        formats.append("onnx")
    photograph = photographs.load_sample_images().images[1]
    Image.fromarray(photograph).save(folder / "photo.jpg", quality=95)
    inference_graph.export(
        Export(
            output_file=str(folder / "mine.pb"),
            model_name="mobilenet_v1_025",
            checkpoint_path=_save_weights(tmp_path_factory.mktemp("train")),
            dataset_name="digits",
            image_size=96,
            format=",".join(formats),
        )
    )
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    """The most likely class of the photograph, and its probability."""
    with open_classifier(Classification(graph=str(folder / "mine.pb"))) as classifier:
        ((_, guesses),) = classifier.classify([str(folder / "photo.jpg")])
    return guesses[0].name, guesses[0].probability


def test_the_benchmark_takes_every_format(folder):
    files = ["mine.pb", "mine_saved_model", "mine.tflite", "mine.onnx"]
    paths = [str(folder / name) for name in files if (folder / name).exists()]
    rows = exported_networks_benchmark.measure(paths, batch_size=2, rounds=1, seconds=0)
    assert len(rows) == len(paths)
    assert rows[0][2] == 1
    assert all(value > 0 for row in rows for value in row)
    assert all(milliseconds < 60_000 for _, milliseconds, _ in rows)


@pytest.mark.parametrize("title", ["TensorFlow: frozen graph", *_LIBRARIES])
def test_a_program_names_the_same_class(folder, expected, monkeypatch, title):
    library = _LIBRARIES.get(title)
    if library and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    if library == "onnxruntime" and not (folder / "mine.onnx").exists():
        pytest.skip("tf2onnx is not installed")
    monkeypatch.chdir(folder)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(_PREPARE + _SNIPPETS[title], title, "exec"), {})
    name, probability = printed.getvalue().split()
    assert name == expected[0]
    assert float(probability) == pytest.approx(expected[1], abs=_CLOSE)


def test_the_saved_model_prepares_images_as_the_project_does(folder, expected, tmp_path):
    shutil.copy(folder / "photo.jpg", tmp_path)
    shutil.copytree(folder / "mine_saved_model", tmp_path / "mine_saved_model")
    done = subprocess.run(
        [sys.executable, "-c", _SNIPPETS["TensorFlow: SavedModel"]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name, probability = done.stdout.split()
    assert name == expected[0]
    assert float(probability) == pytest.approx(expected[1], abs=1e-5)


def test_the_request_fits_the_signature(folder, monkeypatch, capsys):
    """There is no server here; it reads a request by the signature and the input's name."""
    monkeypatch.chdir(folder)
    exec(_SNIPPETS["TensorFlow Serving"], {})
    request = json.loads(capsys.readouterr().out)
    with tf.Graph().as_default(), tf.Session() as session:
        meta_graph = tf.saved_model.load(session, ["serve"], "mine_saved_model")
    signature = meta_graph.signature_def[request["signature_name"]]
    (instance,) = request["instances"]
    assert set(instance) == set(signature.inputs) == {"image_bytes"}
    assert signature.inputs["image_bytes"].dtype == tf.string.as_datatype_enum
    assert (
        base64.b64decode(instance["image_bytes"]["b64"]) == pathlib.Path("photo.jpg").read_bytes()
    )
    answered = set(re.findall(r'"(\w+)":\s\[', _PAGE.partition("The answer has")[2]))
    assert answered == {"predictions", *signature.outputs}
