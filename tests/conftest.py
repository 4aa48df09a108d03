"""Arguments that Bazel targets hand to their tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--network`, by which a target runs only the tests of some networks."""
    parser.addoption(
        "--network",
        action="append",
        default=[],
        help="name of a network to test; may be given several times, default: all",
    )
