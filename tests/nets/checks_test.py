"""Wrong arguments are refused with what was given and what is allowed."""

import pytest

import errors
from compat import tf
from nets import checks


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
        (lambda: checks.clips(placeholder(2, 9, 8, 8, 3), 8, min_frames=10), "9 frames.*least 10"),
        (lambda: checks.one_position(placeholder(2, 3, 4, 5), "Crop."), r"3x4 predict.*Crop\."),
        (lambda: checks.choice("stride", 7, (8, 16)), r"Unknown stride 7\. Allowed: 8, 16\."),
        (lambda: checks.depth_multiplier(0), "greater than zero; received 0"),
    ],
)
def test_refused(check, message):
    with pytest.raises(errors.UserError, match=message):
        check()


def test_accepted():
    checks.images(placeholder(2, 8, 8, 3), 8)
    checks.images(placeholder(None, None, None, 3), 8)
    checks.images(tf.placeholder(tf.float32), 8)
    checks.clips(placeholder(2, 9, 8, 8, 3), 8, min_frames=9)
    checks.clips(tf.placeholder(tf.float32), 8, min_frames=9)
    checks.one_position(placeholder(2, 1, 1, 5), "")
    checks.one_position(placeholder(2, None, None, 5), "")
    checks.choice("stride", 8, (8, 16))
    checks.depth_multiplier(0.25)
