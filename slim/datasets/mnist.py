"""MNIST: 28 x 28 images of handwritten digits, in grayscale.

LeCun, Cortes, Burges: The MNIST database of handwritten digits (1998).
"""

from datasets import descriptor
from datasets.record import DatasetRecord
from slim_internal.ground.compat import slim
from slim_internal.ground.downloads.remote_file import RemoteFile

_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)


def _source(name: str, size: int, sha256: str) -> RemoteFile:
    urls = tuple(mirror + name for mirror in _MIRRORS)
    return RemoteFile(name=name, urls=urls, size=size, digest=f"sha256:{sha256}")


RECORD = DatasetRecord(
    name="mnist",
    file_pattern="mnist_%s.tfrecord",
    keys_to_features=descriptor.image_features(image_format="raw", label_shape=[1]),
    items_to_handlers={
        "image": slim.tfexample_decoder.Image(shape=[28, 28, 1], channels=1),
        "label": slim.tfexample_decoder.Tensor("image/class/label", shape=[]),
    },
    items_to_descriptions={
        "image": "A [28 x 28 x 1] grayscale image.",
        "label": "A single integer between 0 and 9",
    },
    splits={"train": 60000, "test": 10000},
    num_classes=10,
    class_names=(
        *("zero", "one", "two", "three", "four"),
        *("five", "six", "seven", "eight", "nine"),
    ),
    sources=(
        _source(
            "train-images-idx3-ubyte.gz",
            9912422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        _source(
            "train-labels-idx1-ubyte.gz",
            28881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        _source(
            "t10k-images-idx3-ubyte.gz",
            1648877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        _source(
            "t10k-labels-idx1-ubyte.gz",
            4542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    converter="datasets.converters.mnist",
)


def get_split(split_name, dataset_dir, file_pattern=None, reader=None):
    """Describes a split ("train" or "test") of MNIST; see `descriptor.get_split`."""
    return descriptor.get_split(RECORD, split_name, dataset_dir, file_pattern, reader)
