"""Runs the loop with a step that only counts, and looks at what its hooks are told."""

import types

import pytest

from slim_internal.ground.compat import tf
from slim_internal.programs.training import hooks
from slim_internal.programs.training.loop import Loop


class _Recorder(hooks.Hook):
    def __init__(self, fetched=None):
        self.told = []
        self._fetched = fetched

    def fetches(self, step):
        return {"twice": self._fetched} if self._fetched is not None and step % 2 else {}

    def after_step(self, step):
        self.told.append((step.number, step.loss, step.is_last, dict(step.values)))

    def on_error(self, error, step, learning_rate):
        self.told.append((type(error).__name__, step, learning_rate))

    def at_end(self, step):
        self.told.append(("end", step))

    def close(self):
        self.told.append("closed")


@pytest.fixture
def run():
    """Returns a function that runs a loop whose loss is 10 times the learning rate."""

    def run_loop(hook_list, *, fails=False, **settings):
        with tf.Session() as session:
            rate = tf.placeholder(tf.float64, [])
            loss = 10 * rate
            if fails:
                with tf.control_dependencies([tf.debugging.Assert(rate < 2, ["too much"])]):
                    loss = tf.identity(loss)
            for hook in hook_list:
                if hook._fetched:
                    hook._fetched = 2 * rate
            graph = types.SimpleNamespace(loss=loss, learning_rate=rate, accumulate_steps=1)
            settings = {"step": 0, "last_step": 3, "must_stop": lambda: False, **settings}
            loop = Loop(session, graph, lambda step: step, hook_list, **settings)
            try:
                loop.run()
            finally:
                loop.hooks_told = [hook.told for hook in hook_list]
        return loop

    with tf.Graph().as_default():
        yield run_loop


def test_steps_and_hooks(run):
    loop = run([_Recorder(fetched=True)])
    assert (loop.step, loop.loss) == (3, 20.0)
    (told,) = loop.hooks_told
    assert told[:3] == [(1, 0.0, False, {}), (2, 10.0, False, {"twice": 2.0}), (3, 20.0, True, {})]
    assert told[3:] == [("end", 3), "closed"]


def test_goes_on_where_an_earlier_run_ended(run):
    assert run([_Recorder()], step=2).hooks_told == [[(3, 20.0, True, {}), ("end", 3), "closed"]]


def test_nothing_left_to_do(run):
    loop = run([_Recorder()], step=3)
    assert (loop.step, loop.loss, loop.hooks_told) == (3, None, [[("end", 3), "closed"]])


def test_stops_when_asked_to(run):
    answers = iter([False, False, True])
    assert run([], last_step=None, must_stop=lambda: next(answers)).step == 2


def test_error_is_shown_to_all_hooks_and_raised(run):
    recorders = [_Recorder(), _Recorder()]
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(recorders, fails=True)
    for recorder in recorders:
        assert recorder.told[2:] == [("InvalidArgumentError", 2, 2), "closed"]
