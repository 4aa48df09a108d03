"""Contenders whose rates are known, in a file without TensorFlow: they start quickly."""

import importlib
import os
import time


def sleeper(seconds):
    """Returns work that takes as long for one image."""

    def work():
        time.sleep(seconds)
        return 1

    return work


def absent():
    """Needs a library that there is not."""
    importlib.import_module("a_library_that_is_not_installed")


def broken():
    """Fails while it is prepared."""
    raise ValueError("no such network\nand more")


def noisy():
    """Writes to standard error as libraries do, and works at the rate of its environment."""
    os.write(2, b"one of many messages\n")
    return sleeper(float(os.environ["BENCHMARK_SECONDS"]))


def dying():
    """Ends its process."""
    os._exit(3)


def mortal():
    """Works while it is prepared, and ends its process afterwards."""
    calls = iter(range(2))
    return lambda: 1 if next(calls, None) is not None else os._exit(3)
