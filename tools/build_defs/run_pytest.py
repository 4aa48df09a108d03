"""Runs the test files of a Bazel target under pytest, and answers Bazel in its own terms.

Bazel says through the environment which tests it wants (a filter, a shard), and where to write the
results; the target's own arguments are arguments of pytest.
"""

import os
import pathlib
import sys

import pytest


class BazelPlugin:
    """Runs the share of the tests that belongs to this shard, and remembers how many there were."""

    def __init__(self, shard: int, num_shards: int):
        self.shard = shard
        self.num_shards = num_shards
        self.num_collected = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Counts the tests before any filter."""
        self.num_collected += 1

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list) -> None:
        """Leaves every `num_shards`-th of the tests that passed the filter."""
        others = [test for i, test in enumerate(items) if i % self.num_shards != self.shard]
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = items[self.shard :: self.num_shards]


def pytest_arguments(arguments: list[str], environ: dict[str, str]) -> list[str]:
    """Returns the command line of pytest for what Bazel asks through the environment."""
    command = ["-c", "pyproject.toml", *arguments]
    if "XML_OUTPUT_FILE" in environ:
        command.append(f"--junitxml={environ['XML_OUTPUT_FILE']}")
    if "TEST_TMPDIR" in environ:
        command.append(f"--basetemp={environ['TEST_TMPDIR']}/pytest")
    if "TESTBRIDGE_TEST_ONLY" in environ:
        command += ["-k", environ["TESTBRIDGE_TEST_ONLY"]]
    if environ.get("TESTBRIDGE_TEST_RUNNER_FAIL_FAST") == "1":
        command.append("--exitfirst")
    return command


def main(arguments: list[str], environ: dict[str, str]) -> int:
    """Runs pytest and returns its exit code.

    A target without a single test fails; one whose tests all belong to other shards, or do not
    match the filter, passes.
    """
    if "TEST_SHARD_STATUS_FILE" in environ:
        pathlib.Path(environ["TEST_SHARD_STATUS_FILE"]).touch()
    plugin = BazelPlugin(
        int(environ.get("TEST_SHARD_INDEX", 0)), int(environ.get("TEST_TOTAL_SHARDS", 1))
    )
    code = pytest.main(pytest_arguments(arguments, environ), plugins=[plugin])
    if code == pytest.ExitCode.NO_TESTS_COLLECTED and plugin.num_collected:
        return 0
    return int(code)


if __name__ == "__main__":
    # Python put this file's own folder first, where no test should find anything.
    del sys.path[0]
    sys.exit(main(sys.argv[1:], dict(os.environ)))
