"""Every network restores a published checkpoint and gives the published numbers."""

import shutil

import numpy as np
import pytest

from nets import nets_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.parts.checkpoints import restore
from tests import golden_files
from tests.nets import comparison, golden_calls, golden_weights

NUM_NEW_CLASSES = 5


@pytest.fixture(scope="module")
def golden(network):
    return golden_files.load(f"logits/{network.name}.json")


@pytest.fixture(scope="module")
def checkpoint(network, golden, tmp_path_factory):
    """A checkpoint with the published names and shapes; deleted after the tests of the network."""
    published = golden_files.load(f"variables/{network.name}.json")
    variables = published["trainable"] + published["non_trainable"]
    directory = tmp_path_factory.mktemp(network.name)
    path = str(directory / "model.ckpt")
    golden_weights.write_checkpoint(path, golden_weights.values(variables, golden["weight_rule"]))
    yield path
    shutil.rmtree(directory)


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default() as graph:
        yield graph


def restore_all(session, path, exclude_scopes=()):
    """Restores the variables of the graph as `--checkpoint_path` does."""
    restore.plan(tf.global_variables(), path, exclude_scopes).restore(session)


def test_logits(network, golden, checkpoint):
    network_fn = nets_factory.get_network_fn(network.name, golden["num_classes"])
    images = tf.placeholder(tf.float32, golden["input_shape"])
    outputs = network_fn(images)
    with tf.Session() as session:
        restore_all(session, checkpoint)
        feed = {images: golden_weights.images(golden["input_shape"])}
        logits, end_points = session.run(outputs, feed)

    comparison.check_output(logits, golden)
    comparison.check_end_points(end_points, golden["end_points_stats"])


def test_fine_tuning(network, golden, checkpoint):
    """The record's classifier scopes are exactly what another number of classes must leave out."""
    network_fn = nets_factory.get_network_fn(network.name, NUM_NEW_CLASSES, is_training=True)
    network_fn(tf.placeholder(tf.float32, golden["input_shape"]))
    published = tf.train.load_checkpoint(checkpoint)
    shapes = published.get_variable_to_shape_map()
    variables = {variable.op.name: variable for variable in tf.global_variables()}
    classifier = tuple(f"{scope}/" for scope in network.classifier_scopes)
    excluded = {name for name in variables if name.startswith(classifier)}

    misfits = {name for name, var in variables.items() if shapes[name] != var.shape.as_list()}
    assert excluded == misfits

    with tf.Session() as session:
        restore_all(session, checkpoint, network.classifier_scopes)
        restored = session.run({name: variables[name] for name in variables.keys() - excluded})
        for name, array in restored.items():
            np.testing.assert_array_equal(array, published.get_tensor(name), err_msg=name)
        untouched = {name.decode() for name in session.run(tf.report_uninitialized_variables())}
    assert untouched == excluded


def test_variant(network, variant):
    """The network called with other arguments gives the published numbers."""
    golden = golden_calls.variants()[variant]
    images = tf.placeholder(tf.float32, golden["input_shape"])
    comparison.check_variant(images, *golden_calls.build(golden["call"], images), golden)


def test_training_step(network):
    """Loss, gradients and batch normalization of one training step are the published ones."""
    golden = golden_files.load(f"train_mode/{network.name}.json")
    images = tf.placeholder(tf.float32, golden["input_shape"])
    logits, _ = golden_calls.build(golden, images)
    cross_entropy = tf.losses.sparse_softmax_cross_entropy(golden["labels"], logits)
    regularization = tf.add_n(tf.losses.get_regularization_losses())
    total = cross_entropy + regularization
    variables = tf.trainable_variables()
    gradients = tf.gradients(total, variables)
    fetches = {
        "logits": logits,
        "cross_entropy_loss": cross_entropy,
        "regularization_loss": regularization,
        "total_loss": total,
        "gradients": {v.op.name: g for v, g in zip(variables, gradients, strict=True)},
        "grad_global_norm_total_loss": tf.global_norm(gradients),
        "grad_global_norm_cross_entropy_only": tf.global_norm(
            tf.gradients(cross_entropy, variables)
        ),
    }
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.Session() as session:
        golden_weights.assign(session, tf.global_variables(), golden["weight_rule"])
        feed = {images: golden_weights.images(golden["input_shape"])}
        measured = session.run(fetches, feed)
        session.run(updates, feed)
        moved = {v.op.name: session.run(v) for v in slim.get_model_variables()}

    assert len(updates) == golden["n_update_ops"]
    comparison.check_training_step(measured, golden)
    for expected in golden.get("after_one_update", {}).values():
        comparison.check_moved(moved[expected["name"]], expected)
