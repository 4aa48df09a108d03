"""Reading every record of a dataset once and adding up what is found."""

import collections
import dataclasses
import hashlib
import heapq
import itertools
import os
from collections.abc import Iterator, Mapping
from concurrent import futures

import numpy as np
from PIL import Image

from datasets.storage import tfrecords
from slim_internal.ground.progress import reporting
from slim_internal.parts.reports import near_duplicates, stored_example
from slim_internal.parts.reports.near_duplicates import Fingerprint
from slim_internal.parts.reports.stored_example import StoredExample
from slim_internal.programs.inspection.dataset_files import DatasetFiles, RecordFile

# Images of a class that each shard proposes to be shown.
_PROPOSALS = 8


@dataclasses.dataclass(frozen=True, order=True)
class Place:
    """Where a record stands.

    Attributes:
      file: Name of its file.
      record: Its number there, from 0; -1 stands for the file itself.
    """

    file: str
    record: int = -1

    def __str__(self):
        return self.file if self.record < 0 else f"{self.file}, record {self.record}"


@dataclasses.dataclass(frozen=True, order=True)
class Defect:
    """Something that ought not to be.

    Attributes:
      place: Where it is.
      fault: What it is; a phrase that goes on from the name of the place.
    """

    place: Place
    fault: str

    def __str__(self):
        return f"{self.place}: {self.fault}"


@dataclasses.dataclass
class Tally:
    """What one file holds, or several of them together.

    Attributes:
      records: Number of records that could be read.
      bytes: Size of the files.
      files: Number of files.
      labels: Label -> number of images.
      sizes: (width, height) -> number of images.
      kinds: Format and color mode -> number of images.
      boxes: Number of boxes.
    """

    records: int = 0
    bytes: int = 0
    files: int = 0
    labels: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    sizes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    kinds: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    boxes: int = 0

    def add(self, other: "Tally") -> None:
        """Adds what other files hold."""
        for field in dataclasses.fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            setattr(self, field.name, mine + theirs)


@dataclasses.dataclass
class _FileSurvey:
    """What the reading of one file found."""

    file: RecordFile
    tally: Tally
    problems: list[Defect]
    names: dict[int, str]
    digests: list[int]
    labels: list[int]
    records: list[int]
    filenames: list[str]
    fingerprints: dict[int, Fingerprint]
    proposals: dict[int, list[tuple[int, int]]]


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Images whose files are equal byte for byte.

    Attributes:
      between_splits: Number of images, each counted once, that are in more than one split.
      within_splits: Number of further copies of an image inside a split.
      other_label: Number of images, each counted once, that have copies with another label.
      groups: Places of equal images, those in several splits first.
      filenames: Place -> name of the file it was made from, where the example has one.
      near: Places of images in different splits that are nearly the same but not equal, the most
        alike first; None if that was not looked for.
    """

    between_splits: int
    within_splits: int
    other_label: int
    groups: tuple[tuple[Place, ...], ...]
    filenames: Mapping[Place, str] = dataclasses.field(default_factory=dict)
    near: tuple[tuple[Place, Place], ...] | None = ()


@dataclasses.dataclass(frozen=True)
class Survey:
    """What is known of a dataset after reading it.

    Attributes:
      dataset: Its files.
      class_names: Label -> name, from the files and, where those lack it, from the stored_example.
      splits: Split -> what it holds.
      problems: Everything that is damaged or inconsistent, by place.
      duplicates: Images that occur more than once.
      proposals: (label, split) -> places of images to show, best first.
    """

    dataset: DatasetFiles
    class_names: dict[int, str]
    splits: dict[str, Tally]
    problems: tuple[Defect, ...]
    duplicates: Duplicates
    proposals: dict[tuple[int, str], list[Place]]

    @property
    def total(self) -> Tally:
        """What all splits hold together."""
        total = Tally()
        for tally in self.splits.values():
            total.add(tally)
        return total


def take(
    dataset: DatasetFiles,
    *,
    decode: bool = True,
    seed: int = 0,
    num_workers: int = 1,
    progress: reporting.Progress = reporting.silent,
) -> Survey:
    """Reads a dataset from end to end.

    Args:
      dataset: Its files.
      decode: Whether to decode all images.
      seed: Decides which images are proposed to be shown.
      num_workers: Number of threads; the work is done outside Python's lock for the most part.
      progress: Called as files are read.
    """
    surveys = []
    pool = futures.ThreadPoolExecutor(num_workers)
    try:
        tasks = [pool.submit(_read, file, dataset, decode, seed) for file in dataset.files]
        with reporting.Meter(progress, "Read", total=len(tasks), unit="files") as meter:
            for task in tasks:
                surveys.append(task.result())
                meter.advance()
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C is not to wait for what has not begun.
    return _merge(dataset, surveys, decode)


def _read(file: RecordFile, dataset: DatasetFiles, decode: bool, seed: int) -> _FileSurvey:
    size = os.path.getsize(file.path) if os.path.exists(file.path) else 0  # Told of when read.
    tally = Tally(bytes=size, files=1)
    survey = _FileSurvey(file, tally, [], {}, [], [], [], [], {}, {})
    for number, record in _records(survey):
        tally.records += 1
        try:
            example = stored_example.parse(record, dataset.layout)
            _note_identity(survey, number, example)
            with stored_example.open_image(example.encoded, decode=decode) as image:
                _note_image(survey, number, example, image, dataset.class_names, seed)
                if decode and (found := near_duplicates.fingerprint(image)):
                    survey.fingerprints[number] = found
        except stored_example.DamageError as damage:
            survey.problems.append(Defect(Place(file.name, number), str(damage)))
    if file.records not in (None, tally.records):
        fault = f"holds {tally.records} records that can be read; it should hold {file.records}"
        survey.problems.append(Defect(Place(file.name), fault))
    return survey


def _records(survey: _FileSurvey) -> Iterator[tuple[int, bytes]]:
    try:
        yield from enumerate(tfrecords.read_records(survey.file.path))
    except tfrecords.DamagedShardError as error:
        place = Place(survey.file.name, survey.tally.records)
        fault = f"cannot be read, nor what follows it in the file. {error}"
        survey.problems.append(Defect(place, fault))


def _note_identity(survey: _FileSurvey, number: int, example: StoredExample) -> None:
    digest = hashlib.blake2b(example.encoded, digest_size=8).digest()
    survey.digests.append(int.from_bytes(digest, "little"))
    survey.labels.append(-1 if example.label is None else example.label)
    survey.records.append(number)
    survey.filenames.append(example.filename)


def _note_image(
    survey: _FileSurvey,
    number: int,
    example: StoredExample,
    image: Image.Image,
    class_names: dict[int, str],
    seed: int,
) -> None:
    tally = survey.tally
    tally.sizes[image.size] += 1
    tally.kinds[f"{image.format} {image.mode}"] += 1
    tally.boxes += len(example.boxes)
    place = Place(survey.file.name, number)
    for fault in stored_example.faults(example, image, class_names):
        survey.problems.append(Defect(place, fault))
    if example.label is None:
        return
    tally.labels[example.label] += 1
    if example.text:
        survey.names.setdefault(example.label, example.text)
    # Which images are shown depends on the seed and their places alone.
    rank = hashlib.blake2b(f"{seed} {place}".encode(), digest_size=8).digest()
    proposals = survey.proposals.setdefault(example.label, [])
    # The heap gives up its smallest: negative ranks keep the best.
    entry = (-int.from_bytes(rank, "little"), number)
    if len(proposals) < _PROPOSALS:
        heapq.heappush(proposals, entry)
    else:
        heapq.heappushpop(proposals, entry)


def _merge(dataset: DatasetFiles, surveys: list[_FileSurvey], decode: bool) -> Survey:
    names: dict[int, str] = {}
    splits: dict[str, Tally] = {}
    problems = [Defect(Place(name), "is missing") for name in dataset.missing]
    proposals: dict[tuple[int, str], list] = {}
    for survey in surveys:
        split = survey.file.split
        splits.setdefault(split, Tally()).add(survey.tally)
        names = survey.names | names
        problems += survey.problems
        for label, entries in survey.proposals.items():
            ranked = [(-rank, Place(survey.file.name, number)) for rank, number in entries]
            proposals.setdefault((label, split), []).extend(ranked)
    return Survey(
        dataset=dataset,
        class_names=dict(sorted((names | dataset.class_names).items())),
        splits=splits,
        problems=tuple(sorted(problems)),
        duplicates=_duplicates(surveys, decode),
        proposals={key: [place for _, place in sorted(v)] for key, v in proposals.items()},
    )


def _duplicates(surveys: list[_FileSurvey], decode: bool) -> Duplicates:
    digests = np.array([value for survey in surveys for value in survey.digests], np.uint64)
    order = np.argsort(digests, kind="stable")
    ordered = digests[order]
    # Where a run of equal digests begins; one entry more than there are runs.
    edges = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1], True])
    repeated = np.flatnonzero(np.diff(edges) > 1)
    files = np.repeat(np.arange(len(surveys)), [len(survey.digests) for survey in surveys])
    records = [number for survey in surveys for number in survey.records]
    labels = [label for survey in surveys for label in survey.labels]
    filenames = [name for survey in surveys for name in survey.filenames]
    between, within, other_label, groups, named = 0, 0, 0, [], {}
    for run in repeated:
        members = order[edges[run] : edges[run + 1]]
        held = {surveys[files[member]].file.split for member in members}
        between += len(held) > 1
        within += len(members) - len(held)
        other_label += len({labels[member] for member in members}) > 1
        places = tuple(Place(surveys[files[m]].file.name, records[m]) for m in members)
        groups.append((len(held) == 1, places))
        names = zip(places, (filenames[member] for member in members), strict=True)
        named |= {place: name for place, name in names if name}
    ordered_groups = tuple(places for _, places in sorted(groups))
    near = _near_duplicates(surveys) if decode else None
    for survey in surveys if near else ():
        by_record = dict(zip(survey.records, survey.filenames, strict=True))
        for place in itertools.chain.from_iterable(near):
            if place.file == survey.file.name and by_record[place.record]:
                named[place] = by_record[place.record]
    return Duplicates(between, within, other_label, ordered_groups, named, near)


def _near_duplicates(surveys: list[_FileSurvey]) -> tuple[tuple[Place, Place], ...] | None:
    """Returns the places of near duplicates in different splits; None if there are too many."""
    splits: dict[str, list[tuple[Place, int, Fingerprint]]] = {}
    for survey in surveys:
        digests = dict(zip(survey.records, survey.digests, strict=True))
        splits.setdefault(survey.file.split, []).extend(
            (Place(survey.file.name, number), digests[number], print_)
            for number, print_ in survey.fingerprints.items()
        )
    found = []
    for first, second in itertools.combinations(splits.values(), 2):
        pairs = near_duplicates.pairs([print_ for *_, print_ in first], [p for *_, p in second])
        if pairs is None:
            return None
        found += [
            (first[one][0], second[other][0])
            for one, other in pairs
            if first[one][1] != second[other][1]  # Those that are equal are counted already.
        ]
    return tuple(found)
