"""Exported graphs, loaded afresh, compared with the network they were made of."""

import dataclasses
import importlib.util
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from nets import nets_factory
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.parts.inference import description
from slim_internal.parts.inference.formats import table
from slim_internal.programs.export import inference_graph
from slim_internal.programs.export.settings import Export
from tests import small_models

# Uses nothing of this library: an exported graph has to stand alone.
_LOAD = """
import sys
import numpy as np
import tensorflow.compat.v1 as tf
graph_path, inputs, outputs = sys.argv[1:]
graph_def = tf.GraphDef()
graph_def.ParseFromString(open(graph_path, "rb").read())
with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
    tf.import_graph_def(graph_def, name="")
    np.save(outputs, session.run("predictions:0", {"input:0": np.load(inputs)}))
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return small_models.save_lenet(tmp_path_factory.mktemp("train"))


def _config(tmp_path, **changes) -> Export:
    fields = {"output_file": str(tmp_path / "lenet.pb"), "model_name": "lenet"}
    return Export(**{**fields, "dataset_name": "digits", **changes})


def test_a_fresh_process_gets_the_same_predictions(tmp_path, checkpoint):
    images = np.random.RandomState(0).uniform(-1, 1, [5, 28, 28, 1]).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = tf.placeholder(tf.float32, [None, 28, 28, 1])
        logits, _ = nets_factory.get_network_fn("lenet", 10)(inputs)
        tf.train.Saver().restore(session, checkpoint)
        expected = session.run(tf.nn.softmax(logits), {inputs: images})

    exported = inference_graph.export(_config(tmp_path, checkpoint_path=checkpoint))
    np.save(tmp_path / "inputs.npy", images)
    files = [exported.graph_path, tmp_path / "inputs.npy", tmp_path / "outputs.npy"]
    subprocess.run([sys.executable, "-c", _LOAD, *files], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "outputs.npy"), expected, atol=1e-5, rtol=0)


def test_labels_beside_the_graph(tmp_path):
    exported = inference_graph.export(_config(tmp_path, write_labels=True))
    assert exported.labels_path == tmp_path / "labels.txt"
    assert exported.labels_path.read_text().splitlines()[7] == "7:seven"
    exported = inference_graph.export(_config(tmp_path, write_labels=True, labels_offset=1))
    assert exported.labels_path.read_text().splitlines()[:2] == ["0:one", "1:two"]
    exported = inference_graph.export(_config(tmp_path / "other"))
    assert exported.labels_path is None
    assert not (tmp_path / "other" / "labels.txt").exists()


def test_labels_that_cannot_be_written(tmp_path):
    settings = {"dataset_name": "tfrecords", "tfrecord_num_classes": 3}
    with pytest.raises(UserError, match="names of the classes of tfrecords are not known"):
        inference_graph.export(_config(tmp_path, write_labels=True, **settings))
    folder = small_models.convert_digits(tmp_path / "digits")
    settings = {"dataset_dir": folder, "output_file": f"{folder}/model.pb"}
    with pytest.raises(UserError, match=r"would replace .*labels\.txt of the dataset"):
        inference_graph.export(_config(tmp_path, write_labels=True, **settings))


def test_the_description_tells_the_truth(tmp_path, checkpoint):
    exported = inference_graph.export(_config(tmp_path, checkpoint_path=checkpoint))
    assert exported.checkpoint_path == checkpoint
    written = json.loads(pathlib.Path(exported.description_path).read_text())
    assert written["class_names"][7] == "seven"
    assert (written["num_classes"], written["preprocessing_name"]) == (10, "lenet")
    assert description.read_description(exported.graph_path) == exported.model
    graph_def = tf.GraphDef.FromString(exported.graph_path.read_bytes())
    nodes = {node.name: node for node in graph_def.node}
    sizes = [dim.size for dim in nodes[written["input_name"]].attr["shape"].shape.dim]
    assert sizes == [-1, written["image_size"], written["image_size"], written["channels"]]
    assert written["predictions_name"] in nodes
    assert not [node.name for node in graph_def.node if node.op.startswith("Variable")]


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"batch_size": 3}, (3, 28, 28, 1)),
        ({"image_size": 32}, (None, 32, 32, 1)),
        ({"model_name": "cifarnet"}, (None, 32, 32, 3)),
        ({"model_name": "cifarnet", "use_grayscale": True}, (None, 32, 32, 1)),
    ],
    ids=["batch_size", "image_size", "colour", "use_grayscale"],
)
def test_the_graph_alone_has_the_shape_asked_for(tmp_path, changes, shape):
    exported = inference_graph.export(_config(tmp_path, **changes))
    graph_def = tf.GraphDef.FromString(exported.graph_path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        assert tuple(graph.get_tensor_by_name("input:0").shape.as_list()) == shape


def test_the_weights_tell_how_many_channels_the_network_reads(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        nets_factory.get_network_fn("lenet", 10)(tf.placeholder(tf.float32, [1, 28, 28, 3]))
        session.run(tf.global_variables_initializer())
        checkpoint = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    exported = inference_graph.export(_config(tmp_path, checkpoint_path=checkpoint))
    assert exported.model.channels == 3


def test_text_format(tmp_path):
    exported = inference_graph.export(_config(tmp_path, write_text_graphdef=True))
    assert 'name: "input"' in exported.graph_path.read_text()


def test_moving_averages_are_exported_instead_of_the_last_weights(tmp_path, checkpoint):
    with tf.Graph().as_default(), tf.Session() as session:
        nets_factory.get_network_fn("lenet", 10)(tf.placeholder(tf.float32, [1, 28, 28, 1]))
        averages = tf.train.ExponentialMovingAverage(0.9)
        averages.apply(tf.trainable_variables())
        session.run(tf.global_variables_initializer())
        bias = next(v for v in tf.trainable_variables() if v.op.name == "LeNet/fc4/biases")
        session.run(averages.average(bias).assign(np.arange(10) * 10.0))
        saved = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    config = _config(tmp_path, checkpoint_path=saved, moving_average_decay=0.9)
    graph_def = tf.GraphDef.FromString(inference_graph.export(config).graph_path.read_bytes())
    constant = next(node for node in graph_def.node if node.name == "LeNet/fc4/biases")
    value = tf.make_ndarray(constant.attr["value"].tensor)
    np.testing.assert_array_equal(value, np.arange(10) * 10.0)


@pytest.mark.parametrize("failing", ["lenet.json", "lenet.pb"])
@pytest.mark.parametrize("has_older", [True, False], ids=["older", "none"])
def test_a_failed_export_leaves_what_was_there(
    tmp_path, checkpoint, monkeypatch, failing, has_older
):
    if has_older:
        inference_graph.export(_config(tmp_path, checkpoint_path=checkpoint))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    write = atomic.AtomicFile.write

    def write_half(file, content):
        if not os.path.basename(file.path).startswith(failing):
            return write(file, content)
        write(file, content[: len(content) // 2])
        raise OSError(28, "No space left on device", file.path)

    monkeypatch.setattr(atomic.AtomicFile, "write", write_half)
    with pytest.raises(OSError, match="No space"):
        inference_graph.export(_config(tmp_path, image_size=56))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_names_of_classes_that_are_no_text_survive(tmp_path, monkeypatch):
    name = os.fsdecode(b"caf\xe9")  # A folder of pictures may be called so.
    model = description.ModelDescription(
        model_name="lenet",
        preprocessing_name="lenet",
        image_size=28,
        channels=1,
        num_classes=1,
        class_names=(name,),
    )
    monkeypatch.setattr(inference_graph.describe, "describe", lambda *_args, **_kwargs: model)
    exported = inference_graph.export(_config(tmp_path))
    assert description.read_description(exported.graph_path).class_name(0) == name


@pytest.mark.parametrize("text", ["no JSON", '{"accuracy": 0.9}', "[]"])
def test_a_file_that_has_the_name_of_the_description_is_not_overwritten(tmp_path, text):
    (tmp_path / "lenet.json").write_text(text)
    with pytest.raises(UserError, match=r"lenet\.json, where the description .* is another file"):
        inference_graph.export(_config(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["lenet.json"]
    assert (tmp_path / "lenet.json").read_text() == text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_file": ""}, "--output_file"),
        ({"output_file": "/"}, "is a folder"),
        ({"output_file": "lenet.json"}, "use .pb"),
        ({"model_name": "lennet"}, "Did you mean 'lenet'"),
        ({"dataset_name": "digit"}, "Did you mean 'digits'"),
        ({"checkpoint_path": "/nonexistent"}, "/nonexistent"),
        ({"checkpoint_path": __file__}, f"Checkpoint {__file__} cannot be read"),
        (
            {"labels_offset": 1},
            r"has 10 classes, the network here 9\. .* lower --labels_offset by 1",
        ),
        ({"labels_offset": 10}, "--labels_offset=10 leaves none of the 10 classes"),
        ({"image_size": -1}, "--image_size must be at least 1; got -1"),
        ({"batch_size": 0}, "--batch_size must be at least 1; got 0"),
        ({"num_frames": 4}, "images, not clips"),
        ({"is_video_model": True}, "--num_frames"),
        ({"quantize": True}, "--quantize"),
        ({"format": "savedmodel"}, "Did you mean 'saved_model'"),
        ({"format": "tflite_int8", "output_file": "a.tflite"}, "give --dataset_dir"),
        ({"format": "tflite"}, r"use .*lenet\.tflite"),
        ({"format": "saved_model"}, "use .*lenet_saved_model"),
        ({"format": "saved_model", "checkpoint_path": None}, "needs weights"),
        ({"format": "frozen,saved_model", "is_training": True}, "graph for training"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_refuses_what_cannot_be_used(tmp_path, checkpoint, changes, message):
    with pytest.raises(UserError, match=message):
        inference_graph.export(_config(tmp_path, **{"checkpoint_path": checkpoint, **changes}))
    assert not list(tmp_path.iterdir())


def test_several_formats_at_once_and_again(tmp_path, checkpoint):
    config = _config(tmp_path, checkpoint_path=checkpoint, format="frozen,saved_model")
    for _ in range(2):  # The second replaces the first, a folder too.
        exported = inference_graph.export(config)
        assert [path.name for path in exported.paths] == ["lenet.pb", "lenet_saved_model"]
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "lenet.json",
            "lenet.pb",
            "lenet_saved_model",
        ]
    for comparison in exported.comparisons.values():
        assert comparison.difference < 1e-6
        assert comparison.agreement == 1


def test_a_file_that_says_something_else_gets_no_name(tmp_path, checkpoint, monkeypatch):
    freeze = inference_graph.freeze

    def freeze_with_another_probe(*arguments, **keywords):
        network = freeze(*arguments, **keywords)
        other = dataclasses.replace(network.probe, probabilities=np.full([8, 10], 0.1))
        return dataclasses.replace(network, probe=other)

    monkeypatch.setattr(inference_graph, "freeze", freeze_with_another_probe)
    with pytest.raises(UserError, match="does not say what the checkpoint says: the largest diff"):
        inference_graph.export(_config(tmp_path, checkpoint_path=checkpoint))
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_not_exported(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        nets_factory.get_network_fn("lenet", 10)(tf.placeholder(tf.float32, [1, 28, 28, 1]))
        session.run(tf.global_variables_initializer())
        session.run(tf.trainable_variables()[-1].assign([np.nan] * 10))
        saved = tf.train.Saver().save(session, str(tmp_path / "train/model.ckpt"))
    message = "10 of 10 numbers of LeNet/fc4/biases .* outputs that are not finite"
    with pytest.raises(UserError, match=message):
        inference_graph.export(_config(tmp_path / "out", checkpoint_path=saved))
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return small_models.convert_digits(tmp_path_factory.mktemp("digits"))


def test_tflite_in_all_precisions(tmp_path, checkpoint, digits):
    config = _config(
        tmp_path,
        checkpoint_path=checkpoint,
        dataset_dir=digits,
        calibration_split="validation",
        format="tflite,tflite_float16,tflite_int8",
    )
    exported = inference_graph.export(config)
    assert [path.name for path in exported.paths] == [
        "lenet.tflite",
        "lenet_float16.tflite",
        "lenet_int8.tflite",
    ]
    full, half, quarter = (path.stat().st_size for path in exported.paths)
    assert half < 0.51 * full
    assert quarter < 0.26 * full
    comparisons = exported.comparisons
    assert comparisons["tflite"].difference < 1e-5
    assert comparisons["tflite_float16"].agreement >= 0.98
    assert comparisons["tflite_int8"].agreement > 0.9
    for comparison in comparisons.values():
        assert comparison.accuracy == pytest.approx(comparison.checkpoint_accuracy, abs=0.05)
    assert sorted(path.name for path in tmp_path.iterdir()) == [p.name for p in exported.paths]


# Kills itself once all is written, before anything has its final name.
_KILLED = """
import os, signal, sys
from slim_internal.programs.export import check, inference_graph
from slim_internal.programs.export.settings import Export
output, checkpoint, formats = sys.argv[1:]
compare = check.compare
def kill_at_the_last(each, *rest):
    if each.name == formats.split(",")[-1]:
        os.kill(os.getpid(), signal.SIGKILL)
    return compare(each, *rest)
check.compare = kill_at_the_last
inference_graph.export(
    Export(
        output_file=output,
        checkpoint_path=checkpoint,
        model_name="lenet",
        dataset_name="mnist",
        format=formats,
    )
)
"""


def _installed_formats():
    """Returns the formats that need no dataset and whose libraries are installed."""
    names = [name for name, each in table.FORMATS.items() if not each.needs_examples]
    if importlib.util.find_spec("tf2onnx") is None:
        names.remove("onnx")
    return names


def test_a_killed_export_leaves_no_file_and_the_next_one_tidies_up(tmp_path, checkpoint):
    formats = _installed_formats()
    output = str(tmp_path / "lenet.pb")
    command = [sys.executable, "-c", _KILLED, output, checkpoint, ",".join(formats)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".lenet.pb.")
    names = {f"lenet{table.FORMATS[name].suffix}" for name in formats}
    assert {path.name for path in left.iterdir()} == {"lenet.json", *names}
    inference_graph.export(_config(tmp_path, checkpoint_path=checkpoint))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lenet.json", "lenet.pb"]


def test_damaged_calibration_images_are_one_line(tmp_path, checkpoint, digits):
    folder = tmp_path / "digits"
    shutil.copytree(digits, folder)
    shard = folder / "digits_validation.tfrecord"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    config = _config(
        tmp_path,
        checkpoint_path=checkpoint,
        dataset_dir=str(folder),
        calibration_split="validation",
        format="tflite_int8",
        output_file=str(tmp_path / "lenet_int8.tflite"),
    )
    with pytest.raises(UserError, match=r"digits_validation\.tfrecord"):
        inference_graph.export(config)
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]


@pytest.mark.parametrize("name", ["frozen", "saved_model", "tflite", "onnx"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, checkpoint, name):
    """No file may become larger than 1 MB here; the network has 13 MB."""
    if name not in _installed_formats():
        pytest.skip("tf2onnx is not installed")
    path = tmp_path / f"lenet{table.FORMATS[name].suffix}"
    config = _config(tmp_path, checkpoint_path=checkpoint, format=name, output_file=str(path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            inference_graph.export(config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_inception_v3_is_exported_at_another_size_than_it_was_trained(tmp_path):
    """Its auxiliary head, which has another variable at each size, is not in the file."""
    with tf.Graph().as_default(), tf.Session() as session:
        build = nets_factory.get_network_fn("inception_v3", 10, is_training=True)
        build(tf.zeros([2, 299, 299, 3]))
        trained = {variable.op.name for variable in tf.global_variables()}
        session.run(tf.global_variables_initializer())
        saved = tf.train.Saver().save(session, str(tmp_path / "train/model.ckpt"))
    assert "InceptionV3/AuxLogits/Conv2d_2a_5x5/weights" in trained
    config = _config(
        tmp_path / "out", model_name="inception_v3", checkpoint_path=saved, image_size=139
    )
    exported = inference_graph.export(config)
    assert exported.model.image_size == 139
    names = [n.name for n in tf.GraphDef.FromString(exported.graph_path.read_bytes()).node]
    assert not [name for name in names if "AuxLogits" in name]


def test_a_graph_and_the_same_as_text_keep_their_descriptions(tmp_path):
    """`lenet.pb` and `lenet.pbtxt` once shared a description."""
    for size, name in ((28, "lenet.pb"), (32, "lenet.pbtxt")):
        config = _config(tmp_path, image_size=size, output_file=str(tmp_path / name))
        inference_graph.export(config)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"lenet.pb", "lenet.json", "lenet.pbtxt", "lenet.pbtxt.json"}
    for size, name in ((28, "lenet.pb"), (32, "lenet.pbtxt")):
        assert description.read_description(tmp_path / name).image_size == size


@pytest.mark.parametrize("name", table.FORMATS)
def test_a_folder_as_target_is_refused_and_kept(tmp_path, checkpoint, name):
    target = tmp_path / "mine"
    target.mkdir()
    (target / "photo.jpg").write_bytes(b"kept")
    config = _config(tmp_path, checkpoint_path=checkpoint, format=name, output_file=str(target))
    wanted = f"is a folder; name a file in it: {target}/model{table.FORMATS[name].suffix}"
    with pytest.raises(UserError, match=re.escape(wanted)):
        inference_graph.export(config)
    assert [path.read_bytes() for path in tmp_path.rglob("*.*")] == [b"kept"]


def test_a_pipe_or_device_as_target_is_not_replaced(tmp_path):
    target = tmp_path / "mine.pb"
    os.mkfifo(target)
    with pytest.raises(UserError, match=r"Cannot write to .*mine\.pb: it is not a regular file"):
        inference_graph.export(_config(tmp_path, output_file=str(target)))
    assert list(tmp_path.iterdir()) == [target]
    assert target.is_fifo()


@pytest.mark.parametrize("formats", ["saved_model", "frozen,saved_model"])
def test_a_file_where_a_folder_goes_is_refused_and_kept(tmp_path, checkpoint, formats):
    target = tmp_path / "mine_saved_model"
    target.write_bytes(b"kept")
    path = target if formats == "saved_model" else tmp_path / "mine.pb"
    config = _config(tmp_path, checkpoint_path=checkpoint, format=formats, output_file=str(path))
    with pytest.raises(UserError, match="mine_saved_model is a file, and --format=saved_model wr"):
        inference_graph.export(config)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"kept"]


@pytest.mark.parametrize(
    ("name", "target"),
    [("frozen", "mine.pb"), ("tflite", "mine.tflite"), ("saved_model", "mine/saved_model.pb")],
)
def test_what_no_export_wrote_is_replaced_only_when_asked(tmp_path, checkpoint, name, target):
    foreign = tmp_path / target
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_bytes(b"a network of another program")
    output = foreign.parent if name == "saved_model" else foreign
    config = _config(tmp_path, output_file=str(output), checkpoint_path=checkpoint, format=name)
    with pytest.raises(UserError, match=rf"^{output} is there already, and .* Use --overwrite"):
        inference_graph.export(config)
    assert foreign.read_bytes() == b"a network of another program"
    assert [path.name for path in tmp_path.iterdir()] == [output.name]
    inference_graph.export(dataclasses.replace(config, overwrite=True))
    with table.open_network(str(output)) as predictor:
        assert predictor.model.model_name == "lenet"


@pytest.mark.parametrize("as_text", [False, True])
def test_an_older_graph_is_replaced(tmp_path, as_text):
    """A script of TensorFlow 1 wrote it, or the same command before."""
    config = _config(tmp_path, write_text_graphdef=as_text)
    before = inference_graph.export(config).graph_path.read_bytes()
    if not as_text:
        (tmp_path / "lenet.json").unlink()
    assert inference_graph.export(config).graph_path.read_bytes() == before


def test_an_empty_file_is_replaced(tmp_path):
    """Such as `mktemp` makes."""
    (tmp_path / "lenet.pb").touch()
    assert inference_graph.export(_config(tmp_path)).graph_path.stat().st_size
