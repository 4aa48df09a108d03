"""The scripts as commands of an installed distribution: `console.quickstart()` runs quickstart."""

import functools
import importlib.util
import runpy
from collections.abc import Callable


def __getattr__(name: str) -> Callable[[], None]:
    """Returns a function that runs the script of that name as if it had been typed."""
    if name.startswith("_") or importlib.util.find_spec(name) is None:
        raise AttributeError(f"There is no script {name}.")
    return functools.partial(_run, name)


def _run(name: str) -> None:
    runpy.run_module(name, run_name="__main__", alter_sys=True)
