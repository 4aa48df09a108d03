import math
import types

import pytest

from slim_internal.ground import errors


@pytest.mark.parametrize(
    ("received", "allowed", "match"),
    [
        ("vgg16", ["vgg_16", "vgg_19", "lenet"], "vgg_16"),
        ("LENET", ["vgg_16", "lenet"], "lenet"),
        ("lenet", ["LeNet"], "LeNet"),
        ("something", ["vgg_16", "lenet"], None),
        ("lenet", [], None),
        (17, [16, 170], 16),
        (64, [4, 8, 16, 32], 32),
        (0.3, [0.35, 1.4], 0.35),
        (17, [], None),
    ],
)
def test_nearest(received, allowed, match):
    assert errors.nearest(received, allowed) == match


def test_unknown_names_value_choices_and_remedy():
    error = errors.unknown("network", "lenett", iter(["cifarnet", "lenet"]), "See the README.")
    assert isinstance(error, errors.UserError)
    assert str(error) == (
        "Unknown network 'lenett'. Did you mean 'lenet'? Allowed: cifarnet, lenet. See the README."
    )


def test_unknown_without_a_match_suggests_nothing():
    error = errors.unknown("split", "holdout", ["train", "test"])
    assert str(error) == "Unknown split 'holdout'. Allowed: train, test."


def test_unknown_of_an_empty_list():
    assert str(errors.unknown("flag", "x", [])) == "Unknown flag 'x'. Allowed: none."


def test_user_error_is_a_value_error():
    with pytest.raises(ValueError, match="bad"):
        raise errors.UserError("bad")


@pytest.mark.parametrize("value", [0, 1, 0.5, None])
def test_a_setting_left_out_or_large_enough_passes(value):
    errors.require_at_least(types.SimpleNamespace(rate=value), {"rate": 0})


@pytest.mark.parametrize("value", [0, 1, -0.5, None])
def test_a_setting_left_out_or_small_enough_passes(value):
    errors.require_at_most(types.SimpleNamespace(rate=value), {"rate": 1})


@pytest.mark.parametrize("value", [2, 1.001, math.nan])
def test_a_setting_above_its_maximum(value):
    with pytest.raises(errors.UserError, match=f"--rate={value} is not at most 1"):
        errors.require_at_most(types.SimpleNamespace(size=5, rate=value), {"size": 9, "rate": 1})


@pytest.mark.parametrize("value", [-1, -0.001, math.nan])
def test_a_setting_below_its_minimum(value):
    with pytest.raises(errors.UserError, match=f"--rate={value} is not at least 0"):
        errors.require_at_least(types.SimpleNamespace(size=5, rate=value), {"size": 1, "rate": 0})
