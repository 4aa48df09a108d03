"""Crops compared with slices of images that need no resizing."""

import numpy as np
import pytest

from nets import nets_factory
from preprocessing import inception_preprocessing, vgg_preprocessing
from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference.description import ModelDescription
from slim_internal.programs.evaluation import views
from slim_internal.programs.evaluation.settings import Evaluation

SIZE = 28
# Height 32 and width 64: the shorter side of the first scale of each scheme at 28 pixels.
IMAGE = np.random.RandomState(0).randint(0, 256, (32, 64, 3)).astype(np.uint8)


def _model(preprocessing="inception", channels=3, size=SIZE):
    return ModelDescription(
        model_name="any",
        preprocessing_name=preprocessing,
        image_size=size,
        channels=channels,
        num_classes=2,
    )


def _make(image, preprocessing="inception", size=SIZE, **settings):
    found = views.of(Evaluation(dataset_dir="d", **settings), _model(preprocessing, size=size))
    with tf.Graph().as_default(), tf.Session() as session:
        made = session.run(found.make(tf.constant(image)))
    assert len(made) == found.count
    return made


def _inception(crop):
    return (crop.astype(np.float32) / 255 - 0.5) * 2


def _five(square):
    return [square[:28, :28], square[:28, 4:], square[4:, :28], square[4:, 4:], square[2:30, 2:30]]


def _with_mirror_images(crops):
    prepared = [_inception(crop) for crop in crops]
    return np.stack(prepared + [crop[:, ::-1] for crop in prepared])


def test_ten_crops_are_corners_and_middle_of_the_middle_square_and_their_mirror_images():
    expected = _with_mirror_images(_five(IMAGE[:, 16:48]))
    np.testing.assert_allclose(_make(IMAGE, num_crops=10), expected, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_144_crops_are_googlenet_s(turned):
    image = IMAGE.transpose(1, 0, 2) if turned else IMAGE
    made = _make(image, num_crops=144)
    assert made.shape == (144, 28, 28, 3)
    for place, start in enumerate((0, 16, 32)):
        square = image[start : start + 32] if turned else image[:, start : start + 32]
        expected = np.stack([_inception(crop) for crop in _five(square)])
        np.testing.assert_allclose(made[6 * place : 6 * place + 5], expected, atol=1e-6)
        with tf.Graph().as_default(), tf.Session() as session:
            whole = session.run(tf.image.resize_bilinear(square[np.newaxis], [28, 28]))[0]
        np.testing.assert_allclose(made[6 * place + 5], _inception(np.rint(whole)), atol=1e-6)
    np.testing.assert_array_equal(made[72:], made[:72, :, ::-1])
    # The further scales show the same at more pixels: none repeats another.
    assert len({view.tobytes() for view in made}) == 144


def test_a_mirror_image_is_that_of_the_network_s_own_crop():
    own, mirrored = _make(IMAGE, flip=True)
    np.testing.assert_array_equal(_make(IMAGE)[0], own)
    np.testing.assert_array_equal(own[:, ::-1], mirrored)


def test_scales_are_lengths_of_the_shorter_side():
    first, second = _make(IMAGE, eval_scales="32,64")
    np.testing.assert_allclose(first, _inception(IMAGE[2:30, 18:46]), atol=1e-6)
    assert not np.allclose(first, second)


@pytest.mark.parametrize("name", ["inception", "vgg", "lenet", "cifarnet"])
def test_every_preprocessing_has_crops(name):
    made = _make(IMAGE, name, num_crops=10)
    assert made.shape == (10, 28, 28, 3)
    np.testing.assert_array_equal(made[5:], made[:5, :, ::-1])


def _vgg(image, size, side):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(
            vgg_preprocessing.preprocess_for_eval(tf.constant(image), size, size, side)
        )


@pytest.mark.parametrize(
    ("size", "fraction", "side"),
    [(224, None, 256), (192, None, 256), (299, None, 342), (192, 0.875, 219), (224, 1.0, 224)],
)
def test_vgg_s_crop_keeps_its_fraction_at_larger_sizes(size, fraction, side):
    (made,) = _make(IMAGE, "vgg", size, crop_fraction=fraction)
    np.testing.assert_allclose(made, _vgg(IMAGE, size, side), atol=1e-4)


@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_inception_s_crop_takes_the_fraction(fraction):
    (made,) = _make(IMAGE, crop_fraction=fraction)
    with tf.Graph().as_default(), tf.Session() as session:
        expected = session.run(
            inception_preprocessing.preprocess_for_eval(
                tf.constant(IMAGE), SIZE, SIZE, central_fraction=fraction
            )
        )
    np.testing.assert_allclose(made, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_crops": 5}, "--num_crops must be one of 1, 10, 144; got 5"),
        ({"eval_scales": "256,big"}, "lengths in pixels, such as 256,288; got 256,big"),
        ({"eval_scales": "256,0"}, "lengths in pixels, such as 256,288; got 256,0"),
        ({"eval_scales": "27"}, "crops of 28 pixels cannot be taken from a shorter side of 27"),
        ({"eval_scales": "32", "num_crops": 144}, "--num_crops=144 has four scales of its own"),
        ({"crop_fraction": 0.5, "num_crops": 10}, "--crop_fraction is the one crop's"),
        ({"crop_fraction": 0.5, "fast_decoding": True}, "--fast_decoding is for the network's own"),
        ({"num_crops": 10, "fast_decoding": True}, "out with --crop_fraction, --num_crops and"),
        ({"eval_scales": "32", "fast_decoding": True}, "--num_crops and --eval_scales"),
        ({"crop_fraction": 0.5, "name": "lenet"}, "does not apply to the preprocessing lenet"),
    ],
)
def test_what_cannot_be_combined_is_refused(settings, message):
    model = _model(settings.pop("name", "inception"))
    with pytest.raises(UserError, match=message):
        views.of(Evaluation(dataset_dir="d", **settings), model)


def test_every_network_of_the_factory_has_ten_crops():
    for network in nets_factory.networks.values():
        if network.num_frames is None:
            model = _model(network.preprocessing, network.channels, network.default_image_size)
            assert views.of(Evaluation(dataset_dir="d", num_crops=10), model).count == 10
