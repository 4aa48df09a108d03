"""The programs that were published beside the networks: one step each, and what they refuse."""

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from datasets.storage import example, tfrecords
from nets import (
    mobilenet_v1_eval,
    mobilenet_v1_train,
    nets_factory,
    post_training_quantization,
)
from slim_internal.ground.compat import tf
from slim_internal.ground.images import pixels

_VARIANT = {"depth_multiplier": 0.1, "image_size": 32, "batch_size": 2}


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    """A folder with four images, from dark to bright, under the names of ImageNet's files."""
    folder = tmp_path_factory.mktemp("imagenet")
    image = np.random.RandomState(0).randint(256, size=(40, 40, 3), dtype=np.uint8)
    records = [
        example.image_example(pixels.encode_png(image // darker), b"png", 40, 40, label)
        for darker, label in ((8, 1), (4, 7), (2, 400), (1, 1000))
    ]
    for split, shards in (("train", 1024), ("validation", 128)):
        path = folder / f"{split}-00000-of-{shards:05d}"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records:
                writer.write(record)
        assert len(list(tfrecords.read_records(path))) == len(records)
    return folder


@pytest.fixture(autouse=True)
def _parsed():
    flags.FLAGS(["program"])


def _run(program, **values):
    with flagsaver.as_parsed(**{name: str(value) for name, value in values.items()}):
        return program.main([])


@pytest.fixture(scope="module")
def trained(imagenet, tmp_path_factory):
    """A folder of a run of one step."""
    flags.FLAGS(["program"])
    folder = tmp_path_factory.mktemp("floats")
    paths = {"dataset_dir": imagenet, "checkpoint_dir": folder}
    assert _run(mobilenet_v1_train, **paths, **_VARIANT, number_of_steps=1) == 0
    return folder


def test_floats_then_8_bits(imagenet, trained, tmp_path, capsys):
    paths = {"dataset_dir": imagenet, "checkpoint_dir": tmp_path}
    more = {"number_of_steps": 1, "quantize": True, "fine_tune_checkpoint": trained}
    assert _run(mobilenet_v1_train, **paths, **_VARIANT, **more) == 0
    names = tf.train.load_checkpoint(str(tmp_path)).get_variable_to_shape_map()
    assert "MobilenetV1/MobilenetV1/Conv2d_0/act_quant/max" in names
    paths["eval_dir"] = tmp_path / "eval"
    _run(mobilenet_v1_eval, **paths, **_VARIANT, quantize=True, num_examples=3)
    assert "Examples    4\n" in capsys.readouterr().out  # Whole batches.


def test_post_training_quantization(imagenet, tmp_path, capsys):
    values = {"model_name": "mobilenet_v1_025", "image_size": 32}
    paths = {"dataset_dir": imagenet, "checkpoint_path": tmp_path}
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [1, 32, 32, 3])
        nets_factory.get_network_fn("mobilenet_v1_025", 1001)(images)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "model.ckpt"), 1)
    _run(post_training_quantization, **values, **paths, output_tflite=tmp_path / "net.tflite")
    content = (tmp_path / "net.tflite").read_bytes()
    assert content[4:8] == b"TFL3"
    assert f"Written to         {tmp_path / 'net.tflite'}\n" in capsys.readouterr().out
    values["num_steps"] = 1  # The darkest image only: other ranges.
    _run(post_training_quantization, **values, **paths, output_tflite=tmp_path / "dark.tflite")
    assert (tmp_path / "dark.tflite").read_bytes() != content


@pytest.mark.parametrize(
    ("program", "values", "message"),
    [
        (mobilenet_v1_train, {}, "--checkpoint_dir is required: folder for checkpoints"),
        (mobilenet_v1_train, {"depth_multiplier": 0}, "--depth_multiplier must be above 0; got 0"),
        (mobilenet_v1_train, {"num_classes": 10}, "--num_classes must be 1001, as many as"),
        (mobilenet_v1_eval, {"checkpoint_dir": "/none"}, "--eval_dir is required"),
        (post_training_quantization, {}, "--model_name is required"),
        (
            post_training_quantization,
            {"model_name": "lenet", "checkpoint_path": "/none", "output_tflite": "a.tflite"},
            "--dataset_dir is required",
        ),
    ],
)
def test_refused_in_one_line(program, values, message, tmp_path, capsys):
    if len(values) == 1:
        values = {"dataset_dir": tmp_path, "checkpoint_dir": tmp_path, **values}
    with pytest.raises(SystemExit):
        _run(program, **values)
    assert message in capsys.readouterr().err
