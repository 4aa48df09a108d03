"""Gives programs of 2017 to 2020 what tf_slim and TensorFlow still have of `tensorflow.contrib`."""

import sys
import types
from collections.abc import Mapping

import tensorflow as tensorflow_v2
import tensorflow.compat.v1 as tf
import tf_slim

_NAME = "tensorflow.contrib"

# Package of contrib -> where its modules were, and the package of tf_slim that has them today.
_PACKAGES = {
    "framework": ("ops", "ops"),
    "layers": ("layers", "layers"),
    "losses": ("losses", "losses"),
    "metrics": ("ops", "metrics"),
    "training": ("training", "training"),
}


class HParams(types.SimpleNamespace):
    """Settings by name, as `tf.contrib.training.HParams` had them."""

    def add_hparam(self, name: str, value: object) -> None:
        """Adds a setting; ValueError if there is one of that name."""
        if name in vars(self):
            raise ValueError(f"There is a setting {name!r} already: {self}")
        setattr(self, name, value)

    def set_hparam(self, name: str, value: object) -> None:
        """Changes a setting; ValueError if there is none of that name."""
        if name not in vars(self):
            raise ValueError(f"There is no setting {name!r}: {self}")
        setattr(self, name, value)

    def get(self, key: str, default: object = None) -> object:
        """Returns a setting."""
        return vars(self).get(key, default)

    def values(self) -> dict[str, object]:
        """Returns all settings by name."""
        return dict(vars(self))


# What tf_slim does not have.
_ADDED: dict[str, dict[str, object]] = {
    "framework": {
        "init_from_checkpoint": tf.train.init_from_checkpoint,
        "is_tensor": tf.is_tensor,
        "list_variables": tf.train.list_variables,
        "load_checkpoint": tf.train.load_checkpoint,
        "load_variable": tf.train.load_variable,
        "nest": tf.nest,
    },
    "training": {"HParams": HParams},
}


def restore() -> None:
    """Makes `tensorflow.contrib` and `tf.contrib`, unless there is one."""
    if _NAME in sys.modules:
        return
    contrib = _package(_NAME, {"slim": tf_slim, "__getattr__": _absent})
    sys.modules[f"{_NAME}.slim"] = tf_slim
    for package, (place, today) in _PACKAGES.items():
        setattr(contrib, package, _restored(package, place, f"tf_slim.{today}"))
    tensorflow_v2.contrib = contrib
    tf.contrib = contrib


def _restored(package: str, place: str, today: str) -> types.ModuleType:
    """Returns a package of contrib, which is what stood in `python.PLACE` below it as well.

    Args:
      package: Its name.
      place: Where its modules were.
      today: The package that has them.
    """
    modules = {
        name.removeprefix(f"{today}."): module
        for name, module in list(sys.modules.items())
        if name.startswith(f"{today}.")
    }
    names = {
        name: value for name, value in vars(sys.modules[today]).items() if not name.startswith("__")
    }
    for module in modules.values():  # A function comes before the module that has its name.
        names |= {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    inner = f"{_NAME}.{package}.python"
    restored = _package(f"{_NAME}.{package}", names | _ADDED.get(package, {}))
    sys.modules |= {inner: restored, f"{inner}.{place}": restored}
    sys.modules |= {f"{inner}.{place}.{name}": module for name, module in modules.items()}
    return restored


def _package(name: str, contents: Mapping[str, object]) -> types.ModuleType:
    package = sys.modules[name] = types.ModuleType(name, "Stands in for what TF 1 had here.")
    vars(package).update(contents)
    package.__path__ = []  # A package, so that its modules can be imported by name.
    return package


def _absent(name: str) -> object:
    present = ", ".join(sorted({"slim", *_PACKAGES}))
    raise AttributeError(f"{_NAME}.{name} ended with TensorFlow 1; here {_NAME} has {present}.")
