"""Prints every network: size, classes, parameters, multiply-adds, accuracy, checkpoint, paper.

Parameters and multiply-adds are counted on the graphs, which takes about a minute for all.

    list_networks
    list_networks --format=json mobilenet_v1 mobilenet_v2
"""

import dataclasses

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.ground.settings import Settings, setting

FLAGS = cli.FLAGS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listing(Settings, subject="Output"):
    """How to list networks."""

    format: str = setting(
        "text",
        "What to print: a table for the terminal, the table of docs/networks.md, or JSON with"
        " every published checkpoint.",
        choices=("text", "markdown", "json"),
    )


@cli.entry(max_arguments=1000)
def main(names):
    """Prints the networks named, or all."""
    from nets import nets_factory, network_table
    from slim_internal.ground.progress.reporting import ProgressLog

    settings = config_flags.read(Listing)
    networks = [nets_factory.get_network(name) for name in names or sorted(nets_factory.networks)]
    rows = network_table.rows(networks, progress=ProgressLog())
    print(network_table.FORMATS[settings.format](rows))


config_flags.define(Listing)

if __name__ == "__main__":
    cli.run(main)
