"""What the settings of a training run refuse, and how scopes are written."""

import math

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.programs.evaluation.settings import Evaluation
from slim_internal.programs.training.settings import TrainConfig, scopes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset_dir": None}, "--dataset_dir"),
        ({"dataset_dir": ""}, "--dataset_dir"),
        ({"batch_size": 0}, "--batch_size must be at least 1; got 0"),
        ({"num_clones": -1}, "--num_clones must be at least 1; got -1"),
        ({"max_number_of_steps": 0}, "--max_number_of_steps must be at least 1; got 0"),
        ({"train_image_size": 0}, "--train_image_size must be at least 1; got 0"),
        ({"learning_rate": -0.1}, "--learning_rate must be at least 0; got -0.1"),
        (
            {"num_preprocessing_threads": -3},
            "--num_preprocessing_threads must be at least 0; got -3",
        ),
        ({"label_smoothing": 1.5}, "--label_smoothing must be at least 0 and at most 1; got 1.5"),
        (
            {"moving_average_decay": 9.0},
            "--moving_average_decay must be at least 0 and at most 1; got 9.0",
        ),
        ({"adam_beta1": -0.9}, "--adam_beta1 must be at least 0 and at most 1; got -0.9"),
        (
            {"num_epochs_per_decay": math.inf},
            "--num_epochs_per_decay must be at least 0 and at most 1000000000; got inf",
        ),
        (
            {"warmup_epochs": math.inf},
            "--warmup_epochs must be at least 0 and at most 1000000000; got inf",
        ),
        (
            {"seed": 2**32},
            "--seed must be at least -2147483648 and at most 4294967295; got 4294967296",
        ),
        ({"master": "grpc://a"}, "--master must be grpc://HOST:PORT; got 'grpc://a'"),
        ({"sync_replicas": True}, "--sync_replicas needs parameter servers: --cluster=ps="),
        ({"quantize_delay": -2}, "--quantize_delay must be at least -1; got -2"),
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


@pytest.mark.parametrize(
    ("settings", "older"), [(TrainConfig, "train_image_size"), (Evaluation, "eval_image_size")]
)
def test_the_image_size_has_one_name_in_all_programs(settings, older):
    assert getattr(settings(dataset_dir="x", image_size=96), older) == 96
    assert getattr(settings(dataset_dir="x", image_size=96, **{older: 96}), older) == 96
    assert getattr(settings(dataset_dir="x", **{older: 64}), older) == 64
    message = f"--{older}=64 and --image_size=96 mean the same and differ: give one."
    with pytest.raises(UserError, match=f"^{message}$"):
        settings(dataset_dir="x", image_size=96, **{older: 64})
