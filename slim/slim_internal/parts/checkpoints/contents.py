"""Whether a checkpoint holds the weights of a network: every variable, in its shape, readable.

Where nobody has published a digest, this is what vouches for a file from the network.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from nets import nets_factory
from nets.network import Checkpoint, Network
from slim_internal.ground.compat import paths, tf
from slim_internal.ground.errors import UserError

# What training adds to the name of a variable for that of its moving average.
AVERAGE_SUFFIX = "/ExponentialMovingAverage"
_INDEX = ".index"
# A message names so many variables and counts the others.
_MOST_NAMES = 3


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a checkpoint was found to hold.

    Attributes:
      variables: How many variables of the network.
      moving_averages: Whether it holds a moving average of each as well, or instead.
      plain: Whether it holds the variables under their own names.
    """

    variables: int
    moving_averages: bool
    plain: bool


def expected_shapes(network: Network, checkpoint: Checkpoint) -> dict[str, list[int]]:
    """Returns the shape of each variable that published weights must hold, by name.

    Args:
      network: The network, whose graph is built.
      checkpoint: The record of the weights; tells classes, image size and widths.
    """
    size, channels = checkpoint.image_size, network.channels
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [1, size, size, channels])
        build = nets_factory.get_network_fn(network.name, checkpoint.num_classes)
        build(images, **checkpoint.arguments)
        return {variable.op.name: variable.shape.as_list() for variable in tf.global_variables()}


def checkpoints_below(folder: str) -> list[str]:
    """Returns the checkpoints of a folder and its subfolders, the one to prefer first.

    Some archives hold the weights of the last step ("pristine") and their moving averages ("ema"),
    on which the published accuracy was measured; those come first, then what lies highest.
    """
    found = {
        os.path.join(place, name.removesuffix(_INDEX))
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith((_INDEX, ".ckpt"))
    }

    def preference(path: str) -> tuple:
        parts = os.path.relpath(path, folder).split(os.sep)
        return "ema" not in parts, len(parts), path

    return sorted(found, key=preference)


def check(checkpoint_path: str, name: str, shapes: Mapping[str, Sequence[int]]) -> Contents:
    """Reads a checkpoint to its end and compares it with the variables of a network.

    Args:
      checkpoint_path: The checkpoint.
      name: The weights, for the message.
      shapes: Shape of each variable that it must hold; it may hold more.

    Raises:
      UserError: If it is damaged, or a variable is missing or has another shape.
    """
    try:
        reader = tf.train.NewCheckpointReader(paths.literal_checkpoint(checkpoint_path))
        saved = reader.get_variable_to_shape_map()
        for variable in saved:
            reader.get_tensor(variable)  # Compares the checksum of what it reads.
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        problem = str(error).splitlines()[0]
        raise UserError(f"Checkpoint {checkpoint_path} is damaged: {problem}") from error
    plain = _differences(saved, shapes)
    averages = _differences(saved, {f"{key}{AVERAGE_SUFFIX}": shapes[key] for key in shapes})
    if plain and averages:
        raise UserError(
            f"Checkpoint {checkpoint_path} does not hold the {len(shapes)} variables of {name}:"
            f" {'; '.join(plain)}."
        )
    return Contents(len(shapes), moving_averages=not averages, plain=not plain)


def _differences(
    saved: Mapping[str, Sequence[int]], shapes: Mapping[str, Sequence[int]]
) -> list[str]:
    missing = [name for name in shapes if name not in saved]
    reshaped = [
        f"{name} is {list(saved[name])}, not {list(shape)}"
        for name, shape in shapes.items()
        if name in saved and list(saved[name]) != list(shape)
    ]
    return [
        f"{len(names)} {what} ({_shortened(names)})"
        for what, names in (("missing", missing), ("of another shape", reshaped))
        if names
    ]


def _shortened(names: Sequence[str]) -> str:
    return ", ".join([*names[:_MOST_NAMES], *(["..."] if len(names) > _MOST_NAMES else [])])
