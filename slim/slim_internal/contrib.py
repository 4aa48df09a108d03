"""Makes the line of 2017, `import tensorflow.contrib.slim as slim`, work in a plain interpreter.

It also has Python say what is wrong where another package hides one of ours (`own_packages`).

Importing this module costs next to nothing: TensorFlow is loaded when somebody asks for what
TensorFlow 1 had in `tensorflow.contrib`. A .pth file of the installed distribution imports it, and
so does the Python of `//tools:python`.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys

from slim_internal.ground import own_packages

_NAME = "tensorflow.contrib"


class _Loader(importlib.abc.Loader):
    """Gives out the package that `compat` makes."""

    def create_module(self, spec):
        """Returns the package."""
        sys.modules.pop(_NAME, None)
        importlib.import_module("slim_internal.ground.compat")
        return sys.modules[_NAME]

    def exec_module(self, module):
        """Does nothing: the package is complete."""


class _Finder(importlib.abc.MetaPathFinder):
    """Finds `tensorflow.contrib`, which no TensorFlow of today has."""

    def find_spec(self, fullname, path=None, target=None):
        """Returns where it is found; None for all else."""
        if fullname != _NAME:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader(), is_package=True)


sys.meta_path.insert(0, _Finder())
own_packages.explain()
