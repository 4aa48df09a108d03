"""Prints how fast exported networks are, each beside the frozen graph, the first file given.

    bazel run //tools/benchmarks:exported_networks_benchmark -- mine.pb mine.tflite
    bazel run --config=onnx //tools/benchmarks:exported_networks_benchmark -- mine.pb mine.onnx

Images of noise, preprocessed already, go through each network; rounds alternate, so that whatever
else the machine does meets all of them. Shown are the medians: images a second in batches, the
milliseconds of one image alone, and images a second relative to the first file. Formats that take
one image at a time have batches of one. Rates depend on the machine, ratios less.
"""

import contextlib
import statistics
from collections.abc import Sequence

from absl import flags

from slim_internal.ground import cli
from slim_internal.ground.errors import UserError
from tools.benchmarks import rates

_BATCH = flags.DEFINE_integer("batch_size", 16, "Images in a batch.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Rounds.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 1, "Least seconds of a network in a round.")


def _rate(predictor, images, seconds: float) -> float:
    """Returns images a second, measured for some time."""

    def work() -> int:
        predictor.predict_all(images)
        return len(images)

    return rates.measure(work, seconds)


def measure(paths: Sequence[str], batch_size: int, rounds: int, seconds: float) -> list[tuple]:
    """Returns the medians of each file: images a second, milliseconds of one, ratio to the first.

    Raises:
      UserError: If a file cannot be used, or reads other images than the first.
    """
    import numpy as np

    from slim_internal.parts.inference.formats import table

    with contextlib.ExitStack() as stack:
        predictors = [stack.enter_context(table.open_network(path)) for path in paths]
        shapes = [predictor.model.example_shape for predictor in predictors]
        for path, shape in zip(paths, shapes, strict=True):
            if shape != shapes[0]:
                raise UserError(
                    f"{path} reads images of shape {list(shape)}, {paths[0]} of"
                    f" {list(shapes[0])}: they cannot be compared."
                )
        random = np.random.default_rng(0)
        images = random.uniform(-1, 1, (batch_size, *shapes[0])).astype(np.float32)
        for predictor in predictors:  # What is made at the first call does not count.
            predictor.predict_all(images)
            predictor.predict_all(images[:1])
        batches = [
            [_rate(predictor, images, seconds) for predictor in predictors] for _ in range(rounds)
        ]
        single = [
            [1000 / _rate(predictor, images[:1], seconds / 4) for predictor in predictors]
            for _ in range(rounds)
        ]
    return [
        (
            statistics.median(row[index] for row in batches),
            statistics.median(row[index] for row in single),
            statistics.median(row[index] / row[0] for row in batches),
        )
        for index in range(len(paths))
    ]


def main(paths):
    """Prints a row for each file."""
    if not paths:
        raise UserError("Name exported networks, the frozen graph first.")
    paths = [cli.user_path(path) for path in paths]
    rows = measure(paths, _BATCH.value, _ROUNDS.value, _SECONDS.value)
    width = max(map(len, paths)) + 2
    print(f"{'file':{width}}{'images/s':>10}{'ms for one':>12}{'of the first':>14}")
    for path, (rate, milliseconds, ratio) in zip(paths, rows, strict=True):
        print(f"{path:{width}}{rate:10.1f}{milliseconds:12.2f}{ratio:14.2f}")


if __name__ == "__main__":
    cli.run(main, max_arguments=100)
