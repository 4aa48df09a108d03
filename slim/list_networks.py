"""Prints every network: size, classes, parameters, multiply-adds, accuracy, checkpoint, paper.

Parameters and multiply-adds are counted on the graphs, which takes about a minute for all.

    list_networks
    list_networks --format=json mobilenet_v1 mobilenet_v2
"""

from absl import flags

from slim_internal.ground import cli

_FORMAT = flags.DEFINE_enum(
    "format",
    "text",
    ["text", "markdown", "json"],
    "What to print: a table for the terminal, the table of docs/networks.md, or JSON with every"
    " published checkpoint.",
)


def main(names):
    """Prints the networks named, or all."""
    from nets import nets_factory, network_table
    from slim_internal.ground.progress.reporting import ProgressLog

    networks = [nets_factory.get_network(name) for name in names or sorted(nets_factory.networks)]
    rows = network_table.rows(networks, progress=ProgressLog())
    print(network_table.FORMATS[_FORMAT.value](rows))


if __name__ == "__main__":
    cli.run(main, max_arguments=1000)
