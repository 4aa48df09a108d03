"""ImageNet: 1.28 million photographs of a thousand classes, some with bounding boxes.

Russakovsky et al.: ImageNet Large Scale Visual Recognition Challenge (2015), arXiv:1409.0575.
"""

from datasets import descriptor, imagenet_classes
from datasets.converters.imagenet import archives
from datasets.record import DatasetRecord
from slim_internal.ground.compat import slim, tf

# Whether to name the classes where the folder has no label file. Kept from the original library,
# which fetched the names from the net; today they come with the library.
LOAD_READABLE_NAMES = True

_OBJECT_LABEL = "image/object/class/label"


class _ObjectLabel(slim.tfexample_decoder.Tensor):
    """The label of each box, wherever the converter put it.

    Readers have always asked for `image/object/class/label`; the original converter of ImageNet
    and this one write `image/object/bbox/label`.
    """

    _WRITTEN = "image/object/bbox/label"

    def __init__(self):
        super().__init__(_OBJECT_LABEL)
        self._keys = [_OBJECT_LABEL, self._WRITTEN]

    def tensors_to_item(self, keys_to_tensors):
        asked_for, written = (tf.sparse.to_dense(keys_to_tensors[key]) for key in self._keys)
        return tf.cond(tf.size(asked_for) > 0, lambda: asked_for, lambda: written)


RECORD = DatasetRecord(
    **vars(archives.DATASET),
    keys_to_features={
        **descriptor.image_features(image_format="jpeg"),
        "image/class/text": tf.FixedLenFeature([], tf.string, default_value=""),
        **descriptor.box_features(),
        _OBJECT_LABEL: tf.VarLenFeature(tf.int64),
        _ObjectLabel._WRITTEN: tf.VarLenFeature(tf.int64),
    },
    items_to_handlers={
        "image": slim.tfexample_decoder.Image("image/encoded", "image/format"),
        "label": slim.tfexample_decoder.Tensor("image/class/label"),
        "label_text": slim.tfexample_decoder.Tensor("image/class/text"),
        "object/bbox": descriptor.box_handler(),
        "object/label": _ObjectLabel(),
    },
    items_to_descriptions={
        "image": "A color image of varying height and width.",
        "label": "The label id of the image, integer between 0 and 1000",
        "label_text": "The text of the label.",
        "object/bbox": "A list of bounding boxes.",
        "object/label": "A list of labels, one per each object.",
    },
    num_classes=1001,
    converter="datasets.converters.imagenet.convert",
    program="download_and_preprocess_imagenet DATA_DIR",
)


def create_readable_names_for_imagenet_labels():
    """Returns {label: names} of the 1001 labels: 0 is the background, synsets follow in order."""
    return imagenet_classes.labels_to_names()


def get_split(split_name, dataset_dir, file_pattern=None, reader=None):
    """Describes a split ("train" or "validation") of ImageNet; see `descriptor.get_split`."""
    dataset = descriptor.get_split(RECORD, split_name, dataset_dir, file_pattern, reader)
    if dataset.labels_to_names is None and LOAD_READABLE_NAMES:
        dataset.labels_to_names = create_readable_names_for_imagenet_labels()
    return dataset
