"""Networks round as 8-bit arithmetic does, and what is converted of them is 8-bit arithmetic."""

import numpy as np
import pytest

from nets import nets_factory
from nets.mobilenet.mobilenet_v3 import hard_swish
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.quantization import layout, ranges, simulation
from tests import golden_files

_IMAGES = np.random.RandomState(0).uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32)
_NORM = {"normalizer_fn": slim.batch_norm}


def _network(images, is_training):
    """Has every kind of operation: branches, additions, hard swish, a lone normalization."""
    with slim.arg_scope([slim.batch_norm], is_training=is_training, decay=0.0):
        net = slim.conv2d(images, 8, 3, activation_fn=tf.nn.relu6, scope="Net/conv", **_NORM)
        branches = [
            slim.conv2d(net, 4, 1, scope="Net/branch", **_NORM),
            slim.conv2d(slim.avg_pool2d(net, 3, 1, "SAME"), 4, 1, scope="Net/pooled", **_NORM),
            slim.max_pool2d(net, 3, 1, "SAME"),
        ]
        net = tf.concat(branches, 3)
        residual = slim.separable_conv2d(
            net, None, 3, activation_fn=hard_swish, scope="Net/block/depthwise", **_NORM
        )
        residual = slim.conv2d(
            residual, 16, 1, activation_fn=None, scope="Net/block/project", **_NORM
        )
        with tf.name_scope("Net/block/"):
            net = tf.identity(residual) + net
        net = slim.batch_norm(net, activation_fn=tf.nn.relu, scope="Net/lone")
        net = tf.reduce_mean(slim.conv2d(net, 8, 3, scope="Net/last", **_NORM), [1, 2])
        net = slim.dropout(net, 0.9, is_training=is_training)
        return slim.fully_connected(net, 5, activation_fn=None, scope="Net/logits")


@pytest.fixture(scope="module")
def trained():
    """Values of all variables after some steps with rounding, and the losses."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        step = tf.train.get_or_create_global_step()
        images = tf.constant(_IMAGES)
        logits = simulation.train(images, _network(images, True), 0, step)
        loss = tf.losses.sparse_softmax_cross_entropy([0, 1, 2, 3], logits)
        update = tf.train.AdamOptimizer(0.01).minimize(loss, step)
        followed = tf.get_collection(ranges.UPDATES)
        statistics = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        session.run(tf.global_variables_initializer())
        with tf.control_dependencies([update, *followed, *statistics]):
            losses = [session.run([loss, update, *followed, *statistics])[0] for _ in range(40)]
        variables = tf.global_variables()
        return {
            v.op.name: x for v, x in zip(variables, session.run(variables), strict=True)
        }, losses


def _infer(values, known=None, images_shape=(1, 8, 8, 3)):
    """Returns the graph that rounds with its weights inside, its logits of the images, and what
    is not known."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        images = tf.placeholder(tf.float32, images_shape, "input")
        logits, unknown = simulation.infer(images, _network(images, False), known)
        logits = tf.identity(logits, "logits")
        for variable in tf.global_variables():
            start = variable.initializer
            session.run(start, {start.inputs[1]: values[variable.op.name]})
        said = np.concatenate([session.run(logits, {images: each[None]}) for each in _IMAGES])
        frozen = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), ["logits"]
        )
    return frozen, said, unknown


def test_training_learns_in_spite_of_rounding(trained):
    _, losses = trained
    assert losses[-1] < losses[0] / 2
    assert np.isfinite(losses).all()


def test_ranges_have_the_names_of_published_checkpoints(trained):
    names = {name for name in trained[0] if name.endswith("_quant/max")}
    assert names == {
        "input_quant/max",
        "Net/conv/act_quant/max",  # Of its branch through max_pool and of the concatenation, too.
        "Net/block/depthwise/conv_quant/max",  # Before the addition of hard swish.
        "Net/block/depthwise/hard_swish/mul_1/activation_Mul_quant/max",
        "Net/block/project/act_quant/max",
        "Net/block/post_activation_bypass_quant/max",
        "Net/lone/FusedBatchNormV3/activation_FusedBatchNormV3_quant/max",
        "Net/last/act_quant/max",
        "Mean/activation_Mean_quant/max",
        "Net/logits/act_quant/max",
    }
    for name in names:
        assert trained[0][name.replace("max", "min")] < trained[0][name], name


def test_the_file_is_8_bits_in_its_kernels_and_says_what_the_graph_says(trained):
    frozen, said, unknown = _infer(trained[0])
    assert unknown == []
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, (1, 8, 8, 3), "input")
        graph = simulation.without_rounded_weights(frozen)
        (logits,) = tf.import_graph_def(
            tf.graph_util.extract_sub_graph(graph, ["logits"]), {"input:0": images}, ["logits:0"]
        )
        converter = tf.lite.TFLiteConverter.from_session(session, [images], [logits])
        converter.inference_type = tf.int8
        converter.inference_input_type = converter.inference_output_type = tf.float32
        converter.quantized_input_stats = {"input": (0.0, 1.0)}
        interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    tensors = interpreter.get_tensor_details()
    floats = [each["name"] for each in tensors if each["dtype"] == np.float32]
    assert len(floats) == 2, floats  # Input and output.
    (entrance,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    answers = []
    for image in _IMAGES:
        interpreter.set_tensor(entrance["index"], image[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(exit_["index"])[0])
    assert np.abs(answers - said).max() < 0.05 * np.abs(said).max()


def test_a_range_that_a_checkpoint_lacks_is_left_out(trained):
    known = [name for name in trained[0] if not name.startswith("input_quant")]
    frozen, _, unknown = _infer(trained[0], known)
    assert unknown == ["input_quant"]
    assert not any(node.name.startswith("input_quant") for node in frozen.node)


def _one_layer(delay=0, step=0):
    """Returns what one layer says of a fixed input: rounded, and as floats; and its gradient."""
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.constant(_IMAGES)
        kernel = tf.get_variable("kernel", initializer=_IMAGES[:3, 0, :3])
        kernel4 = tf.reshape(kernel, [1, 3, 3, 3])
        plain = tf.nn.conv2d(images, kernel4, 1, "VALID")
        with tf.name_scope("Net"):
            rounded = tf.nn.conv2d(images, kernel4, 1, "VALID")
        rounded = simulation.train(images, rounded, delay, tf.constant(step))
        (gradient,) = tf.gradients(rounded, kernel)
        session.run(tf.global_variables_initializer())
        return session.run([rounded, plain, gradient])


def test_rounding_is_small_and_gradients_pass():
    rounded, plain, gradient = _one_layer()
    difference = np.abs(rounded - plain).max()
    assert 0 < difference < 0.05 * np.abs(plain).max()
    assert len(np.unique(rounded)) <= 256
    assert np.abs(gradient).min() > 0


@pytest.mark.parametrize(("step", "is_rounded"), [(0, False), (6, False), (7, True), (8, True)])
def test_delay(step, is_rounded):
    rounded, plain, _ = _one_layer(7, step)
    assert (not np.array_equal(rounded, plain)) == is_rounded


@pytest.mark.parametrize("depthwise", [False, True])
def test_each_channel_of_weights_has_the_range_of_its_own(depthwise):
    weights = np.random.RandomState(1).normal(size=(3, 3, 4, 2)).astype(np.float32)
    weights *= np.float32([[1, 100], [2, 3], [1, 1], [5, 0]])
    axes = (0, 1) if depthwise else (0, 1, 2)
    scale = np.maximum(np.abs(weights).max(axes, keepdims=True), 1e-7) / 127
    with tf.Session() as session:
        rounded = session.run(
            ranges.rounded_weights(tf.constant(weights), "a", depthwise=depthwise)
        )
    np.testing.assert_allclose(rounded, np.round(weights / scale) * scale, rtol=1e-5, atol=1e-6)


def test_a_range_starts_as_that_of_the_first_batch_and_follows():
    with tf.Graph().as_default(), tf.Session() as session:
        values, step = tf.placeholder(tf.float32, [2]), tf.placeholder(tf.int64, [])
        low, high = ranges.variables("here")
        updates = ranges.follow(low, high, [values], step, [])
        session.run(tf.global_variables_initializer())
        found = []
        for number in range(3):
            session.run(updates, {values: [-1 - number, 2 + 2 * number], step: 990 * number})
            found.append(session.run([low, high]))
    np.testing.assert_allclose(
        found, [[-1, 2], [-1.009, 2.018], [-1.009 - 1.991 * 0.0045, 2.018 + 3.982 * 0.0045]], 2e-4
    )


# Network -> size of images, its number of ranges, how many of them TensorFlow 1 has not, and what
# these end in, that of the input aside: averages, normalizations that follow no layer, and in
# ResNets sums, and layers before them, that it did not recognize.
_MEAN = "/activation_Mean_quant"
_NORM_ALONE = "/activation_FusedBatchNormV3_quant"
_NETWORKS = {
    "mobilenet_v1_025": (32, 29, 1, ()),
    "mobilenet_v2": (32, 64, 1, ()),
    "mobilenet_v3_large": (32, 128, 9, (_MEAN,)),
    "mobilenet_v3_large_minimalistic": (32, 59, 1, ()),
    "mobilenet_v3_small": (32, 116, 10, (_MEAN,)),
    "mobilenet_edgetpu": (32, 75, 1, ()),
    "inception_v3": (107, 61, 1, ()),
    "resnet_v1_50": (32, 72, 6, (_MEAN, "unit_1/bottleneck_v1/conv3/conv_quant")),
    "resnet_v2_50": (32, 89, 55, (_MEAN, _NORM_ALONE, "/add_quant", "/conv_quant")),
}


@pytest.mark.parametrize("name", _NETWORKS)
def test_networks_have_the_ranges_of_tensorflow_1(name):
    size, count, more, own = _NETWORKS[name]
    saved = golden_files.load("ranges.json")[name]
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [1, size, size, 3])
        logits, _ = nets_factory.get_network_fn(name, 10)(images)
        found = layout.find(images, logits)
        names = [op.name for op in logits.graph.get_operations() if op.type in layout.LAYERS]
        known = {f"{each}/{end}" for each in saved for end in ("min", "max")}
        _, unknown = simulation.infer(images, logits, known)
    assert len(found.groups) == count
    assert [op.name for op in found.layers] == [name for name in names if "AuxLogits" not in name]
    assert (unknown[0], len(unknown)) == ("input_quant", more)
    assert [each for each in unknown[1:] if not each.endswith(own)] == []


def test_what_is_not_known_is_refused_in_one_line():
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [1, 8, 8, 3])
        logits = slim.flatten(tf.nn.softplus(images, name="Net/strange"))
        with pytest.raises(UserError, match=r"of the kind Softplus \(Net/strange\)") as caught:
            simulation.infer(images, logits)
    assert "\n" not in str(caught.value)


def test_a_tower_reads_the_ranges_and_a_clone_s_scope_is_not_in_their_names():
    with tf.Graph().as_default():
        images, step = tf.constant(_IMAGES), tf.train.get_or_create_global_step()
        with tf.name_scope("clone_0"):
            simulation.train(images, _network(images, True), 0, step)
        names = [variable.op.name for variable in tf.get_collection(ranges.VARIABLES)]
        updates = len(tf.get_collection(ranges.UPDATES))
        with tf.name_scope("clone_1"), tf.variable_scope(tf.get_variable_scope(), reuse=True):
            simulation.train(images, _network(images, True), 0, step)
        assert [v.op.name for v in tf.get_collection(ranges.VARIABLES)] == names
        assert len(tf.get_collection(ranges.UPDATES)) == updates == len(names)
    assert "Net/conv/act_quant/min" in names
