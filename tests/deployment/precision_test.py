"""Chooses a precision on machines of several kinds, and counts what it changes in a graph."""

import logging

import numpy as np
import pytest

from deployment import precision, sessions
from deployment.settings import PrecisionSettings
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from tests import made_up_gpu

GPU = ("GPU 0 (H100)",)
BFLOAT16 = precision.Precision(tf.bfloat16)


@pytest.fixture
def machine(monkeypatch):
    """Makes this machine one with given GPUs and instructions of its CPU."""

    def make(gpus=(), instructions=()):
        monkeypatch.setattr(sessions, "gpus", lambda: gpus)
        monkeypatch.setattr(precision, "_instructions", lambda: set(instructions))
        monkeypatch.delenv("TF_USE_CUDNN_BATCHNORM_SPATIAL_PERSISTENT", raising=False)

    return make


@pytest.mark.parametrize(
    ("gpus", "instructions", "flags", "words"),
    [
        (GPU, (), {}, "float32"),
        (GPU, (), {"mixed_precision": True}, "float16 and float32"),
        (GPU, (), {"xla": True}, "float32, compiled by XLA"),
        (
            *(GPU, {"avx512_bf16"}),
            {"mixed_precision": True, "xla": True},
            "float16 and float32, compiled by XLA",
        ),
        ((), {"avx512_bf16"}, {"mixed_precision": True}, "bfloat16 and float32"),
        ((), {"amx_bf16"}, {}, "float32"),
        (GPU, (), {"precision": "float32"}, "float32"),
        (GPU, (), {"precision": "float32", "xla": True}, "float32, compiled by XLA"),
        (GPU, (), {"precision": "mixed", "mixed_precision": True}, "float16 and float32"),
        ((), {"avx512_bf16"}, {"precision": "mixed", "xla": False}, "bfloat16 and float32"),
        (
            *(GPU, (), {"precision": "fastest", "xla": True}),
            "float16 and float32, compiled by XLA (the fastest in trials on one H100)",
        ),
        (
            *((), {"avx512_bf16"}, {"precision": "fastest", "mixed_precision": False}),
            "float32 (the fastest on a CPU: XLA, and bfloat16 without AMX, take longer)",
        ),
    ],
)
def test_choice(machine, gpus, instructions, flags, words):
    machine(gpus, instructions)
    assert precision.choose(PrecisionSettings(**flags)).words == words


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"mixed_precision": True}, "needs a GPU or a CPU that computes in bfloat16"),
        ({"precision": "mixed"}, "needs a GPU or a CPU that computes in bfloat16"),
        ({"xla": True}, "compiles for a GPU, and the network is on the CPU"),
    ],
)
@pytest.mark.parametrize("gpus", [(), GPU])
def test_what_a_device_lacks_is_refused(machine, gpus, flags, message):
    machine(gpus, {"avx512f"})
    with pytest.raises(UserError, match=message):
        precision.choose(PrecisionSettings(**flags), on_cpu=True)


@pytest.mark.parametrize(
    ("gpus", "precision_flag", "flags", "message"),
    [
        (GPU, "float32", {"mixed_precision": True}, "means --nomixed_precision .*; got --mixed_p"),
        (GPU, "mixed", {"mixed_precision": False}, "means --mixed_precision .*; got --nomixed_p"),
        (GPU, "fastest", {"mixed_precision": False}, "means --mixed_precision .*; got --nomixed_p"),
        (GPU, "fastest", {"xla": False}, "means --xla on this device; got --noxla. Leave one of"),
        ((), "fastest", {"xla": True}, "means --noxla on this device; got --xla. Leave one of"),
        ((), "fastest", {"mixed_precision": True}, "means --nomixed_precision .*; got --mixed_p"),
    ],
)
def test_a_flag_that_contradicts_is_refused(machine, gpus, precision_flag, flags, message):
    machine(gpus, {"avx512_bf16"})
    with pytest.raises(UserError, match=f"^--precision={precision_flag} {message}"):
        precision.choose(PrecisionSettings(precision=precision_flag, **flags))
    assert precision.choose(PrecisionSettings(precision=precision_flag)).words


def test_session_settings():
    options = precision.Precision(tf.float16, xla=True).configure(tf.ConfigProto()).graph_options
    assert options.rewrite_options.auto_mixed_precision == 1
    assert options.optimizer_options.global_jit_level == tf.OptimizerOptions.ON_1
    options = BFLOAT16.configure(tf.ConfigProto()).graph_options.rewrite_options
    assert options.auto_mixed_precision_onednn_bfloat16 == 1
    assert not options.auto_mixed_precision
    assert not options.auto_mixed_precision_cpu
    assert precision.FLOAT32.configure(tf.ConfigProto()) == tf.ConfigProto()


def build(chosen):
    """Builds a training step of two convolutions; returns the loss and the step."""
    images = np.random.RandomState(0).rand(8, 12, 12, 3).astype(np.float32)
    tf.set_random_seed(1)
    net = tf.constant(images)
    for width in (16, 4):
        net = slim.conv2d(net, width, 3, padding="VALID")
    loss = tf.reduce_mean(tf.square(net - tf.constant(images[:, 2:-2, 2:-2, :1])))
    return loss, chosen.scaled(tf.train.GradientDescentOptimizer(0.02)).minimize(loss)


def run(chosen, steps):
    """Trains; returns the losses and the graphs that TensorFlow made of a step."""
    metadata = tf.RunMetadata()
    with tf.Graph().as_default():
        loss, step = build(chosen)
        with tf.Session(config=chosen.configure(tf.ConfigProto())) as session:
            session.run(tf.global_variables_initializer())
            options = tf.RunOptions(output_partition_graphs=True)
            losses = [session.run([loss, step], options=options, run_metadata=metadata)[0]]
            losses += [session.run([loss, step])[0] for _ in range(steps - 1)]
            dtypes = {variable.dtype.base_dtype for variable in tf.trainable_variables()}
    assert dtypes == {tf.float32}
    return losses, metadata


@pytest.mark.parametrize("dtype", [None, tf.float16])
def test_a_gpu_convolves_in_the_smaller_type(dtype):
    chosen = precision.Precision(dtype)
    with tf.Graph().as_default(), tf.device(made_up_gpu.DEVICE):
        _, step = build(chosen)
        graph = made_up_gpu.optimized(step, (), chosen.configure(tf.ConfigProto()))
    types = [node.attr["T"].type for node in graph.node if "Conv2D" in node.op]
    assert len(types) >= 5  # Two forward, two to the weights, one to the activations between.
    assert set(types) == {(dtype or tf.float32).as_datatype_enum}


def test_bfloat16_casts_and_agrees(caplog):
    """Runs in bfloat16 where the CPU has it; elsewhere the warning has to say that it does not."""
    caplog.set_level(logging.INFO)
    expected, metadata = run(precision.FLOAT32, 50)
    assert precision.count_casts(metadata, tf.bfloat16) == 0
    got, metadata = run(BFLOAT16, 50)
    np.testing.assert_allclose(got, expected, rtol=0.02)
    BFLOAT16.check(metadata)
    has_it = bool(precision._BFLOAT16_INSTRUCTIONS & precision._instructions())
    assert (precision.count_casts(metadata, tf.bfloat16) > 0) == has_it
    told = "casts to bfloat16" if has_it else "Mixed precision changes nothing"
    assert told in caplog.messages[-1]


def test_loss_scale_changes_no_result_in_float32():
    expected, _ = run(precision.FLOAT32, 5)
    got, metadata = run(precision.Precision(tf.float16), 5)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert precision.count_casts(metadata, tf.float16) == 0  # Only GPUs compute in it.
