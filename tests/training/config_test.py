"""Compares the settings with the published flags."""

import dataclasses
import typing

import pytest

from cli import config_flags
from errors import UserError
from tests import golden_files
from training.config import TrainConfig, scopes

_PUBLISHED = golden_files.load("flags.json")["train_image_classifier.py"]["flags"]
_TYPES = {"bool": bool, "float": float, "int": int, "string": str}


@pytest.mark.parametrize("name", _PUBLISHED)
def test_flag_keeps_type_and_default(name):
    fields = {field.name: field for field in dataclasses.fields(TrainConfig)}
    assert fields[name].default == _PUBLISHED[name]["default"]
    kinds = typing.get_args(typing.get_type_hints(TrainConfig)[name]) or (fields[name].type,)
    assert _TYPES[_PUBLISHED[name]["type"]] in kinds


def test_every_setting_is_documented():
    names = [field.name for field in dataclasses.fields(TrainConfig)]
    assert list(config_flags.attribute_docs(TrainConfig)) == names


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset_dir": None}, "--dataset_dir"),
        ({"dataset_dir": ""}, "--dataset_dir"),
        ({"batch_size": 0}, "--batch_size=0 is not at least 1"),
        ({"num_clones": -1}, "--num_clones=-1 is not at least 1"),
        ({"max_number_of_steps": 0}, "--max_number_of_steps=0 is not at least 1"),
        ({"train_image_size": 0}, "--train_image_size=0 is not at least 1"),
        ({"learning_rate": -0.1}, "--learning_rate=-0.1 is not at least 0"),
        ({"num_preprocessing_threads": -3}, "--num_preprocessing_threads=-3 is not at least 0"),
        ({"master": "grpc://a"}, "--master=grpc://a is not supported yet"),
        ({"sync_replicas": True}, "--sync_replicas=True is not supported yet"),
        ({"quantize_delay": 100}, "--quantize_delay=100 is not supported yet"),
    ],
)
def test_impossible_settings(settings, message):
    with pytest.raises(UserError, match=message):
        TrainConfig(**{"dataset_dir": "data", **settings})


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, ()), ("", ()), ("a/b", ("a/b",)), ("a, b/c,", ("a", "b/c"))],
)
def test_scopes(text, expected):
    assert scopes(text) == expected
