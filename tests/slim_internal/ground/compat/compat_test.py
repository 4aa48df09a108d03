"""tf_slim must find every name it refers to, and programs of 2017 must run as they stand."""

import ast
import importlib
import importlib.util
import pathlib
import pkgutil
import subprocess
import sys
import types

import pytest

from slim_internal.ground import compat

_SLIM_DIRECTORY = str(pathlib.Path(compat.__file__).parents[3])


def _dotted(node: ast.AST) -> list[str]:
    """Returns ["a", "b", "c"] for the expression a.b.c, and nothing for any other expression."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value)):
        return [*owner, node.attr]
    return []


def _imported(tree: ast.Module) -> dict[str, str]:
    """Returns local name -> dotted name for everything that a module imports."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            for alias in node.names:
                name = node.module if alias.name == "*" else f"{node.module}.{alias.name}"
                names[alias.asname or alias.name] = name
    return names


def references(source: str) -> set[str]:
    """Returns every dotted name, from its top package on, that a module refers to."""
    tree = ast.parse(source)
    imported = _imported(tree)
    chains = (_dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    used = {
        ".".join([imported[first], *rest])
        for first, *rest in filter(None, chains)
        if first in imported
    }
    return used | set(imported.values())


def missing(dotted_name: str) -> str | None:
    """Returns the part of a dotted name that does not exist, or None if all of it does.

    Only modules are looked into; what is inside classes and objects is for tests that run them.
    """
    here, *rest = dotted_name.split(".")
    value = importlib.import_module(here)
    for part in rest:
        if not isinstance(value, types.ModuleType):
            return None
        here = f"{here}.{part}"
        if hasattr(value, part):
            value = getattr(value, part)
            continue
        try:
            value = importlib.import_module(here)
        except ImportError:
            return here
    return None


def _modules_of_tf_slim() -> list[str]:
    found = pkgutil.walk_packages(compat.slim.__path__, "tf_slim.")
    return ["tf_slim", *(module.name for module in found if not module.name.endswith("_test"))]


@pytest.mark.parametrize("module_name", _modules_of_tf_slim())
def test_tf_slim_finds_every_name(module_name):
    source = pathlib.Path(importlib.util.find_spec(module_name).origin).read_text(encoding="utf-8")
    lost = {name: missing(name) for name in sorted(references(source))}
    assert not {name: part for name, part in lost.items() if part}


def test_the_walk_covers_tf_slim():
    """The walk must see modules and names known to be there, or it would prove nothing."""
    assert {"tf_slim.layers.layers", "tf_slim.evaluation"} <= set(_modules_of_tf_slim())
    source = pathlib.Path(importlib.util.find_spec("tf_slim.layers.layers").origin).read_text()
    assert "tensorflow.python.ops.array_ops.stack" in references(source)
    assert "tensorflow.python.layers.normalization.BatchNormalization" in references(source)


@pytest.mark.parametrize(
    ("source", "lost"),
    [
        (
            "import tensorflow.python.ops.array_ops as a\na.no_such_name(1)",
            "tensorflow.python.ops.array_ops.no_such_name",
        ),
        (
            "from tensorflow.python.ops import no_such_module",
            "tensorflow.python.ops.no_such_module",
        ),
        (
            "import tensorflow\ntensorflow.compat.v1.no_such_name",
            "tensorflow.compat.v1.no_such_name",
        ),
        ("from tensorflow.python.ops import array_ops\narray_ops.reshape.anything", None),
    ],
)
def test_the_walk_notices(source, lost):
    assert [part for name in references(source) if (part := missing(name))] == [lost] * bool(lost)


def _run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {_SLIM_DIRECTORY!r})\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_programs_of_2017_run_after_any_import_of_ours():
    result = _run(
        "import slim_internal.ground.compat\n"
        "import tf_slim as slim; eval = slim.evaluation.evaluate_once\n"
        "import tensorflow.contrib.slim as slim; slim.conv2d\n"
        "from tensorflow.contrib import slim; slim.arg_scope\n"
        "import tensorflow as tf; slim = tf.contrib.slim; slim.learning.train\n"
        "import tensorflow.compat.v1 as tf; slim = tf.contrib.slim; slim.losses\n"
        "assert not tf.executing_eagerly()\n"
    )
    assert result.returncode == 0, result.stderr


def test_other_packages_of_contrib_have_what_is_left_of_them():
    """The lines are those of networks and feature extractors of 2017 to 2020."""
    result = _run(
        "import slim_internal.ground.compat, tf_slim\nfrom tf_slim.ops import variables as own\n"
        "from tensorflow.contrib import framework as contrib_framework\n"
        "from tensorflow.contrib import layers as contrib_layers\n"
        "from tensorflow.contrib import training as contrib_training\n"
        "from tensorflow.contrib.framework.python.ops import add_arg_scope, arg_scope, variables\n"
        "from tensorflow.contrib.framework.python.ops.variables import model_variable\n"
        "from tensorflow.contrib.layers.python.layers import initializers, layers, utils\n"
        "from tensorflow.contrib.layers.python.layers.layers import max_pool2d\n"
        "from tensorflow.contrib.layers import l2_regularizer, variance_scaling_initializer\n"
        "import tensorflow.contrib.metrics as metrics, tensorflow.contrib.losses as losses\n"
        "import tensorflow as tf\n"
        "same = [(arg_scope, tf_slim.arg_scope), (contrib_framework.arg_scope, arg_scope),\n"
        "  (add_arg_scope, tf_slim.add_arg_scope), (variables, own),\n"
        "  (layers.conv2d, tf_slim.conv2d), (tf.contrib.layers.conv2d, tf_slim.conv2d),\n"
        "  (max_pool2d, tf_slim.max_pool2d), (l2_regularizer, tf_slim.l2_regularizer),\n"
        "  (contrib_layers.xavier_initializer, tf_slim.xavier_initializer),\n"
        "  (contrib_training.create_train_op, tf_slim.training.create_train_op),\n"
        "  (metrics.streaming_mean, tf_slim.metrics.streaming_mean),\n"
        "  (contrib_framework.get_or_create_global_step, tf_slim.get_or_create_global_step),\n"
        "  (losses.get_total_loss, tf_slim.losses.get_total_loss)]\n"
        "assert all(one is other for one, other in same), same\n"
        "contrib_framework.nest.flatten, contrib_framework.list_variables\n"
        "contrib_training.checkpoints_iterator, utils.collect_named_outputs\n"
        "hparams = contrib_training.HParams(num_cells=18)\n"
        "hparams.set_hparam('num_cells', 12), hparams.add_hparam('factor', 2.0)\n"
        "assert hparams.values() == {'num_cells': 12, 'factor': 2.0} and hparams.factor == 2\n"
        "for change in hparams.add_hparam, hparams.set_hparam:\n"
        "  try: change({'add_hparam': 'factor'}.get(change.__name__, 'factr'), 1)\n"
        "  except ValueError as error: assert 'factor=2.0' in str(error)\n"
        "  else: raise AssertionError(change)\n"
        "try: tf.contrib.rnn\n"
        "except AttributeError as error: assert 'framework, layers, losses' in str(error)\n"
        "assert not hasattr(tf.contrib, 'quantize')\n"
    )
    assert result.returncode == 0, result.stderr


def test_prints_nothing_beyond_what_tensorflow_prints():
    """Python's warnings count too, so they are switched on."""
    plain = _run("import tensorflow")
    ours = _run(
        "import warnings; warnings.simplefilter('default', DeprecationWarning)\n"
        "import tensorflow, tf_keras\n"
        "warnings.simplefilter('default')\n"
        "import slim_internal.ground.compat\n"
    )
    assert ours.stdout == ""
    assert _without_times(ours.stderr) <= _without_times(plain.stderr)


def _without_times(log: str) -> set[str]:
    """Returns the lines of a log without their time stamps and process numbers."""
    return {line.partition("]")[2] or line for line in log.splitlines()}


def test_names_that_are_there_stay_as_they_are():
    result = _run(
        "from tensorflow.python.ops import array_ops, control_flow_ops\n"
        "from tensorflow.python.framework import ops\n"
        "array_ops.stack = control_flow_ops.cond = ops.Tensor = mine = object\n"
        "import slim_internal.ground.compat\n"
        "assert array_ops.stack is control_flow_ops.cond is ops.Tensor is mine\n"
    )
    assert result.returncode == 0, result.stderr


def test_base_classes_of_layers_are_chosen_once_until_the_mode_changes():
    class V2:
        pass

    class V1(V2):
        pass

    class Layer(V2):
        pass

    chosen = []

    def swap_class(cls, v2_cls, v1_cls, use_v2):
        chosen.append((cls, use_v2))
        cls.__bases__ = (v2_cls if use_v2 else v1_cls,)
        return cls

    swap = compat._once_per_mode(swap_class)
    for use_v2, base in [(False, V1), (False, V1), (True, V2), (False, V1)]:
        assert swap(Layer, V2, V1, use_v2) is Layer
        assert Layer.__bases__ == (base,)
    assert chosen == [(Layer, False), (Layer, True), (Layer, False)]


@pytest.mark.parametrize("name", compat._BASE_CLASS_CHOOSERS)
def test_choosers_of_base_classes_are_where_they_are_looked_for(name):
    swap = importlib.import_module(name).swap_class
    assert swap.__module__ == compat.__name__


def test_a_contrib_that_is_there_stays_as_it_is():
    result = _run(
        "import sys, types, tensorflow as tf\n"
        "contrib = sys.modules['tensorflow.contrib'] = types.ModuleType('tensorflow.contrib')\n"
        "import slim_internal.ground.compat\n"
        "assert sys.modules['tensorflow.contrib'] is contrib\n"
        "assert not hasattr(tf, 'contrib')\n"
    )
    assert result.returncode == 0, result.stderr
