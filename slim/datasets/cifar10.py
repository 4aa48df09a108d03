"""CIFAR-10: 32 x 32 color images of ten kinds of things.

Krizhevsky: Learning Multiple Layers of Features from Tiny Images (2009).
"""

from datasets import descriptor
from datasets.record import DatasetRecord
from slim_internal.ground.compat import slim
from slim_internal.ground.downloads.remote_file import RemoteFile

SPLITS_TO_SIZES = {"train": 50000, "test": 10000}

RECORD = DatasetRecord(
    name="cifar10",
    file_pattern="cifar10_%s.tfrecord",
    keys_to_features=descriptor.image_features(image_format="png"),
    items_to_handlers={
        "image": slim.tfexample_decoder.Image(shape=[32, 32, 3]),
        "label": slim.tfexample_decoder.Tensor("image/class/label"),
    },
    items_to_descriptions={
        "image": "A [32 x 32 x 3] color image.",
        "label": "A single integer between 0 and 9",
    },
    splits=SPLITS_TO_SIZES,
    num_classes=10,
    class_names=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    # The binary edition: the one for Python is a pickle, which can run any code.
    sources=(
        RemoteFile(
            name="cifar-10-binary.tar.gz",
            urls=("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            size=170052171,
            digest="sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    converter="datasets.converters.cifar10",
)


def get_split(split_name, dataset_dir, file_pattern=None, reader=None):
    """Describes a split ("train" or "test") of CIFAR-10; see `descriptor.get_split`."""
    return descriptor.get_split(RECORD, split_name, dataset_dir, file_pattern, reader)
