"""Prints how much processor time the training graph of each network takes to build.

    bazel run //tools/benchmarks:graph_construction_benchmark
    bazel run //tools/benchmarks:graph_construction_benchmark -- inception_v3 nasnet_mobile

Seconds depend on the machine. The last column compares the time per operation with a yardstick
measured right before, a stack of plain tf_slim convolutions with batch normalization: a network
whose own code costs nothing is at about 1.
"""

import time
from collections.abc import Callable

from slim_internal.ground import cli

_YARDSTICK_LAYERS = 100
_ROUNDS = 3


def _seconds(build: Callable[[], object]) -> tuple[float, int]:
    """Returns the least processor time of several rounds and the number of operations built."""
    from slim_internal.ground.compat import tf

    times = []
    for _ in range(_ROUNDS):
        with tf.Graph().as_default() as graph:
            start = time.process_time()
            build()
            times.append(time.process_time() - start)
    return min(times), len(graph.get_operations())


def _build_yardstick() -> None:
    from slim_internal.ground.compat import slim, tf

    net = tf.placeholder(tf.float32, [8, 32, 32, 16])
    for i in range(_YARDSTICK_LAYERS):
        net = slim.conv2d(net, 16, [3, 3], normalizer_fn=slim.batch_norm, scope=f"conv{i}")


def _build(network) -> None:
    from nets import nets_factory
    from slim_internal.ground.compat import tf

    size = network.default_image_size
    frames = [] if network.num_frames is None else [network.num_frames]
    images = tf.placeholder(tf.float32, [8, *frames, size, size, network.channels])
    network_fn = nets_factory.get_network_fn(
        network.name, network.num_classes, weight_decay=4e-5, is_training=True
    )
    network_fn(images)


def main(names):
    """Measures the networks named, or all."""
    from nets import nets_factory

    networks = [nets_factory.get_network(name) for name in names or sorted(nets_factory.networks)]
    print(f"{'network':32}{'seconds':>9}{'operations':>12}{'of yardstick':>14}")
    for network in networks:
        yardstick, yardstick_operations = _seconds(_build_yardstick)
        seconds, operations = _seconds(lambda network=network: _build(network))
        ratio = (seconds / operations) / (yardstick / yardstick_operations)
        print(f"{network.name:32}{seconds:9.2f}{operations:12,}{ratio:14.2f}", flush=True)


if __name__ == "__main__":
    cli.run(main, max_arguments=1000)
