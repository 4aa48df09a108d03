"""Prints every network: size, classes, parameters, multiply-adds, accuracy, checkpoint, paper.

Parameters and multiply-adds are counted on the graphs, which takes about a minute for all.

    list_networks
    list_networks --format=json mobilenet_v1 mobilenet_v2
    list_networks --export_formats

--export_formats prints instead in which formats each network can be exported: the size of the file,
the largest difference of a probability from the checkpoint's, and how many of eight images have the
same most likely class. The generators of the generative networks follow the classifiers.
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
    export_formats: bool = setting(
        False,
        "Print in which formats each network can be exported: size of the file, largest difference"
        " of a probability from the checkpoint's, images with the same most likely class.",
        common=True,
    )


@cli.entry(max_arguments=1000)
def main(names):
    """Prints the networks named, or all."""
    from nets import format_table, nets_factory, network_table
    from slim_internal.ground.progress.reporting import ProgressLog

    settings = config_flags.read(Listing)
    known = sorted(nets_factory.networks)
    if settings.export_formats:
        chosen = names or [*known, *format_table.GENERATORS]
        for name in set(chosen).difference(format_table.GENERATORS):
            nets_factory.get_network(name)
        print(format_table.FORMATS[settings.format](chosen, format_table.read()))
        return
    networks = [nets_factory.get_network(name) for name in names or known]
    rows = network_table.rows(networks, progress=ProgressLog())
    print(network_table.FORMATS[settings.format](rows))


config_flags.define(Listing)

if __name__ == "__main__":
    cli.run(main)
