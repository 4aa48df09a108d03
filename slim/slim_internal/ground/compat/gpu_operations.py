"""Builds some operations otherwise, where TensorFlow 2.21 is slow on a GPU as they are."""

import contextlib
from collections.abc import Callable, Iterator

from slim_internal.ground.compat import generated_ops, tf


@contextlib.contextmanager
def fast() -> Iterator[None]:
    """Within it, dropout and convolutions over whole images are built as products.

    - TensorFlow's dropout selects between the values and a scalar 0. The optimizer that turns
      images around for cuDNN ("layout") gives up on the whole graph for such a scalar. A product
      with the mask, which is what TensorFlow 1 built, gives the same numbers.
    - A kernel as large as its images, such as fc6 of VGG, has one answer per image. cuDNN finds no
      algorithm for it; it is a product of matrices. The sums are rounded in another order.
    """
    with generated_ops.replaced({"select_v2": _masked, "conv2d": _multiplied}):
        yield


def _masked(select: Callable) -> Callable:
    def build(condition, t, e, name=None):
        is_dropout = tf.get_default_graph().get_name_scope().endswith("dropout")
        if not is_dropout or tf.get_static_value(e) != 0:
            return select(condition, t, e, name=name)
        return tf.multiply(t, tf.cast(condition, t.dtype), name=name)

    return build


def _multiplied(convolve: Callable) -> Callable:
    def build(input, filter, strides, padding, *args, name=None, **kwargs):
        size, kernel = input.shape[1:3], filter.shape[:2]
        whole = padding == "VALID" and kernel == size and kernel.num_elements() > 1
        if not whole or kwargs.get("data_format", "NHWC") != "NHWC":
            return convolve(input, filter, strides, padding, *args, name=name, **kwargs)
        depth = filter.shape[3]
        products = tf.matmul(
            tf.reshape(input, [-1, filter.shape[:3].num_elements()]),
            tf.reshape(filter, [-1, depth]),
        )
        return tf.reshape(products, [-1, 1, 1, depth], name=name)

    return build
