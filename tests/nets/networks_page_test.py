"""docs/networks.md shows the networks as their records and graphs are."""

import pathlib

from nets import nets_factory, network_table

COMMAND = "tools/bazel run //slim:list_networks -- --format=markdown"


def test_table_is_fresh():
    path = pathlib.Path(__file__).parents[2] / "docs" / "networks.md"
    shown = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    networks = [nets_factory.networks[name] for name in sorted(nets_factory.networks)]
    table = network_table.markdown(network_table.rows(networks)).splitlines()
    assert shown == table, f"replace the table in docs/networks.md by the output of: {COMMAND}"
