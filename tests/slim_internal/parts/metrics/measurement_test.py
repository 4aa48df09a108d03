"""What a measurement counts that metrics cannot use."""

import numpy as np
import pytest

from slim_internal.parts.metrics.measurement import Measurement

_LOGITS = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], np.float32)


def test_adds_up_batches():
    measured = Measurement("abc")
    measured.add(_LOGITS, np.array([2, 1]))
    measured.add(_LOGITS[:1], np.array([2]))
    assert (measured.num_examples, measured.unknown_labels, measured.not_finite) == (3, 0, 0)
    values = {value.name: value.value for value in measured.values()}
    assert values["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("labels", "count"), [([3, 0], 1), ([-1, 99], 2), ([0, 2], 0)])
def test_counts_labels_without_a_class(labels, count):
    measured = Measurement("abc")
    measured.add(_LOGITS, np.array(labels))
    assert measured.unknown_labels == count


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_counts_outputs_that_are_not_finite(value):
    measured = Measurement("abc")
    logits = _LOGITS.copy()
    logits[1, 0] = value
    measured.add(logits, np.array([0, 1]))
    assert (measured.num_examples, measured.not_finite) == (2, 1)
