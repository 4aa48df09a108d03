"""Every JSON file that programs read again, with every field of it changed in every way.

Whatever has become of a file, reading it ends in one line or in a value that can be used.
"""

import copy
import functools
import json

import pytest

from datasets import dataset_factory
from datasets.storage import journal, manifest, record_counts, tfds
from datasets.storage.layout import Layout
from deployment import cluster
from slim_internal.ground.downloads import part_file, receipts
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import published, run_record
from slim_internal.parts.checkpoints.converters import safetensors
from slim_internal.parts.inference import description
from slim_internal.programs.evaluation.settings import Evaluation
from slim_internal.programs.inspection import dataset_files
from slim_internal.programs.training import reporting, training_page, validation
from slim_internal.programs.training.feature_files import FeatureFile
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.programs.inspection import sets

MISSING = object()
VALUES = {
    "missing": MISSING,
    "null": None,
    "true": True,
    "number": 3,
    "fraction": 0.5,
    "negative": -1,
    "zero": 0,
    "huge": 10**30,
    "larger than any float": 10**400,
    "infinite": float("inf"),
    "text": "seven",
    "number as text": "7",
    "empty text": "",
    "NUL": "a\0b",
    "half a character": "\ud800",
    "path": "../../etc",
    "line break": "a\nb",
    "list": [1, "a", None],
    "empty list": [],
    "lists": [[[]]],
    "object": {"a": 1},
    "empty object": {},
}
RAW = {
    "empty": lambda text: b"",
    "cut": lambda text: text[: len(text) // 2],
    "not UTF-8": lambda text: text.replace(b'": ', b'": "\xff", "a": ', 1),
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "BOM": lambda text: b"\xef\xbb\xbf" + text,
    "twice": lambda text: text.replace(b"{", b'{"a": 1, "a": 2, ', 1),
    "NaN": lambda text: text.replace(b": ", b': NaN, "b": ', 1),
    "deep": lambda text: text.replace(
        b": ", b": " + b"[" * 100_000 + b"]" * 100_000 + b', "b": ', 1
    ),
    "deep, not closed": lambda text: b'{"a":' * 100_000,
    "many digits": lambda text: text.replace(b": ", b": " + b"9" * 5000 + b', "b": ', 1),
    "1e999": lambda text: text.replace(b": ", b': 1e999, "b": ', 1),
    "list": lambda text: b"[" + text + b"]",
    "zeros": lambda text: bytes(len(text)),
}


def places(value, place=()):
    """Yields the way to each value within a value, the first of each list alone."""
    if place:
        yield place
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*place, key))
    if isinstance(value, list) and value:
        yield from places(value[0], (*place, 0))


def changed(value, place, new):
    value = copy.deepcopy(value)
    *way, last = place
    within = functools.reduce(lambda inner, key: inner[key], way, value)
    if new is MISSING:
        del within[last]
    else:
        within[last] = new
    return value


def mutations(value):
    """Yields a name and the contents of each damaged file."""
    for place in places(value):
        for name, new in VALUES.items():
            text = json.dumps(changed(value, place, new)).replace("Infinity", "1e999")
            yield f"{'.'.join(map(str, place))}: {name}", text.encode()
    text = json.dumps(value).encode()
    for name, damage in RAW.items():
        yield name, damage(text)


SETTINGS = {
    "channels": 3,
    "class_names": ["cat", "dog"],
    "dataset_dir": "/data",
    "dataset_name": "flowers",
    "dataset_split_name": "train",
    "eval_split_name": "validation",
    "image_size": 28,
    "labels_offset": 0,
    "model_name": "lenet",
    "moving_average_decay": 0.9,
    "num_classes": 2,
    "preprocessing_name": "lenet",
    "use_grayscale": False,
    "tfrecord_pattern": None,
    "tfrecord_num_classes": None,
    "runs": [{"optimizer": "sgd"}],
}


def read_settings(folder):
    record = run_record.read(str(folder))
    for config in (
        Evaluation(dataset_dir="/d", eval_dir="/e", checkpoint_path=str(folder)),
        TrainConfig(dataset_dir="/d", train_dir=str(folder)),
    ):
        run_record.complete(config, record, remedy="nothing")
    record.require_classes(2, ["cat", "dog"], "the dataset")
    record.is_of(Evaluation(dataset_name="flowers", dataset_dir="/d"))
    run_record.write(str(folder), {"model_name": "lenet"}, {"batch_size": 1})


def read_manifest(folder):
    manifest.read(folder)
    dataset_files.find(str(folder))
    for name in ("image_folder", "flowers"):
        dataset = dataset_factory.get_dataset(name, "train", str(folder))
        assert 0 < dataset.num_samples < 2**63


def read_metrics(folder):
    lines = training_page.read(str(folder))
    training_page.render("title", lines, TrainConfig(dataset_dir="/d", train_dir="/t"))
    reporting.cut_metrics(str(folder / reporting.METRICS_FILENAME), 3)


def read_counts(folder):
    counts = record_counts.count([str(folder / "part-0")], Layout())
    assert counts.records == 2 == sum(counts.labels.values())
    assert counts.kinds == {"int64"}


def read_tfds(folder):
    facts = tfds.read(str(folder))
    assert facts is None or facts.num_classes is None or 0 < facts.num_classes < 2**31


def read_best(folder):
    best = validation._read_best(str(folder), "accuracy", 9)
    best.follow(0.5, 10)


def read_weights(folder):
    published.in_cache(published.get("inception_v1"), str(folder))


def read_safetensors(folder):
    header = (folder / "header").read_bytes()
    path = folder / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    safetensors.read(str(path))


def read_cluster(folder):
    environment = {"TF_CONFIG": (folder / "config").read_bytes().decode(errors="surrogateescape")}
    cluster.resolve(TrainConfig(dataset_dir="/d", train_dir="/t"), environment)


def read_receipt(folder):
    receipts.read_receipt(str(folder / "a.tar"))
    (folder / "a.tar.part").write_bytes(b"abc")
    with part_file.claim(str(folder / "a.tar")) as part:
        assert part.version is None or part.length == 3


VERSION = {"url": "http://a/b", "size": 5, "etag": '"a"', "last_modified": None, "encoding": None}
SHARD = {"name": "a", "split": "train", "records": 2, "bytes": 9, "checksum": "c", "inputs": "i"}
FILES = {
    # File -> what it holds, and what reads it.
    "settings.json": (SETTINGS, read_settings),
    "metrics.jsonl": ({"step": 2, "loss": 0.5, "validation/accuracy": 0.5}, read_metrics),
    "net.json": (
        {
            "graph_file": "net.pb",
            "model_name": "lenet",
            "preprocessing_name": "lenet",
            "image_size": 28,
            "channels": 1,
            "num_classes": 2,
            "class_names": ["cat", "dog"],
            "num_frames": None,
            "input_name": "input",
            "predictions_name": "predictions",
        },
        lambda folder: description.read_description(folder / "net.pb"),
    ),
    "features.json": (
        {
            "featuresDict": {
                "features": {
                    "image": {"pythonClassName": "a.Image"},
                    "label": {"pythonClassName": "a.ClassLabel", "classLabel": {"numClasses": "3"}},
                }
            }
        },
        read_tfds,
    ),
    f"{published.get('inception_v1').name}.json": (
        {
            "checkpoint_path": "inception_v1.ckpt",
            "origin": "http://a/b",
            "digests": {"inception_v1.ckpt": "sha256:a"},
            "variables": 3,
            "moving_averages": False,
            "plain": True,
        },
        read_weights,
    ),
    "best.json": ({"metric": "accuracy", "value": 0.5, "step": 3, "since": 0}, read_best),
    "header": (
        {"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}},
        read_safetensors,
    ),
    "config": (
        {"cluster": {"ps": ["a:1"], "worker": ["b:2"]}, "task": {"type": "worker", "index": 0}},
        read_cluster,
    ),
    "a.tar.receipt.json": (
        {"url": "b", "size": 3, "digest": "sha256:a", "verified": True, "modified_ns": 7},
        read_receipt,
    ),
    "a.tar.part.json": (VERSION, read_receipt),
    "key.json": ({"seed": 1, "sizes": [3]}, lambda folder: FeatureFile(str(folder)).open({"a": 1})),
}


def survives(folder, name, value, read):
    """Reads each damaged file; returns how many were refused in one line."""
    messages = {}
    for what, content in mutations(value):
        (folder / name).write_bytes(content)
        try:
            read(folder)
        except UserError as error:
            messages[what] = str(error)
        except Exception as error:
            raise AssertionError(what) from error
    assert [what for what, message in messages.items() if "\n" in message] == []
    assert [what for what, message in messages.items() if len(message) > 1000] == []
    return len(messages)


@pytest.mark.parametrize(("name", "value", "read"), [(n, *v) for n, v in FILES.items()], ids=FILES)
def test_a_damaged_file_is_one_line_or_not_used(tmp_path, name, value, read):
    (tmp_path / name).write_text(json.dumps(value))
    read(tmp_path)
    survives(tmp_path, name, value, read)


def test_a_damaged_manifest(tmp_path):
    sets.write(tmp_path, {"train-0": [sets.record(sets.image(1), 0)]})
    fields = json.loads((tmp_path / manifest.FILENAME).read_bytes())
    assert survives(tmp_path, manifest.FILENAME, fields, read_manifest) > 50


def test_damaged_counts_are_counted_again(tmp_path):
    sets.write(tmp_path, {"part-0": [sets.record(sets.image(n), 0) for n in (1, 2)]})
    read_counts(tmp_path)
    fields = json.loads((tmp_path / record_counts.FILENAME).read_bytes())
    assert survives(tmp_path, record_counts.FILENAME, fields, read_counts) == 0


@pytest.mark.parametrize("line", [0, 1])
def test_damaged_lines_of_a_journal_are_left_out(tmp_path, line):
    lines = [json.dumps(each).encode() for each in ({"dataset": "a", "files": ["a"]}, SHARD)]
    for what, content in mutations(json.loads(lines[line])):
        if b"\n" not in content:
            journal.path(tmp_path).write_bytes(
                b"\n".join([*lines[:line], content, *lines[line + 1 :]])
            )
            found = journal.read(tmp_path)
            assert set(found.shards) <= {"a", "seven", "7", "a\nb"}, what
