"""What Visual Wake Words keeps of COCO's annotations, against the original's examples."""

import hashlib

import pytest

from datasets.converters import coco
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from tests import golden_files

GOLDEN = golden_files.load("datasets.json")["visualwakewords"]["convert"]
EXAMPLES = [e for e in GOLDEN["examples"] if e["foreground_class_of_interest"] != "unicorn"]


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_filter(example):
    found = coco.filter_annotations(
        GOLDEN["example_input"],
        example["small_object_area_threshold"],
        example["foreground_class_of_interest"],
    )
    assert found == example["output"]


def test_unknown_category_is_an_error():
    """The original takes category 1 instead and says nothing."""
    with pytest.raises(UserError, match=r"Unknown COCO category 'dgo'\. Did you mean 'dog'"):
        coco.filter_annotations(GOLDEN["example_input"], 0.005, "dgo")


def parsed(record: bytes):
    return tf.train.Example.FromString(record).features.feature


def test_example_has_the_published_features():
    image = {"id": 9, "file_name": "a.jpg", "height": 50, "width": 100}
    labelled = {"label": 1, "objects": [{"area": 25.5, "bbox": [10, 5, 20, 30]}]}
    features = parsed(coco.example(image, labelled, b"DATA"))
    found = {}
    for key, feature in features.items():
        kind = feature.WhichOneof("kind")
        found[key] = list(getattr(feature, kind).value)
    assert found == {
        "image/class/label": [1],
        "image/encoded": [b"DATA"],
        "image/filename": [b"a.jpg"],
        "image/format": [b"jpeg"],
        "image/height": [50],
        "image/key/sha256": [hashlib.sha256(b"DATA").hexdigest().encode()],
        "image/object/area": [25.5],
        "image/object/bbox/xmax": [pytest.approx(0.3)],
        "image/object/bbox/xmin": [pytest.approx(0.1)],
        "image/object/bbox/ymax": [pytest.approx(0.7)],
        "image/object/bbox/ymin": [pytest.approx(0.1)],
        "image/source_id": [b"9"],
        "image/width": [100],
    }
    assert set(found) == set(GOLDEN["tf_example_features"])


def test_example_without_objects_still_has_every_feature():
    image = {"id": 9, "file_name": "a.jpg", "height": 50, "width": 100}
    features = parsed(coco.example(image, {"label": 0, "objects": []}, b""))
    assert set(features) == set(GOLDEN["tf_example_features"])
    assert features["image/object/area"].WhichOneof("kind") == "float_list"
