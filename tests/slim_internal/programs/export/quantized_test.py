"""8 bits from training to the file: ranges are trained, restored, evaluated and exported."""

import contextlib

import numpy as np
import pytest

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference.formats import table
from slim_internal.parts.inference.formats.format import Format, Predictor, Probe
from slim_internal.programs.evaluation import evaluate
from slim_internal.programs.evaluation.settings import Evaluation
from slim_internal.programs.export import check, inference_graph
from slim_internal.programs.export.settings import Export
from slim_internal.programs.training import train
from slim_internal.programs.training.settings import TrainConfig
from tests import golden_files, small_models
from tests.nets import golden_weights


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    return {
        "model_name": "lenet",
        "dataset_name": "digits",
        "dataset_dir": small_models.convert_digits(folder),
    }


def _train(data, folder, steps, **changes):
    fields = {"batch_size": 8, "learning_rate": 0.001, "quantize_delay": 1, "cpu_threads": 1}
    config = TrainConfig(
        **{**data, **fields, **changes}, train_dir=str(folder), max_number_of_steps=steps
    )
    return train.train(config).checkpoint


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A checkpoint from steps without and with rounding, evaluated in between."""
    folder = tmp_path_factory.mktemp("trained")
    return _train(data, folder, 4, optimizer="momentum", eval_every_steps=4)


def _without(checkpoint, path, *gone):
    """Saves a checkpoint without some variables; returns it."""
    reader = tf.train.load_checkpoint(checkpoint)
    with tf.Graph().as_default(), tf.Session() as session:
        for name in reader.get_variable_to_shape_map():
            if not name.startswith(gone):
                tf.get_variable(name, initializer=reader.get_tensor(name))
        session.run(tf.global_variables_initializer())
        return tf.train.Saver().save(session, str(path / "model.ckpt"), write_meta_graph=False)


def _evaluate(data, checkpoint, folder, **changes):
    config = Evaluation(
        **data,
        dataset_split_name="validation",
        checkpoint_path=checkpoint,
        eval_dir=str(folder),
        **changes,
    )
    return evaluate.evaluate(config)


def test_ranges_are_in_the_checkpoint(trained):
    reader = tf.train.load_checkpoint(trained)
    names = {name for name in reader.get_variable_to_shape_map() if "_quant" in name}
    scopes = [f"LeNet/{layer}/act_quant" for layer in ("conv1", "conv2", "fc3", "fc4")]
    assert names == {f"{name}/{end}" for name in ["input_quant", *scopes] for end in ("min", "max")}
    assert reader.get_tensor("input_quant/min") == -1.0  # Black.
    assert reader.get_tensor("LeNet/fc3/act_quant/max") > 0.0


def test_an_interrupted_run_ends_as_one_that_was_not(data, trained, tmp_path):
    for steps in (2, 4):
        checkpoint = _train(data, tmp_path, steps, optimizer="momentum", eval_every_steps=4)
    expected, found = map(tf.train.load_checkpoint, (trained, checkpoint))
    for name in expected.get_variable_to_shape_map():
        np.testing.assert_array_equal(found.get_tensor(name), expected.get_tensor(name), name)


def test_training_starts_from_floats_and_from_ranges(data, trained, tmp_path):
    ranges = ("input_quant", *(f"LeNet/{each}/act_quant" for each in ("conv1", "conv2", "fc3")))
    for path, gone in ((tmp_path / "floats", (*ranges, "LeNet/fc4/act_quant")), (trained, ())):
        start = _without(trained, tmp_path, *gone) if gone else trained
        end = _train(data, tmp_path / f"from_{len(gone)}", 1, checkpoint_path=start)
        assert tf.train.load_checkpoint(end).get_tensor("LeNet/fc4/act_quant/max") > 0, path


def test_a_run_of_floats_is_not_continued_with_rounding(data, tmp_path):
    _train(data, tmp_path, 1, quantize_delay=-1)
    with pytest.raises(UserError, match=r"lacks what .* and --quantize_delay adds to the weights"):
        _train(data, tmp_path, 2)


def test_evaluation_and_both_formats_say_the_same(data, trained, tmp_path):
    metrics = _evaluate(data, trained, tmp_path / "eval", quantize=True)
    assert metrics.num_examples == 360
    config = Export(
        **data,
        checkpoint_path=trained,
        output_file=str(tmp_path / "net.pb"),
        format="frozen,tflite_int8",
        calibration_split="validation",
        quantize=True,
    )
    exported = inference_graph.export(config)
    assert exported.comparisons["frozen"].difference < 0.05
    assert exported.comparisons["tflite_int8"].difference < 0.05
    images = np.random.RandomState(0).uniform(-1, 1, [8, 28, 28, 1]).astype(np.float32)
    answers = []
    for path in exported.paths:
        with table.open_network(str(path)) as predictor:
            answers.append(predictor.predict_all(images))
    np.testing.assert_allclose(*answers, atol=0.05)


def test_published_ranges_are_enough(data, trained, tmp_path, caplog):
    """Checkpoints of TensorFlow 1 have none for the input, and more variables than ours."""
    checkpoint = _without(trained, tmp_path, "input_quant")
    plain = _evaluate(data, checkpoint, tmp_path / "eval")
    rounded = _evaluate(data, checkpoint, tmp_path / "eval", quantize=True)
    assert abs(plain.loss - rounded.loss) < 0.05
    assert f"Not rounded, for {checkpoint} has no range: input_quant" in caplog.text
    config = Export(
        **{**data, "dataset_dir": ""},
        checkpoint_path=checkpoint,
        output_file=str(tmp_path / "net.tflite"),
        format="tflite_int8",
        quantize=True,
    )
    inference_graph.export(config)
    assert f"Measured on 8 images, for {checkpoint} has no range: input_quant" in caplog.text


def _published_variables():
    """Returns what mobilenet_v1_0.25_128_quant holds for 10 classes, by name.

    Beside the weights: ranges of weights, ranges of activations, and how their moving averages
    begin, as the checkpoints that TensorFlow 1 wrote have them (tensorflow/models#7774).
    """
    layers = ["MobilenetV1/Logits/Conv2d_1c_1x1", "MobilenetV1/MobilenetV1/Conv2d_0"]
    for number in range(1, 14):
        layers += [
            f"MobilenetV1/MobilenetV1/Conv2d_{number}_{kind}" for kind in ("depthwise", "pointwise")
        ]
    variables = [
        row
        for kind in ("trainable", "non_trainable")
        for row in golden_files.load("variables/mobilenet_v1_025.json")[kind]
    ]
    logits = "MobilenetV1/Logits/Conv2d_1c_1x1/"
    weights = golden_weights.values(
        [[name, [*s[:-1], 10] if name.startswith(logits) else s] for name, s in variables]
    )
    for layer in layers:
        for end, value in (("min", -3.0), ("max", 3.0)):
            range_name = f"{layer}/act_quant/{end}"
            weights |= {
                f"{layer}/weights_quant/{end}": np.float32(value),
                range_name: np.float32(value * (1 if layer in logits else 2)),
                f"{layer}/act_quant/{range_name}/biased": np.float32(value),
                f"{layer}/act_quant/{range_name}/local_step": np.float32(9),
            }
    return weights


def test_a_published_quantized_checkpoint_is_used_as_it_is(data, tmp_path, caplog):
    """Its ranges round the network in evaluation and in the files; only the input's is measured."""
    weights = _published_variables()
    path = str(tmp_path / "mobilenet_v1_0.25_128_quant.ckpt")
    golden_weights.write_checkpoint(path, weights)
    mobile = {**data, "model_name": "mobilenet_v1_025", "preprocessing_name": "inception"}
    size = {"eval_image_size": 32, "max_num_batches": 1}
    metrics = _evaluate(mobile, path, tmp_path / "eval", quantize=True, **size)
    wanted = f"Not rounded, for {path} has no range: input_quant"
    assert [message for message in caplog.messages if message.endswith(wanted)]
    assert metrics.num_examples == 100
    config = Export(
        **{**mobile, "dataset_dir": ""},
        checkpoint_path=path,
        output_file=str(tmp_path / "net.pb"),
        format="frozen,tflite_int8",
        image_size=32,
        quantize=True,
    )
    exported = inference_graph.export(config)
    assert exported.comparisons["tflite_int8"].difference < 0.05
    graph = tf.GraphDef.FromString(exported.graph_path.read_bytes())
    kept = {
        node.name: tf.make_ndarray(node.attr["value"].tensor)
        for node in graph.node
        if node.name.endswith(("_quant/min", "_quant/max"))
    }
    assert kept.keys() == {"input_quant/min", "input_quant/max"} | {
        name for name in weights if "/act_quant/m" in name and name.count("_quant") == 1
    }
    for name, value in kept.items():
        assert name.startswith("input_quant") or value == weights[name], name


class _Says(Format):
    """A format whose files say the probabilities that it was made with."""

    name, suffix, tolerance = "says", ".says", 1e-4

    def __init__(self, probabilities):
        self._probabilities = probabilities

    def write(self, network, folder, name):
        raise NotImplementedError

    def recognizes(self, path):
        raise NotImplementedError

    @contextlib.contextmanager
    def open(self, path):
        yield Predictor(None, None, lambda images: self._probabilities[: len(images)])


@pytest.mark.parametrize(
    ("rounded", "off", "agrees"),
    [
        (False, [1e-5] * 4, True),
        (False, [2e-4, 0, 0, 0], False),
        (True, [0.15, 0.01, 0, 0], True),  # One value was rounded the other way.
        (True, [0.06] * 4, False),
        (True, [np.nan, 0, 0, 0], False),
    ],
)
def test_how_near_a_file_has_to_be(tmp_path, rounded, off, agrees):
    expected = np.full([4, 2], [0.3, 0.7])
    said = expected + np.outer(off, [1, -1])
    probe = Probe(np.zeros([4, 1, 1, 1]), expected, rounded=rounded)
    if agrees:
        comparison = check.compare(_Says(said), tmp_path, probe)
        np.testing.assert_allclose(comparison.mean_difference, np.mean(off))
    else:
        with pytest.raises(UserError, match="does not say what the checkpoint says"):
            check.compare(_Says(said), tmp_path, probe)


def test_refused(data, tmp_path):
    floats = small_models.save_lenet(tmp_path / "float")
    config = {**data, "checkpoint_path": floats, "output_file": str(tmp_path / "a.pb")}
    with pytest.raises(UserError, match="--quantize works with --format=frozen,tflite_int8"):
        inference_graph.export(Export(**config, format="frozen,saved_model", quantize=True))
    with pytest.raises(UserError, match="does not hold: train it with --quantize_delay"):
        inference_graph.export(Export(**config, quantize=True))
    with pytest.raises(UserError, match="does not hold: train it with --quantize_delay"):
        _evaluate(data, floats, tmp_path / "eval", quantize=True)
    assert not (tmp_path / "a.pb").exists()
