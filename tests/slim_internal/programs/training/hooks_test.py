"""When periodic actions are due, and what each hook makes of steps."""

import math

import pytest

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.training import hooks


@pytest.fixture
def clock(monkeypatch):
    """Returns a list whose only number is the time."""
    now = [100.0]
    monkeypatch.setattr(hooks.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("periods", "due"),
    [
        pytest.param({}, [], id="never"),
        pytest.param({"every_steps": 3}, [3, 6, 9], id="steps"),
        pytest.param({"at_steps": (1, 8)}, [1, 8], id="given"),
        pytest.param({"every_secs": 4.0}, [4, 8], id="seconds"),
        pytest.param({"every_secs": 4.0, "at_once": True}, [1, 5, 9], id="at_once"),
        pytest.param({"every_secs": 0.0}, list(range(1, 10)), id="always"),
        pytest.param({"every_steps": 4, "at_steps": [7]}, [4, 7, 8], id="either"),
    ],
)
def test_timer(clock, periods, due):
    timer = hooks.Timer(**periods)
    seen = []
    for step in range(1, 10):  # Each takes a second.
        clock[0] += 1
        if timer.due(step):
            seen.append(step)
            timer.restart()
    assert seen == due


class _Saver:
    def __init__(self):
        self.steps = []

    def save(self, session, path, global_step):
        self.steps.append(global_step)


class _Session:
    def __init__(self, finite=True):
        self.finite = finite

    def run(self, fetches):
        return self.finite


def _saving(session=None, **settings):
    saver = _Saver()
    settings = {"every_secs": 2.0, "checkpoint": None, "first_step": 0, **settings}
    return saver, hooks.Saving(session or _Session(), saver, "run", None, **settings)


def _step(number, **values):
    return hooks.Step(number, 1.0, 0.1, values=values)


def test_saves_when_due_and_at_the_end_but_no_step_twice(clock):
    saver, saving = _saving()
    for number in range(1, 6):
        clock[0] += 1
        saving.after_step(_step(number))
    saving.at_end(5)
    saving.at_end(5)
    assert saver.steps == [2, 4, 5]
    assert saving.checkpoint == "run/model.ckpt-5"


def test_no_step_no_checkpoint():
    saver, saving = _saving(checkpoint="run/model.ckpt-7", first_step=7)
    saving.at_end(7)
    assert (saver.steps, saving.checkpoint) == ([], "run/model.ckpt-7")


@pytest.mark.parametrize(
    ("error", "steps"),
    [
        (tf.errors.DataLossError(None, None, "x"), [3]),
        (tf.errors.AbortedError(None, None, "x"), []),
    ],
)
def test_what_came_before_a_damaged_record_is_saved(error, steps):
    saver, saving = _saving()
    saving.on_error(error, 3, 0.1)
    assert saver.steps == steps


def test_weights_that_are_not_finite_are_not_saved():
    saver, saving = _saving(_Session(finite=False), checkpoint="run/model.ckpt-7")
    with pytest.raises(hooks.DivergedError, match=r"at step 9 .* good checkpoint is run/model\.c"):
        saving.at_end(9)
    assert saver.steps == []


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_divergence(loss):
    watch = hooks.DivergenceWatch(_saving()[1])
    watch.after_step(_step(1))
    with pytest.raises(
        hooks.DivergedError, match=r"The loss is .* at step 2 \(learning rate 0.5\)"
    ):
        watch.after_step(hooks.Step(2, loss, 0.5))


@pytest.mark.parametrize(
    ("labels", "message"), [((0, 3), None), ((-1, 3), "are -1 to 3"), ((0, 4), "are 0 to 4")]
)
def test_labels(labels, message):
    check = hooks.LabelCheck(None, 4, 1)
    if message is None:
        check.after_step(_step(1, label_range=labels))
    else:
        with pytest.raises(UserError, match=message):
            check.after_step(_step(1, label_range=labels))


def test_a_folder_that_was_removed_while_training_is_one_line(tmp_path):
    class Saver:
        def save(self, session, path, **arguments):
            raise ValueError(f"Parent directory of {path} doesn't exist, can't save.")

    gone = tmp_path / "gone"
    saving = hooks.Saving(
        _Session(), Saver(), str(gone), None, every_secs=2.0, checkpoint=None, first_step=0
    )
    with pytest.raises(UserError, match=r"Step 3 cannot be saved: .*gone was removed while train"):
        saving.at_end(3)
    gone.mkdir()
    with pytest.raises(ValueError, match="Parent directory"):
        saving.at_end(3)
