"""Images of a split that are nearly the same as images of another split of the dataset."""

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Iterator, Sequence

from datasets import dataset_factory
from datasets.descriptor import data_files
from datasets.storage import tfrecords
from slim_internal.ground.compat import slim
from slim_internal.parts.reports import near_duplicates, stored_example, thumbnail
from slim_internal.parts.reports.near_duplicates import Fingerprint
from slim_internal.parts.reports.thumbnail import Thumbnail
from slim_internal.programs.evaluation.settings import Evaluation

_LOG = logging.getLogger(__name__)

_SPLITS = ("train", "validation", "val", "test")


@dataclasses.dataclass(frozen=True)
class Overlap:
    """What was found.

    Attributes:
      count: Number of pairs; None if there are too many images to compare.
      shown: A row of two thumbnails for each of the most alike pairs.
    """

    count: int | None
    shown: Sequence[Sequence[Thumbnail]] = ()


def find(config: Evaluation, class_names: Sequence[str], num_shown: int) -> Overlap:
    """Compares the split that is evaluated with all others of the dataset.

    Args:
      config: Names the dataset and the split.
      class_names: Name of each class, in the order of the network's outputs.
      num_shown: How many pairs to show.
    """
    own = config.dataset_split_name
    here = dataset_factory.open_split(config, own)
    others = {
        split: dataset_factory.open_split(config, split)
        for split in _SPLITS
        if split != own and dataset_factory.has_split(config, split)
    }
    for there in others.values():  # Before any image is read, which takes far longer.
        if here.num_samples * there.num_samples > near_duplicates.MAX_COMPARISONS:
            return Overlap(None)
    prints = _prints(here) if others else []
    count, shown = 0, []
    for other, there in others.items():
        _LOG.info("Comparing with the %d images of the split %s", there.num_samples, other)
        pairs = near_duplicates.pairs(prints, _prints(there))
        if pairs is None:
            return Overlap(None)
        count += len(pairs)
        chosen = pairs[: num_shown - len(shown)]
        rows = [
            _thumbnails(config, dataset, split, {pair[side] for pair in chosen}, class_names)
            for side, (split, dataset) in enumerate(((own, here), (other, there)))
        ]
        shown += [
            [rows[side][place] for side, place in enumerate(pair) if place in rows[side]]
            for pair in chosen
        ]
    return Overlap(count, shown)


def _records(dataset: slim.dataset.Dataset) -> Iterator[bytes]:
    return itertools.chain.from_iterable(map(tfrecords.read_records, data_files(dataset)))


def _prints(dataset: slim.dataset.Dataset) -> list[Fingerprint | None]:
    layout = getattr(dataset, "layout", None)
    prints: list[Fingerprint | None] = []
    for record in _records(dataset):
        found = None
        with contextlib.suppress(stored_example.DamageError):
            example = stored_example.parse(record, layout)
            with stored_example.open_image(example.encoded, decode=False) as image:
                found = near_duplicates.fingerprint(image)
        prints.append(found)
    return prints


def _thumbnails(
    config: Evaluation,
    dataset: slim.dataset.Dataset,
    split: str,
    places: set[int],
    class_names: Sequence[str],
) -> dict[int, Thumbnail]:
    layout = getattr(dataset, "layout", None)
    shown = {}
    for place, record in enumerate(_records(dataset) if places else ()):
        if place not in places:
            continue
        with contextlib.suppress(stored_example.DamageError):
            example = stored_example.parse(record, layout)
            label = (example.label or 0) - config.labels_offset
            name = class_names[label] if 0 <= label < len(class_names) else f"label {label}"
            where = example.filename or f"record {place}"
            with stored_example.open_image(example.encoded) as image:
                shown[place] = thumbnail.make(image, name, f"{split} · {where}", where)
    return shown
