"""Every network has the variables, end points and collections of the published one."""

import contextlib
import inspect

import numpy as np
import pytest

from nets import nets_factory
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf
from tests import golden_files
from tests.nets import graph_facts

WEIGHT_DECAY = 4e-5  # What the reference numbers were measured with.

# What the dropout of networks keeps that take it from their arg scope or configuration.
KEEP_PROBS = {
    "mobilenet_v2": 0.8,
    "mobilenet_v3": 0.8,
    "mobilenet_edgetpu": 0.8,
    "nasnet_large": 0.5,
    "nasnet_mobile": 0.5,
    "pnasnet": 0.5,
}

# Two images of a single pixel have so little variance that each batch normalization of a deep
# network multiplies the gradient a hundredfold, beyond what float32 holds.
MIN_SIZE_OF_GRADIENTS = 33


@pytest.fixture(scope="module")
def golden(network):
    return golden_files.load(f"variables/{network.name}.json")


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default() as graph:
        yield graph


def build(network, shape, num_classes, is_training=False, **kwargs):
    """Builds a network as its users do; returns its input with what it returns."""
    network_fn = nets_factory.get_network_fn(network.name, num_classes, WEIGHT_DECAY, is_training)
    images = tf.placeholder(tf.float32, shape)
    net, end_points = network_fn(images, **kwargs)
    return images, net, end_points


def resized(shape, height, width):
    """Returns the shape of images or clips with another height and width."""
    return [*shape[:-3], height, width, shape[-1]]


def keep_probs(network):
    """Returns what the dropouts of a network keep in training: nothing, or one share."""
    argument = inspect.signature(network.builder).parameters.get("dropout_keep_prob")
    if argument:
        return {argument.default}
    return {share for name, share in KEEP_PROBS.items() if network.name.startswith(name)}


def variable_names(variables):
    return {variable.op.name for variable in variables}


def without(names, scopes):
    """Returns the names that are in none of the scopes."""
    return {name for name in names if not name.startswith(tuple(f"{s}/" for s in scopes))}


@contextlib.contextmanager
def reused(network):
    """Yields the keyword arguments of a second building that shares the variables of the first."""
    if "reuse" in inspect.signature(network.builder).parameters:
        yield {"reuse": True}
    else:
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            yield {}


def test_training_graph(network, golden):
    _, net, end_points = build(network, golden["input_shape"], golden["num_classes"], True)

    assert graph_facts.names_and_shapes(tf.trainable_variables()) == golden["trainable"]
    trainable = variable_names(tf.trainable_variables())
    others = [v for v in tf.global_variables() if v.op.name not in trainable]
    assert graph_facts.names_and_shapes(others) == golden["non_trainable"]
    assert graph_facts.num_elements(tf.trainable_variables()) == golden["num_parameters"]
    # The reference counts the global step among them, though it is no model variable.
    every = tf.global_variables()
    assert graph_facts.num_elements(every) == golden["num_model_variable_elements"]
    global_only = variable_names(every) - variable_names(slim.get_model_variables())
    assert global_only == set(golden["global_variables_not_model_variables"])

    assert graph_facts.shapes(end_points) == golden["end_points"]
    assert net.op.name == golden["output_op_name"]
    assert net.shape.as_list() == golden["output_shape"]

    assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == golden["n_update_ops"]
    assert len(tf.losses.get_regularization_losses()) == golden["n_regularization_losses"]
    expected = golden["regularization_scale_to_variables"]
    assert graph_facts.regularized_variables() == {k: sorted(v) for k, v in expected.items()}
    for collection, size in golden["other_collections"].items():
        assert len(tf.get_collection(collection)) == size, collection

    assert graph_facts.batch_norm() == golden["batch_norm"]
    assert graph_facts.dropout_keep_probs() == keep_probs(network)
    expected = golden["initializers"]
    for variable in slim.get_model_variables():
        name = variable.op.name
        wanted = graph_facts.expected_initializer(expected, name)
        assert graph_facts.initializer(variable) == wanted, name


def test_evaluation_graph(network, golden):
    _, net, end_points = build(network, golden["input_shape"], golden["num_classes"])

    in_training = {name for name, _ in golden["trainable"] + golden["non_trainable"]}
    expected = in_training - set(golden["variables_only_in_training"])
    assert variable_names(tf.global_variables()) == expected | set(golden["variables_only_in_eval"])
    assert graph_facts.shapes(end_points) == golden["end_points_eval"]
    assert net.op.name == golden["output_op_name_eval"]
    assert net.shape.as_list() == golden["output_shape_eval"]
    assert not graph_facts.dropout_keep_probs()
    assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == golden["n_update_ops_eval"]
    assert len(tf.losses.get_regularization_losses()) == golden["n_regularization_losses_eval"]


def test_record(network, golden):
    """What the record says is true of the graph."""
    assert network.default_image_size == golden["default_image_size"]
    assert network.num_classes == golden["num_classes"]
    assert network.channels == golden["input_shape"][-1]
    clip = len(golden["input_shape"]) == 5
    assert (network.num_frames is not None) == clip

    variables = dict(golden["trainable"])
    assert variables[network.first_conv][-2] == network.channels
    assert bool(network.aux_scopes) == ("AuxLogits" in golden["end_points"])
    for scope in network.aux_scopes + network.classifier_scopes:
        assert any(name.startswith(f"{scope}/") for name in variables), scope


def test_unknown_batch_size(network, golden):
    shape = [None, *golden["input_shape"][1:]]
    _, net, end_points = build(network, shape, golden["num_classes"])

    assert net.shape.as_list() == [None, golden["num_classes"]]
    assert end_points.keys() == golden["end_points_eval"].keys()


def test_another_image_size(network, golden):
    size = network.default_image_size
    shape = resized(golden["input_shape"], size + 32, size + 32)
    if network.fixed_image_size:
        build(network, golden["input_shape"], golden["num_classes"])
        with reused(network) as kwargs, pytest.raises(ValueError):  # noqa: PT011
            build(network, shape, golden["num_classes"], **kwargs)
        return
    _, net, _ = build(network, shape, golden["num_classes"])

    assert net.shape.as_list() == golden["output_shape_eval"]
    in_training = {name for name, _ in golden["trainable"] + golden["non_trainable"]}
    expected = in_training - set(golden["variables_only_in_training"])
    built = without(variable_names(tf.global_variables()), network.aux_scopes)
    assert built == without(expected, network.aux_scopes)


def test_smallest_image_size(network, golden):
    smallest = network.min_image_size
    if smallest > 1:
        shape = resized(golden["input_shape"], smallest - 1, smallest)
        with pytest.raises(errors.UserError, match=f"minimum is {smallest}x{smallest}"):
            build(network, shape, golden["num_classes"])
    shape = resized(golden["input_shape"], smallest, smallest)
    _, net, _ = build(network, shape, golden["num_classes"])
    assert net.shape.as_list() == golden["output_shape_eval"]


def test_wrong_rank(network, golden):
    with pytest.raises(errors.UserError, match="rank"):
        build(network, golden["input_shape"][1:], golden["num_classes"])


@pytest.mark.parametrize("num_classes", [None, 0])
def test_no_classifier(network, golden, num_classes):
    _, net, end_points = build(network, golden["input_shape"], num_classes)

    in_training = {name for name, _ in golden["trainable"] + golden["non_trainable"]}
    in_evaluation = in_training - set(golden["variables_only_in_training"])
    expected = without(in_evaluation, network.classifier_scopes + network.aux_scopes)
    assert variable_names(tf.global_variables()) == expected
    assert net.shape[0] == golden["input_shape"][0]
    assert not {"Logits", "Predictions", "predictions"} & end_points.keys()


def test_reuse(network, golden):
    build(network, golden["input_shape"], golden["num_classes"])
    variables = tf.global_variables()
    with reused(network) as kwargs:
        _, net, _ = build(network, golden["input_shape"], golden["num_classes"], **kwargs)

    assert tf.global_variables() == variables
    assert net.shape.as_list() == golden["output_shape_eval"]


def test_gradients(network, golden):
    """Every trainable variable receives a gradient, and a finite one."""
    shape = golden["input_shape"]
    if not network.fixed_image_size:
        size = max(network.min_image_size, MIN_SIZE_OF_GRADIENTS)
        shape = resized(shape, size, size)
    images, net, end_points = build(network, shape, golden["num_classes"], True)
    labels = tf.range(shape[0])
    heads = [net] + [end_points[name] for name in ("AuxLogits",) if name in end_points]
    loss = sum(tf.losses.sparse_softmax_cross_entropy(labels, logits) for logits in heads)
    variables = tf.trainable_variables()
    gradients = tf.gradients(loss, variables)

    untouched = [v.op.name for v, g in zip(variables, gradients, strict=True) if g is None]
    assert not untouched
    finite = [tf.reduce_all(tf.is_finite(tf.convert_to_tensor(g))) for g in gradients]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        results = session.run(finite, {images: np.random.RandomState(0).uniform(-1, 1, shape)})
    wrong = [v.op.name for v, ok in zip(variables, results, strict=True) if not ok]
    assert not wrong
