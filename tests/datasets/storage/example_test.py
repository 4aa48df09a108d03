"""Examples written by hand, read by TensorFlow."""

import numpy as np
import pytest

from datasets import dataset_utils
from datasets.storage import example
from slim_internal.ground.compat import tf

FEATURES = {
    "no bytes": (example.bytes_feature("a", b""), dataset_utils.bytes_feature(b"")),
    "bytes": (
        example.bytes_feature("a", b"x" * 300),
        dataset_utils.bytes_feature(b"x" * 300),
    ),
    "no integers": (example.int64_feature("a"), dataset_utils.int64_feature([])),
    "integers": (
        example.int64_feature("a", 0, 127, 128, 2**62),
        dataset_utils.int64_feature([0, 127, 128, 2**62]),
    ),
    "no floats": (example.float_feature("a"), dataset_utils.float_feature([])),
    "floats": (
        example.float_feature("a", 0.1, -1e30),
        dataset_utils.float_feature([0.1, -1e30]),
    ),
}


@pytest.mark.parametrize("kind", FEATURES)
def test_feature_is_the_one_that_tensorflow_writes(kind):
    ours, theirs = FEATURES[kind]
    wanted = tf.train.Example(features=tf.train.Features(feature={"a": theirs}))
    assert tf.train.Example.FromString(example.example(ours)) == wanted


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_000, 20_000, 3_000_000])
def test_image_example_is_that_of_dataset_utils(size):
    data = np.random.RandomState(size).bytes(size)
    ours = example.image_example(data, b"png", 300, 7, 999)
    theirs = dataset_utils.image_to_tfexample(data, b"png", 300, 7, 999)
    assert tf.train.Example.FromString(ours) == theirs
    assert len(ours) == len(theirs.SerializeToString())


def test_more_features_are_added():
    record = example.image_example(
        b"", b"jpg", 1, 1, 0, example.bytes_feature("image/filename", "é".encode())
    )
    features = tf.train.Example.FromString(record).features.feature
    assert len(features) == 6
    assert features["image/filename"].bytes_list.value[0].decode() == "é"
