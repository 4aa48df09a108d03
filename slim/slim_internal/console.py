"""The scripts as commands of an installed distribution: `console.quickstart()` runs quickstart."""

import functools
import importlib.util
import runpy
from collections.abc import Callable

from slim_internal.ground import own_packages


def __getattr__(name: str) -> Callable[[], None]:
    """Returns a function that runs the script of that name as if it had been typed."""
    if name.startswith("_") or importlib.util.find_spec(name) is None:
        raise AttributeError(f"There is no script {name}.")
    return functools.partial(_run, name)


def _run(name: str) -> None:
    own_packages.require_for_program(importlib.util.find_spec(name).origin)
    runpy.run_module(name, run_name="__main__", alter_sys=True)
