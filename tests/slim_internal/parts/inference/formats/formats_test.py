"""Every format, written and read again, says what the checkpoint says."""

import dataclasses
import functools
import io
import json
import shutil
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest
from PIL import Image

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference import describe, description
from slim_internal.parts.inference.formats import onnx as onnx_format
from slim_internal.parts.inference.formats import table
from slim_internal.parts.inference.freeze import freeze
from tests import golden_files, small_models

# Uses nothing of this library: a SavedModel has to stand alone.
_LOAD = """
import json, sys
import keras
import numpy as np
import tensorflow as tf
folder, inputs, *files = sys.argv[1:]
loaded = tf.saved_model.load(folder)
images = tf.constant(np.load(inputs))
answers = [
    loaded.signatures["serving_default"](images=images),
    keras.layers.TFSMLayer(folder, call_endpoint="serving_default")(images),
    loaded.signatures["bytes"](image_bytes=tf.constant([open(f, "rb").read() for f in files])),
]
print(json.dumps([
    {
        "probabilities": answer["probabilities"].numpy().tolist(),
        "top_probabilities": answer["top_probabilities"].numpy().tolist(),
        "top_classes": np.char.decode(answer["top_classes"].numpy().astype("S")).tolist(),
    }
    for answer in answers
]))
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    checkpoint = small_models.save_lenet(tmp_path_factory.mktemp("train"))
    return freeze(describe.describe("lenet", "digits", checkpoint_path=checkpoint), checkpoint)


def _installed(name):
    """Returns a format, or skips the test where its optional libraries are not installed."""
    each = table.get_format(name)
    try:
        each.require_libraries()
    except UserError as error:
        pytest.skip(str(error))
    return each


@pytest.fixture(scope="module")
def written(network, tmp_path_factory):
    """Returns a function from the name of a format to LeNet in it; skips if it is not installed."""

    @functools.cache
    def write(name):
        each = _installed(name)
        path = tmp_path_factory.mktemp(name) / f"lenet{each.suffix}"
        each.write(network, path.parent, path.name)
        return path

    return write


@pytest.mark.parametrize("name", table.FORMATS)
def test_a_file_says_what_the_checkpoint_says(network, written, name):
    each, path = table.get_format(name), written(name)
    assert each.recognizes(path)
    with table.open_network(str(path)) as predictor:
        assert predictor.model == network.model
        probabilities = predictor.predict_all(network.probe.images)
    assert probabilities.shape == network.probe.probabilities.shape
    agreement = np.mean(probabilities.argmax(1) == network.probe.probabilities.argmax(1))
    assert agreement >= each.agreement
    if each.tolerance is not None:
        np.testing.assert_allclose(
            probabilities, network.probe.probabilities, atol=each.tolerance, rtol=0
        )


def test_logits_come_before_the_predictions(network):
    assert network.logits_name == "LeNet/fc4/BiasAdd"


def test_a_saved_model_needs_nothing_of_this_library(network, tmp_path):
    table.get_format("saved_model").write(network, tmp_path, "lenet")
    np.save(tmp_path / "images.npy", network.probe.images)
    image = golden_files.path("images/gray_28x28.png")
    Image.open(image).convert("RGB").save(tmp_path / "same.png")
    command = [tmp_path / "lenet", tmp_path / "images.npy", image, tmp_path / "same.png"]
    printed = subprocess.run(
        [sys.executable, "-c", _LOAD, *command], check=True, capture_output=True, text=True
    )
    assert "Warning" not in printed.stderr
    *of_images, of_bytes = json.loads(printed.stdout)
    for answer in of_images:  # TensorFlow's, and Keras's.
        np.testing.assert_allclose(
            answer["probabilities"], network.probe.probabilities, atol=1e-6, rtol=0
        )
    pixels = np.asarray(Image.open(image), np.float32).reshape(1, 28, 28, 1)
    with table.open_network(str(tmp_path / "lenet")) as predictor:
        # Two, as are in the batch of files: the kernels of a matrix product depend on its size.
        expected = predictor.predict_all(np.repeat((pixels - 128) / 128, 2, axis=0))[0]
    for row in of_bytes["probabilities"]:
        np.testing.assert_allclose(row, expected, atol=1e-6, rtol=0)
    order = np.argsort(-expected, kind="stable")[:5]
    for names, top in zip(of_bytes["top_classes"], of_bytes["top_probabilities"], strict=True):
        assert names == [network.model.class_name(index) for index in order]
        np.testing.assert_allclose(top, expected[order], atol=1e-6, rtol=0)


def _encoded(kind, size, mode="L"):
    pixels = np.random.default_rng(size[0]).integers(0, 255, size[::-1], np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(content, kind)
    return content.getvalue()


def test_files_of_all_kinds_and_sizes_go_in_one_batch(network, tmp_path):
    """One that cannot be decoded fails the request, as docs/formats.md says."""
    table.get_format("saved_model").write(network, tmp_path, "lenet")
    files = [
        _encoded("PNG", (28, 28)),
        _encoded("BMP", (40, 30), "RGB"),
        _encoded("GIF", (31, 77)),
        _encoded("JPEG", (64, 64)),
        _encoded("JPEG", (20, 50), "RGB"),
    ]
    with tf.Graph().as_default(), tf.Session() as session:
        loaded = tf.saved_model.load(session, ["serve"], str(tmp_path / "lenet"))
        signature = loaded.signature_def["bytes"]
        fed = signature.inputs["image_bytes"].name
        fetched = signature.outputs["probabilities"].name
        rows = session.run(fetched, {fed: files})
        alone = [session.run(fetched, {fed: [each]})[0] for each in files]
        np.testing.assert_allclose(rows, alone, atol=1e-6, rtol=0)
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
        for damaged in (b"", b"no image", files[3][:200]):
            with pytest.raises(tf.errors.InvalidArgumentError):
                session.run(fetched, {fed: [files[0], damaged]})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, r"There is no exported network .*net\."),
        (lambda path: path.mkdir(), "is a folder without an exported network"),
    ],
    ids=["missing", "folder"],
)
def test_what_is_no_network_is_named(tmp_path, make, message):
    make(tmp_path / "net")
    with pytest.raises(UserError, match=message), table.open_network(str(tmp_path / "net")):
        pass


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"\xff\xfe",
        lambda content: content.replace(b"LeNet", b"L\xffNet"),
        lambda content: content.replace(b"while_context", b"while_contex\xff"),
    ],
    ids=["other", "names", "collection"],
)
def test_a_damaged_saved_model_is_one_line(written, tmp_path, damage):
    shutil.copytree(written("saved_model"), tmp_path / "lenet")
    content = (tmp_path / "lenet/saved_model.pb").read_bytes()
    (tmp_path / "lenet/saved_model.pb").write_bytes(damage(content))
    with (
        pytest.raises(UserError, match=r"The SavedModel .*lenet cannot be read"),
        table.open_network(str(tmp_path / "lenet")),
    ):
        pass


def _damages(content):
    """Yields what may stand in the place of a file: parts of it, and files of other kinds."""
    yield from (content[: len(content) * tenths // 10] for tenths in range(10))
    yield from (content[:6], content[: -len(content) // 50], bytes(len(content)))
    yield from (b"<!DOCTYPE html>\n<title>404</title>\n", b"[1]", _encoded("PNG", (9, 9)))


@pytest.mark.parametrize("name", table.FORMATS)
def test_damaged_and_foreign_files_are_one_line(written, tmp_path, name):
    """Each file of an export is cut at many places, replaced by others, and removed."""
    source = written(name)
    shutil.copytree(source.parent, tmp_path, dirs_exist_ok=True)
    graph = written("tflite" if name == "frozen" else "frozen").read_bytes()
    for file in [each for each in tmp_path.rglob("*") if each.is_file()]:
        content = file.read_bytes()
        for damaged in (*_damages(content), graph):
            file.write_bytes(damaged)
            _refuses(tmp_path / source.name, str(tmp_path))
        file.unlink()
        _refuses(tmp_path / source.name, str(tmp_path))
        file.mkdir()
        _refuses(tmp_path / source.name, str(tmp_path))
        file.rmdir()
        file.write_bytes(content)


def test_an_unknown_format_names_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'saved_model'"):
        table.get_format("savedmodel")


@pytest.mark.parametrize("name", ["frozen", "saved_model"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 32}, r"images of shape \[32, 32, 1\] are described, the file has \[28, 28"),
        ({"channels": 3}, r"images of shape \[28, 28, 3\] are described, the file has \[28, 28, 1"),
        ({"num_frames": 4}, r"images of shape \[4, 28, 28, 1\] are described"),
        ({"num_classes": 9, "class_names": ()}, r"predictions of shape \[9\] .* has \[10\]"),
    ],
    ids=["image_size", "channels", "num_frames", "num_classes"],
)
def test_a_description_that_does_not_fit_is_one_line(network, tmp_path, name, changes, message):
    other = dataclasses.replace(network, model=dataclasses.replace(network.model, **changes))
    if name == "saved_model":
        table.get_format(name).write(network, tmp_path, "lenet")
        content = description.encode_description(other.model)
        (tmp_path / "lenet/assets.extra/model.json").write_bytes(content)
    else:
        table.get_format(name).write(other, tmp_path, "lenet")
    _refuses(tmp_path / "lenet", message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_name": "inputs"}, "Unknown input .* 'inputs'. Did you mean 'input'"),
        ({"input_name": "predictions"}, "Unknown input .* 'predictions'"),
        ({"predictions_name": "Predictions"}, "predictions_name is 'Predictions', which is no op"),
        ({"predictions_name": "input"}, "predictions_name is 'input', which is no operation"),
        ({"predictions_name": "LeNet/fc4/biases"}, "'LeNet/fc4/biases', which is no operation"),
        ({"predictions_name": "LeNet/conv1/Conv2D"}, "the file has"),
    ],
    ids=["no_input", "no_placeholder", "no_output", "output_is_input", "constant", "layer"],
)
def test_names_of_other_operations_are_one_line(network, tmp_path, changes, message):
    table.get_format("frozen").write(network, tmp_path, "lenet.pb")
    other = dataclasses.replace(network.model, **changes)
    (tmp_path / "lenet.json").write_bytes(description.encode_description(other))
    _refuses(tmp_path / "lenet.pb", message)


def _refuses(path, message):
    with pytest.raises(UserError, match=message) as caught, table.open_network(str(path)):
        pass
    assert "\n" not in str(caught.value)


def test_two_graphs_of_versions_keep_their_names(network, tmp_path):
    """`net_1.0` and `net_1.4` once shared `net_1.json`: the first answered with other names."""
    for name, classes in (("net_1.0", "abcdefghij"), ("net_1.4", "ABCDEFGHIJ")):
        model = dataclasses.replace(network.model, class_names=tuple(classes))
        table.get_format("frozen").write(dataclasses.replace(network, model=model), tmp_path, name)
    with table.open_network(str(tmp_path / "net_1.0")) as predictor:
        assert predictor.model.class_name(0) == "a"
    with table.open_network(str(tmp_path / "net_1.4")) as predictor:
        assert predictor.model.class_name(0) == "A"


@pytest.fixture(scope="module")
def tflite(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tflite")
    table.get_format("tflite").write(network, folder, "lenet.tflite")
    return folder / "lenet.tflite"


def test_a_tflite_file_is_an_archive_with_labels(network, tflite):
    with zipfile.ZipFile(tflite) as archive:
        assert archive.read("labels.txt").decode().split() == list(network.model.class_names)
        model = description.decode(tflite, archive.read("model.json"))
    assert model == network.model


def _with_flags(content, flags):
    """Returns an archive with other flags of its first entry."""
    entry = content.rindex(b"PK\1\2", 0, content.rindex(b"PK\1\2")) + 8
    return content[:entry] + bytes([flags]) + content[entry + 1 :]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "holds no description"),
        (lambda content: content[:8] + b"\xff" * 99 + content[107:], "cannot be used"),
        (lambda content: _with_flags(content, 1), "holds no description"),
        (lambda content: content[:-22] + b"PK\5\6" + b"\xff" * 18, "holds no description"),
    ],
    ids=["cut", "overwritten", "encrypted", "no_archive"],
)
def test_a_damaged_tflite_file_is_one_line(tflite, tmp_path, damage, message):
    (tmp_path / "lenet.tflite").write_bytes(damage(tflite.read_bytes()))
    _refuses(tmp_path / "lenet.tflite", message)


def test_the_description_of_a_tflite_file_has_to_fit(network, tmp_path):
    model = dataclasses.replace(network.model, num_classes=9, class_names=())
    path = tmp_path / "lenet.tflite"
    with pytest.MonkeyPatch.context() as patch:
        content = description.encode_description(model)
        patch.setattr(description, "encode_description", lambda *_: content)
        table.get_format("tflite").write(network, tmp_path, path.name)
    _refuses(path, r"predictions of shape \[9\] are described, the file has \[10\]")


def test_what_cannot_be_converted_is_one_line(network, tmp_path, monkeypatch):
    def fail(_):
        raise ValueError("Some ops:\n'tf.MaxPool3D' op is neither a custom op nor a flex op\nmore")

    monkeypatch.setattr(tf.lite.TFLiteConverter, "convert", fail)
    with pytest.raises(
        UserError, match=r"lenet cannot be written as --format=tflite: 'tf\.Max"
    ) as e:
        table.get_format("tflite").write(network, tmp_path, "lenet.tflite")
    assert "\n" not in str(e.value)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def onnx(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "lenet.onnx"
    model = dataclasses.replace(
        network.model, class_names=("caf\udce9", "日本", *network.model.class_names[2:])
    )
    _installed("onnx").write(dataclasses.replace(network, model=model), path.parent, path.name)
    return path


def test_an_onnx_file_stands_alone(network, onnx):
    """Its tensors have the names of the graph's, the labels are inside, any batch is taken."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(onnx.read_bytes())
    properties = session.get_modelmeta().custom_metadata_map
    assert properties["labels.txt"].splitlines()[1:3] == ["日本", "two"]
    assert json.loads(properties["model.json"])["image_size"] == 28
    images = network.probe.images[:3]
    (answer,) = session.run(["predictions"], {"input": images})
    np.testing.assert_allclose(answer, network.probe.probabilities[:3], atol=1e-5, rtol=0)
    with table.open_network(str(onnx)) as predictor:
        assert predictor.model.class_names[:2] == ("caf\udce9", "日本")
        assert predictor.batch_size is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "lenet.onnx cannot be used: "),
        (lambda content: b"", "lenet.onnx cannot be used: "),
        (lambda content: content.replace(b"seven", b"sev\xffn"), "cannot be used: 'utf-8' codec"),
        (lambda content: content.replace(b"model.json", b"model.jso_"), "holds no description"),
        (lambda content: content.replace(b'"image_size": 28', b'"image_size": 29'), "has .28, 28"),
        (lambda content: content.replace(b'input_name": "i', b'input_name": "I'), "no 'Input'"),
    ],
    ids=["cut", "empty", "no_text", "no_description", "another_size", "another_input"],
)
def test_a_damaged_onnx_file_is_one_line(onnx, tmp_path, damage, message):
    (tmp_path / "lenet.onnx").write_bytes(damage(onnx.read_bytes()))
    _refuses(tmp_path / "lenet.onnx", message)


def test_large_constants_are_kept_out_of_the_conversion(network, onnx, tmp_path, monkeypatch):
    """Half a gigabyte took 22 GB. The file holds what it would hold, in the same layout."""
    parse = pytest.importorskip("onnx").ModelProto.FromString
    converter = pytest.importorskip("tf2onnx.convert")
    sizes = []

    def convert(graph_def, **options):
        sizes.append(graph_def.ByteSize())
        return from_graph_def(graph_def, **options)

    from_graph_def = converter.from_graph_def
    monkeypatch.setattr(converter, "from_graph_def", convert)
    monkeypatch.setattr(onnx_format, "_HELD_OUT", 2**13)
    table.get_format("onnx").write(network, tmp_path, "lenet.onnx")
    assert sizes[0] < 2**15 < network.graph_def.ByteSize()
    graph, expected = (parse(path.read_bytes()).graph for path in (tmp_path / "lenet.onnx", onnx))
    assert [each.name for each in graph.input] == ["input"]
    weights, expected_weights = (
        {each.raw_data: list(each.dims) for each in one.initializer} for one in (graph, expected)
    )
    assert weights == expected_weights
    operators, expected_operators = (
        [node.op_type for node in one.node] for one in (graph, expected)
    )
    assert operators == expected_operators
    with table.open_network(str(tmp_path / "lenet.onnx")) as predictor:
        probabilities = predictor.predict_all(network.probe.images)
    np.testing.assert_allclose(probabilities, network.probe.probabilities, atol=1e-5, rtol=0)


def test_what_onnx_cannot_hold_is_one_line(onnx):
    with tf.Graph().as_default() as graph:
        tf.math.igamma(2.0, tf.placeholder(tf.float32, [2], name="input"), name="predictions")
    with pytest.raises(
        UserError, match=r"net cannot be written as --format=onnx: .*Igamma"
    ) as caught:
        onnx_format.convert(graph.as_graph_def(), "input", "predictions", "net")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["tf2onnx", "onnxruntime"])
def test_a_missing_extra_is_one_line_with_the_command(network, tmp_path, monkeypatch, missing):
    for name in table.get_format("onnx").modules:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for name in (missing, f"{missing}.convert"):
        monkeypatch.setitem(sys.modules, name, None)
    command = r"pip install --require-hashes -r third_party/python/extras/onnx\.lock, .*=onnx"
    with pytest.raises(UserError, match=rf"=onnx needs {missing}, which is not inst.*{command}"):
        table.get_format("onnx").require_libraries()
    if missing == "onnxruntime":
        (tmp_path / "lenet.onnx").write_bytes(b"")
        _refuses(tmp_path / "lenet.onnx", rf"lenet\.onnx needs {missing}, .*{command}")
