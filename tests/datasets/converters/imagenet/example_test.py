"""The serialized record, compared with the original's and with TensorFlow's own reading of it."""

import pytest

from datasets.converters.imagenet import example
from datasets.converters.imagenet.source import Source
from datasets.imagenet_classes import ImagenetClass
from slim_internal.ground.compat import tf
from slim_internal.ground.images.image import EncodedImage
from tests import golden_files

GOLDEN = golden_files.load("datasets.json")["build_imagenet_data"]


def parsed(record: bytes) -> dict[str, list]:
    features = tf.train.Example.FromString(record).features.feature
    return {name: getattr(f, f.WhichOneof("kind")).value for name, f in features.items()}


def source(boxes=(), **changes) -> Source:
    shows = ImagenetClass(1, "n01440764", "tench, Tinca tinca")
    facts = {"path": "/p/n01440764_10026.JPEG", "offset": None, "size": 8}
    facts |= {"filename": "n01440764_10026.JPEG", "shows": shows, "boxes": boxes}
    return Source(**facts | changes)


def test_is_the_record_that_the_original_wrote():
    given = GOLDEN["example"]["input"]
    boxes = tuple(map(tuple, given["bbox [xmin, ymin, xmax, ymax]"]))
    picture = EncodedImage(given["image_buffer"].encode(), "jpg", given["height"], given["width"])

    found = parsed(example.serialize(source(boxes), picture))

    expected = GOLDEN["example"]["output"]
    assert set(found) == set(expected)
    for name, values in expected.items():
        if isinstance(values[0], str):
            assert list(found[name]) == [value.encode() for value in values], name
        else:
            assert list(found[name]) == pytest.approx(values), name


def test_every_feature_has_the_original_type_even_without_boxes():
    record = example.serialize(source(), EncodedImage(b"JPEGDATA", "jpg", 30, 40))
    features = tf.train.Example.FromString(record).features.feature
    kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
    assert kinds == GOLDEN["tf_example_features"]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 3_000_000])
def test_lengths_of_every_width_are_right(size):
    picture = EncodedImage(b"\xff" * size, "jpg", 65_535, 2**40)
    record = example.serialize(source(((0.0, 0.25, 0.5, 1.0),) * 300), picture)

    found = parsed(record)

    assert found["image/encoded"] == [picture.encoded]
    assert (found["image/height"], found["image/width"]) == ([65_535], [2**40])
    assert list(found["image/object/bbox/xmax"]) == [0.5] * 300
    assert list(found["image/object/bbox/label"]) == [1] * 300
    reserialized = tf.train.Example.FromString(record).SerializeToString()
    assert len(reserialized) == len(record)


def test_file_names_need_not_be_text():
    name = b"gr\xfc\xdfe\n.JPEG"
    record = example.serialize(
        source(filename=name.decode("utf-8", "surrogateescape")), EncodedImage(b"", "jpg", 1, 1)
    )
    assert parsed(record)["image/filename"] == [name]
