"""UCI handwritten digits: 1,797 images of 8 x 8 pixels, in grayscale, that ship with scikit-learn.

Alpaydin, Kaynak: Optical Recognition of Handwritten Digits (1998), its test set.
"""

from datasets import descriptor, mnist
from datasets.record import DatasetRecord
from slim_internal.ground.compat import slim

RECORD = DatasetRecord(
    name="digits",
    file_pattern="digits_%s.tfrecord",
    keys_to_features=descriptor.image_features(image_format="png"),
    items_to_handlers={
        "image": slim.tfexample_decoder.Image(shape=[8, 8, 1], channels=1),
        "label": slim.tfexample_decoder.Tensor("image/class/label"),
    },
    items_to_descriptions={
        "image": "A [8 x 8 x 1] grayscale image.",
        "label": "A single integer between 0 and 9",
    },
    splits={"train": 1437, "validation": 360},
    num_classes=10,
    class_names=mnist.RECORD.class_names,
    converter="datasets.converters.digits",
    options=("seed",),
)


def get_split(split_name, dataset_dir, file_pattern=None, reader=None):
    """Describes a split ("train" or "validation") of digits; see `descriptor.get_split`."""
    return descriptor.get_split(RECORD, split_name, dataset_dir, file_pattern, reader)
