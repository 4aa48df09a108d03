"""Every preprocessing gives the published numbers, for colour and for grey."""

import io
import os
import resource
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image

from nets import nets_factory
from preprocessing import channels, jpeg, preprocessing_factory, vgg_preprocessing
from slim_internal.ground import errors
from slim_internal.ground.compat import tf
from tests import golden_files

GOLDEN = golden_files.load("preprocessing.json")
MAKES_NO_DIFFERENCE = ["lenet"]  # Where training sees what evaluation sees.
DRAWS = 5

# The original swapped height and width in these two.
SWAPPED = ["cifarnet", "lenet"]


def picture(name):
    """Returns a reference picture, [height, width, channels] from 0 to 255."""
    pixels = np.asarray(Image.open(golden_files.path(f"images/{name}")))
    return pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]


def case_id(case):
    return f"{case['name']}-{case['image']}-{case['output_height']}x{case['output_width']}"


def run(image, name, height, width, draws=1, **kwargs):
    """Returns a preprocessed picture, several of them in training, and its static shape."""
    call_kwargs = kwargs.pop("call_kwargs", {})
    preprocess = preprocessing_factory.get_preprocessing(name, **kwargs)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        output = preprocess(image, height, width, **call_kwargs)
        return [session.run(output) for _ in range(draws)], output.shape.as_list()


@pytest.mark.parametrize("case", [c for c in GOLDEN["eval"] if "shape" in c], ids=case_id)
def test_evaluation(case):
    height, width = case["output_height"], case["output_width"]
    if case["name"] in SWAPPED:
        height, width = width, height
    (output,), static_shape = run(
        picture(case["image"]),
        case["name"],
        height,
        width,
        call_kwargs=case["call_kwargs"],
        **case["get_preprocessing_kwargs"],
    )
    assert output.dtype == case["dtype"]
    assert list(output.shape) == case["shape"]
    assert static_shape == case["static_shape"]
    tolerance = 1e-3 * case["std"]
    for fact, value in [
        ("mean", output.mean(dtype=np.float64)),
        ("std", output.std(dtype=np.float64)),
        ("min", output.min()),
        ("max", output.max()),
    ]:
        assert value == pytest.approx(case[fact], abs=tolerance), fact
    for y, x, *values in case["probes"]:
        np.testing.assert_allclose(output[y, x], values, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", ["cifarnet", "inception", "lenet", "vgg"])
@pytest.mark.parametrize("is_training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("use_grayscale", [False, True], ids=["colour", "grey"])
def test_height_and_width_are_not_swapped(name, is_training, use_grayscale):
    """Grey and oblong pictures come out as asked for, where the original failed or swapped."""
    (output,), static_shape = run(
        picture("rgb_64x48.png"),
        name,
        40,
        28,
        is_training=is_training,
        use_grayscale=use_grayscale,
    )
    assert static_shape == [40, 28, 1 if use_grayscale else 3]
    assert list(output.shape) == static_shape


@pytest.mark.parametrize("name", ["cifarnet", "inception", "lenet", "vgg"])
@pytest.mark.parametrize("is_training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("size", [(64, 90), (331, 300), (600, 520)], ids=str)
def test_any_size_comes_out_of_any_picture(name, is_training, size):
    """The original could not enlarge beyond 256 pixels (VGG) or the picture's own size (CifarNet).

    It failed in the middle of training, at the first picture that was too small.
    """
    outputs, static_shape = run(picture("rgb_64x48.png"), name, *size, 3, is_training=is_training)
    assert static_shape == [*size, 3]
    for output in outputs:
        assert output.shape == (*size, 3)
        assert np.isfinite(output).all()
        assert output.std() > 0


@pytest.mark.parametrize("name", ["cifarnet", "inception", "lenet", "vgg"])
@pytest.mark.parametrize("is_training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("size", [(1, 2000), (9000, 1), (1, 1_000_000), (3, 5000)], ids=str)
def test_very_thin_pictures_take_little_memory(name, is_training, size):
    """In datasets that others converted; resized as a whole they would take gigabytes."""
    image = np.random.RandomState(0).randint(0, 256, (*size, 3), np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outputs, _ = run(image, name, 224, 200, 2, is_training=is_training)
    for output in outputs:
        assert output.shape == (224, 200, 3)
        assert output.std() > 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10  # KiB.


@pytest.mark.parametrize("size", [(64, 48), (33, 1000), (1280, 40), (257, 256)], ids=str)
def test_vgg_takes_a_part_of_the_whole_resized_picture(size):
    """To the last bit, unless the picture is thinner than any that is meant as one."""
    with tf.Graph().as_default(), tf.Session() as session:
        image = np.random.RandomState(1).randint(0, 256, (*size, 3), np.uint8)
        resized = vgg_preprocessing._resize_smaller_side(tf.constant(image), 300)
        part = vgg_preprocessing._resized_part(tf.constant(image), 300, [7, 9], 224, 200)
        resized, part = session.run([resized, part])
    np.testing.assert_array_equal(part, resized[7 : 7 + 224, 9 : 9 + 200])


@pytest.mark.parametrize("name", ["cifarnet", "inception", "lenet", "vgg"])
@pytest.mark.parametrize("is_training", [False, True], ids=["evaluation", "training"])
def test_grey_pictures_stay_grey(name, is_training):
    (output,), _ = run(
        picture("gray_28x28.png"), name, 20, 20, is_training=is_training, use_grayscale=True
    )
    assert output.shape == (20, 20, 1)
    assert output.std() > 0


@pytest.mark.parametrize("name", ["cifarnet", "inception", "lenet"])
@pytest.mark.parametrize("is_training", [False, True], ids=["evaluation", "training"])
def test_opacity_is_kept(name, is_training):
    image = np.random.RandomState(0).randint(0, 256, (40, 40, 4), np.uint8)
    image[..., 3] = 255
    (output,), static_shape = run(image, name, 20, 20, is_training=is_training)
    assert static_shape == [20, 20, 4]
    opacity = output[2:-2, 2:-2, 3]
    assert opacity.std() == pytest.approx(0, abs=1e-6)
    assert opacity.mean() > output[2:-2, 2:-2, :3].mean(axis=(0, 1)).max()


@pytest.mark.parametrize("is_training", [False, True], ids=["evaluation", "training"])
def test_vgg_has_a_mean_of_three_channels(is_training):
    with pytest.raises(errors.UserError, match=r"images of 4 channels do not have: choose --prep"):
        run(np.zeros((40, 40, 4), np.uint8), "vgg", 20, 20, is_training=is_training)


@pytest.mark.parametrize(("fraction", "least"), [(None, 0.0), (0.9, 0.85)])
def test_the_smallest_part_for_training(fraction, least):
    ramp = np.tile(
        np.linspace(0.25, 0.75, 64, dtype=np.float32)[:, np.newaxis, np.newaxis], (1, 64, 3)
    )
    prepare = preprocessing_factory.with_min_crop_area(
        preprocessing_factory.for_channels("inception", 3, is_training=True), fraction
    )
    assert jpeg.is_taken_by(prepare)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        image = prepare(tf.constant(ramp), 32, 32)
        heights = [np.ptp(session.run(image)) for _ in range(DRAWS)]  # -0.5 to 0.5 are all of it.
    assert least < min(heights) < 1.01
    assert (min(heights) < 0.85) == (fraction is None)


def test_only_inception_takes_parts_of_a_smallest_size():
    prepare = preprocessing_factory.get_preprocessing("vgg", is_training=True)
    with pytest.raises(errors.UserError, match=r"--min_crop_area=0.5 applies to inception prepro"):
        preprocessing_factory.with_min_crop_area(prepare, 0.5)


@pytest.mark.parametrize("name", ["cifarnet", "inception", "lenet", "vgg"])
@pytest.mark.parametrize("source", ["gray_28x28.png", "rgb_64x48.png"])
@pytest.mark.parametrize("number", [1, 3])
def test_the_number_of_channels_is_that_which_is_asked_for(name, source, number):
    prepare = preprocessing_factory.for_channels(name, number)
    with tf.Graph().as_default():
        assert prepare(tf.constant(picture(source)), 20, 20).shape.as_list() == [20, 20, number]


@pytest.mark.parametrize("number", [1, 3, 4])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_image_files_are_decoded_to_channels(file_format, mode, number):
    pixels = np.full((5, 7, 4), (200, 100, 50, 30), np.uint8)
    image = Image.fromarray(pixels, "RGBA").convert(mode)
    if file_format != "PNG":  # Of a WebP with opacity TensorFlow reads no color alone.
        image = image.convert("L" if mode in ("L", "LA") else "RGB")
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    with tf.Graph().as_default(), tf.Session() as session:
        decoded = channels.decode(tf.constant(buffer.getvalue()), number)
        assert decoded.shape.as_list() == [None, None, number]
        values = session.run(decoded)
    assert values.dtype == np.uint8
    assert values.shape == (5, 7, number)
    if number == 4:
        with Image.open(buffer) as stored:
            opacity = stored.convert("RGBA").getchannel("A")
        np.testing.assert_array_equal(values[..., 3], opacity)
        assert (values[0, 0, 3] == 255) == (file_format != "PNG" or mode in ("L", "RGB"))


@pytest.mark.parametrize("name", ["cifarnet", "inception", "lenet", "vgg"])
def test_training_and_evaluation_agree_on_the_channels_of_grey_pictures(name):
    grey = picture("gray_28x28.png")
    channels = {run(grey, name, 20, 20, is_training=mode)[0][0].shape[-1] for mode in (True, False)}
    assert len(channels) == 1


@pytest.mark.parametrize("case", GOLDEN["eval_with_unknown_input_size"], ids=case_id)
def test_unknown_input_size(case):
    preprocess = preprocessing_factory.get_preprocessing(case["name"])
    with tf.Graph().as_default(), tf.Session() as session:
        image = tf.placeholder(tf.uint8, [None, None, 3])
        output = preprocess(image, case["output_height"], case["output_width"])
        values = session.run(output, {image: picture(case["image"])})
    assert output.shape.as_list() == case["static_shape"]
    assert values.mean(dtype=np.float64) == pytest.approx(
        case["mean"], abs=1e-3 * float(values.std())
    )


@pytest.mark.parametrize("case", GOLDEN["train"], ids=lambda c: f"{case_id(c)}")
def test_training(case):
    outputs, static_shape = run(
        picture(case["image"]),
        case["name"],
        case["output_height"],
        case["output_width"],
        draws=DRAWS,
        is_training=True,
        call_kwargs=case.get("call_kwargs", {}),
    )
    swapped = case["name"] in SWAPPED and case["output_height"] != case["output_width"]
    if not swapped:
        assert static_shape == case["static_shape"]
    different = any((output != outputs[0]).any() for output in outputs)
    assert different == (case["name"] not in MAKES_NO_DIFFERENCE)
    ranges = case.get("guaranteed_range_per_channel", [case.get("guaranteed_range")] * 3)
    for output in outputs:
        if "per_draw_std" in case:
            assert output.mean(dtype=np.float64) == pytest.approx(0, abs=1e-5)
            assert output.std(dtype=np.float64) == pytest.approx(1, abs=1e-4)
        else:
            for channel, (low, high) in zip(np.moveaxis(output, -1, 0), ranges, strict=False):
                assert low - 1e-3 <= channel.min()
                assert channel.max() <= high + 1e-3


@pytest.mark.parametrize("mode", sorted(GOLDEN["image_summaries"]))
def test_image_summaries(mode):
    name, _, phase = mode.partition("/")
    preprocess = preprocessing_factory.get_preprocessing(name, is_training=phase == "train")
    with tf.Graph().as_default() as graph:
        preprocess(picture("rgb_64x48.png"), 32, 32)
        found = [op.name for op in graph.get_operations() if op.type == "ImageSummary"]
    assert sorted(found) == sorted(GOLDEN["image_summaries"][mode])


@pytest.mark.parametrize(
    ("size", "smallest_side", "expected"), GOLDEN["helpers"]["vgg._smallest_size_at_least"]
)
def test_smaller_side(size, smallest_side, expected):
    resized = vgg_preprocessing._smallest_size_at_least(*size, smallest_side)
    with tf.Session() as session:
        assert session.run(list(resized)) == expected


def test_slow_distortions():
    """All orders of the colours and all methods of resizing keep the picture in range."""
    outputs, _ = run(
        picture("rgb_64x48.png"),
        "inception",
        32,
        32,
        draws=20,
        is_training=True,
        call_kwargs={"fast_mode": False},
    )
    assert np.min(outputs) >= -1
    assert np.max(outputs) <= 1


def test_inside_a_dataset():
    """tf.data builds functions, in which control flow works differently."""
    preprocess = preprocessing_factory.get_preprocessing("inception", is_training=True)
    with tf.Graph().as_default(), tf.Session() as session:
        pictures = tf.data.Dataset.from_tensors(picture("rgb_64x48.png"))
        pictures = pictures.map(lambda image: preprocess(image, 32, 32, fast_mode=False))
        output = tf.data.make_one_shot_iterator(pictures).get_next()
        assert session.run(output).shape == (32, 32, 3)


@pytest.mark.parametrize(("network", "module"), sorted(GOLDEN["factory_map"].items()))
def test_names_of_networks(network, module):
    preprocess = preprocessing_factory.get_preprocessing(network)
    assert preprocess.func.__module__ == module


_FORGOTTEN = GOLDEN["nets_without_preprocessing_entry"]


def test_networks_that_the_original_forgot_are_known_without_nets_factory():
    program = f"""
import sys
from preprocessing import preprocessing_factory
print([preprocessing_factory.get_preprocessing(name) is not None for name in {_FORGOTTEN!r}])
assert "nets" not in sys.modules
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == f"{[True] * len(_FORGOTTEN)}\n", result.stderr


@pytest.mark.parametrize("network", _FORGOTTEN)
def test_networks_that_the_original_forgot(network):
    """They get what their records name."""
    assert preprocessing_factory.get_preprocessing(network)
    record = nets_factory.get_network(network)
    by_record = preprocessing_factory.get_preprocessing(record.preprocessing)
    assert preprocessing_factory.get_preprocessing(network).func is by_record.func


def test_unknown_name():
    with pytest.raises(errors.UserError, match=r"'inceptoin'\. Did you mean 'inception'"):
        preprocessing_factory.get_preprocessing("inceptoin")


def test_further_names(monkeypatch):
    monkeypatch.setattr(
        preprocessing_factory,
        "preprocessing_fn_map",
        dict(preprocessing_factory.preprocessing_fn_map),
    )
    preprocessing_factory.add_names({"mynet": "lenet", "inception_v3": "lenet"})
    by_name = {
        name: preprocessing_factory.get_preprocessing(name).func.__module__
        for name in ("mynet", "inception_v3")
    }
    assert by_name == {
        "mynet": "preprocessing.lenet_preprocessing",
        "inception_v3": "preprocessing.inception_preprocessing",
    }
    with pytest.raises(errors.UserError, match=r"'lenett'\. Did you mean 'lenet'"):
        preprocessing_factory.add_names({"mynet": "lenett"})


def old(image, output_height, output_width, is_training):
    return image, output_height, output_width, is_training


@pytest.mark.parametrize("is_training", [False, True])
def test_entry_of_the_map_is_a_preprocessing(monkeypatch, is_training):
    """Even one that was written before there was `use_grayscale`."""
    for entry in (types.SimpleNamespace(preprocess_image=old), old):  # A module, a function.
        monkeypatch.setitem(preprocessing_factory.preprocessing_fn_map, "mine", entry)
        preprocess = preprocessing_factory.get_preprocessing("mine", is_training)
        assert preprocess("image", 3, 4) == ("image", 3, 4, is_training)


def test_entry_that_is_no_preprocessing(monkeypatch):
    monkeypatch.setitem(preprocessing_factory.preprocessing_fn_map, "mine", 3)
    with pytest.raises(
        errors.UserError, match=r"^The entry 'mine' of .* has no function preprocess"
    ):
        preprocessing_factory.get_preprocessing("mine")


def test_helpers_that_client_code_imports():
    image = tf.constant(picture("rgb_64x48.png"))
    pixels = picture("rgb_64x48.png")
    both = [image, image + 1]
    central = vgg_preprocessing._central_crop(both, 20, 10)
    at_random = vgg_preprocessing._random_crop(both, 20, 10)
    resized = vgg_preprocessing._aspect_preserving_resize(image, 24)
    height, width = pixels.shape[:2]
    top, left = (height - 20) // 2, (width - 10) // 2
    with tf.Session() as session:
        middle, middle_of_other = session.run(central)
        np.testing.assert_array_equal(middle, pixels[top : top + 20, left : left + 10])
        np.testing.assert_array_equal(middle_of_other, middle + 1)
        one, other = session.run(at_random)
        assert one.shape == (20, 10, 3)
        np.testing.assert_array_equal(other, one + 1)
        assert min(session.run(resized).shape[:2]) == 24
        beyond = tf.placeholder_with_default(height - 1, [])
        with pytest.raises(tf.errors.InvalidArgumentError, match="Crop size greater"):
            session.run(vgg_preprocessing._crop(image, beyond, 0, 2, 2))
        subtracted = session.run(vgg_preprocessing._mean_image_subtraction(image, [1, 2, 3]))
        np.testing.assert_array_equal(subtracted, pixels - np.float32([1, 2, 3]))
    for wrong, means in ((image[0], [1, 2, 3]), (image, [1, 2])):
        with pytest.raises(ValueError, match="must"):
            vgg_preprocessing._mean_image_subtraction(wrong, means)
