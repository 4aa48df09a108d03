"""Descriptions that were edited or damaged are refused in one line."""

import json
import pathlib

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.parts.inference import description

MODEL = description.ModelDescription(
    model_name="lenet",
    preprocessing_name="lenet",
    image_size=28,
    channels=1,
    num_classes=2,
    class_names=("no", "yes"),
)


def _write(path, **changes):
    fields = json.loads(description.encode_description(MODEL, path.name)) | changes
    fields = {name: value for name, value in fields.items() if value is not ...}
    description.description_path(path).write_text(json.dumps(fields))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("net_1.0", "net_1.4"),
        ("net_1", "net_1.0"),
        ("model.pb", "model.pbtxt"),
        ("model.tflite", "model.pb"),
        ("a.b.pb", "a.b"),
    ],
)
def test_no_two_graphs_share_a_description_in_silence(tmp_path, first, second):
    paths = [tmp_path / first, tmp_path / second]
    for path in paths:
        path.write_bytes(b"")
        if description.description_path(path).exists():  # `a.b` and `a.b.pb`: told, not replaced.
            with pytest.raises(UserError, match=r"a\.b\.json describes a\.b\.pb, not a\.b"):
                description.require_no_other_file(path)
            with pytest.raises(UserError, match=r"a\.b\.json describes a\.b\.pb, not a\.b"):
                description.read_description(path)
            continue
        description.description_path(path).write_bytes(
            description.encode_description(MODEL, path.name)
        )
    assert description.read_description(paths[0]) == MODEL


def test_a_graph_may_be_renamed_with_its_description(tmp_path):
    _write(tmp_path / "old.pb")
    (tmp_path / "old.json").rename(tmp_path / "new.json")
    (tmp_path / "new.pb").write_bytes(b"")
    assert description.read_description(tmp_path / "new.pb") == MODEL


def test_a_description_of_an_older_version_names_no_file(tmp_path):
    _write(tmp_path / "lenet.pb", graph_file=...)
    assert description.read_description(tmp_path / "lenet.pb") == MODEL


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"image_size": "28"}, 'image_size must be an integer from 1 to 16384; got "28"'),
        ({"image_size": 0}, "image_size must be an integer from 1 to 16384; got 0"),
        ({"image_size": -5}, "image_size must be .*; got -5"),
        ({"image_size": 28.5}, "image_size must be .*; got 28.5"),
        ({"image_size": None}, "image_size must be .*; got null"),
        ({"image_size": 10**6}, "image_size must be .*; got 1000000"),
        ({"image_size": True}, "image_size must be .*; got true"),
        ({"image_size": [28] * 99}, r"image_size must be .*; got \[28, 28"),
        ({"image_size": ...}, "image_size is missing"),
        ({"channels": "gray"}, "channels must be an integer"),
        ({"channels": 0}, "channels must be an integer"),
        ({"num_classes": float("inf")}, "num_classes must be an integer .*; got Infinity"),
        ({"num_classes": 3}, "it names 2 classes of 3"),
        ({"class_names": ["one"]}, "it names 1 classes of 2"),
        ({"class_names": "no"}, 'class_names must be a list of names; got "no"'),
        ({"class_names": ["no", 7]}, "class_names must be a list of names"),
        ({"class_names": ...}, "class_names is missing"),
        ({"num_frames": 0}, "num_frames must be null or an integer"),
        ({"model_name": ""}, "model_name must be a name"),
        ({"model_name": ["lenet"]}, "model_name must be a name"),
        ({"preprocessing_name": 3}, "preprocessing_name must be a name"),
        ({"input_name": "input:0"}, 'input_name must be the name of an operation; got "input:0"'),
        ({"predictions_name": None}, "predictions_name must be the name of an operation"),
        ({"mean": 0.5}, "it has an unknown field 'mean'"),
        ({"class_names": ["no", "\ud800"]}, "class_names must be a list of names"),
        ({"class_names": ["no", "y\0es"]}, "class_names must be a list of names"),
        ({"graph_file": ""}, 'graph_file must be the name of a file; got ""'),
        ({"graph_file": "a/b.pb"}, 'graph_file must be the name of a file; got "a/b.pb"'),
        ({"graph_file": ["a"]}, r'graph_file must be the name of a file; got \["a"\]'),
        ({"graph_file": "a" * 5000}, "graph_file must be the name of a file; got"),
    ],
    ids=lambda value: "-".join(map(str, *value.items()))[:40] if isinstance(value, dict) else "",
)
def test_refuses_wrong_fields(tmp_path, changes, problem):
    _write(tmp_path / "lenet.pb", **changes)
    with pytest.raises(UserError, match=f"lenet.json does not describe .*: {problem}") as caught:
        description.read_description(tmp_path / "lenet.pb")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Expecting value"),
        (b"no JSON", "Expecting value"),
        (b"[]", "it holds no fields"),
        (b"3", "it holds no fields"),
        (b'{"model_name": "lenet"', "Expecting"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"image_size": ' + b"[" * 100_000, "it is nested too deeply"),
        (b'{"image_size": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b"\xff\xfe\x00", "Expecting value"),
        (b'{"channels": 1, "channels": 3}', "'channels' is listed twice"),
    ],
    ids=[
        "empty",
        "text",
        "list",
        "number",
        "cut",
        "deep",
        "deep_field",
        "digits",
        "binary",
        "twice",
    ],
)
def test_refuses_what_is_no_description(tmp_path, content, problem):
    (tmp_path / "lenet.json").write_bytes(content)
    with pytest.raises(UserError, match=f"does not describe an exported graph: {problem}"):
        description.read_description(tmp_path / "lenet.pb")


def test_a_folder_in_its_place_is_named(tmp_path):
    (tmp_path / "lenet.json").mkdir()
    with pytest.raises(UserError, match=r"Cannot read .*lenet\.json: it is not a regular file"):
        description.read_description(pathlib.Path(tmp_path, "lenet.pb"))
