"""Records that are intact as bytes and no good as examples."""

import logging
import re

import numpy as np
import pytest

from datasets import flowers
from datasets.conversion import verify
from datasets.storage import example, manifest, tfrecords
from slim_internal.ground.errors import UserError
from tests.datasets import fake_data

IMAGE = fake_data.encoded(fake_data.picture(np.random.RandomState(0), 12, 16))
NAME = example.bytes_feature("image/filename", b"roses/7.jpg")


def record(data: bytes = IMAGE, height: int = 12, width: int = 16, label: int = 2) -> bytes:
    return example.image_example(data, b"jpg", height, width, label, NAME)


def without_label() -> bytes:
    return example.example(example.bytes_feature("image/encoded", IMAGE), NAME)


def write(folder, *records: bytes) -> None:
    name = "flowers_train_00000-of-00001.tfrecord"
    contents = tfrecords.write_shard(folder / name, records)
    shard = manifest.Shard(
        name=name,
        split="train",
        records=contents.records,
        bytes=contents.bytes,
        checksum=contents.checksum,
    )
    names = flowers.RECORD.class_names
    found = manifest.Manifest(dataset="flowers", class_names=names, shards=(shard,))
    manifest.write(folder, found)


BAD = {
    "cut image": (record(IMAGE[:-40]), r"record 1 \('roses/7\.jpg'\): "),
    "no image": (record(b""), "record 1"),
    "other size": (record(height=13), r"it states \(13, 16\) pixels .* its image has \(12, 16\)"),
    "label beyond the classes": (record(label=5), "its label is 5, but there are 5 classes"),
    "no label": (without_label(), "image/class/label"),
    "text for a height": (
        example.example(
            example.bytes_feature("image/encoded", IMAGE),
            example.int64_feature("image/class/label", 1),
            example.bytes_feature("image/height", b"12"),
        ),
        "it has no single whole number in 'image/height'",
    ),
    "no example": (b"\xff\xfe garbage", "it is not a tf.train.Example"),
}


@pytest.mark.parametrize(("bad", "message"), BAD.values(), ids=BAD)
def test_names_the_record_and_the_image(bad, message, tmp_path, caplog):
    write(tmp_path, record(), bad, record())
    assert verify.run(tmp_path).endswith("are intact.")
    with caplog.at_level(logging.ERROR), pytest.raises(UserError, match=r"files: 1\. Remove these"):
        verify.run(tmp_path, decode=True)
    (line,) = [each.getMessage() for each in caplog.records if "record" in each.getMessage()]
    assert str(tmp_path / "flowers_train_00000-of-00001.tfrecord: record 1") in line
    assert re.search(message, line)


def test_more_records_than_are_decoded_at_once(tmp_path, caplog):
    write(tmp_path, *[record(IMAGE[:-40] if index in (3, 150) else IMAGE) for index in range(170)])
    with caplog.at_level(logging.ERROR), pytest.raises(UserError, match="files: 2"):
        verify.run(tmp_path, decode=True)
    assert "record 3 " in caplog.text
    assert "record 150 " in caplog.text


def test_good_records_are_good(tmp_path):
    write(tmp_path, record(), record(label=0))
    assert verify.run(tmp_path, decode=True).endswith("intact, and all images can be decoded.")
