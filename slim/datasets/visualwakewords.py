"""Visual Wake Words: the photographs of COCO 2014, with a person in sight or without.

Chowdhery, Warden, Shlens, Howard, Rhodes: Visual Wake Words Dataset. arXiv:1906.05721
"""

from datasets import coco_urls, dataset_utils, descriptor
from datasets.record import DatasetRecord
from slim_internal.ground.compat import slim
from slim_internal.ground.downloads.remote_file import RemoteFile

LABELS_FILENAME = dataset_utils.LABELS_FILENAME


def _source(url: str) -> RemoteFile:
    # Nobody has published digests of these archives; zip keeps a CRC of each image.
    return RemoteFile(name=url.rpartition("/")[2], urls=(url,))


RECORD = DatasetRecord(
    name="visualwakewords",
    file_pattern="%s.record-*",
    keys_to_features={
        **descriptor.image_features(image_format="jpeg"),
        **descriptor.box_features(),
    },
    items_to_handlers={
        "image": slim.tfexample_decoder.Image("image/encoded", "image/format"),
        "label": slim.tfexample_decoder.Tensor("image/class/label"),
        "object/bbox": descriptor.box_handler(),
    },
    items_to_descriptions={
        "image": "A color image of varying height and width.",
        "label": "The label id of the image, an integer in {0, 1}",
        "object/bbox": "A list of bounding boxes.",
    },
    splits={"train": 82783, "val": 40504},
    num_classes=2,
    sources=(
        _source(coco_urls.ANNOTATIONS),
        _source(coco_urls.TRAIN),
        _source(coco_urls.VALIDATION),
    ),
    converter="datasets.converters.visualwakewords",
    options=(
        *("small_object_area_threshold", "foreground_class_of_interest", "coco_dirname"),
        *("coco_annotations_url", "coco_train_url", "coco_validation_url"),
        *("on_bad_image", "max_bad_images"),
    ),
)


def get_split(split_name, dataset_dir, file_pattern=None, reader=None):
    """Describes a split ("train" or "val") of Visual Wake Words; see `descriptor.get_split`."""
    return descriptor.get_split(RECORD, split_name, dataset_dir, file_pattern, reader)
