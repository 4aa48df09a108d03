"""Random numbers that depend on a position instead of on what was drawn before.

TensorFlow's random ops keep their state in the process: after a resume they start from the
beginning, and in a parallel map they hand out numbers in any order. Under `draws` they are built as
their stateless twins, so that step 1,000 drops the same units, and example 1,000 is flipped the
same way, whether or not the run was interrupted before.
"""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator

from slim_internal.ground.compat import generated_ops, tf

_MAX_DRAWS = 1 << 16  # Random ops per graph that get numbers of their own.


@contextlib.contextmanager
def draws(seed: int, position: tf.Tensor) -> Iterator[None]:
    """Within it, random ops are functions of the seed, the position and their own order.

    Variables still get their initial values from the graph's seed: they have no position.

    Args:
      seed: Number of the run.
      position: Scalar integer tensor: the step, or the number of the example.
    """
    order = itertools.count()

    def twin(stateless):
        def replacement(stateful):
            def build(*args, seed=None, seed2=None, **kwargs):
                if "Initializer" in tf.get_default_graph().get_name_scope():
                    return stateful(*args, seed=seed, seed2=seed2, **kwargs)
                return stateless(*args, seed=next_key(), **kwargs)

            return build

        return replacement

    def next_key():
        return tf.stack([tf.cast(position, tf.int64), seed * _MAX_DRAWS + next(order)])

    with generated_ops.replaced({name: twin(stateless) for name, stateless in _TWINS.items()}):
        yield


def drawn_at(
    position: tf.Tensor, preprocess: Callable[[tf.Tensor], tf.Tensor], seed: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function of an image that draws by a position; see `draws`."""

    @functools.wraps(preprocess)
    def drawing(image):
        with draws(seed, position):
            return preprocess(image)

    return drawing


def _uniform(shape, dtype, seed, name=None):
    return tf.random.stateless_uniform(shape, seed, dtype=dtype, name=name)


def _uniform_int(shape, minval, maxval, seed, name=None):
    return tf.random.stateless_uniform(shape, seed, minval, maxval, dtype=maxval.dtype, name=name)


def _normal(shape, dtype, seed, name=None):
    return tf.random.stateless_normal(shape, seed, dtype=dtype, name=name)


def _truncated_normal(shape, dtype, seed, name=None):
    return tf.random.stateless_truncated_normal(shape, seed, dtype=dtype, name=name)


# Name of the op that TensorFlow's Python functions build -> its stateless twin.
_TWINS = {
    "random_standard_normal": _normal,
    "random_uniform": _uniform,
    "random_uniform_int": _uniform_int,
    "truncated_normal": _truncated_normal,
    "sample_distorted_bounding_box_v2": generated_ops.stateless_sample_distorted_bounding_box,
}
