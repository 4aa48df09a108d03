"""Puts other functions for a while in the place of those that build TensorFlow's ops.

TensorFlow's Python functions, and all that is written with them, build their ops through generated
modules. Those are no part of its public interface, which is why they are known here and nowhere
else.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping

from tensorflow.python.ops import gen_image_ops, gen_math_ops, gen_nn_ops, gen_random_ops

_MODULES = {
    "conv2d": gen_nn_ops,
    "random_standard_normal": gen_random_ops,
    "random_uniform": gen_random_ops,
    "random_uniform_int": gen_random_ops,
    "truncated_normal": gen_random_ops,
    "sample_distorted_bounding_box_v2": gen_image_ops,
    "select_v2": gen_math_ops,
}

stateless_sample_distorted_bounding_box = gen_image_ops.stateless_sample_distorted_bounding_box


@contextlib.contextmanager
def replaced(replacements: Mapping[str, Callable[[Callable], Callable]]) -> Iterator[None]:
    """Within it, some ops are built by other functions.

    Args:
      replacements: Name of the function that builds an op -> function that is given the original
        and returns what to call instead of it.

    Raises:
      KeyError: If this file does not know where the function is.
    """
    originals = {name: getattr(_MODULES[name], name) for name in replacements}
    try:
        for name, replacement in replacements.items():
            setattr(_MODULES[name], name, replacement(originals[name]))
        yield
    finally:
        for name, original in originals.items():
            setattr(_MODULES[name], name, original)
