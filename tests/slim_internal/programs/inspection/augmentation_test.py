"""The preview of what training sees."""

import numpy as np
import pytest

from slim_internal.ground.errors import UserError
from slim_internal.parts.reports import stored_example
from slim_internal.programs.inspection import augmentation
from tests.slim_internal.programs.inspection import sets


def example(seed: int, **options) -> stored_example.StoredExample:
    return stored_example.parse(sets.record(sets.image(seed, **options), 0))


def pixels(row) -> list[np.ndarray]:
    return [np.asarray(shown.image) for shown in row]


@pytest.mark.parametrize("network", ["mobilenet_v1", "vgg_16", "cifarnet"])
def test_draws_differ_and_depend_on_the_seed_alone(network):
    examples = [example(1), example(2)]
    rows = augmentation.preview(examples, ["a", "b"], network, seed=3)
    assert [len(row) for row in rows] == [1 + augmentation.DRAWS] * 2
    assert rows[0][0].detail == "as stored, 40 x 30"
    drawn = pixels(rows[0][1:])
    assert len({shown.tobytes() for shown in drawn}) == augmentation.DRAWS
    again = augmentation.preview(examples, ["a", "b"], network, seed=3)
    assert [shown.tobytes() for shown in pixels(again[0][1:])] == [s.tobytes() for s in drawn]
    other = augmentation.preview(examples, ["a", "b"], network, seed=4)
    assert pixels(other[0])[1].tobytes() != drawn[0].tobytes()


def test_lenet_sees_images_as_they_are_but_padded(caplog):
    caplog.set_level("INFO")
    (row,) = augmentation.preview([example(1, width=28, height=28, kind="PNG")], ["a"], "lenet")
    stored, *drawn = pixels(row)
    for shown in drawn:
        np.testing.assert_allclose(shown.astype(int), stored, atol=1)
    assert "Devices: CPU. Precision: float32." in caplog.messages


def test_clips_are_refused():
    with pytest.raises(UserError, match="i3d reads clips"):
        augmentation.preview([example(1)], ["a"], "i3d")
