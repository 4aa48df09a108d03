"""The published weights as a table for the terminal."""

from collections.abc import Sequence

from slim_internal.parts.checkpoints import published
from slim_internal.parts.checkpoints.published import CachedWeights, Weights

_COLUMNS = ("weights", "model_name", "size", "classes", "top-1", "top-5", "cached", "address")


def choose(model_name: str | None) -> list[Weights]:
    """Returns every set of weights, those of a network, or the one set of that name.

    Raises:
      UserError: If there is none of that name.
    """
    every = published.available()
    if not model_name:
        return every
    chosen = published.get(model_name)
    if model_name == chosen.network.name:
        return [weights for weights in every if weights.network is chosen.network]
    return [chosen]


def text(chosen: Sequence[Weights], cache: str | None = None) -> str:
    """Returns the table, one line per set of weights, and the folder of the cache."""
    lines = [_COLUMNS, *(_cells(weights, cache) for weights in chosen)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*table, f"Cache: {published.cache_folder(cache)}"])


def hints(weights: Weights, cached: CachedWeights) -> list[str]:
    """Returns which flags weights imply where they are named, one a line; maybe none."""
    implied = {
        "--labels_offset=1 on ImageNet (1,000 classes, no background class)": (
            weights.labels_offset == 1
        ),
        f"--image_size={weights.checkpoint.image_size} (--eval_image_size in evaluation,"
        " --train_image_size in training)": (
            weights.checkpoint.image_size != weights.network.default_image_size
        ),
        "--moving_average_decay=0.9999 (only moving averages are there)": not cached.plain,
    }
    lines = [f"Unless given: {flag}." for flag, is_implied in implied.items() if is_implied]
    if not weights.by_name_alone:
        arguments = ", ".join(
            f"{key}={value}" for key, value in weights.checkpoint.arguments.items()
        )
        lines.append(
            f"Built by nets.{weights.network.name} with {arguments}; no program has a flag."
        )
    return lines


def _cells(weights: Weights, cache: str | None) -> tuple[str, ...]:
    checkpoint = weights.checkpoint
    return (
        weights.name,
        weights.network.name,
        str(checkpoint.image_size),
        str(checkpoint.num_classes),
        str(checkpoint.top1 or "-"),
        str(checkpoint.top5 or "-"),
        "yes" if published.in_cache(weights, cache) else "no",
        weights.urls[0],
    )
