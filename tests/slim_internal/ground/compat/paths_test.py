import pytest

from slim_internal.ground.compat import paths, tf

NAMES = ["plain", "a[1]", "a*", "a?", "back\\slash", "[!x]", "a]"]


@pytest.mark.parametrize("name", NAMES)
def test_a_literal_pattern_matches_one_folder(tmp_path, name):
    for folder in (*NAMES, "a1", "ab", "x"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").touch()
    pattern = paths.literal_pattern(str(tmp_path / name))
    assert tf.gfile.Glob(pattern + "/f*") == [str(tmp_path / name / "file")]
    assert paths.meant_by(pattern) == str(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("checkpoint", ["model.ckpt-1", "model[1]"])
def test_a_checkpoint_is_found_whatever_its_name(tmp_path, name, checkpoint):
    (tmp_path / name).mkdir()
    path = str(tmp_path / name / checkpoint)
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable("v", initializer=3.0)
        session.run(variable.initializer)
        tf.train.Saver().save(session, path)
    literal = paths.literal_checkpoint(path)
    assert tf.train.checkpoint_exists(literal)
    assert tf.train.NewCheckpointReader(literal).get_tensor("v") == 3.0


def test_a_plain_path_stays_as_it_is():
    assert paths.literal_checkpoint("runs/1/model.ckpt-7") == "runs/1/model.ckpt-7"


def test_a_checkpoint_that_is_not_there_is_not_made_up(tmp_path):
    (tmp_path / "a[1]").mkdir()
    literal = paths.literal_checkpoint(str(tmp_path / "a[1]" / "b[2]"))
    assert not tf.train.checkpoint_exists(literal)
