"""Compares logits with Keras itself, which runs in a program of its own: it needs eager mode."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from nets import nets_factory
from slim_internal.ground.compat import tf
from slim_internal.parts.checkpoints.converters import convert

# Network -> expression of the model, image size.
_MODELS = {
    "mobilenet_v1_025": ("MobileNet(alpha=0.25, ", 64),
    "mobilenet_v2_035": ("MobileNetV2(alpha=0.35, ", 64),
    "inception_v3": ("InceptionV3(", 107),
}
_CLASSES = 5

_IN_KERAS = """
import json, sys
import numpy as np, keras
from keras.applications import InceptionV3, MobileNet, MobileNetV2
folder, models = sys.argv[1], json.loads(sys.argv[2])
random = np.random.default_rng(2)
for name, (expression, size) in models.items():
    def make():
        return eval(f"{expression}weights=None, classes=5, input_shape=({size}, {size}, 3),"
                    "classifier_activation=None)")
    model = make()
    if sys.argv[3] == "save":
        def value(v):
            if v.name in ("gamma", "moving_variance"):
                return random.uniform(0.5, 1.5, v.shape)
            spread = 0.1 if len(v.shape) == 1 else np.sqrt(2 / np.prod(v.shape[:-1][:3]))
            return random.normal(0, spread if v.shape[-1] != 1 else 0.3, v.shape)
        for v in model.variables:
            v.assign(value(v))
        images = np.load(f"{folder}/{name}_images.npy")
        np.save(f"{folder}/{name}_logits.npy", model.predict(images, verbose=0))
        model.save_weights(f"{folder}/{name}.weights.h5")
        model.save(f"{folder}/{name}.keras")
        model.save(f"{folder}/{name}.h5")
    else:
        other = make()  # Its layers have other names.
        other.load_weights(f"{folder}/{name}_back.weights.h5")
        images = np.load(f"{folder}/{name}_images.npy")
        expected = np.load(f"{folder}/{name}_logits.npy")
        np.testing.assert_array_equal(other.predict(images, verbose=0), expected)
"""


def _keras(folder, action):
    result = subprocess.run(
        [sys.executable, "-c", _IN_KERAS, str(folder), json.dumps(_MODELS), action],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Weights of Keras in three kinds of file, images, and the logits that Keras gives them."""
    folder = tmp_path_factory.mktemp("keras")
    random = np.random.default_rng(1)
    for name, (_, size) in _MODELS.items():
        images = random.uniform(-1, 1, (2, size, size, 3)).astype(np.float32)
        np.save(folder / f"{name}_images.npy", images)
    _keras(folder, "save")
    return folder


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
@pytest.mark.parametrize("network", _MODELS)
def test_logits_are_those_of_keras(folder, network, ending):
    done = convert.to_slim(network, str(folder / (network + ending)), str(folder / "slim.ckpt"))
    images = np.load(folder / f"{network}_images.npy")
    with tf.Graph().as_default(), tf.Session() as session:
        fed = tf.placeholder(tf.float32, images.shape)
        # At this size the auxiliary head has another shape; it is not needed here.
        aux = {"create_aux_logits": False} if network == "inception_v3" else {}
        logits, _ = nets_factory.get_network_fn(network, _CLASSES)(fed, **aux)
        tf.train.Saver(tf.global_variables()).restore(session, done.path)
        got = session.run(logits, {fed: images})
    expected = np.load(folder / f"{network}_logits.npy")
    assert expected.std() > 0
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * expected.std())


def test_keras_loads_what_was_written(folder):
    for network in _MODELS:
        checkpoint = str(folder / f"{network}.ckpt")
        convert.to_slim(network, str(folder / f"{network}.weights.h5"), checkpoint)
        convert.from_slim(network, checkpoint, str(folder / f"{network}_back.weights.h5"))
    _keras(folder, "load")
