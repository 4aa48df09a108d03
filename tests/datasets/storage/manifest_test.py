"""Manifests and journals that are damaged: one line each, whoever reads them."""

import json

import pytest

from datasets.storage import journal, manifest, tfrecords
from slim_internal.ground.errors import UserError


@pytest.fixture
def dataset(tmp_path):
    """A folder with a complete dataset of two files."""
    shards = []
    for split in ("train", "test"):
        contents = tfrecords.write_shard(tmp_path / f"{split}.tfrecord", [b"one", b"two"])
        shards.append(manifest.Shard(name=f"{split}.tfrecord", split=split, **vars(contents)))
    complete = manifest.Manifest(dataset="pets", class_names=("cat", "dog"), shards=tuple(shards))
    manifest.write(tmp_path, complete)
    return tmp_path


def shard(**changes):
    return lambda fields: fields["shards"][0].update(changes)


def without(name):
    return lambda fields: fields["shards"][0].pop(name)


CHANGES = {
    "records as text": (shard(records="2"), r"shards\[0\]\.records must be an integer; got '2'"),
    "negative records": (shard(records=-1), r"shards\[0\]\.records must be from 0 to 1000"),
    "half a record": (shard(records=1.5), r"shards\[0\]\.records must be an integer"),
    "no number of records": (shard(records=None), r"shards\[0\]\.records must be an integer"),
    "true records": (shard(records=True), r"shards\[0\]\.records must be an integer"),
    "huge records": (shard(records=10**40), r"shards\[0\]\.records must be an integer"),
    "too many records": (shard(records=10**13), r"shards\[0\]\.records must be from 0 to 1000"),
    "bytes as text": (shard(bytes="38"), r"shards\[0\]\.bytes must be an integer"),
    "negative bytes": (shard(bytes=-5), r"shards\[0\]\.bytes must be from 0 to 1000"),
    "list as checksum": (shard(checksum=[1]), r"shards\[0\]\.checksum must be a text; got list"),
    "missing checksum": (without("checksum"), r"shards\[0\]\.checksum is missing"),
    "missing name": (without("name"), r"shards\[0\]\.name is missing"),
    "split as number": (shard(split=1), r"shards\[0\]\.split must be a text"),
    "no split": (shard(split=""), r"shards\[0\]\.split is empty"),
    "problems as text": (shard(problems="none"), r"shards\[0\]\.problems is not a list"),
    "half a problem": (shard(problems=[["a", "b"]]), r"problems\[0\] must have 3 items"),
    "unknown field": (shard(color="red"), r"shards\[0\]\.color is not known"),
    "path that leads elsewhere": (shard(name="../train.tfrecord"), "must be that of a file beside"),
    "absolute path": (shard(name="/etc/passwd"), "must be that of a file beside"),
    "path of the folder": (shard(name=".."), "must be that of a file beside"),
    "name with NUL": (shard(name="a\0b"), r"shards\[0\]\.name must be a text"),
    "half a character": (shard(name="\ud800"), r"shards\[0\]\.name must be a text"),
    "name listed twice": (shard(name="test.tfrecord"), "'test.tfrecord' is listed twice"),
    "other splits": (shard(split="validation"), r"splits must be {'validation': 2, 'test': 2}"),
    "shards missing": (lambda fields: fields.pop("shards"), "shards is missing"),
    "no shards": (lambda fields: fields.update(shards=[], splits={}), "shards is empty"),
    "shards as object": (lambda fields: fields.update(shards={}), "shards is not a list"),
    "shard as text": (lambda fields: fields.update(shards=["a"]), r"shards\[0\] is not an object"),
    "class names as number": (lambda fields: fields.update(class_names=2), "class_names is not a"),
    "class names as text": (lambda fields: fields.update(class_names="ab"), "class_names is not a"),
    "number as class": (
        lambda fields: fields.update(class_names=["a", 1]),
        r"class_names\[1\] must",
    ),
    "no classes": (lambda fields: fields.update(class_names=[]), "class_names is empty"),
    "dataset as list": (lambda fields: fields.update(dataset=["pets"]), "dataset must be a text"),
    "no dataset": (lambda fields: fields.pop("dataset"), "dataset is missing"),
    "options as list": (lambda fields: fields.update(options=[]), "options is not an object"),
    "left out as text": (lambda fields: fields.update(left_out={".txt": "3"}), r"left_out\.\.txt"),
    "version as text": (lambda fields: fields.update(writer_version="1"), "writer_version must be"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_a_field_that_is_wrong_is_named(dataset, change, message):
    path = dataset / manifest.FILENAME
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))
    with pytest.raises(UserError, match=rf"manifest\.json is damaged \(.*{message}") as caught:
        manifest.read(dataset)
    assert "\n" not in str(caught.value)


FILES = {
    "empty": (b"", "it is empty"),
    "list": (b"[]", "it does not hold an object"),
    "not UTF-8": (b'{"dataset": "\xff"}', "it is not UTF-8"),
    "not a number": (b'{"dataset": NaN}', "NaN is not a number"),
    "deep": (b'{"shards": ' + b"[" * 100_000, "it is nested too deeply"),
    "cut": (b'{"dataset": "pets", ', "it is not JSON"),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_what_is_no_manifest(dataset, content, message):
    (dataset / manifest.FILENAME).write_bytes(content)
    with pytest.raises(UserError, match=rf"manifest\.json is damaged \({message}"):
        manifest.read(dataset)
    (dataset / manifest.FILENAME).unlink()
    (dataset / manifest.FILENAME).mkdir()
    with pytest.raises(UserError, match=r"manifest\.json is damaged \(it is a folder"):
        manifest.read(dataset)


def test_a_good_manifest_is_read_and_what_a_later_version_adds_passed_over(dataset):
    before = manifest.read(dataset)
    fields = json.loads((dataset / manifest.FILENAME).read_text())
    (dataset / manifest.FILENAME).write_text(json.dumps(fields | {"license": "none"}))
    assert manifest.read(dataset) == before
    assert not list(manifest.verify(dataset))


JOURNALS = {
    "not UTF-8": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "list": b"[]",
    "number as dataset": b'{"dataset": 1, "files": []}',
    "text as files": b'{"dataset": "pets", "files": "abc"}',
    "numbers as files": b'{"dataset": "pets", "files": [1]}',
    "NUL in a name": b'{"dataset": "pets", "files": ["a\\u0000"]}',
}


@pytest.mark.parametrize("header", JOURNALS.values(), ids=JOURNALS)
def test_a_damaged_journal_vouches_for_nothing_but_whole_lines(dataset, header):
    complete = manifest.read(dataset)
    journal.begin(dataset, "pets", ["a"], complete.shards[:1])
    _, line = journal.path(dataset).read_bytes().splitlines()
    bad = line.replace(b'"records": 2', b'"records": "2"')
    journal.path(dataset).write_bytes(b"\n".join([header, line, bad, line[:20], b"[]", header]))
    found = journal.read(dataset)
    assert (found.dataset, found.files) == ("unknown", frozenset())
    assert found.shards == {complete.shards[0].name: complete.shards[0]}
    journal.path(dataset).unlink()
    journal.path(dataset).mkdir()
    with pytest.raises(UserError, match=r"Cannot read .*conversion\.jsonl: Is a directory"):
        journal.read(dataset)
