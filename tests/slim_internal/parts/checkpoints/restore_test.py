"""Restores checkpoints that fit, nearly fit and do not fit."""

import numpy as np
import pytest

from nets import nets_factory
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import restore
from tests import small_models

_SAVED = {
    "net/conv/weights": [3, 3, 1, 4],
    "net/conv/weights/Momentum": [3, 3, 1, 4],
    "net/conv/weights/ExponentialMovingAverage": [3, 3, 1, 4],
    "net/old/biases": [4],
    "net/logits/weights": [4, 1001],
    "net/logits/biases": [1001],
    "global_step": [],
    "net/old/biases/Adam": [4],
    "net/old/biases/Adam_1": [4],
    "beta1_power": [],
    "beta2_power": [],
    "scale_of_an_optimizer_to_come": [],
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("checkpoint") / "model.ckpt")
    with tf.Graph().as_default(), tf.Session() as session:
        for value, (name, shape) in enumerate(_SAVED.items()):
            tf.get_variable(name, shape, initializer=tf.constant_initializer(value))
        session.run(tf.global_variables_initializer())
        return tf.train.Saver().save(session, path, global_step=7)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def _network(num_classes=1001, **others):
    shapes = {
        "net/conv/weights": [3, 3, 1, 4],
        "net/logits/weights": [4, num_classes],
        "net/logits/biases": [num_classes],
        **others,
    }
    return [
        tf.get_variable(name, shape, initializer=tf.constant_initializer(-1.0))
        for name, shape in shapes.items()
    ]


@pytest.mark.parametrize(("trained", "channels"), [(3, 1), (1, 3), (1, 4)])
def test_an_adapted_network_says_of_a_gray_image_what_it_said_before(tmp_path, trained, channels):
    """Of the image repeated in all channels, that is."""
    network = nets_factory.get_network("mobilenet_v1_025")
    build = nets_factory.get_network_fn(network.name, num_classes=5)
    gray = np.random.RandomState(0).uniform(-1, 1, (2, 64, 64, 1)).astype(np.float32)

    def logits(number, weights):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(1)
            scores = build(tf.constant(np.repeat(gray, number, axis=3)))[0]
            if weights:
                planned = restore.plan(
                    tf.global_variables(), weights, first_conv=network.first_conv
                )
                session.run(tf.global_variables_initializer())
                planned.restore(session)
                assert list(planned.adapted) == [network.first_conv]
                return session.run(scores), None
            session.run(tf.global_variables_initializer())
            path = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))
            return session.run(scores), path

    expected, path = logits(trained, None)
    size = np.abs(expected).max()  # Of random weights that may be little.
    np.testing.assert_allclose(logits(channels, path)[0], expected, rtol=0, atol=1e-5 * size)


def test_kernels_for_more_channels_are_those_of_timm():
    kernel = np.arange(2 * 3 * 5, dtype=np.float32).reshape(1, 2, 3, 5)
    four = restore.kernel_of(kernel, 4)
    np.testing.assert_allclose(four, kernel[:, :, [0, 1, 2, 0]] * 0.75, rtol=1e-6)
    assert four.dtype == np.float32


def test_other_kernels_are_not_adapted(tmp_path):
    """What a depthwise one gives is not added up at once."""
    for name, shape in (("depthwise_weights", [3, 3, 2, 4]), ("weights", [5, 5, 2, 4])):
        saved = tf.get_variable(f"{name}/{name}", [3, 3, 1, 4])
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            path = tf.train.Saver([saved]).save(session, str(tmp_path / f"{name}.ckpt"))
        with tf.Graph().as_default():
            variable = tf.get_variable(f"{name}/{name}", shape)
            with pytest.raises(UserError, match=r"Shape mismatch \(1\)"):
                restore.plan([variable], path, first_conv=variable.op.name)


def _restored(plan, variables):
    """Returns the value that each variable is filled with after restoring."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        plan.restore(session)
        values = session.run({variable.op.name: variable for variable in variables})
    assert all(np.ptp(value) == 0 for value in values.values())
    return {name: value.flat[0] for name, value in values.items()}


def test_fitting_checkpoint(checkpoint):
    variables = _network()
    plan = restore.plan(variables, checkpoint)
    assert (plan.excluded, plan.missing) == ([], [])
    assert _restored(plan, variables) == {
        "net/conv/weights": 0.0,
        "net/logits/weights": 4.0,
        "net/logits/biases": 5.0,
    }


def test_restores_into_a_finalized_graph(checkpoint, graph):
    variables = _network()
    plan = restore.plan(variables, checkpoint)
    tf.global_variables_initializer()
    graph.finalize()
    with tf.Session() as session:
        plan.restore(session)
        assert session.run(variables[0]).flat[0] == 0.0


def test_everything_that_does_not_fit_is_in_one_message(checkpoint):
    with pytest.raises(UserError) as caught:
        restore.plan(_network(5, **{"net/new/biases": [4]}), checkpoint)
    assert str(caught.value) == "\n".join([
        f"Checkpoint {checkpoint} does not fit the network.",
        "Missing in the checkpoint (1):",
        "  net/new/biases",
        "Extra in the checkpoint (1):",
        "  net/old/biases",
        "Shape mismatch (2):",
        "  net/logits/weights: [4, 1001] in the checkpoint, [4, 5] here",
        "  net/logits/biases: [1001] in the checkpoint, [5] here",
        "- To initialize the layers whose shapes differ randomly: "
        "--checkpoint_exclude_scopes=net/logits",
        "- To initialize missing variables randomly: --ignore_missing_vars",
    ])  # fmt: skip


def test_proposes_the_classifier_scopes_of_the_network(checkpoint):
    with pytest.raises(UserError, match=r"--checkpoint_exclude_scopes=net/logits,net/aux$"):
        restore.plan(_network(5), checkpoint, classifier_scopes=["net/logits", "net/aux"])


@pytest.mark.parametrize(
    ("classes", "remedy"),
    [
        (1000, r"one class more than .* change --labels_offset by -1, to -1 if"),
        (1002, r"one class less than .* change --labels_offset by \+1, to 1 if"),
    ],
)
def test_background_class_proposes_labels_offset(checkpoint, classes, remedy):
    with pytest.raises(UserError, match=remedy):
        restore.plan(_network(classes), checkpoint)


@pytest.mark.parametrize(
    ("classes", "more", "message"),
    [
        (
            1000,
            {"net/new/biases": [4]},
            r"is of another network: it lacks 1 of 4 variables \(net/new/biases, ...\) and has 1"
            r" others \(net/old/biases, ...\). Give the --model_name that it was trained with\.$",
        ),
        (1000, {}, r"has 1,001 classes, the network here 1,000\. .* lower --labels_offset by 1\.$"),
        (1002, {}, r"has 1,001 classes, the network here 1,002\. .* raise --labels_offset by 1\.$"),
        (
            10,
            {},
            r"has 1,001 classes, the network here 10\. Give the --dataset_name and --dataset_dir"
            r" that it was trained with, or the --labels_offset\.$",
        ),
        (
            1001,
            {"net/conv/weights": [5, 5, 1, 4]},
            r"1 of 3 variables differ in shape, such as net/conv/weights, \[3, 3, 1, 4\] in the"
            r" checkpoint and \[5, 5, 1, 4\] here\. Give the --model_name and the --image_size",
        ),
    ],
)
def test_programs_that_need_all_weights_say_in_one_line_what_does_not_fit(
    checkpoint, classes, more, message
):
    with pytest.raises(UserError, match=message) as caught:
        restore.plan(_network(classes, **more), checkpoint, all_needed=True)
    assert "\n" not in str(caught.value)
    assert "--ignore_missing_vars" not in str(caught.value)
    assert "--checkpoint_exclude_scopes" not in str(caught.value)


def test_the_network_that_a_checkpoint_is_of_is_proposed(tmp_path):
    path = small_models.save_lenet(tmp_path)
    with pytest.raises(UserError, match=r" trained with, such as lenet\.$"):
        restore.plan([tf.get_variable("CifarNet/conv1/weights", [1])], path, all_needed=True)
    averages = {"CifarNet/conv1/weights/ExponentialMovingAverage": tf.get_variable("a", [1])}
    with pytest.raises(UserError, match=r" trained with, such as lenet\.$"):
        restore.plan(averages, path, all_needed=True)


def test_missing_moving_averages_propose_the_weights(checkpoint):
    averages = restore.moving_averages(_network())
    with pytest.raises(UserError, match=r"of 3 variables: use --moving_average_decay=0\.$"):
        restore.plan(averages, checkpoint, all_needed=True)


def test_excluded_scopes_keep_their_values(checkpoint):
    variables = _network(5)
    plan = restore.plan(variables, checkpoint, exclude_scopes=["net/logits"])
    assert plan.excluded == ["net/logits/weights", "net/logits/biases"]
    assert _restored(plan, variables) == {
        "net/conv/weights": 0.0,
        "net/logits/weights": -1.0,
        "net/logits/biases": -1.0,
    }


def test_ignored_variables_keep_their_values(checkpoint):
    variables = _network(5, **{"net/new/biases": [4]})
    plan = restore.plan(variables, checkpoint, ignore_missing=True)
    assert plan.missing == ["net/new/biases", "net/logits/weights", "net/logits/biases"]
    assert _restored(plan, variables)["net/new/biases"] == -1.0
    assert _restored(plan, variables)["net/conv/weights"] == 0.0


def test_nothing_to_restore(checkpoint):
    variables = _network(5)
    plan = restore.plan(variables, checkpoint, exclude_scopes=["net"])
    assert set(_restored(plan, variables).values()) == {-1.0}


def test_nothing_that_fits_is_an_error_even_if_missing_variables_are_ignored(checkpoint):
    variables = [tf.get_variable("other/weights", [2]), tf.get_variable("net/logits/weights", [3])]
    with pytest.raises(UserError, match=r"^Nothing in checkpoint .*other/weights.*--model_name"):
        restore.plan(variables, checkpoint, ignore_missing=True)


def test_averages_of_trainable_variables_only(tmp_path):
    """What `ema.apply()` of TensorFlow 1 leaves in a checkpoint."""
    with tf.Graph().as_default(), tf.Session() as session:
        weights = tf.get_variable("weights", initializer=1.0)
        tf.get_variable("moving_mean", initializer=2.0, trainable=False)
        ema = tf.train.ExponentialMovingAverage(0.5)
        update = ema.apply()
        session.run(tf.global_variables_initializer())
        session.run(weights.assign(3.0))
        session.run(update)
        path = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    weights = tf.get_variable("weights", [])
    mean = tf.get_variable("moving_mean", [], trainable=False)
    names = restore.moving_averages([weights, mean], restore.saved_shapes(path))
    assert list(names) == ["weights/ExponentialMovingAverage", "moving_mean"]
    with tf.Session() as session:
        restore.plan(names, path, all_needed=True).restore(session)
        assert session.run([weights, mean]) == [2.0, 2.0]


def test_moving_averages(checkpoint):
    variables = _network()[:1]
    plan = restore.plan(restore.moving_averages(variables), checkpoint)
    assert _restored(plan, variables) == {"net/conv/weights": 2.0}


def test_missing_moving_average(checkpoint):
    with pytest.raises(UserError, match="net/logits/biases/ExponentialMovingAverage") as caught:
        restore.plan(restore.moving_averages(_network()), checkpoint)
    assert "net/logits/biases\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "scopes", "inside"),
    [
        ("net/logits/weights", ["net/logits"], True),
        ("net/logits/weights", ["net/logits/"], True),
        ("net/logits_2/weights", ["net/logits"], False),
        ("net/logits", ["net/logits"], True),
        ("net/logits", [], False),
    ],
)
def test_in_scopes(name, scopes, inside):
    assert restore.in_scopes(name, scopes) is inside


def test_damaged_data_is_one_clear_error(tmp_path):
    with tf.Session() as session:
        variables = _network()
        session.run(tf.global_variables_initializer())
        saved = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))
        (tmp_path / "model.ckpt.data-00000-of-00001").write_bytes(b"")
        with pytest.raises(UserError, match=r"is damaged: (?!Graph execution error)"):
            restore.plan(variables, saved).restore(session)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_the_name_of_the_variable(tmp_path, value):
    with tf.Session() as session:
        variables = _network()
        session.run(tf.global_variables_initializer())
        weights = np.zeros([4, 1001], np.float32)
        weights[2, 3] = value
        variables[1].load(weights, session)
        saved = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))
        message = f"^Checkpoint {saved} cannot be used: 1 of 4004 numbers of net/logits/weights are"
        with pytest.raises(UserError, match=message):
            restore.plan(variables, saved).restore(session)
        restore.plan(variables[:1], saved).restore(session)  # What is not wanted does not matter.


def test_single_file_of_the_first_tensorflow(tmp_path):
    """Most of the published checkpoints are such files."""
    path = str(tmp_path / "vgg_16.ckpt")
    saved = np.random.RandomState(0).normal(size=[3, 3, 1, 4]).astype(np.float32)
    with tf.Session() as session:
        session.run(tf.raw_ops.Save(filename=path, tensor_names=["net/conv/weights"], data=[saved]))
        variable = tf.get_variable("net/conv/weights", saved.shape)
        restore.plan([variable], path).restore(session)
        np.testing.assert_array_equal(session.run(variable), saved)
