"""Builds layers of batch normalization, some of which are frozen."""

import pytest

from slim_internal.ground.compat import batch_norm, slim, tf


def _trains(frozen):
    """Returns which of two layers trains, and how many updates there are."""
    with tf.Graph().as_default() as graph:
        with batch_norm.inference_where(frozen):
            for scope in ("one", "two"):
                slim.batch_norm(tf.zeros([2, 3, 3, 1]), is_training=True, scope=scope)
        layers = {
            operation.name.partition("/")[0]: operation.get_attr("is_training")
            for operation in graph.get_operations()
            if operation.type == "FusedBatchNormV3"
        }
        return layers, len(graph.get_collection(tf.GraphKeys.UPDATE_OPS))


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        (lambda name: False, ({"one": True, "two": True}, 4)),
        (lambda name: name.startswith("one/"), ({"one": False, "two": True}, 2)),
        (lambda name: True, ({"one": False, "two": False}, 0)),
    ],
)
def test_frozen_layers_are_built_for_inference(frozen, expected):
    assert _trains(frozen) == expected


def test_layers_of_a_network_that_does_not_train_can_be_built_as_if_it_did():
    with tf.Graph().as_default() as graph:
        with batch_norm.training_everywhere():
            slim.batch_norm(tf.zeros([2, 3, 3, 1]), is_training=False)
        (layer,) = (each for each in graph.get_operations() if each.type == "FusedBatchNormV3")
        assert layer.get_attr("is_training")


def test_as_before_after_an_error():
    with pytest.raises(RuntimeError):
        with batch_norm.inference_where(lambda name: True):
            raise RuntimeError
    with tf.Graph().as_default() as graph:
        slim.batch_norm(tf.zeros([2, 3, 3, 1]), is_training=True)
        assert len(graph.get_collection(tf.GraphKeys.UPDATE_OPS)) == 2
