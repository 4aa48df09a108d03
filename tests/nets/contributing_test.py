"""The example of CONTRIBUTING.md is a network that works."""

import pathlib
import re

import pytest

from slim_internal.ground.compat import slim, tf

TEXT = (pathlib.Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def example():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    module = {}
    exec(compile(code, "CONTRIBUTING.md", "exec"), module)
    return module["NETWORKS"][0]


def test_example_builds(example):
    with tf.Graph().as_default(), slim.arg_scope(example.arg_scope(weight_decay=1e-4)):
        images = tf.placeholder(tf.float32, [None, 32, 32, 3])
        logits, end_points = example.builder(images, example.num_classes, is_training=True)
        assert logits.shape.as_list() == [None, 10]
        assert list(end_points) == ["conv1", "conv2", "Logits", "Predictions"]
        names = [variable.op.name for variable in tf.trainable_variables()]
        assert example.first_conv in names
        for scope in example.classifier_scopes:
            assert any(name.startswith(f"{scope}/") for name in names)
        assert len(tf.losses.get_regularization_losses()) == 3


def test_example_has_no_classifier_when_asked(example):
    with tf.Graph().as_default():
        features, end_points = example.builder(tf.zeros([2, 32, 32, 3]), num_classes=None)
        assert features.shape.as_list() == [2, 32]
        assert list(end_points) == ["conv1", "conv2"]
