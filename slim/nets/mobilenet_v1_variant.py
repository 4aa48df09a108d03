"""What the published programs for MobileNet v1 share: widths without a name, numbers of classes."""

import functools

from nets import mobilenet_v1, nets_factory
from slim_internal.ground.errors import UserError


def enter(depth_multiplier: float) -> str:
    """Enters MobileNet v1 of a width in the table of networks, and returns its name there."""
    for network in mobilenet_v1.NETWORKS:
        if network.checkpoints[0].depth_multiplier == depth_multiplier:
            return network.name
    name = f"mobilenet_v1_{depth_multiplier:g}"
    builder = functools.partial(mobilenet_v1.mobilenet_v1, depth_multiplier=depth_multiplier)
    builder.default_image_size = mobilenet_v1.mobilenet_v1.default_image_size
    nets_factory.networks_map[name] = builder
    nets_factory.arg_scopes_map[name] = mobilenet_v1.mobilenet_v1_arg_scope
    return name


def labels_offset(dataset_name: str, num_classes: int, known: int = 1001) -> int:
    """Returns how many classes of a dataset a network leaves out at the beginning, none or one.

    Args:
      dataset_name: Name of the dataset, for the message.
      num_classes: Classes of the network.
      known: Classes of the dataset.

    Raises:
      UserError: If it is another number.
    """
    if known - num_classes not in (0, 1):
        raise UserError(
            f"--num_classes must be {known}, as many as {dataset_name} has, or {known - 1} without"
            f" the first of them; got {num_classes}."
        )
    return known - num_classes
