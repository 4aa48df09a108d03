"""Every operation of the table keeps shape and range, does something, and only what it should."""

import numpy as np
import pytest

from preprocessing import augmentations, inception_preprocessing, preprocessing_factory
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


def many_draws(measure, draws=2000):
    """Returns what a function measures in draws 0, 1, ..., as the input pipeline makes them."""

    def measured(number):
        with stateless_random.draws(7, number):
            return measure()

    with tf.Graph().as_default(), tf.Session() as session:
        numbers = tf.data.Dataset.range(draws).map(measured, num_parallel_calls=2).batch(draws)
        return session.run(tf.data.make_one_shot_iterator(numbers).get_next())


def of_color(name, color, measure):
    """Returns a function that measures what an operation makes of an image of one color."""
    image = np.tile(np.float32(color), [2, 2, 1])
    return lambda: measure(augmentations.OPERATIONS[name](tf.constant(image))[0, 0])


# Name -> what is uniform in it, the least of it and the most of it, as published.
UNIFORM = {
    "brightness": (of_color("brightness", [0.5] * 3, lambda c: c[0] - 0.5), -32 / 255, 32 / 255),
    "saturation": (
        of_color("saturation", [0.5, 0.4, 0.3], lambda c: (c[0] - c[2]) / 0.2),
        *(0.5, 1.5),
    ),
    "hue": (
        of_color("hue", [0.5, 0.25, 0.25], lambda c: (c[1] - c[2]) * 4 / 6),
        *(-1 / 6, 1 / 6),  # Beyond 1/6 of the circle the largest channel is another one.
    ),
    "contrast": (
        lambda: (
            tf.reduce_max(
                augmentations.contrast(tf.constant([[[0.4], [0.6]]])) - 0.5, axis=[0, 1, 2]
            )
            * 10
        ),
        *(0.5, 1.5),
    ),
}


def distance(ours, others):
    """Returns the largest distance of two cumulative distributions (Kolmogorov and Smirnov)."""
    values = np.concatenate([ours, others])
    below = [np.searchsorted(np.sort(each), values, "right") / len(each) for each in (ours, others)]
    return np.abs(below[0] - below[1]).max()


@pytest.mark.parametrize("name", UNIFORM)
def test_colors_are_drawn_as_published(name):
    measure, low, high = UNIFORM[name]
    drawn = many_draws(measure)
    if name == "hue":  # Drawn from -0.2 to 0.2.
        drawn = drawn[np.abs(drawn) < high - 1e-4]
        assert len(drawn) == pytest.approx(2000 / 1.2, rel=0.05)
    assert low - 1e-5 <= drawn.min()
    assert drawn.max() <= high + 1e-5
    uniform = np.linspace(low, high, 100_000)
    assert distance(drawn, uniform) < 1.95 / len(drawn) ** 0.5  # 1 in 1,000 by chance.
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.08  # Neighbors have nothing in common.


def test_half_of_the_images_are_mirrored():
    image = np.float32([[[0.0], [1.0]]])
    mirrored = many_draws(lambda: augmentations.flip_left_right(tf.constant(image))[0, 0, 0])
    assert set(mirrored) == {0.0, 1.0}
    assert mirrored.mean() == pytest.approx(0.5, abs=0.037)  # 3.3 standard deviations.


@pytest.mark.parametrize("size", [(375, 500), (500, 333), (64, 48)], ids=str)
def test_parts_of_images_are_drawn_as_by_tensorflow(size):
    """TensorFlow's operation with state, which the original calls, draws the others."""
    whole = np.float32([[[0.0, 0.0, 1.0, 1.0]]])

    def part():
        image = tf.zeros([*size, 1], tf.uint8)
        part, _ = inception_preprocessing.distorted_bounding_box_crop(image, tf.constant(whole))
        return tf.shape(part)[:2]

    ours = many_draws(part)
    with tf.Graph().as_default(), tf.Session() as session:
        _, shape, _ = tf.image.sample_distorted_bounding_box(
            [*size, 3],
            whole,
            seed=11,
            min_object_covered=0.1,
            aspect_ratio_range=(0.75, 1.33),
            area_range=(0.05, 1.0),
            max_attempts=100,
            use_image_if_no_bounding_boxes=True,
        )
        others = np.array([session.run(shape)[:2] for _ in range(2000)])
    for measure in (lambda s: s.prod(axis=1), lambda s: s[:, 1] / s[:, 0], lambda s: s[:, 0]):
        assert distance(measure(ours), measure(others)) < 1.95 * (2 / 2000) ** 0.5
