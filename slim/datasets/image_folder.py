"""Anybody's own images: a folder with one folder per class, or a CSV of labels.

Splits, sizes and class names are those of the converted files (`manifest.json`, `labels.txt`).
"""

from datasets import descriptor
from datasets.record import DatasetRecord
from slim_internal.ground.compat import slim, tf

RECORD = DatasetRecord(
    name="image_folder",
    file_pattern="image_folder_%s_*.tfrecord",
    keys_to_features={
        **descriptor.image_features(image_format="jpg"),
        "image/filename": tf.FixedLenFeature((), tf.string, default_value=""),
    },
    items_to_handlers={
        "image": slim.tfexample_decoder.Image(),
        "label": slim.tfexample_decoder.Tensor("image/class/label"),
        "filename": slim.tfexample_decoder.Tensor("image/filename"),
    },
    items_to_descriptions={
        "image": "A color image of varying size.",
        "label": "A single integer, the rank of the class name",
        "filename": "Path of the image in the folder it came from.",
    },
    converter="datasets.converters.image_folder",
    options=(
        *("source", "labels_csv", "seed", "num_shards", "validation_fraction"),
        *("splits", "folders_are_classes", "on_bad_image", "max_bad_images"),
    ),
)


def get_split(split_name, dataset_dir, file_pattern=None, reader=None):
    """Describes a split of a converted folder of images; see `descriptor.get_split`."""
    return descriptor.get_split(RECORD, split_name, dataset_dir, file_pattern, reader)
