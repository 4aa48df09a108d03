"""Compares learning rates with numbers worked out by hand: 100 samples, 10 steps per epoch."""

import numpy as np
import pytest

from slim_internal.ground.errors import UserError
from slim_internal.programs.training import schedules
from slim_internal.programs.training.settings import TrainConfig


def _rates(steps, num_samples=100, last_step=None, **settings):
    config = TrainConfig(dataset_dir="data", batch_size=10, learning_rate=0.5, **settings)
    return list(map(schedules.build(config, num_samples, last_step), steps))


@pytest.mark.parametrize(
    ("settings", "steps", "expected"),
    [
        pytest.param({}, [0, 19, 20, 39, 40], [0.5, 0.5, 0.47, 0.47, 0.4418], id="exponential"),
        pytest.param(
            {"learning_rate_decay_type": "fixed"}, [0, 20, 1000], [0.5, 0.5, 0.5], id="fixed"
        ),
        pytest.param(
            {"learning_rate_decay_type": "polynomial", "end_learning_rate": 0.1},
            [0, 10, 20, 1000],
            [0.5, 0.3, 0.1, 0.1],
            id="polynomial",
        ),
        pytest.param(
            {"warmup_epochs": 3.0},
            [0, 15, 29, 30, 40],
            [0.0, 0.25, 0.47, 0.47, 0.4418],
            id="warmup",
        ),
        pytest.param(
            {"learning_rate_decay_type": "cosine", "end_learning_rate": 0.1, "last_step": 40},
            [0, 10, 20, 40, 99],
            [0.5, 0.3 + 0.2 * np.sqrt(0.5), 0.3, 0.1, 0.1],
            id="cosine",
        ),
        pytest.param(
            {"learning_rate_decay_type": "cosine", "warmup_epochs": 1.0, "last_step": 1000},
            [0, 5],
            [0.0, 0.25],
            id="cosine_with_warmup",
        ),
        pytest.param(
            {"learning_rate_decay_type": "piecewise", "learning_rate_changes": "1:0.2, 2.5:0"},
            [0, 9, 10, 24, 25, 99],
            [0.5, 0.5, 0.2, 0.2, 0.0, 0.0],
            id="piecewise",
        ),
        pytest.param({"num_epochs_per_decay": 0.25}, [1, 2], [0.5, 0.47], id="part_of_an_epoch"),
        pytest.param({"num_clones": 2}, [19, 20], [0.5, 0.47], id="clones_count_their_own_epochs"),
    ],
)
def test_schedule(settings, steps, expected):
    np.testing.assert_allclose(_rates(steps, **settings), expected, rtol=1e-5)


def test_whole_number_of_steps_is_kept():
    """1357 / 10 * 30 is a little less than 4071."""
    rates = _rates([4070, 4071], num_samples=1357, num_epochs_per_decay=30.0)
    np.testing.assert_allclose(rates, [0.5, 0.47], rtol=1e-5)


def test_epoch_shorter_than_a_batch_decays_each_step():
    np.testing.assert_allclose(_rates([0, 1], num_samples=3), [0.5, 0.47], rtol=1e-5)


def test_unknown_decay():
    with pytest.raises(UserError, match="Did you mean 'exponential'"):
        _rates([0], learning_rate_decay_type="exponentially")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate_decay_type": "cosine"}, "needs the end of the run: --num_epochs or"),
        ({"learning_rate_decay_type": "piecewise"}, "EPOCH:RATE.*; got ''"),
        (
            {"learning_rate_decay_type": "piecewise", "learning_rate_changes": "3=0.1"},
            "EPOCH:RATE.*; got '3=0.1'",
        ),
        (
            {"learning_rate_decay_type": "piecewise", "learning_rate_changes": "3:0.1,2:0.2"},
            "rising epochs .*; got '3:0.1,2:0.2'",
        ),
        (
            {"learning_rate_decay_type": "piecewise", "learning_rate_changes": "3:-1"},
            "at least 0; got '3:-1'",
        ),
        (
            {"learning_rate_decay_type": "piecewise", "learning_rate_changes": "3:nan"},
            "at least 0; got '3:nan'",
        ),
        (
            {"learning_rate_decay_type": "piecewise", "learning_rate_changes": "inf:0.1"},
            "at least 0; got 'inf:0.1'",
        ),
    ],
)
def test_schedule_that_lacks_what_it_needs(settings, message):
    with pytest.raises(UserError, match=message):
        _rates([0], **settings)


def test_changes_that_the_schedule_does_not_make_are_said(caplog):
    _rates([0], learning_rate_changes="3:0.1")
    message = "--learning_rate_changes changes nothing with the schedule exponential."
    assert caplog.messages == [message]
