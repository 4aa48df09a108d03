"""Runs every test that takes a `network` once per network, or for those that --network names."""

import pathlib

import pytest

from nets import nets_factory
from nets.network import Network
from tests import golden_files
from tests.nets import golden_calls


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "network" not in metafunc.fixturenames:
        return
    names = metafunc.config.getoption("network") or nets_factory.networks
    networks = [nets_factory.get_network(name) for name in names]
    if "variant" in metafunc.fixturenames:
        cases = [(net, case) for net in networks for case in golden_calls.variants_of(net)]
        metafunc.parametrize(
            ("network", "variant"), cases, ids=[case for _, case in cases], scope="module"
        )
        return
    if metafunc.function.__name__ == "test_training_step":
        networks = [net for net in networks if _training_step(net).exists()]
    metafunc.parametrize("network", networks, ids=[net.name for net in networks], scope="module")


def _training_step(network: Network) -> pathlib.Path:
    return golden_files.path(f"train_mode/{network.name}.json")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Drops what pytest puts in the place of a test for which the references have no case."""
    items[:] = [item for item in items if not _without_cases(item)]


def _without_cases(item: pytest.Item) -> bool:
    reasons = [mark.kwargs.get("reason", "") for mark in item.iter_markers("skip")]
    return any(reason.startswith("got empty parameter set") for reason in reasons)
