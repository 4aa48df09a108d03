"""What the settings of a training run refuse, and how scopes are written."""

import math

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import described
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
        (
            {"augment": "hue,cutmix"},
            "--augment: cutmix mixes the images of a batch; --cutmix_alpha=0.2 switches it on",
        ),
        (
            {"augment": "hue", "random_preprocessing": False},
            "--augment=hue varies images at random, .* or add --random_preprocessing",
        ),
        (
            {"min_crop_area": 0.5, "random_preprocessing": False},
            "--min_crop_area=0.5 varies images at random, .* or add --random_preprocessing",
        ),
        ({"min_crop_area": 0.0}, "--min_crop_area must be above 0 and at most 1; got 0"),
        ({"min_crop_area": 1.5}, "--min_crop_area must be above 0 and at most 1; got 1.5"),
        (
            {"keep_batch_norm_statistics": True, "reestimate_batch_norm": 1},
            "--keep_batch_norm_statistics keeps .* estimates them anew: give one",
        ),
        (
            {"find_learning_rate": "a.png", "reestimate_batch_norm": 1},
            "--find_learning_rate and --reestimate_batch_norm both take the place of training",
        ),
        ({"cache": True, "fast_decoding": True}, "--cache decodes .* no larger than needed: give"),
        (
            {"balanced_sampling": True, "class_weights": "balanced"},
            "--balanced_sampling and --class_weights=balanced both make up .*: give one",
        ),
        ({"quantize_delay": -2}, "--quantize_delay must be at least -1; got -2"),
        ({"channels": 0}, "--channels must be at least 1 and at most 1024; got 0"),
        (
            {"channels": 3, "use_grayscale": True},
            "--use_grayscale and --channels=3 contradict each other: give one.",
        ),
        (
            {"log_every_n_steps": 5, "log_every_epochs": 1.0},
            "--log_every_n_steps=5 and --log_every_epochs=1.0 say the same in steps and in epochs",
        ),
        (
            {"quantize_delay": 0, "quantize_delay_epochs": 0.0},
            "--quantize_delay=0 and --quantize_delay_epochs=0.0 say the same",
        ),
    ],
)
def test_impossible_settings(settings, message):
    with pytest.raises(UserError, match=message):
        TrainConfig(**{"dataset_dir": "data", **settings})


def _wrong_values(field):
    """Yields values that a setting must not take, as far as its rule says so."""
    rule = field.rule
    if field.type is not str:
        yield "many"
    if field.type in (int, float):
        yield math.nan if field.type is float else 2**40
        for bound, step in ((rule.at_least, -1), (rule.at_most, 1), (rule.above, 0)):
            if bound is not None:
                yield field.type(bound + step)
    if rule.choices:
        yield "something"


@pytest.mark.parametrize("field", described(TrainConfig), ids=lambda field: field.name)
def test_a_wrong_value_of_any_flag_is_one_line_with_what_is_allowed(field):
    """Of text without choices only whoever reads it knows; see `updates_test`."""
    for wrong in _wrong_values(field):
        with pytest.raises(UserError) as error:
            TrainConfig(**{"dataset_dir": "data", field.name: wrong})
        message = str(error.value)
        assert message.startswith(f"--{field.name}")
        assert str(wrong) in message
        assert "\n" not in message
        if field.rule.choices:
            assert all(choice in message for choice in field.rule.choices)


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
