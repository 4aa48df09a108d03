"""Every network by name: the one table that scripts, tests and documents read.

A family of networks joins by its line among the imports; all else stands in its own records.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

from nets import (  # noqa: F401 - the table: each module with records is a family
    alexnet,
    checks,
    cifarnet,
    i3d,
    inception_resnet_v2,
    inception_v1,
    inception_v2,
    inception_v3,
    inception_v4,
    lenet,
    mobilenet_v1,
    overfeat,
    resnet_v1,
    resnet_v2,
    s3dg,
    vgg,
)
from nets.mobilenet import mobilenet_v2, mobilenet_v3  # noqa: F401
from nets.nasnet import nasnet, pnasnet  # noqa: F401
from nets.network import Network
from preprocessing import preprocessing_factory
from slim_internal.ground import errors
from slim_internal.ground.compat import slim
from slim_internal.ground.errors import tables

BACKGROUND = "background"  # What a network is told to call a class before the dataset's first.

families = tuple(module for module in tuple(globals().values()) if hasattr(module, "NETWORKS"))

networks: dict[str, Network] = tables.unique(
    "nets_factory.networks",
    ((network.name, network) for family in families for network in family.NETWORKS),
)

preprocessing_factory.add_names({name: network.preprocessing for name, network in networks.items()})

# The two tables that programs written against TF-Slim know. What is entered here, by a line in this
# file or at run time, counts: a function with its arg scope needs no record.
networks_map = {
    **{name: network.builder for name, network in networks.items()},
}
arg_scopes_map = {
    **{name: network.arg_scope for name, network in networks.items()},
}

tables.require_unique_keys(__file__)


def get_network(name: str) -> Network:
    """Returns the record of a network; of an entry of the two tables, one that says what they say.

    Raises:
      errors.UserError: if there is no network of that name, or what stands in the tables is no
        function.
    """
    record = networks.get(name)
    builder = networks_map.get(name, record and record.builder)
    arg_scope = arg_scopes_map.get(name, record and record.arg_scope)
    if builder is None:
        raise errors.unknown("network", name, sorted({*networks, *networks_map}))
    for table, function in (("networks_map", builder), ("arg_scopes_map", arg_scope)):
        if not callable(function):
            found = "missing" if function is None else f"no function but {function!r}"
            raise errors.UserError(
                f"The entry {name!r} of nets_factory.{table} is {found}; enter the network's"
                " function in networks_map and that of its arg scope in arg_scopes_map."
            )
    if record and (builder, arg_scope) == (record.builder, record.arg_scope):
        return record
    facts = {"builder": builder, "arg_scope": arg_scope, "checkpoints": ()}
    return dataclasses.replace(record, **facts) if record else Network.of_function(name, **facts)


def get_network_fn(
    name: str, num_classes: int | None, weight_decay: float = 0.0, is_training: bool = False
) -> Callable:
    """Returns a function that builds a network under its arg scope.

    Args:
      name: One of `networks`, or of `networks_map`.
      num_classes: Number of classes; None or 0 builds the features without a classifier.
      weight_decay: Factor of the l2 penalty on the weights.
      is_training: Whether batch normalization and dropout behave as in training.

    Returns:
      A function of (images, **kwargs) -> (logits, end_points). `images` is [batch, height, width,
      channels], for networks of clips [batch, frames, height, width, channels]; `kwargs` go to the
      network. It has the attributes of the network function, `default_image_size` among them.

    Raises:
      errors.UserError: if there is no network of that name, or `num_classes` is negative or no
        whole number.
    """
    network = get_network(name)
    checks.num_classes(num_classes)

    @functools.wraps(network.builder)
    def network_fn(images, **kwargs):
        # Here, and not before: it adds to the scopes around the call, such as model_deploy's.
        with slim.arg_scope(network.arg_scope(weight_decay=weight_decay)):
            return network.builder(
                images, num_classes=num_classes, is_training=is_training, **kwargs
            )

    return network_fn


def classes_after_offset(num_classes: int, labels_offset: int) -> int:
    """Returns how many of a dataset's classes a network has that leaves out the first ones.

    Raises:
      errors.UserError: if it leaves out all; a network of 0 classes would be built without a
        classifier.
    """
    if labels_offset >= num_classes:
        raise errors.UserError(
            f"--labels_offset={labels_offset} leaves none of the {num_classes} classes."
        )
    return num_classes - labels_offset


def names_after_offset(names: Sequence[str], labels_offset: int) -> tuple[str, ...]:
    """Returns the names of the classes of a network; below 0 it has classes before the first."""
    if labels_offset < 0 and names:
        return (BACKGROUND,) * -labels_offset + tuple(names)
    return tuple(names[max(labels_offset, 0) :])
