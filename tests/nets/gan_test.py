"""The generative networks have the published variables and give the published numbers."""

import numpy as np
import pytest

from nets import cyclegan, dcgan, pix2pix
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf
from tests import golden_files
from tests.nets import comparison, golden_calls, graph_facts

NETWORKS = [
    path.stem
    for path in sorted(golden_files.path("variables").glob("*.json"))
    if path.stem.startswith(("cyclegan", "dcgan", "pix2pix"))
]
VARIANTS = [case for case in golden_calls.variants() if golden_calls.owner(case) is None]


@pytest.fixture(autouse=True)
def fresh_graph():
    with tf.Graph().as_default() as graph:
        yield graph


def build(golden, is_training):
    """Builds a network as its reference file says; returns its input with what it returns."""
    images = tf.placeholder(tf.float32, golden["input_shape"])
    kwargs = {k: v for k, v in golden["arguments"].items() if k != "default_blocks"}
    if kwargs.get("blocks"):
        kwargs["blocks"] = {"@pix2pix_blocks": kwargs["blocks"]}
    # The generator of CycleGAN enters its arg scope itself.
    own_scope = golden["function"].endswith("cyclegan_generator_resnet")
    call = {
        "function": golden["function"],
        "kwargs": {**kwargs, "is_training": is_training},
        "arg_scope": None if own_scope else golden["arg_scope"],
        "arg_scope_kwargs": {},
    }
    return images, *golden_calls.build(call, images)


@pytest.mark.parametrize("name", NETWORKS)
def test_graph(name):
    golden = golden_files.load(f"variables/{name}.json")
    _, net, end_points = build(golden, is_training=True)

    assert graph_facts.names_and_shapes(tf.trainable_variables()) == golden["trainable"]
    others = [v for v in tf.global_variables() if v not in tf.trainable_variables()]
    assert graph_facts.names_and_shapes(others) == golden["non_trainable"]
    assert graph_facts.num_elements(tf.trainable_variables()) == golden["num_parameters"]
    assert graph_facts.shapes(end_points) == golden["end_points"]
    assert net.op.name == golden["output_op_name"]
    assert net.shape.as_list() == golden["output_shape"]
    assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == golden["n_update_ops"]
    assert len(tf.losses.get_regularization_losses()) == golden["n_regularization_losses"]
    assert graph_facts.batch_norm() == golden["batch_norm"]
    for variable in slim.get_model_variables():
        variable_name = variable.op.name
        wanted = graph_facts.expected_initializer(golden["initializers"], variable_name)
        assert graph_facts.initializer(variable) == wanted, variable_name


@pytest.mark.parametrize("name", NETWORKS)
def test_evaluation_graph(name):
    golden = golden_files.load(f"variables/{name}.json")
    _, net, end_points = build(golden, is_training=False)

    in_training = {name for name, _ in golden["trainable"] + golden["non_trainable"]}
    names = {variable.op.name for variable in tf.global_variables()}
    assert names == in_training - set(golden["variables_only_in_training"])
    assert graph_facts.shapes(end_points) == golden["end_points_eval"]
    assert net.op.name == golden["output_op_name_eval"]
    assert net.shape.as_list() == golden["output_shape_eval"]
    assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == golden["n_update_ops_eval"]


@pytest.mark.parametrize("name", [n for n in NETWORKS if "default" not in n])
def test_gradients(name):
    """Every trainable variable receives a gradient, and a finite one."""
    golden = golden_files.load(f"variables/{name}.json")
    images, net, _ = build(golden, is_training=True)
    variables = tf.trainable_variables()
    gradients = tf.gradients(tf.reduce_mean(tf.square(net - 1)), variables)
    noise = np.random.RandomState(0).uniform(-1, 1, golden["input_shape"])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        values = session.run(gradients, {images: noise})
    for variable, value in zip(variables, values, strict=True):
        assert np.isfinite(value).all(), variable.op.name


@pytest.mark.parametrize("variant", VARIANTS)
def test_numbers(variant):
    golden = golden_calls.variants()[variant]
    images = tf.placeholder(tf.float32, golden["input_shape"])
    comparison.check_variant(images, *golden_calls.build(golden["call"], images), golden)


@pytest.mark.parametrize("method", ["nn_upsample_conv", "bilinear_upsample_conv"])
def test_cyclegan_enlarges_by_resizing(method):
    net = cyclegan.cyclegan_upsample(tf.ones([2, 4, 6, 3]), 5, [2, 3], method)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(net).shape == (2, 8, 18, 5)


def test_cyclegan_activates_by_relu_whatever_the_arg_scope():
    """As published: only the first and the last layer take what an arg scope of others says."""

    def arg_scope():
        with slim.arg_scope([slim.conv2d], activation_fn=tf.nn.elu) as scope:
            return scope

    def upsample(net, num_outputs, stride):
        return slim.conv2d(tf.image.resize_bilinear(net, [8, 8]), num_outputs)

    cyclegan.cyclegan_generator_resnet(
        tf.zeros([1, 8, 8, 3]),
        arg_scope,
        num_resnet_blocks=1,
        num_filters=2,
        upsample_fn=upsample,
        kernel_size=2,
    )
    activations = {
        operation.name: operation.type
        for operation in tf.get_default_graph().get_operations()
        if operation.type in ("Relu", "Elu")
    }
    assert activations == {
        "input/Conv/Elu": "Elu",
        "encoder/Conv/Relu": "Relu",
        "encoder/Conv_1/Relu": "Relu",
        "residual_blocks/block_0/Conv/Relu": "Relu",
        "decoder/decoder1/Conv/Relu": "Relu",
        "decoder/decoder2/Conv/Relu": "Relu",
    }
    kernels = [v.shape[0] for v in slim.get_variables_by_name("weights") if "decoder" in v.name]
    assert kernels == [2, 2]


@pytest.mark.parametrize(("blocks", "activated"), [(1, [True]), (3, [True, True, False])])
def test_pix2pix_activates_the_first_encoder_even_if_it_is_the_last(blocks, activated):
    images = tf.ones([1, 8, 8, 3])
    with slim.arg_scope(pix2pix.pix2pix_arg_scope()):
        pix2pix.pix2pix_generator(images, 3, [pix2pix.Block(4, 0)] * blocks)
    names = {operation.name for operation in tf.get_default_graph().get_operations()}
    scopes = [f"encoder/Conv{f'_{i}' if i else ''}" for i in range(blocks)]
    assert [f"{scope}/LeakyRelu" in names for scope in scopes] == activated
    normalized = [f"{scope}/InstanceNorm/beta" in names for scope in scopes]
    assert normalized == [0 < i < blocks - 1 for i in range(blocks)]


def test_pix2pix_drops_out_at_test_time():
    """Dropout is the only source of variety that the generator has."""
    images = tf.ones([1, 4, 4, 3])
    blocks = [pix2pix.Block(4, 0.5), pix2pix.Block(8, 0)]
    logits, _ = pix2pix.pix2pix_generator(images, 3, blocks, is_training=False)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert (session.run(logits) != session.run(logits)).any()


@pytest.mark.parametrize(
    ("build_wrongly", "message"),
    [
        (lambda: dcgan.discriminator(tf.zeros([2, 30, 30, 3])), "power of two; received 30"),
        (lambda: dcgan.discriminator(tf.zeros([2, 32, 16, 3])), "square; received 32x16"),
        (lambda: dcgan.discriminator(tf.zeros([32, 32, 3])), "rank 4"),
        (lambda: dcgan.generator(tf.zeros([2, 8, 8, 3])), "rank 2"),
        (lambda: dcgan.generator(tf.zeros([2, 64]), final_size=30), "power of two; received 30"),
        (lambda: dcgan.generator(tf.zeros([2, 64]), final_size=4), "at least 8; received 4"),
        (
            lambda: cyclegan.cyclegan_generator_resnet(tf.zeros([2, 30, 32, 3])),
            "multiples of 4; received 30x32",
        ),
        (
            lambda: cyclegan.cyclegan_upsample(tf.zeros([2, 4, 4, 3]), 3, [2, 2], "nn_upsample"),
            "Unknown method 'nn_upsample'. Did you mean 'nn_upsample_conv'",
        ),
        (
            lambda: pix2pix.upsample(tf.zeros([2, 4, 4, 3]), 3, [2, 2], "bilinear"),
            "Allowed: nn_upsample_conv, conv2d_transpose",
        ),
    ],
)
def test_wrong_arguments(build_wrongly, message):
    with pytest.raises(errors.UserError, match=message):
        build_wrongly()
