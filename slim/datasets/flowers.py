"""Flowers: 3,670 photographs of daisies, dandelions, roses, sunflowers and tulips.

The TensorFlow team: flower_photos (2016).
"""

from datasets import descriptor
from datasets.record import DatasetRecord
from slim_internal.ground.compat import slim
from slim_internal.ground.downloads.remote_file import RemoteFile

SPLITS_TO_SIZES = {"train": 3320, "validation": 350}

_ARCHIVE = "flower_photos.tgz"

RECORD = DatasetRecord(
    name="flowers",
    file_pattern="flowers_%s_*.tfrecord",
    keys_to_features=descriptor.image_features(image_format="png"),
    items_to_handlers={
        "image": slim.tfexample_decoder.Image(),
        "label": slim.tfexample_decoder.Tensor("image/class/label"),
    },
    items_to_descriptions={
        "image": "A color image of varying size.",
        "label": "A single integer between 0 and 4",
    },
    splits=SPLITS_TO_SIZES,
    num_classes=5,
    class_names=("daisy", "dandelion", "roses", "sunflowers", "tulips"),
    sources=(
        RemoteFile(
            name=_ARCHIVE,
            urls=(
                f"https://storage.googleapis.com/download.tensorflow.org/example_images/{_ARCHIVE}",
                f"http://download.tensorflow.org/example_images/{_ARCHIVE}",
            ),
            size=228813984,
            digest="sha256:4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
        ),
    ),
    converter="datasets.converters.flowers",
    options=("seed", "num_shards", "on_bad_image", "max_bad_images"),
)


def get_split(split_name, dataset_dir, file_pattern=None, reader=None):
    """Describes a split ("train" or "validation") of flowers; see `descriptor.get_split`."""
    return descriptor.get_split(RECORD, split_name, dataset_dir, file_pattern, reader)
