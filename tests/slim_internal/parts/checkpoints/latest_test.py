"""Damages real checkpoints and looks for the newest good one."""

import pathlib

import pytest

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest


@pytest.fixture
def train_dir(tmp_path):
    """A folder with checkpoints of steps 9, 10 and 100, which sort otherwise as text."""
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.get_variable("step", [], tf.int64)
        tf.get_variable("weights", [50, 50])
        session.run(tf.global_variables_initializer())
        saver = tf.train.Saver()
        for value in (9, 10, 100):
            session.run(step.assign(value))
            saver.save(session, str(tmp_path / "model.ckpt"), global_step=value)
    return tmp_path


def _truncate(path: pathlib.Path):
    path.write_bytes(path.read_bytes()[:-1])


def _empty(path: pathlib.Path):
    path.write_bytes(b"")


def _flip(path: pathlib.Path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_newest_by_number(train_dir):
    assert latest.newest_good(str(train_dir)) == str(train_dir / "model.ckpt-100")


@pytest.mark.parametrize("state", [None, "", 'model_checkpoint_path: "gone-7"'])
def test_state_file_does_not_matter(train_dir, state):
    state_file = train_dir / "checkpoint"
    state_file.unlink()
    if state is not None:
        state_file.write_text(state)
    assert latest.newest_good(str(train_dir)) == str(train_dir / "model.ckpt-100")


@pytest.mark.parametrize(
    ("harm", "suffix"),
    [
        (_truncate, ".index"),
        (_empty, ".index"),
        (pathlib.Path.unlink, ".index"),
        (_truncate, ".data-00000-of-00001"),
        (_empty, ".data-00000-of-00001"),
        (_flip, ".data-00000-of-00001"),
        (pathlib.Path.unlink, ".data-00000-of-00001"),
    ],
)
def test_damaged_newest_is_passed_over(train_dir, caplog, harm, suffix):
    harm(train_dir / f"model.ckpt-100{suffix}")
    assert latest.newest_good(str(train_dir)) == str(train_dir / "model.ckpt-10")
    if (train_dir / "model.ckpt-100.index").exists():
        assert f"{train_dir}/model.ckpt-100 is damaged" in caplog.text


def test_nothing_good(train_dir, tmp_path):
    for step in (9, 10, 100):
        _empty(train_dir / f"model.ckpt-{step}.data-00000-of-00001")
    assert latest.newest_good(str(train_dir)) is None
    assert latest.newest_good(str(tmp_path / "absent")) is None
    with pytest.raises(UserError, match="No usable checkpoint"):
        latest.find(str(train_dir))


@pytest.mark.parametrize("name", ["model.ckpt-9", "model.ckpt-9.index", "model.ckpt-9.meta", ""])
def test_find(train_dir, name):
    expected = train_dir / ("model.ckpt-9" if name else "model.ckpt-100")
    assert latest.find(str(train_dir / name)) == str(expected)


def test_find_names_what_there_is(train_dir):
    with pytest.raises(UserError, match=r"model\.ckpt-100, model\.ckpt-10, model\.ckpt-9"):
        latest.find(str(train_dir / "model.ckpt-11"))


def test_single_file_checkpoint_of_the_first_tensorflow(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable("weights", initializer=[1.0, 2.0])
        session.run(variable.initializer)
        saver = tf.train.Saver(write_version=tf.train.SaverDef.V1)
        saver.save(session, str(tmp_path / "vgg_16.ckpt"))
    assert latest.newest_good(str(tmp_path)) == str(tmp_path / "vgg_16.ckpt")
    assert latest.find(str(tmp_path / "vgg_16.ckpt")) == str(tmp_path / "vgg_16.ckpt")
