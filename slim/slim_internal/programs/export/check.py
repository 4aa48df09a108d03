"""Compares a file that was written with the checkpoint that it was made of."""

import dataclasses
import gc
import pathlib

import numpy as np

from slim_internal.ground.errors import UserError
from slim_internal.parts.inference.formats.format import Format, Probe

# How far probabilities may be off where rounding may go up instead of down, on average over images:
# one value that does so early in a network can change what is said of a single image by more.
_STEPS = 0.05


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How the probabilities of a file compare with those of the checkpoint.

    Attributes:
      difference: Largest difference of two probabilities, 0 to 1.
      mean_difference: The largest one of each image, on average over the images.
      agreement: Fraction of images that have the same most likely class, 0 to 1.
      accuracy: Accuracy of the file on labeled images, 0 to 1; None without such.
      checkpoint_accuracy: Accuracy of the checkpoint on the same images.
    """

    difference: float
    mean_difference: float
    agreement: float
    accuracy: float | None = None
    checkpoint_accuracy: float | None = None


def measure(each: Format, path: pathlib.Path, probe: Probe) -> Comparison:
    """Reads a file and returns how what it says of the probe's images compares."""
    with each.open(path) as predictor:
        probabilities = predictor.predict_all(probe.images)
    del predictor
    gc.collect()  # Graphs have cycles, and keep their weights until then.
    predicted, expected = probabilities.argmax(axis=1), probe.probabilities.argmax(axis=1)
    differences = np.abs(probabilities - probe.probabilities).max(axis=1)
    return Comparison(
        float(differences.max()),
        float(differences.mean()),
        float(np.mean(predicted == expected)),
        *(
            None if probe.labels is None else float(np.mean(probe.labels == classes))
            for classes in (predicted, expected)
        ),
    )


def compare(each: Format, path: pathlib.Path, probe: Probe) -> Comparison:
    """Measures a file, and requires that it is as near to the checkpoint as its format has to be.

    Raises:
      UserError: If it is further away.
    """
    comparison = measure(each, path, probe)
    if each.tolerance is None:
        within = True
    elif probe.rounded:
        within = comparison.mean_difference <= _STEPS
    else:
        within = comparison.difference <= each.tolerance
    if not within or comparison.agreement < each.agreement:  # A NaN is not within.
        raise UserError(
            f"The file for --format={each.name} does not say what the checkpoint says: the largest"
            f" difference of probabilities is {comparison.difference:.1e},"
            f" {comparison.agreement:.0%} of most likely classes agree. Nothing was written."
        )
    return comparison
