"""Runs every test that takes a `network` once per network, or for those that --network names."""

import pytest

from nets import nets_factory
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
    else:
        metafunc.parametrize(
            "network", networks, ids=[net.name for net in networks], scope="module"
        )
