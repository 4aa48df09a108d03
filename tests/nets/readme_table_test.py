"""The README shows the networks as their records and graphs are."""

import pathlib

from nets import nets_factory, network_table

COMMAND = "bazel run //slim:list_networks -- --format=markdown"


def test_table_is_fresh():
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    networks = [nets_factory.networks[name] for name in sorted(nets_factory.networks)]
    table = network_table.markdown(network_table.rows(networks))
    stale = [line for line in table.splitlines() if line not in readme.splitlines()]
    assert not stale, f"replace the table in README.md by the output of: {COMMAND}"
