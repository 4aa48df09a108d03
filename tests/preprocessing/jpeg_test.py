"""Decodes parts of JPEG files, and compares them with the same parts of whole images."""

import io

import numpy as np
import pytest
from PIL import Image

from preprocessing import augmentations, jpeg, vgg_preprocessing
from slim_internal.ground.compat import tf
from slim_internal.parts.input_pipeline import stateless_random

HEIGHT, WIDTH = 97, 131


def encode(pixels, **options):
    """Returns a JPEG file."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "jpeg", quality=90, **options)
    return data.getvalue()


def colorful():
    """Returns an image with edges of every color."""
    pixels = np.random.RandomState(0).randint(0, 256, [HEIGHT // 4, WIDTH // 4, 3])
    image = Image.fromarray(pixels.astype(np.uint8))
    return np.asarray(image.resize([WIDTH, HEIGHT], Image.Resampling.BICUBIC))


@pytest.mark.parametrize("options", [{"subsampling": n} for n in range(3)] + [{"progressive": 1}])
def test_parts_are_those_of_the_whole_image(options):
    encoded = encode(colorful(), **options)
    random = np.random.RandomState(1)
    with tf.Graph().as_default(), tf.Session() as session:
        begin, size = (tf.placeholder(tf.int32, [2]) for _ in range(2))
        part = jpeg.part(jpeg.Jpeg(tf.constant(encoded)), begin, size)
        whole = session.run(tf.image.decode_jpeg(encoded))
        for _ in range(40):
            height, width = random.randint(1, HEIGHT + 1), random.randint(1, WIDTH + 1)
            top, left = random.randint(HEIGHT - height + 1), random.randint(WIDTH - width + 1)
            got = session.run(part, {begin: [top, left], size: [height, width]})
            expected = whole[top : top + height, left : left + width]
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("shape", [(160, 120), (120, 400), (64, 64)])
def test_vgg_takes_parts_of_files_as_often_as_of_images(shape):
    """Each pixel tells its place, so the result tells which part of the image it is."""
    size, draws = 32, 1000
    rows, columns = np.meshgrid(*(np.linspace(0, 255, side) for side in shape), indexing="ij")
    pixels = np.stack([rows, columns, rows * 0], axis=-1).astype(np.uint8)
    encoded = encode(pixels, subsampling=0)
    distributions = []
    with tf.Graph().as_default(), tf.Session() as session:
        number = tf.placeholder(tf.int64, [])
        for image in (jpeg.Jpeg(tf.constant(encoded)), tf.image.decode_jpeg(encoded)):
            with stateless_random.draws(0, number):
                prepared = vgg_preprocessing.preprocess_for_train(image, size, size, 40, 80)
            corner = tf.reduce_min(prepared, [0, 1])[:2]
            length = tf.reduce_max(prepared, [0, 1])[:2] - corner
            places = [session.run([corner, length], {number: draw}) for draw in range(draws)]
            distributions.append(np.quantile(places, np.linspace(0, 1, 11), axis=0))
    of_files, of_images = distributions
    assert np.ptp(of_files[:, 0], axis=0).max() > 60  # Parts lie in different places.
    np.testing.assert_allclose(of_files[:, 0], of_images[:, 0], atol=12)  # Places, of 255.
    np.testing.assert_allclose(of_files[:, 1], of_images[:, 1], atol=6)  # Sizes.


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.5, 9.0])
def test_saturation_is_that_of_tensorflow(factor):
    image = np.random.RandomState(0).uniform(-0.2, 1.2, [40, 30, 3]).astype(np.float32)
    image[0] = 0.0
    image[1] = 0.7
    image[2] = -0.1
    image[3] = [1.0, 0.0, 0.0]
    with tf.Graph().as_default(), tf.Session() as session:
        got, expected = session.run(
            [
                augmentations._saturated(tf.constant(image), tf.constant(factor)),
                tf.image.adjust_saturation(image, factor),
            ]
        )
    np.testing.assert_allclose(got, expected, atol=1e-6)
