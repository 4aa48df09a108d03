"""Follows each optimizer by hand for two steps on the loss 3 w, from w = 1."""

import math

import pytest

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.training import optimizers
from slim_internal.programs.training.settings import TrainConfig

_RATE = 0.1


def _adadelta():
    weight, squares, updates = 1.0, 0.0, 0.0
    for _ in range(2):
        squares = 0.95 * squares + 0.05 * 9
        update = 3 * math.sqrt(updates + 1.0) / math.sqrt(squares + 1.0)
        updates = 0.95 * updates + 0.05 * update**2
        weight -= _RATE * update
    return weight


def _adagrad():
    return 1 - _RATE * 3 * (1 / math.sqrt(0.1 + 9) + 1 / math.sqrt(0.1 + 18))


def _adam():
    weight, mean, squares = 1.0, 0.0, 0.0
    for step in (1, 2):
        mean, squares = 0.9 * mean + 0.1 * 3, 0.999 * squares + 0.001 * 9
        rate = _RATE * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weight -= rate * mean / (math.sqrt(squares) + 1.0)
    return weight


def _ftrl():
    weight, sum_squares, linear = 1.0, 0.1, 0.0
    for _ in range(2):
        grown = sum_squares + 9
        linear += 3 - (math.sqrt(grown) - math.sqrt(sum_squares)) / _RATE * weight
        sum_squares = grown
        weight = -linear * _RATE / math.sqrt(sum_squares)
    return weight


def _rmsprop():
    weight, squares, velocity = 1.0, 1.0, 0.0
    for _ in range(2):
        squares = 0.9 * squares + 0.1 * 9
        velocity = 0.9 * velocity + _RATE * 3 / math.sqrt(squares + 1.0)
        weight -= velocity
    return weight


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adadelta", _adadelta()),
        ("adagrad", _adagrad()),
        ("adam", _adam()),
        ("ftrl", _ftrl()),
        ("momentum", 1 - _RATE * (3 + 3 + 0.9 * 3)),
        ("rmsprop", _rmsprop()),
        ("sgd", 1 - _RATE * 6),
    ],
)
def test_two_steps(name, expected):
    assert _after_two_steps(optimizer=name) == pytest.approx(expected, rel=1e-5)


def _after_two_steps(shape=(), **settings):
    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable("weight", initializer=tf.ones(shape))
        config = TrainConfig(dataset_dir="data", **settings)
        train_op = optimizers.build(config, tf.constant(_RATE)).minimize(3 * weight)
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        session.run(train_op)
        return session.run(weight).item()


def test_nesterov_where_there_is_none_is_said(caplog):
    _after_two_steps(optimizer="sgd", use_nesterov=True)
    assert caplog.messages == ["--use_nesterov changes nothing with --optimizer=sgd."]


def test_nesterov_looks_ahead():
    expected = 1 - _RATE * (3 + 0.9 * 3 + 3 + 0.9 * (3 + 0.9 * 3))
    assert _after_two_steps(optimizer="momentum", use_nesterov=True) == pytest.approx(expected)


@pytest.mark.parametrize(("shape", "decay"), [((), 0.0), ((1,), 0.0), ((1, 1), 0.2)])
def test_adamw_decays_kernels_alone(shape, decay):
    weight = 1.0
    mean = squares = 0.0
    for step in (1, 2):
        weight -= _RATE * decay * weight
        mean, squares = 0.9 * mean + 0.1 * 3, 0.999 * squares + 0.001 * 9
        rate = _RATE * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weight -= rate * mean / (math.sqrt(squares) + 1.0)
    settings = {"optimizer": "adamw", "adamw_weight_decay": 0.2}
    assert _after_two_steps(shape, **settings) == pytest.approx(weight, rel=1e-5)


@pytest.mark.parametrize(("name", "weight"), [("adam", 0.5), ("adamw", 0.0)])
def test_adamw_has_no_penalty_in_the_loss(name, weight):
    config = TrainConfig(dataset_dir="data", optimizer=name, weight_decay=0.5)
    assert optimizers.l2_weight(config) == weight


def test_unknown_name():
    with pytest.raises(UserError, match="Did you mean 'adam'"):
        optimizers.build(TrainConfig(dataset_dir="data", optimizer="adm"), tf.constant(_RATE))


def test_a_setting_that_the_optimizer_does_not_take():
    config = TrainConfig(dataset_dir="data", optimizer="ftrl", ftrl_learning_rate_power=1.0)
    with pytest.raises(UserError, match="--optimizer=ftrl: learning_rate_power"):
        optimizers.build(config, tf.constant(_RATE))


@pytest.mark.parametrize("name", ["adam", "adamw", "momentum", "rmsprop"])
def test_what_comes_from_a_checkpoint_learns_more_slowly(name):
    with tf.Graph().as_default(), tf.Session() as session:
        weights = [tf.get_variable(f"{scope}/w", initializer=1.0) for scope in ("net", "net/new")]
        config = TrainConfig(
            dataset_dir="data", optimizer=name, checkpoint_learning_rate_factor=0.25
        )
        step = tf.train.get_or_create_global_step()
        optimizer = optimizers.build(config, tf.constant(_RATE), ("net/new",))
        train_op = optimizer.minimize(tf.add_n([3 * weight for weight in weights]), step)
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        old, new = session.run(weights)
        assert session.run(step) == 1
        session.run(train_op)
        assert session.run(weights[1]) == pytest.approx(_after_two_steps(optimizer=name), rel=1e-6)
    assert 1 - old == pytest.approx(0.25 * (1 - new), rel=1e-5)


@pytest.mark.parametrize("trained", ["net", "new"])
def test_both_rates_are_not_always_needed(trained):
    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable(f"{trained}/w", initializer=1.0)
        config = TrainConfig(
            dataset_dir="data", optimizer="sgd", checkpoint_learning_rate_factor=0.25
        )
        train_op = optimizers.build(config, tf.constant(_RATE), ("new",)).minimize(3 * weight)
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        assert session.run(weight) == pytest.approx({"net": 0.925, "new": 0.7}[trained])


def test_a_factor_without_anything_new():
    config = TrainConfig(dataset_dir="data", checkpoint_learning_rate_factor=0.1)
    message = "--checkpoint_learning_rate_factor=0.1 needs --checkpoint_exclude_scopes: "
    with pytest.raises(UserError, match=f"^{message}"):
        optimizers.build(config, tf.constant(_RATE))
