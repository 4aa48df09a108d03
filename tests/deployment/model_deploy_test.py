"""Checks placement, scopes and the arithmetic of clones."""

import inspect

import numpy as np
import pytest

from deployment import model_deploy
from slim_internal.ground.compat import slim, tf
from tests import golden_files

_IMAGES = np.random.RandomState(0).uniform(-1, 1, [8, 6]).astype(np.float32)
_LABELS = np.arange(8) % 3


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def _classifier(batches, batch_norm=False):
    """Returns a model_fn that takes one batch after the other."""
    batches = iter(batches)

    def model_fn():
        images, labels = next(batches)
        net = tf.constant(images)
        if batch_norm:
            net = slim.batch_norm(net, is_training=True, scope="norm")
        logits = slim.fully_connected(
            net,
            3,
            activation_fn=None,
            weights_initializer=tf.constant_initializer(np.linspace(-1, 1, 18)),
            weights_regularizer=slim.l2_regularizer(0.01),
            scope="logits",
        )
        tf.losses.sparse_softmax_cross_entropy(labels, logits)
        return logits

    return model_fn


def _split(num_clones):
    return list(zip(np.split(_IMAGES, num_clones), np.split(_LABELS, num_clones), strict=True))


def _session():
    session = tf.Session(config=tf.ConfigProto(allow_soft_placement=True))
    session.run(tf.global_variables_initializer())
    return session


@pytest.mark.parametrize("name", ["create_clones", "deploy", "optimize_clones"])
def test_signatures(name):
    expected = golden_files.load("api.json")["deployment.model_deploy"]["functions"][name]
    parameters = inspect.signature(getattr(model_deploy, name)).parameters.values()
    assert [str(p).split("=") for p in parameters] == expected["signature"]


def test_config_takes_the_published_arguments_in_order():
    methods = golden_files.load("api.json")["deployment.model_deploy"]["classes"][
        "DeploymentConfig"
    ]["methods"]
    parameters = inspect.signature(model_deploy.DeploymentConfig).parameters.values()
    assert [[p.name, repr(p.default)] for p in parameters] == methods["__init__"][1:]
    config = model_deploy.DeploymentConfig()
    assert all(hasattr(config, name) for name in methods)


@pytest.mark.parametrize(
    ("arguments", "clones", "scopes", "variables", "others"),
    [
        pytest.param({}, ["/device:GPU:0"], [""], "/device:CPU:0", "/device:CPU:0", id="default"),
        pytest.param(
            {"clone_on_cpu": True},
            ["/device:CPU:0"],
            [""],
            "/device:CPU:0",
            "/device:CPU:0",
            id="cpu",
        ),
        pytest.param(
            {"num_clones": 2},
            ["/device:GPU:0", "/device:GPU:1"],
            ["clone_0", "clone_1"],
            "/device:CPU:0",
            "/device:CPU:0",
            id="two_clones",
        ),
        pytest.param(
            {"num_clones": 2, "num_ps_tasks": 1, "worker_job_name": "w"},
            ["/job:w/device:GPU:0", "/job:w/device:GPU:1"],
            ["clone_0", "clone_1"],
            "/job:ps/task:0/device:CPU:0",
            "/job:w/device:CPU:0",
            id="parameter_server",
        ),
    ],
)
def test_devices_and_scopes(arguments, clones, scopes, variables, others):
    config = model_deploy.DeploymentConfig(**arguments)
    indices = range(config.num_clones)
    assert [config.clone_device(index) for index in indices] == clones
    assert [config.clone_scope(index) for index in indices] == scopes
    assert config.optimizer_device() == config.inputs_device() == others
    with tf.device(config.variables_device()):
        assert tf.get_variable("v", [1]).device == variables


def test_variables_go_to_the_parameter_servers_in_turn():
    config = model_deploy.DeploymentConfig(num_ps_tasks=2)
    with tf.device(config.variables_device()):
        devices = [tf.get_variable(name, [1]).device for name in "abc"]
        assert tf.constant(1).device == ""
    assert devices == [f"/job:ps/task:{task}/device:CPU:0" for task in (0, 1, 0)]


@pytest.mark.parametrize(
    "arguments", [{"num_replicas": 2}, {"num_replicas": 2, "num_ps_tasks": 1, "replica_id": 2}]
)
def test_impossible_deployment(arguments):
    with pytest.raises(ValueError, match="replica"):
        model_deploy.DeploymentConfig(**arguments)


@pytest.mark.parametrize("index", [-1, 2])
def test_no_such_clone(index):
    config = model_deploy.DeploymentConfig(num_clones=2)
    with pytest.raises(ValueError, match=f"Clone {index} "):
        config.clone_device(index)
    with pytest.raises(ValueError, match=f"Clone {index} "):
        config.clone_scope(index)


def test_clones_share_variables_and_have_scopes_of_their_own():
    config = model_deploy.DeploymentConfig(num_clones=2)
    clones = model_deploy.create_clones(config, _classifier(_split(2)))
    assert [v.op.name for v in slim.get_variables()] == ["logits/weights", "logits/biases"]
    assert {v.device for v in slim.get_variables()} == {"/device:CPU:0"}
    for index, clone in enumerate(clones):
        assert clone.scope == f"clone_{index}/"
        assert clone.outputs.op.name == f"clone_{index}/logits/BiasAdd"
        assert clone.outputs.device == clone.device == f"/device:GPU:{index}"


def _loss_and_gradients(num_clones):
    with tf.Graph().as_default():
        config = model_deploy.DeploymentConfig(num_clones=num_clones)
        clones = model_deploy.create_clones(config, _classifier(_split(num_clones)))
        optimizer = tf.train.GradientDescentOptimizer(1.0)
        loss, gradients = model_deploy.optimize_clones(clones, optimizer)
        with _session() as session:
            return session.run([loss, *(gradient for gradient, _ in gradients)])


@pytest.mark.parametrize("num_clones", [2, 4])
def test_clones_learn_what_one_learns_from_all_batches(num_clones):
    for several, one in zip(_loss_and_gradients(num_clones), _loss_and_gradients(1), strict=True):
        np.testing.assert_allclose(several, one, rtol=1e-5, atol=1e-7)


def test_gradient_of_a_single_clone_by_hand():
    loss, weights, biases = _loss_and_gradients(1)
    kernel = np.linspace(-1, 1, 18).reshape(6, 3)
    scores = np.exp(_IMAGES @ kernel)
    error = scores / scores.sum(1, keepdims=True) - np.eye(3)[_LABELS]
    np.testing.assert_allclose(weights, _IMAGES.T @ error / 8 + 0.01 * kernel, rtol=1e-4)
    np.testing.assert_allclose(biases, error.mean(0), rtol=1e-4)
    likelihood = (scores / scores.sum(1, keepdims=True))[np.arange(8), _LABELS]
    expected = -np.log(likelihood).mean() + 0.005 * (kernel**2).sum()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_regularization_can_be_given_and_is_counted_once():
    config = model_deploy.DeploymentConfig(num_clones=2)
    clones = model_deploy.create_clones(config, _classifier(_split(2)))
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    losses = [
        model_deploy.optimize_clones(clones, optimizer, regularization_losses=penalties)[0]
        for penalties in ([], [tf.constant(7.0)])
    ]
    with _session() as session:
        without, with_penalty = session.run(losses)
    assert with_penalty - without == pytest.approx(7.0, rel=1e-5)


def test_var_list_limits_the_gradients():
    config = model_deploy.DeploymentConfig()
    clones = model_deploy.create_clones(config, _classifier(_split(1)))
    (biases,) = slim.get_variables_by_name("biases")
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    _, gradients = model_deploy.optimize_clones(clones, optimizer, var_list=[biases])
    assert [variable for _, variable in gradients] == [biases]


def test_no_loss_no_gradient():
    config = model_deploy.DeploymentConfig()
    clones = model_deploy.create_clones(config, lambda: tf.constant(1.0))
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    assert model_deploy.optimize_clones(clones, optimizer) == (None, [])


@pytest.mark.parametrize("num_clones", [1, 2])
def test_deploy_trains(num_clones):
    config = model_deploy.DeploymentConfig(num_clones=num_clones)
    model = model_deploy.deploy(
        config,
        _classifier(_split(num_clones), batch_norm=True),
        optimizer=tf.train.GradientDescentOptimizer(1.0),
        summarize_gradients=True,
    )
    assert len(model.clones) == num_clones
    updated = {update.name for update in tf.get_collection(tf.GraphKeys.UPDATE_OPS)}
    assert len(updated) == 2 * num_clones
    (mean,) = slim.get_variables_by_name("moving_mean")
    with _session() as session:
        losses = [session.run(model.train_op) for _ in range(20)]
        assert losses[-1] < 0.8 * losses[0]
        assert session.run(tf.train.get_global_step()) == 20
        first_batch = _split(num_clones)[0][0]
        np.testing.assert_allclose(
            session.run(mean), first_batch.mean(0) * (1 - 0.999**20), rtol=1e-3, atol=1e-6
        )
        summary = tf.Summary.FromString(session.run(model.summary_op))
    assert "total_loss" in {value.tag for value in summary.value}
    assert model.total_loss.op.name == "total_loss"  # As in graphs of the original.


def test_deploy_without_optimizer_adds_up_the_losses():
    config = model_deploy.DeploymentConfig(num_clones=2)
    model = model_deploy.deploy(config, _classifier(_split(2)))
    assert model.train_op is None
    with _session() as session:
        loss = session.run(model.total_loss)
    assert loss == pytest.approx(_loss_and_gradients(1)[0], rel=1e-5)


def test_arguments_reach_the_model():
    config = model_deploy.DeploymentConfig()
    clones = model_deploy.create_clones(
        config, lambda a, b, c: (a, b, c), args=[1, 2], kwargs={"c": 3}
    )
    assert clones[0].outputs == (1, 2, 3)
