"""TensorFlow's optimizer of graphs ("grappler"), which converters call."""

import contextlib
import functools
from collections.abc import Iterator

from tensorflow.core.protobuf.device_properties_pb2 import DeviceProperties, NamedDevice
from tensorflow.python.grappler import cluster

_CPU = NamedDevice(
    name="/job:localhost/replica:0/task:0/device:CPU:0",
    properties=DeviceProperties(type="CPU", num_cores=1, frequency=1000),
)


@contextlib.contextmanager
def for_cpu() -> Iterator[None]:
    """Within it, graphs are optimized for a CPU, and nothing looks for a GPU.

    Without it the optimizer opens every device of the machine, whatever the session was told: with
    NVIDIA's driver but without CUDA's libraries that fails, and with both it takes the memory of
    a GPU on which another program may be training.
    """
    make = cluster.Cluster
    cluster.Cluster = functools.partial(make, devices=[_CPU])
    try:
        yield
    finally:
        cluster.Cluster = make
