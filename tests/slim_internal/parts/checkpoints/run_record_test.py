"""What weights were trained with is found beside them, completes settings and binds them."""

import dataclasses
import json
import logging

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import setting
from slim_internal.parts.checkpoints import published, run_record
from slim_internal.parts.checkpoints.run_record import RunRecord
from slim_internal.parts.inference.settings import GraphSettings, InferenceSettings

_VALUES = {
    "model_name": "lenet",
    "image_size": 28,
    "preprocessing_name": "lenet",
    "use_grayscale": False,
    "labels_offset": 1,
    "dataset_name": "digits",
    "dataset_dir": "/data/digits",
    "moving_average_decay": 0.9,
    "num_classes": 3,
    "class_names": ["cat", "dog", "emu"],
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Program(InferenceSettings):
    dataset_dir: str | None = setting(None, "Folder.")
    eval_image_size: int | None = setting(None, "Size.", subject="Network")


_RECORD = RunRecord("run/settings.json", _VALUES)


def _bound(config):
    return run_record.complete(config, _RECORD, remedy="do that")


def test_what_was_not_given_is_completed():
    config = _bound(_Program(checkpoint_path="run"))
    taken = {**_VALUES, "eval_image_size": 28}
    for name in ("num_classes", "class_names", "image_size"):
        del taken[name]
    assert {name: getattr(config, name) for name in taken} == taken
    assert config.given == {"checkpoint_path"}


def test_the_program_without_a_record_is_as_it_was():
    config = _Program(checkpoint_path="run")
    assert run_record.complete(config, None) is config


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"model_name": "inception_v3"},
            "--model_name=inception_v3 contradicts .* model_name=lenet",
        ),
        ({"labels_offset": 0}, "--labels_offset=0 contradicts .* labels_offset=1"),
        ({"use_grayscale": True}, "--use_grayscale=True contradicts .* use_grayscale=False"),
        ({"preprocessing_name": "vgg"}, "--preprocessing_name=vgg contradicts .*=lenet"),
    ],
    ids=str,
)
def test_a_contradiction_names_both_and_where_they_come_from(given, message):
    with pytest.raises(UserError, match=f"{message}: leave out the flag, or do that."):
        _bound(_Program(**given))
    (name,) = given
    assert getattr(run_record.complete(_Program(**given), _RECORD), name) == given[name]


def test_channels_that_are_given_take_the_place_of_those_of_the_record():
    record = RunRecord("x", {**_VALUES, "use_grayscale": True, "channels": 1})
    for given, expected in (({}, 1), ({"channels": 4}, 4), ({"use_grayscale": True}, 1)):
        assert run_record.complete(_Program(**given), record).channels == expected
    with pytest.raises(UserError, match=r"^--channels=4 contradicts x, which says channels=1: "):
        run_record.complete(_Program(channels=4), record, remedy="do that")
    record = RunRecord("x", {**_VALUES, "channels": 4})
    assert run_record.complete(_Program(use_grayscale=True), record).channels == 1


def test_another_image_size_is_a_warning(caplog):
    assert _bound(_Program(eval_image_size=30)).eval_image_size == 30
    assert "--eval_image_size=30 contradicts run/settings.json, which says image_size=28" in (
        caplog.text
    )
    assert _bound(GraphSettings(image_size=28)).image_size == 28


def test_what_may_be_chosen_is_no_contradiction():
    record = RunRecord("x", {**_VALUES, "preprocessing_name": "inception"})
    given = {"preprocessing_name": "mobilenet_v1", "moving_average_decay": 0.0}
    config = run_record.complete(_Program(**given), record, remedy="do that")
    assert (config.preprocessing_name, config.moving_average_decay) == ("mobilenet_v1", 0.0)


def test_the_folder_is_that_of_the_dataset(caplog):
    caplog.set_level(logging.INFO)
    assert _bound(_Program(dataset_name="mnist")).dataset_dir is None
    assert "--dataset_dir" not in caplog.text
    assert _bound(_Program(dataset_name="digits")).dataset_dir == "/data/digits"
    assert _bound(_Program(dataset_dir="/copy")).dataset_dir == "/copy"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("dog", "cat", "emu"), r"class 0 is 'cat' there and 'dog' here"),
        (("cat", "dog", "fox"), r"\(cat, dog, emu\), but data has 3 \(cat, dog, fox\); class 2 is"),
        (("cat", "dog"), r"3 classes \(cat, dog, emu\), but data has 2 \(cat, dog\)"),
        ((), r"trained on 3 classes, but data has 2\."),
    ],
)
def test_other_classes_are_found(names, message):
    with pytest.raises(UserError, match=rf"^run/settings\.json: .*{message}"):
        _RECORD.require_classes(len(names) or 2, names, "data")
    _RECORD.require_classes(3, (), "data")
    _RECORD.require_classes(3, ("cat", "dog", "emu"), "data")


def test_each_run_adds_to_the_file_and_best_has_a_copy(tmp_path):
    for step in (0, 10):
        run_record.write(tmp_path, _VALUES | {"seed": step}, {"first_step": step})
    (tmp_path / "best").mkdir()
    run_record.copy(tmp_path, tmp_path / "best")
    record = run_record.find(str(tmp_path / "best" / "model.ckpt-7"))
    assert record == RunRecord(str(tmp_path / "best" / "settings.json"), record.values)
    assert [run["first_step"] for run in record.values["runs"]] == [0, 10]
    assert record.values["seed"] == 10
    assert "tensorflow" in record.values["versions"]
    assert run_record.find(str(tmp_path)).class_names == ("cat", "dog", "emu")


def test_a_folder_without_the_file_tells_nothing(tmp_path):
    assert run_record.find(str(tmp_path)) is None
    assert run_record.find(str(tmp_path / "absent" / "model.ckpt-1")) is None
    run_record.copy(tmp_path, tmp_path / "best")
    assert not (tmp_path / "best").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b'{"model_name": "len', "it is not JSON"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"\xff\xfe", "it is not UTF-8"),
        (b"[]", "it does not hold an object"),
        (b'{"model_name": 3}', "model_name cannot be 3"),
        (b'{"labels_offset": true}', "labels_offset cannot be true"),
        (b'{"class_names": [1]}', r"class_names cannot be \[1\]"),
        (b'{"class_names": ["\\ud800"]}', r"class_names cannot be \["),
        (b'{"runs": {}}', "runs cannot be {}"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_damaged_file_is_one_line(tmp_path, content, message):
    (tmp_path / "settings.json").write_bytes(content)
    with pytest.raises(UserError, match=rf"settings\.json is damaged: {message}") as caught:
        run_record.read(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"image_size": -3}, "--image_size must be at least 1; got -3"),
        ({"moving_average_decay": 7}, "--moving_average_decay must be .* at most 1; got 7"),
    ],
    ids=str,
)
def test_a_value_that_no_flag_could_have_is_the_file_s(value, message):
    with pytest.raises(UserError, match=f"run/settings.json is damaged: {message}"):
        run_record.complete(GraphSettings(), RunRecord("run/settings.json", value))


def test_published_weights_tell_what_their_record_says(monkeypatch):
    monkeypatch.setattr(published, "locate", lambda name: f"/cache/{name}.ckpt")
    record = run_record.find("vgg_16")
    assert record.values == {
        "model_name": "vgg_16",
        "image_size": 224,
        "preprocessing_name": "vgg",
        "labels_offset": 1,
    }
    config = run_record.complete(_Program(dataset_dir="/data"), record, remedy="do that")
    assert (config.model_name, config.dataset_name) == ("vgg_16", "imagenet")
    assert record.origin == "the published weights vgg_16_2016_08_28"


def test_names_that_are_no_utf_8_survive(tmp_path):
    name = b"caf\xe9".decode(errors="surrogateescape")
    run_record.write(tmp_path, {"class_names": [name]}, {})
    assert run_record.read(tmp_path).class_names == (name,)
    assert json.loads((tmp_path / "settings.json").read_text(errors="surrogateescape"))
