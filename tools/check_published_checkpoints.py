"""Restores published checkpoints and classifies photographs that scikit-learn and -image ship.

    bazel run //tools:check_published_checkpoints -- --source=/my/archives
    bazel run //tools:check_published_checkpoints -- mobilenet_v1 inception_v3

Without names, every network with published weights is looked at, or every set of weights that the
folder holds; of those that cannot be had one line says why. The table shows the most likely class
of each photograph; where answers are recorded (those of the graph that was published with the
weights), they are compared. The exit code is 1 if answers differ or nothing could be checked.
"""

import dataclasses
import hashlib
import importlib.util
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping

from absl import flags

from slim_internal.ground import cli
from slim_internal.ground.errors import UserError

_SOURCE = flags.DEFINE_string(
    "source", None, "Folder or URL with the archives or checkpoints; else the published addresses."
)
_CACHE = flags.DEFINE_string(
    "checkpoint_cache",
    None,
    "Folder of the cache; unless given, a temporary one with --source, so that what is there is"
    " checked and not what is cached, else the usual one.",
)
_ANSWERS = flags.DEFINE_string("answers", None, "File of recorded answers; else the project's.")
_TOLERANCE = flags.DEFINE_float("tolerance", 1e-3, "Largest difference of a probability.")

_RECORDED = pathlib.Path(__file__).parents[1] / "tests" / "golden" / "published_answers.json"
# Distribution -> package and folder of its photographs.
_SHIPPED = {
    "scikit-learn": ("sklearn", "datasets/images"),
    "scikit-image": ("skimage", "data"),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A photograph as some weights see it.

    Attributes:
      weights: Name of the weights.
      image: Name of the photograph.
      index: Place of the most likely class.
      name: Name of that class.
      probability: Its probability.
      difference: Largest difference from the recorded probabilities; None if there are none.
      same_class: Whether the recorded most likely class is the same.
    """

    weights: str
    image: str
    index: int
    name: str
    probability: float
    difference: float | None
    same_class: bool

    def agrees(self, tolerance: float) -> bool:
        """Returns whether nothing recorded speaks against it."""
        return self.difference is None or (self.same_class and self.difference <= tolerance)

    def cells(self, tolerance: float) -> tuple[str, ...]:
        """Returns the columns of the table."""
        if self.difference is None:
            verdict = "not recorded"
        else:
            verdict = f"{'same' if self.agrees(tolerance) else 'DIFFERS'} ({self.difference:.1e})"
        percent = f"{self.probability:.2%}"
        return self.weights, self.image, percent, f"{self.index} {self.name}", verdict


def photographs(digests: Mapping[str, str]) -> dict[str, str]:
    """Returns the path of each photograph that is installed, by name, and is the recorded one.

    Args:
      digests: Name ("scikit-learn/china.jpg") -> SHA-256 of the file.
    """
    found = {}
    for name, digest in digests.items():
        distribution, _, file_name = name.partition("/")
        package, folder = _SHIPPED[distribution]
        spec = importlib.util.find_spec(package)
        for place in (spec and spec.submodule_search_locations) or []:
            path = pathlib.Path(place, folder, file_name)
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
                found[name] = str(path)
    return found


def compare(
    probabilities: Mapping[int, float], recorded: list[tuple[int, float]] | None
) -> tuple[float | None, bool]:
    """Returns how far probabilities are from those recorded, and whether the first class agrees.

    Args:
      probabilities: Class -> probability, the most likely first.
      recorded: Class and probability of the most likely classes, the first first; None if unknown.
    """
    if not recorded:
        return None, True
    difference = max(abs(probabilities[index] - value) for index, value in recorded)
    return difference, next(iter(probabilities)) == recorded[0][0]


def check(weights, cached, images: Mapping[str, str], answers: Mapping) -> Iterator[Row]:
    """Yields what some weights say of each photograph.

    Args:
      weights: The weights.
      cached: Their checkpoint.
      images: Name -> path.
      answers: Name -> what is recorded for these weights.
    """
    from slim_internal.programs.classification.classifier import open_classifier
    from slim_internal.programs.classification.settings import Classification

    config = Classification(
        model_name=weights.network.name,
        checkpoint_path=cached.checkpoint_path,
        labels_offset=weights.labels_offset,
        image_size=weights.checkpoint.image_size,
        moving_average_decay=None if cached.plain else 0.9999,
    )
    with open_classifier(config) as classifier:
        every = weights.checkpoint.num_classes
        for name, path in images.items():
            ((_, guesses),) = classifier.classify([path], top_k=every)
            recorded = answers.get(name, {}).get("top5")
            probabilities = {guess.index: guess.probability for guess in guesses}
            difference, same_class = compare(probabilities, recorded)
            first = guesses[0]
            yield Row(
                weights.name,
                name,
                first.index,
                first.name.partition(",")[0],
                first.probability,
                difference,
                same_class,
            )


def chosen(names: list[str], folder: str | None) -> list:
    """Returns the weights to check: those named, else all that a folder holds, else all first ones.

    Args:
      names: Names of networks or sets of weights; may be empty.
      folder: The folder that they are to be taken from, if it is one.

    Raises:
      UserError: If a name is unknown, or its network has no flag for what the weights need.
    """
    from slim_internal.parts.checkpoints import published

    if not names:
        every = published.available()
        if folder:
            return [item for item in every if item.by_name_alone and published.offers(folder, item)]
        return [item for item in every if item.checkpoint is item.network.checkpoints[0]]
    named = [published.get(name) for name in names]
    for weights in named:
        if not weights.by_name_alone:
            raise UserError(
                f"{weights.name} needs {weights.checkpoint.arguments}: no flag says so."
            )
    return named


def table(rows: list[Row], tolerance: float) -> str:
    """Returns the rows as text."""
    head = ("weights", "image", "probability", "most likely class", "recorded answer")
    lines = [head, *(row.cells(tolerance) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main(names):
    """Prints the table; returns the exit code."""
    from slim_internal.parts.checkpoints import published

    path = pathlib.Path(cli.user_path(_ANSWERS.value)) if _ANSWERS.value else _RECORDED
    recorded = json.loads(path.read_text(encoding="utf-8"))
    images = photographs(recorded["images"])
    if not images:
        raise UserError(
            "No photograph to classify: neither scikit-learn nor scikit-image is there."
        )
    source = _SOURCE.value and cli.user_path(_SOURCE.value)
    folder = source if source and "://" not in source else None
    if folder and not os.path.isdir(folder):
        raise UserError(f"--source={folder} is not a folder.")
    rows: list[Row] = []
    problems = []
    with tempfile.TemporaryDirectory() as temporary:
        given = _CACHE.value and cli.user_path(_CACHE.value)
        cache = given or (temporary if source else published.cache_folder())
        for weights in chosen(names, folder):
            try:
                cached = published.fetch(weights, cache, source=source)
                rows += check(weights, cached, images, recorded["answers"].get(weights.name, {}))
            except UserError as error:
                problems.append((weights.name, str(error).splitlines()[0]))
    _report(rows, problems, images, recorded["images"])
    agree = all(row.agrees(_TOLERANCE.value) for row in rows)
    return 0 if rows and agree else 1


def _report(rows, problems, images, wanted) -> None:
    print(table(rows, _TOLERANCE.value))
    for name, problem in problems:
        print(f"{name}: not checked: {problem}")
    differing = sum(not row.agrees(_TOLERANCE.value) for row in rows)
    compared = sum(row.difference is not None for row in rows)
    absent = sorted(set(wanted) - set(images))
    print(
        f"Sets of weights restored: {len({row.weights for row in rows})}, not checked:"
        f" {len(problems)}. Photographs: {len(images)}. Answers compared: {compared}, different:"
        f" {differing}."
    )
    if absent:
        print(f"Photographs that are not installed: {', '.join(absent)}.")


if __name__ == "__main__":
    cli.run(main, max_arguments=100)
