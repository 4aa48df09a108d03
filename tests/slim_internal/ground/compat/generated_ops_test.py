"""Replaces ops and looks at what is built, inside and afterwards."""

import pytest

from slim_internal.ground.compat import generated_ops, tf


def _built():
    with tf.Graph().as_default() as graph:
        tf.random.uniform([2])
        return {operation.type for operation in graph.get_operations()}


def _zeros(stateful):
    return lambda shape, dtype, seed=None, seed2=None, name=None: tf.zeros(shape, dtype)


def test_replaced_within_and_as_before_afterwards():
    with generated_ops.replaced({"random_uniform": _zeros}):
        assert "RandomUniform" not in _built()
    assert "RandomUniform" in _built()


def test_as_before_after_an_error():
    with pytest.raises(RuntimeError):
        with generated_ops.replaced({"random_uniform": _zeros}):
            raise RuntimeError
    assert "RandomUniform" in _built()


def test_unknown_op_replaces_nothing():
    with pytest.raises(KeyError):
        with generated_ops.replaced({"random_uniform": _zeros, "no_such_op": _zeros}):
            pass
    assert "RandomUniform" in _built()
