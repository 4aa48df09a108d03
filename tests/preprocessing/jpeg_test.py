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


def colorful(height=HEIGHT, width=WIDTH):
    """Returns an image with edges of every color."""
    pixels = np.random.RandomState(0).randint(0, 256, [height // 4, width // 4, 3])
    image = Image.fromarray(pixels.astype(np.uint8))
    return np.asarray(image.resize([width, height], Image.Resampling.BICUBIC))


def places(height, width):
    """Returns an image in which each pixel tells its place, and both as they are, 0 to 255."""
    rows, columns = np.meshgrid(
        *(np.linspace(0, 255, side) for side in (height, width)), indexing="ij"
    )
    return np.stack([rows, columns, rows * 0], axis=-1).astype(np.uint8)


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


@pytest.fixture
def shrunk():
    """Returns a function of a file that returns one of a part: its place, and what is needed."""
    with tf.Graph().as_default(), tf.Session() as session:
        encoded = tf.placeholder(tf.string, [])
        begin, size, needed = (tf.placeholder(tf.int32, [2]) for _ in range(3))
        image = jpeg.ShrinkingJpeg(jpeg.Jpeg(encoded)).needing(needed)
        decoded = image.part(begin, size)

        def run(file, *values):
            feeds = dict(zip((encoded, begin, size, needed), (file, *values), strict=True))
            return session.run(decoded, feeds)

        yield run


@pytest.mark.parametrize(
    ("size", "needed", "ratio"),
    [
        ((320, 200), (40, 25), 8),
        ((320, 200), (41, 25), 4),
        ((320, 200), (40, 26), 4),
        ((320, 200), (80, 50), 4),
        ((320, 200), (81, 50), 2),
        ((320, 200), (160, 100), 2),
        ((320, 200), (160, 101), 1),
        ((320, 200), (900, 900), 1),
        ((333, 217), (1, 1), 8),
        ((16, 15), (1, 2), 4),
        ((1, 217), (1, 20), 1),
        ((1, 1), (1, 1), 1),
    ],
)
@pytest.mark.parametrize("options", [{"subsampling": 2}, {"subsampling": 0, "progressive": 1}])
def test_large_parts_are_decoded_no_smaller_than_needed(shrunk, size, needed, ratio, options):
    """They are those of the whole at a fraction, to the last bit."""
    encoded = encode(colorful(333, 217), **options)
    with tf.Graph().as_default(), tf.Session() as session:
        whole = session.run(tf.image.decode_jpeg(encoded, ratio=ratio))
    room = np.array([333, 217]) - size
    for begin in (room * 0, room // 3, room):
        got = shrunk(encoded, begin, size, needed)
        start, end = (place // ratio for place in (begin, begin + size))
        np.testing.assert_array_equal(got, whole[start[0] : end[0], start[1] : end[1]])
        assert (got.shape[:2] >= np.minimum(needed, size)).all()


@pytest.mark.parametrize(("shape", "needed"), [((801, 1203), 50), ((800, 640), 99), ((77, 90), 9)])
def test_parts_at_a_fraction_are_resized_to_what_the_whole_is(shrunk, shape, needed):
    random = np.random.RandomState(2)
    pixels = places(*shape)
    encoded = encode(pixels, subsampling=0)
    image = tf.placeholder(tf.uint8, [1, None, None, 3])
    resized = tf.image.resize_bilinear(image, [needed, needed])
    means = []
    with tf.Session() as session:
        for _ in range(40):
            size = [random.randint(2 * needed, side + 1) for side in shape]
            top, left = (
                random.randint(side - own + 1) for side, own in zip(shape, size, strict=True)
            )
            ratio = max(r for r in (2, 4, 8) if min(size) >= r * needed)
            part = shrunk(encoded, [top, left], size, [needed, needed])
            whole = pixels[top : top + size[0], left : left + size[1]]
            got, expected = (
                session.run(resized, {image: each[np.newaxis]}) for each in (part, whole)
            )
            differences = (got - expected)[0, ..., :2]
            step = 255 * ratio / (np.array(shape) - 1)  # Between pixels of what is decoded.
            assert (np.abs(differences).max((0, 1)) < step + 3).all()  # Lossy as JPEG is.
            means.append(differences.mean((0, 1)) / step)
    assert np.abs(np.mean(means, 0)).max() < 0.25


@pytest.mark.parametrize("shape", [(160, 120), (120, 400), (64, 64)])
def test_vgg_takes_parts_of_files_as_often_as_of_images(shape):
    """Each pixel tells its place, so the result tells which part of the image it is."""
    size, draws = 32, 1000
    encoded = encode(places(*shape), subsampling=0)
    distributions = []
    with tf.Graph().as_default(), tf.Session() as session:
        number = tf.placeholder(tf.int64, [])
        for image in (jpeg.Jpeg(tf.constant(encoded)), tf.image.decode_jpeg(encoded)):
            with stateless_random.draws(0, number):
                prepared = vgg_preprocessing.preprocess_for_train(image, size, size, 40, 80)
            corner = tf.reduce_min(prepared, [0, 1])[:2]
            length = tf.reduce_max(prepared, [0, 1])[:2] - corner
            drawn = [session.run([corner, length], {number: draw}) for draw in range(draws)]
            distributions.append(np.quantile(drawn, np.linspace(0, 1, 11), axis=0))
    of_files, of_images = distributions
    assert np.ptp(of_files[:, 0], axis=0).max() > 60  # Parts lie in different places.
    np.testing.assert_allclose(of_files[:, 0], of_images[:, 0], atol=12)  # Places, of 255.
    np.testing.assert_allclose(of_files[:, 1], of_images[:, 1], atol=6)  # Sizes.


@pytest.mark.parametrize("side", [128, 64])
def test_vgg_decodes_the_middle_alone(side):
    """What is resized to a half or not at all lies where it lies in the whole image."""
    image = jpeg.Jpeg(tf.constant(encode(places(128, 150), subsampling=0)))
    with tf.Session() as session:
        expected, got = session.run(
            [
                vgg_preprocessing.preprocess_for_eval(each, 48, 40, side)
                for each in (image, jpeg.ShrinkingJpeg(image))
            ]
        )
    np.testing.assert_allclose(got, expected, atol=0 if side == 128 else 4)


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
