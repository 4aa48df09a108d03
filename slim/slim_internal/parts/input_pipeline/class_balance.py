"""What makes up for classes of different sizes: weights in the loss, and sampling.

Both follow from how many examples each class has in the split that is trained on.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from datasets.descriptor import data_files
from deployment import sessions
from nets import nets_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError, nearest

_BALANCED = "balanced"


def labels(dataset: slim.dataset.Dataset) -> np.ndarray:
    """Returns the label of each example, int64, in the order of the files; decodes no image."""
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        records = tf.data.TFRecordDataset(data_files(dataset))
        batches = records.map(lambda record: dataset.decoder.decode(record, ["label"])[0])
        batch = tf.data.make_one_shot_iterator(batches.batch(1024)).get_next()
        found = []
        while True:
            try:
                found.append(session.run(batch))
            except tf.errors.OutOfRangeError:
                return np.concatenate([np.zeros(0, np.int64), *found])


def names(dataset: slim.dataset.Dataset) -> tuple[str, ...]:
    """Returns the name of each class by label, the label itself where there is none."""
    known: Mapping[int, str] = getattr(dataset, "labels_to_names", None) or {}
    return tuple(known.get(label, str(label)) for label in range(dataset.num_classes))


def counts(dataset: slim.dataset.Dataset, flag: str) -> np.ndarray:
    """Returns how many examples each class has, by label.

    Args:
      dataset: The split.
      flag: What needs examples of each class, for the message.

    Raises:
      UserError: If a class has none; a background class may be empty.
    """
    found = np.bincount(labels(dataset), minlength=dataset.num_classes)
    named = names(dataset)
    empty = [
        name
        for name, count in zip(named, found, strict=False)
        if not count and name != nets_factory.BACKGROUND
    ]
    if empty:
        raise UserError(
            f"{flag}: the split has no images of {len(empty)} of {len(named)} classes:"
            f" {', '.join(empty[:5])}{', ...' if empty[5:] else ''}. Add some, or leave out {flag}."
        )
    return found


def weights(text: str, dataset: slim.dataset.Dataset, labels_offset: int = 0) -> list[float]:
    """Returns the weight of each class of a network in the loss.

    Args:
      text: "balanced" for (examples / classes / examples of the class); or a weight for each class,
        separated by commas; or the path of a file with a line CLASS,WEIGHT for each.
      dataset: The split that is trained on.
      labels_offset: Number of classes that the network leaves out at the beginning; below 0, of
        those that it has before the first.

    Raises:
      UserError: If it is none of these, or a weight is missing or no number of at least 0.
    """
    named = nets_factory.names_after_offset(names(dataset), labels_offset)
    if text == _BALANCED:
        found = counts(dataset, f"--class_weights={text}")[max(labels_offset, 0) :]
        found = np.pad(found, (max(-labels_offset, 0), 0))
        used = np.maximum(found, 1)
        return [float(found.sum() / np.count_nonzero(found) / count) for count in used]
    values = _of_file(text, named) if os.path.isfile(text) else _listed(text, named)
    if not any(values):
        raise UserError("--class_weights must be above 0 for some class; got 0 for each.")
    return values


def _listed(text: str, named: Sequence[str]) -> list[float]:
    parts = text.split(",")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        raise UserError(
            f"--class_weights must be {_BALANCED}, a weight for each class separated by commas, or"
            f" a file of lines CLASS,WEIGHT; got {text!r}."
        ) from None
    if len(values) != len(named):
        raise UserError(
            f"--class_weights must have a weight for each of the {len(named)} classes"
            f" ({', '.join(named[:5])}{', ...' if named[5:] else ''}); got {len(values)}."
        )
    return [_checked(value, str(value)) for value in values]


def _of_file(path: str, named: Sequence[str]) -> list[float]:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.strip() for line in file if line.strip()]
    found: dict[str, float] = {}
    for line in lines:
        name, _, value = line.rpartition(",")
        if name not in named:
            match = nearest(name, named)
            hint = f" Did you mean {match!r}?" if match is not None else ""
            raise UserError(f"--class_weights={path}: no class is named {name!r}.{hint}")
        try:
            number = float(value)
        except ValueError:
            raise UserError(f"--class_weights={path}: {line!r} is no line CLASS,WEIGHT.") from None
        found[name] = _checked(number, line)
    missing = [name for name in named if name not in found]
    if missing:
        raise UserError(f"--class_weights={path} has no weight for {', '.join(missing[:5])}.")
    return [found[name] for name in named]


def _checked(value: float, text: str) -> float:
    if not (0 <= value < math.inf):
        raise UserError(f"--class_weights must be numbers of at least 0; got {text}.")
    return value


def resampled(
    examples: tf.data.Dataset,
    epoch: tf.Tensor,
    *,
    label_of: Callable[..., tf.Tensor],
    class_counts: Sequence[int],
    seed: int,
) -> tf.data.Dataset:
    """Returns as many examples, of each class alike, those that are many thinned out.

    Each example of a class comes so often that the class gets its part of the epoch; which ones
    come once more than others depends on the epoch (systematic sampling).

    Args:
      examples: One epoch.
      epoch: Number of the epoch.
      label_of: Function of an element that returns its label.
      class_counts: Examples of each class in it, by label.
      seed: Number of the run.
    """
    found = np.asarray(class_counts, np.int64)
    present = np.flatnonzero(found)
    targets = np.zeros_like(found)
    targets[present] = found.sum() // len(present)
    targets[present[: found.sum() % len(present)]] += 1
    have, want = tf.constant(np.maximum(found, 1)), tf.constant(targets)
    fractions = tf.random.stateless_uniform(found.shape, tf.stack([seed, epoch]), dtype=tf.float64)
    phases = tf.cast(fractions * tf.cast(have, tf.float64), tf.int64)

    @tf.autograph.experimental.do_not_convert
    def count(seen, element):
        label = label_of(element)
        before = seen[label] * want[label] + phases[label]
        times = (before + want[label]) // have[label] - before // have[label]
        return tf.tensor_scatter_nd_add(seen, [[label]], [tf.constant(1, tf.int64)]), (
            element,
            times,
        )

    repeated = examples.scan(np.zeros(found.shape, np.int64), count)
    return repeated.flat_map(
        lambda element, times: tf.data.Dataset.from_tensors(element).repeat(times)
    )
