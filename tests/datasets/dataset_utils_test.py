"""Feature helpers, label files, sharded output and downloads against the original."""

import ast
import contextlib
import io
import stat
import tarfile
import zipfile

import pytest

from datasets import dataset_utils
from datasets.storage import tfrecords
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from tests import golden_files
from tests.slim_internal.ground.downloads import fault_server

GOLDEN = golden_files.load("datasets.json")["dataset_utils"]
FEATURES = [
    (helper, argument, expected)
    for helper, cases in GOLDEN["feature_helpers"].items()
    for argument, expected in cases.items()
]


@pytest.mark.parametrize(("helper", "argument", "expected"), FEATURES)
def test_feature_helpers(helper, argument, expected):
    function, values = getattr(dataset_utils, helper), ast.literal_eval(argument)
    if expected.startswith("TypeError"):
        with pytest.raises(TypeError):
            function(values)
        return
    feature = function(values)
    kind, _, wanted = expected.partition(" ")
    assert feature.WhichOneof("kind") == kind
    assert list(getattr(feature, kind).value) == ast.literal_eval(wanted)


def test_image_to_tfexample():
    example = dataset_utils.image_to_tfexample(b"DATA", b"png", 5, 7, 3)
    found = {}
    for key, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values = [v.decode() if isinstance(v, bytes) else v for v in getattr(feature, kind).value]
        found[key] = {"kind": kind, "value": values}
    assert found == GOLDEN["image_to_tfexample"]


def test_label_file_both_ways(tmp_path):
    labels = {int(key): name for key, name in GOLDEN["label_file_example"]["input"].items()}
    assert not dataset_utils.has_labels(tmp_path)
    dataset_utils.write_label_file(labels, tmp_path)
    assert dataset_utils.has_labels(tmp_path)
    text = (tmp_path / dataset_utils.LABELS_FILENAME).read_text()
    assert text == GOLDEN["label_file_example"]["text"]
    assert dataset_utils.read_label_file(tmp_path) == labels


def test_label_file_keeps_any_name(tmp_path):
    labels = {0: "é", 1: "a\u2028b", 2: b"\xff".decode(errors="surrogateescape")}
    dataset_utils.write_label_file(labels, tmp_path, "names.txt")
    assert dataset_utils.read_label_file(tmp_path, "names.txt") == labels


@pytest.mark.parametrize("line", ["tulips", "one:tulips", "1.5:x"])
def test_label_file_with_a_bad_line(line, tmp_path):
    (tmp_path / "labels.txt").write_text(f"0:roses\n{line}\n")
    with pytest.raises(UserError, match=r"labels\.txt, line 2"):
        dataset_utils.read_label_file(tmp_path)


def test_sharded_output_appears_when_the_stack_closes(tmp_path):
    base = str(tmp_path / "train.record")
    with contextlib.ExitStack() as stack:
        outputs = dataset_utils.open_sharded_output_tfrecords(stack, base, 3)
        for number in range(7):
            outputs[number % 3].write(b"%d" % number)
        assert not list(tmp_path.glob("train*"))
    names = [GOLDEN["sharded_output_name"].replace("<base_path>", base) % (n, 3) for n in range(3)]
    assert [list(tfrecords.read_records(name)) for name in names] == [
        [b"0", b"3", b"6"],
        [b"1", b"4"],
        [b"2", b"5"],
    ]


def test_sharded_output_vanishes_with_an_error(tmp_path):
    stack = contextlib.ExitStack()
    outputs = dataset_utils.open_sharded_output_tfrecords(stack, str(tmp_path / "a"), 2)
    outputs[0].write(b"x")
    stack.__exit__(KeyError, KeyError(), None)
    assert list(tmp_path.iterdir()) == []


def archive(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("folder/a.txt", "hello")
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as file:
            member = tarfile.TarInfo("folder/a.txt")
            member.size = 5
            file.addfile(member, io.BytesIO(b"hello"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("tgz", dataset_utils.download_and_uncompress_tarball),
        ("zip", dataset_utils.download_and_uncompress_zipfile),
    ],
)
def test_download_and_uncompress(kind, function, tmp_path):
    (tmp_path / "other").mkdir()
    tmp_path.chmod(0o705)
    with fault_server.serve({f"a.{kind}": archive(kind)}) as server:
        function(server.url(f"a.{kind}"), str(tmp_path))
        function(server.url(f"a.{kind}"), str(tmp_path))  # Again, as in the original.
    assert (tmp_path / "folder/a.txt").read_text() == "hello"
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"folder", "other"}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o705


def test_download_url(tmp_path):
    with fault_server.serve({"labels.txt": b"0:a\n"}) as server:
        dataset_utils.download_url(server.url("labels.txt"), str(tmp_path))
    assert (tmp_path / "labels.txt").read_bytes() == b"0:a\n"


def test_tensorflow_reads_our_shards_and_the_other_way_round(tmp_path):
    records = [b"", b"a" * 100_000, bytes(range(256))]
    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    tfrecords.write_shard(ours, records)
    with tf.io.TFRecordWriter(theirs) as writer:
        for record in records:
            writer.write(record)
    assert list(tf.io.tf_record_iterator(ours)) == records
    assert list(tfrecords.read_records(theirs)) == records
