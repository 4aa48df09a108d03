"""Lets `from slim.nets import vgg` find `nets.vgg` where only the repository's root is on the path.

The published packages import each other without the folder's name, so that is what they are called:
`slim.nets` is the same module as `nets`, not a second copy.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
# An installed distribution has the packages beside this one.
_FOLDER = _HERE if os.path.isdir(os.path.join(_HERE, "nets")) else os.path.dirname(_HERE)
_PUBLISHED = ("datasets", "deployment", "nets", "preprocessing")


class _Loader(importlib.abc.Loader):
    """Gives out a module that is imported under its own name."""

    def create_module(self, spec):
        """Returns the module of the name without the folder."""
        module = importlib.import_module(spec.name.partition(".")[2])
        self._spec = module.__spec__
        return module

    def exec_module(self, module):
        """Leaves the module as it is; importing set the attribute that says what it is called."""
        module.__spec__ = self._spec


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what is imported below `slim.`."""

    def find_spec(self, fullname, path=None, target=None):
        """Returns where a published package, or a module of it, is found; None for all else."""
        parts = fullname.split(".")
        if parts[0] != __name__ or len(parts) < 2 or parts[1] not in _PUBLISHED:
            return None
        if _FOLDER not in map(os.path.abspath, sys.path):
            sys.path.append(_FOLDER)  # After the user's own modules.
        own = importlib.util.find_spec(parts[1])
        if own is None or not _is_ours(own, parts[1]):
            raise ImportError(
                f"{fullname} needs {os.path.join(_FOLDER, parts[1])}, but another module named"
                f" {parts[1]} comes before it on the path: {own and own.origin}.",
                name=fullname,
            )
        if importlib.util.find_spec(fullname.partition(".")[2]) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader(), is_package=len(parts) == 2)


def _is_ours(spec, package):
    origin = os.path.realpath(spec.origin or "")
    return origin == os.path.realpath(os.path.join(_FOLDER, package, "__init__.py"))


sys.meta_path.insert(0, _Finder())
