"""Every operation of the table keeps shape and range, does something, and only what it should."""

import numpy as np
import pytest

from preprocessing import augmentations, preprocessing_factory
from slim_internal.ground import errors
from slim_internal.ground.compat import tf
from slim_internal.parts.input_pipeline import stateless_random

DRAWS = 24
COLOR_ONLY = {"color_balance", "drop_color", "hue", "saturation"}
MOVING = {"flip_left_right", "flip_up_down", "rand_augment", "rotate", "shear", "translate", "zoom"}
OPERATIONS = sorted(augmentations.OPERATIONS)


def gradient(height=24, width=16, channels=3):
    """Returns an image of which no two pixels, rows, columns or channels are equal."""
    values = np.random.RandomState(0).uniform(0.1, 0.9, [height, width, channels])
    values[:, :, 0] = np.linspace(0.1, 0.9, height * width).reshape(height, width)
    return values.astype(np.float32)


def draw(image, names, draws=DRAWS, seed=3):
    """Returns variations of an image."""
    vary = augmentations.augmented(augmentations.apply, augmentations.parse(names))
    with tf.Graph().as_default() as graph, tf.Session() as session:
        number = tf.placeholder(tf.int64, [])
        with stateless_random.draws(seed, number):
            varied = vary(tf.constant(image))
        assert varied.shape.as_list() == list(image.shape)
        stateful = [op.name for op in graph.get_operations() if op.type.startswith("Random")]
        assert not stateful
        return np.stack([session.run(varied, {number: position}) for position in range(draws)])


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
@pytest.mark.parametrize("name", OPERATIONS)
def test_range_and_variety(name, channels):
    image = gradient(channels=channels)
    varied = draw(image, name)
    assert varied.dtype == np.float32
    assert np.isfinite(varied).all()
    assert varied.min() >= 0
    assert varied.max() <= 1
    changed = [np.abs(each - image).max() > 1e-3 for each in varied]
    if channels == 4 and name not in MOVING:  # The last one is opacity.
        np.testing.assert_array_equal(varied[..., 3], np.stack([image[..., 3]] * DRAWS))
    if channels in (1, 6) and name in COLOR_ONLY:
        assert not any(changed)
    else:
        assert any(changed)
        assert len({each.tobytes() for each in varied}) > 1
    assert np.abs(varied.mean() - image.mean()) < 0.2


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_same_draw_is_the_same_image(name):
    np.testing.assert_array_equal(draw(gradient(), name, 4), draw(gradient(), name, 4))


@pytest.mark.parametrize("name", OPERATIONS)
def test_works_in_a_dataset(name):
    vary = augmentations.augmented(augmentations.apply, (name,))

    def example(number):
        with stateless_random.draws(0, number):
            return vary(tf.constant(gradient()))

    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.data.Dataset.range(3).map(example).batch(3)
        assert session.run(tf.data.make_one_shot_iterator(images).get_next()).shape[0] == 3


@pytest.mark.parametrize("name", OPERATIONS)
def test_has_a_line_of_help(name):
    first = augmentations.OPERATIONS[name].__doc__.splitlines()[0]
    assert first.endswith(".")


def both(name, expected):
    """Requires that draws are the image or what is expected, and that both occur."""
    image = gradient()
    kinds = set()
    for varied in draw(image, name):
        matches = [np.allclose(varied, each, atol=1e-5) for each in (image, expected)]
        assert any(matches)
        kinds.add(matches[1])
    assert kinds == {True, False}


def test_flips():
    both("flip_left_right", gradient()[:, ::-1])
    both("flip_up_down", gradient()[::-1])


def test_drop_color():
    luma = gradient() @ np.float32([0.2989, 0.587, 0.114])
    both("drop_color", np.stack([luma] * 3, axis=-1))


def test_invert():
    both("invert", 1 - gradient())


def test_auto_contrast_stretches_each_channel():
    image = gradient()
    low, high = image.min((0, 1)), image.max((0, 1))
    both("auto_contrast", (image - low) / (high - low))


def test_equalize_spreads_the_values():
    levels = np.repeat(np.arange(100, 104, dtype=np.float32), 4).reshape(4, 4, 1) / 255
    expected = np.repeat(np.arange(4, dtype=np.float32), 4).reshape(4, 4, 1) / 3
    assert any(np.allclose(each, expected, atol=1e-5) for each in draw(levels, "equalize"))


@pytest.mark.parametrize("name", ["auto_contrast", "equalize"])
def test_an_image_of_one_value_stays(name):
    image = np.full([5, 4, 3], 0.3, np.float32)
    np.testing.assert_allclose(draw(image, name), np.stack([image] * DRAWS), atol=1e-6)


def test_random_erasing_leaves_the_rest():
    image = gradient(60, 40)
    fractions = [
        (np.abs(each - image) > 0).any(-1).mean() for each in draw(image, "random_erasing")
    ]
    assert min(fractions) == 0
    assert 0.01 < max(fractions) < 0.4


def test_rotation_by_no_angle_is_the_image(monkeypatch):
    monkeypatch.setattr(augmentations, "_between", lambda low, high: tf.constant((low + high) / 2))
    for name in ("rotate", "shear", "translate", "zoom"):
        np.testing.assert_allclose(draw(gradient(), name, 1)[0], gradient(), atol=1e-5)


def test_translation_shifts_rows_and_columns(monkeypatch):
    monkeypatch.setattr(augmentations, "_between", lambda low, high: tf.constant(high))
    image = gradient(24, 16)
    expected = np.full_like(image, 0.5)
    expected[:-3, :-2] = image[3:, 2:]
    np.testing.assert_allclose(draw(image, "translate", 1)[0], expected, atol=1e-5)


def test_order_counts():
    image = gradient()
    a, b = draw(image, "solarize,rotate", 8), draw(image, "rotate,solarize", 8)
    assert np.abs(a - b).max() > 1e-3


@pytest.mark.parametrize(
    ("text", "expected"), [(None, ()), ("", ()), ("hue, noise,", ("hue", "noise"))]
)
def test_parse(text, expected):
    assert augmentations.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cutout", r"^Unknown augmentation 'cutout'\. .*Allowed: .*random_erasing"),
        ("hue,hue", "^The augmentation 'hue' is listed twice; list it once"),
    ],
)
def test_wrong_names(text, message):
    with pytest.raises(errors.UserError, match=message):
        augmentations.parse(text)


@pytest.mark.parametrize("name", ["cifarnet", "inception", "lenet", "vgg"])
@pytest.mark.parametrize("use_grayscale", [False, True])
def test_in_every_preprocessing(name, use_grayscale):
    train = preprocessing_factory.get_preprocessing(name, True, use_grayscale)
    augmented = augmentations.augmented(train, ("solarize", "noise"))
    image = (gradient() * 255).astype(np.uint8)
    with tf.Graph().as_default(), tf.Session() as session:
        with stateless_random.draws(1, tf.constant(1, tf.int64)):
            plain = train(image, 32, 32)
        with stateless_random.draws(1, tf.constant(1, tf.int64)):
            varied = augmented(image, 32, 32)
        plain, varied = session.run((plain, varied))
    assert plain.shape == varied.shape
    assert np.abs(plain - varied).max() > 1e-3
    if name != "cifarnet":  # That of CifarNet has no bounds of its own.
        assert varied.max() - varied.min() <= {"inception": 2, "lenet": 2, "vgg": 280}[name]


@pytest.mark.parametrize("name", ["cifarnet", "inception", "lenet", "vgg"])
def test_off_by_default_and_in_evaluation(name):
    train = preprocessing_factory.get_preprocessing(name, is_training=True)
    assert augmentations.augmented(train, ()) is train
    evaluate = preprocessing_factory.get_preprocessing(name, is_training=False)
    with tf.Graph().as_default(), pytest.raises(errors.UserError, match="does not apply to"):
        augmentations.augmented(evaluate, ("hue",))(gradient(), 32, 32)


def test_preprocessing_without_a_place_for_operations():
    with pytest.raises(errors.UserError, match=r"^--augment=hue does not apply .*inception"):
        augmentations.augmented(lambda image: image, ("hue",))(gradient())
