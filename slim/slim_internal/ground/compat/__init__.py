"""The only file that knows a TensorFlow version.

tf_slim 1.1.0 refers to names that TensorFlow has since moved. This module puts each of them back
before tf_slim is imported, switches TensorFlow to graph mode, and gives programs of 2017 their
`tensorflow.contrib`. Where a name still exists nothing is touched.

Everything that uses TensorFlow takes it from here, so that the order is always right:

    from slim_internal.ground.compat import slim, tf
"""

import contextlib
import functools
import importlib
import sys
from collections.abc import Callable

import tensorflow as tensorflow_v2
import tensorflow.compat.v1 as tf

# Module of tensorflow.python -> the names tf_slim expects there -> the public object to give.
_MOVED_NAMES = {
    "framework.ops": {
        "Tensor": tensorflow_v2.Tensor,
        "IndexedSlices": tensorflow_v2.IndexedSlices,
    },
    "ops.array_ops": {"stack": tf.stack, "unstack": tf.unstack},
    "ops.control_flow_ops": {
        "Assert": tf.Assert,
        "case": tf.case,
        "cond": tf.cond,
        "while_loop": tf.while_loop,
    },
    "ops.variable_scope": {"variable": tf.Variable},
}

# Module that tf_slim imports -> where its contents are today.
_MOVED_MODULES = {
    "tf_keras.legacy_tf_layers.normalization": "tf_keras.src.legacy_tf_layers.normalization",
}

# Where the layers under tf_slim choose between the base classes of TensorFlow 1 and 2.
_BASE_CLASS_CHOOSERS = (
    "tensorflow.python.keras.utils.version_utils",
    "tf_keras.src.utils.version_utils",
)


def _restore_names() -> None:
    for module_name, names in _MOVED_NAMES.items():
        module = importlib.import_module(f"tensorflow.python.{module_name}")
        for name, value in names.items():
            if not hasattr(module, name):
                setattr(module, name, value)


def _restore_modules() -> None:
    for old, new in _MOVED_MODULES.items():
        try:
            importlib.import_module(old)
        except ImportError:
            module = sys.modules[old] = importlib.import_module(new)
            parent, _, child = old.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], child, module)


def _enter_graph_mode() -> None:
    """Turns eager execution off without the warning about non-resource variables."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        tf.disable_v2_behavior()
    finally:
        logger.setLevel(level)


def _choose_base_classes_once() -> None:
    """Saves a sixth of the time that building a graph takes.

    For every single layer Keras gives the layer's class its base classes again, and Python then
    forgets all it knew of the class.
    """
    for name in _BASE_CLASS_CHOOSERS:
        with contextlib.suppress(ImportError, AttributeError):
            module = importlib.import_module(name)
            module.swap_class = _once_per_mode(module.swap_class)


def _once_per_mode(swap_class: Callable[..., type]) -> Callable[..., type]:
    """Returns `swap_class` that works once for each class until the mode, `use_v2`, changes."""
    cached = functools.cache(swap_class)
    mode = None

    def swap(cls: type, v2_cls: type, v1_cls: type, use_v2: bool) -> type:
        nonlocal mode
        if use_v2 != mode:  # Classes share their bases: all of them are chosen anew.
            cached.cache_clear()
            mode = use_v2
        return cached(cls, v2_cls, v1_cls, use_v2)

    return swap


def first_cause(error: tf.errors.OpError) -> str:
    """Returns the line of TensorFlow's message that says what happened, without the graph."""
    lines = [line.strip() for line in error.message.splitlines()]
    places = ("Detected", "Node:", "File", "From /job:")
    details = [line for line in lines if line and not line.startswith(places)] or ["no word"]
    return details[1] if details[0].startswith("Graph execution error") else details[0]


_restore_names()
_restore_modules()
_choose_base_classes_once()
_enter_graph_mode()

import tf_slim as slim  # noqa: E402  # Only importable now that its names are back.

from slim_internal.ground.compat import contrib  # noqa: E402

contrib.restore()

__all__ = ["first_cause", "slim", "tf"]
