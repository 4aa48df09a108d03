"""Wrong arguments are refused with what was given and what is allowed."""

import math

import numpy as np
import pytest

from nets import checks
from slim_internal.ground import errors
from slim_internal.ground.compat import tf


def placeholder(*shape):
    return tf.placeholder(tf.float32, shape)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: checks.images(placeholder(8, 8, 3)), r"rank 4, \[batch, height, width, channels"),
        (lambda: checks.images(placeholder(2, 8, 7, 3), 8), "8x7 pixels.*minimum is 8x8"),
        (lambda: checks.images(placeholder(2, None, 7, 3), 8), r"of \?x7 pixels"),
        (lambda: checks.clips(placeholder(2, 8, 8, 3)), r"rank 5, \[batch, frames, height"),
        (lambda: checks.clips(placeholder(2, 9, 8, 7, 3), 8), "8x7 pixels.*minimum is 8x8"),
        (lambda: checks.images(np.zeros([8, 8, 3])), "received rank 3"),
        (lambda: checks.images([[1.0]]), "received rank 2"),
        (lambda: checks.images(tf.placeholder(tf.float32)), "received rank None"),
        (lambda: checks.clips(tf.placeholder(tf.float32)), "received rank None"),
        (lambda: checks.images(tf.zeros([2, 8, 8, 3], tf.uint8)), r"received uint8\. .*tf\.cast"),
        (lambda: checks.images(np.zeros([2, 8, 8, 3], int)), "Images.*received int64"),
        (lambda: checks.known_size(placeholder(2, None, 8, 3)), r"received shape \(2, \?, 8, 3\)"),
        (lambda: checks.known_size(tf.placeholder(tf.float32)), "received shape <unknown>"),
        (lambda: checks.one_position(placeholder(2, 3, 4, 5), "Crop."), r"3x4 predict.*Crop\."),
        (
            lambda: checks.choice("stride", 7, (8, 16)),
            r"stride 7\. Did you mean 8\? Allowed: 8, 16\.",
        ),
        (lambda: checks.depth_multiplier(0), "greater than zero; received 0"),
        (lambda: checks.depth_multiplier(math.nan), "received nan"),
        (lambda: checks.depth_multiplier(math.inf), "received inf"),
        (lambda: checks.num_classes(-1), "positive whole number.*received -1"),
        (lambda: checks.num_classes(2.5), "received 2.5"),
        (lambda: checks.num_classes("10"), "received '10'"),
    ],
)
def test_refused(check, message):
    with pytest.raises(errors.UserError, match=message):
        check()


def test_accepted():
    checks.images(placeholder(2, 8, 8, 3), 8)
    checks.images(placeholder(None, None, None, 3), 8)
    checks.images(np.zeros([2, 8, 8, 3]), 8)
    checks.clips(placeholder(2, 9, 8, 8, 3), 8)
    checks.known_size(placeholder(None, 8, 8, None))
    checks.one_position(placeholder(2, 1, 1, 5), "")
    checks.one_position(placeholder(2, None, None, 5), "")
    checks.choice("stride", 8, (8, 16))
    checks.depth_multiplier(0.25)
    checks.num_classes(None)
    checks.num_classes(0)
    checks.num_classes(np.int64(10))
