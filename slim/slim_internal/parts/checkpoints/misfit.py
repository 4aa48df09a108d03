"""Why a checkpoint does not fit where all of a network is needed, in one line.

Training says it at length instead, variable by variable, as it can leave some out.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from nets import nets_factory
from slim_internal.parts.checkpoints import contents

_MOST_NAMES = 4
# Shape in the checkpoint and in the network.
Shapes = tuple[Sequence[int], Sequence[int]]


def told(
    checkpoint_path: str,
    wanted: Collection[str],
    missing: Sequence[str],
    reshaped: Mapping[str, Shapes],
    saved: Collection[str],
    extra: Collection[str],
) -> str:
    """Returns what does not fit, and which flags would help to evaluate, export or use a network.

    Args:
      checkpoint_path: The checkpoint.
      wanted: Names of all variables that the network needs of it.
      missing: Those of them that it lacks.
      reshaped: Those that have another shape.
      saved: Names of its variables.
      extra: Those of them that belong to another network.
    """
    if missing and all(_is_average_of(name, saved) for name in missing):
        return (
            f"Checkpoint {checkpoint_path} lacks the moving averages of {len(missing)} of"
            f" {len(wanted)} variables: use --moving_average_decay=0."
        )
    if missing:
        holds = f" and has {len(extra)} others ({min(extra)}, ...)" if extra else ""
        return (
            f"Checkpoint {checkpoint_path} is of another network: it lacks {len(missing)} of"
            f" {len(wanted)} variables ({missing[0]}, ...){holds}. Give the --model_name that it"
            f" was trained with{_candidates(extra)}."
        )
    classes = _classes(reshaped.values())
    if classes:
        there, here = classes
        return (
            f"Checkpoint {checkpoint_path} does not fit the network: it has {there:,} classes, the"
            f" network here {here:,}. {_remedy_of_classes(there - here)}"
        )
    name, (there, here) = next(iter(reshaped.items()))
    return (
        f"Checkpoint {checkpoint_path} does not fit the network: {len(reshaped)} of {len(wanted)}"
        f" variables differ in shape, such as {name}, {list(there)} in the checkpoint and"
        f" {list(here)} here. Give the --model_name and the --image_size that it was trained with."
    )


def _classes(shapes: Iterable[Shapes]) -> tuple[int, int] | None:
    """Returns the number of classes there and here, if nothing else differs."""
    widths = {
        (*there[-1:], *here[-1:]) if [*there[:-1]] == [*here[:-1]] else () for there, here in shapes
    }
    (first, *others) = widths
    return first if len(first) == 2 and not others else None


def _remedy_of_classes(more: int) -> str:
    """Returns the flags to change where a checkpoint has so many more classes."""
    offset = ", or the --labels_offset" if abs(more) != 1 else ""
    background = {
        1: " If one of them is a background class that the dataset does not have, lower"
        " --labels_offset by 1.",
        -1: " If the dataset has a background class that the network leaves out, raise"
        " --labels_offset by 1.",
    }.get(more, "")
    return (
        f"Give the --dataset_name and --dataset_dir that it was trained with{offset}.{background}"
    )


def _is_average_of(name: str, saved: Collection[str]) -> bool:
    plain = name.removesuffix(contents.AVERAGE_SUFFIX)
    return plain != name and plain in saved


def _candidates(names: Collection[str]) -> str:
    """Returns which networks have a first layer of these names, for the message."""
    networks = [each.name for each in nets_factory.networks.values() if each.first_conv in names]
    shown = networks[:1] if len(networks) > _MOST_NAMES else networks
    kin = " or one of its kin" if len(networks) > _MOST_NAMES else ""
    return f", such as {' or '.join(shown)}{kin}" if networks else ""
