"""The property of all that prepares images for records: what it accepts, TensorFlow reads.

Some thousand images with seeded damage go through every policy. What is accepted must decode to the
size that the record will state, by the very handler with which training and evaluation read it.
"""

import os
import random
import zlib

import pytest

from datasets import image_folder
from datasets.converters.imagenet import worker
from slim_internal.ground.compat import tf
from slim_internal.ground.images import prepare
from slim_internal.ground.images.image import BadImageError
from tests.slim_internal.ground.images import mutations

# Of each of the 27 kinds: 4,860 in all. More, of other seeds, by the environment.
MUTATIONS = int(os.environ.get("SLIM_MUTATIONS", "180"))
SEED = os.environ.get("SLIM_MUTATIONS_SEED", "")

SOUND = mutations.sound()
WAYS = {
    "anybody's": lambda data: prepare.prepare(data),
    "published": lambda data: prepare.prepare(data, prepare.PUBLISHED),
    "imagenet decoded": lambda data: prepare.prepare(data, worker.DECODED),
    "repaired": lambda data: prepare.repair(data),
    "imagenet repaired": lambda data: prepare.repair(data, worker.HEADER_ONLY),
}


@pytest.fixture(scope="module")
def decoded_shape():
    """Returns a function that decodes as training does and returns the shape, or what is wrong."""
    handler = image_folder.RECORD.items_to_handlers["image"]
    with tf.Graph().as_default(), tf.Session() as session:
        encoded, image_format = tf.placeholder(tf.string, []), tf.placeholder(tf.string, [])
        shape = tf.shape(
            handler.tensors_to_item({"image/encoded": encoded, "image/format": image_format})
        )

        def decode(image):
            try:
                feed = {encoded: image.encoded, image_format: image.format}
                return tuple(session.run(shape, feed))
            except tf.errors.InvalidArgumentError as error:
                return error.message

        yield decode


@pytest.mark.parametrize("kind", SOUND)
def test_sound_images_are_accepted(kind, decoded_shape):
    image = prepare.prepare(SOUND[kind])
    assert decoded_shape(image) == (image.height, image.width, 3)
    assert not image.remark


@pytest.mark.parametrize("kind", SOUND)
def test_what_is_accepted_decodes_in_tensorflow_at_its_size(kind, decoded_shape):
    draw = random.Random(zlib.crc32((kind + SEED).encode()))
    accepted = refused = 0
    for number in range(MUTATIONS):
        data = mutations.mutate(SOUND[kind], draw)
        images = {}
        for way, function in WAYS.items():
            try:
                images[way] = function(data)
                accepted += 1
            except BadImageError:
                refused += 1
        for image in set(images.values()):
            found = decoded_shape(image)
            assert found == (image.height, image.width, 3), (kind, number, list(images), found)
    assert accepted > MUTATIONS / 2
    assert refused > MUTATIONS / 2
