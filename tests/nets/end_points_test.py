"""The collector of end points stops where it is told to, and only there."""

import pytest

from nets.end_points import build, hidden, layer
from slim_internal.ground import errors


def add(number, amount, scope):
    return number + amount


LAYERS = (layer("one", add, 1), hidden("two", add, 2), layer("four", add, amount=4))


@pytest.mark.parametrize(
    ("final_endpoint", "output", "end_points"),
    [
        (None, 7, {"one": 1, "four": 7}),
        ("one", 1, {"one": 1}),
        ("four", 7, {"one": 1, "four": 7}),
    ],
)
def test_final_endpoint(final_endpoint, output, end_points):
    assert build(0, LAYERS, final_endpoint) == (output, end_points)


@pytest.mark.parametrize("final_endpoint", ["two", "five"])
def test_unknown_final_endpoint(final_endpoint):
    with pytest.raises(errors.UserError, match=r"Allowed: one, four\."):
        build(0, LAYERS, final_endpoint)
