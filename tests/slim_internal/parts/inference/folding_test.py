"""Folded graphs compute what they computed before."""

import numpy as np
import pytest

from slim_internal.ground.compat import slim, tf
from slim_internal.parts.inference import folding


def _conv(images, **keywords):
    return slim.conv2d(images, 8, 3, **keywords)


def _used_twice(images, normalizer_params, **keywords):
    net = slim.conv2d(images, 8, 3, activation_fn=None)
    return net + slim.batch_norm(net, **normalizer_params)


@pytest.mark.parametrize(
    ("layer", "batch_norms"),
    [
        (_conv, 0),
        (lambda images, **keywords: _conv(images, stride=2, padding="VALID", **keywords), 0),
        (lambda images, **keywords: _conv(images, rate=2, **keywords), None),
        (lambda images, **keywords: slim.separable_conv2d(images, None, 3, 2, **keywords), 0),
        (lambda images, **keywords: slim.separable_conv2d(images, 5, 3, 1, **keywords), 0),
        (lambda images, normalizer_params, **_: slim.batch_norm(images, **normalizer_params), 1),
        (lambda images, normalizer_params, **_: _used_twice(images, normalizer_params), 1),
        (lambda images, **keywords: _conv(_conv(images, **keywords), **keywords), 0),
    ],
    ids=["conv", "valid", "dilated", "depthwise", "separable", "alone", "used_twice", "two"],
)
def test_a_folded_graph_says_the_same(layer, batch_norms):
    random = np.random.default_rng(0)
    images = random.normal(size=[2, 9, 9, 4]).astype(np.float32)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        fed = tf.placeholder(tf.float32, [None, 9, 9, 4], name="input")
        params = {"is_training": False, "scale": True, "fused": True, "epsilon": 0.01}
        layer(fed, normalizer_fn=slim.batch_norm, normalizer_params=params)
        output = tf.identity(graph.get_operations()[-1].outputs[0], name="output")
        for variable in tf.global_variables():  # Positive, as a variance has to be.
            variable.load(random.uniform(0.1, 2, variable.shape.as_list()), session)
        expected = session.run(output, {fed: images})
        graph_def, values = folding.taken(session, "output")
    folded = folding.fold(graph_def, values, "output")
    found = [_with_variables(folded, dict(values), images), _with_constants(folded, values, images)]
    assert not values
    if batch_norms is not None:
        kinds = [node.op for node in folded.node]
        assert sum(kind.startswith("FusedBatchNorm") for kind in kinds) == batch_norms
    for each in found:
        np.testing.assert_allclose(each, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


def _with_constants(graph_def, values, images):
    folding.insert(graph_def, values)
    with tf.Graph().as_default(), tf.Session() as session:
        (output,) = tf.import_graph_def(graph_def, return_elements=["output:0"], name="")
        return session.run(output, {"input:0": images})


def _with_variables(graph_def, values, images):
    """Adds it twice: with the weights, and with zeros, so that each has variables of its own."""
    zeros = {name: np.zeros_like(value) for name, value in values.items()}
    with tf.Graph().as_default(), tf.Session() as session:
        outputs = []
        for weights in (values, zeros):
            copy = tf.GraphDef.FromString(graph_def.SerializeToString())
            fed = {"input:0": tf.constant(images)}
            (output,), initialize = folding.add(copy, weights, fed, ["output:0"])
            assert not weights
            initialize(session)
            outputs.append(output)
        found, other = session.run(outputs)
        assert not np.array_equal(found, other)
        return found
