"""What TensorFlow's graph optimizers make of a graph on a machine with a GPU, found without one."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow.core.protobuf import device_properties_pb2
from tensorflow.python.grappler import cluster, tf_optimizer

DEVICE = "/job:localhost/replica:0/task:0/device:GPU:0"


def optimized(
    train_op: tf.Operation,
    optimizers: Sequence[str],
    options: tf.compat.v1.ConfigProto | None = None,
) -> tf.compat.v1.GraphDef:
    """Returns the graph of an operation after some passes.

    Args:
      train_op: What is run; the operations that it needs are placed on DEVICE.
      optimizers: Names of the passes, in order; none takes those of every session.
      options: Settings of the session.

    Raises:
      tf.errors.OpError: If a pass fails, which a session only logs.
    """
    properties = device_properties_pb2.DeviceProperties(
        type="GPU", frequency=1000, num_cores=60, environment={"architecture": "7"}
    )
    machine = cluster.Cluster(
        devices=[device_properties_pb2.NamedDevice(name=DEVICE, properties=properties)]
    )
    chosen = tf.compat.v1.ConfigProto()
    chosen.CopyFrom(options or chosen)
    rewriting = chosen.graph_options.rewrite_options
    rewriting.optimizers.extend(optimizers)
    rewriting.min_graph_nodes = -1
    rewriting.fail_on_optimizer_errors = True
    train_op.graph.add_to_collection("train_op", train_op)  # Marks it as what is fetched.
    graph = tf.compat.v1.train.export_meta_graph(graph=train_op.graph)
    return tf_optimizer.OptimizeGraph(chosen, graph, cluster=machine)
