"""Counts examples through the pipelines and damages their files."""

import itertools
import os

import numpy as np
import pytest

from preprocessing import preprocessing_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.parts.input_pipeline import class_balance, decoding, order
from tests.slim_internal.parts.input_pipeline import photos
from tests.slim_internal.programs.training import tiny_dataset


@pytest.fixture
def dataset(tmp_path):
    return tiny_dataset.write(str(tmp_path), 25)


def _batches(batches, count=None):
    """Returns the first batches, or all of them."""
    next_batch = tf.data.make_one_shot_iterator(batches).get_next()
    results = []
    with tf.Session() as session:
        for _ in itertools.count() if count is None else range(count):
            try:
                results.append(session.run(next_batch))
            except tf.errors.OutOfRangeError:
                break
    return results


def _train(dataset, count, preprocess=lambda image: image, graph_seed=None, **kwargs):
    with tf.Graph().as_default():
        tf.set_random_seed(graph_seed)
        kwargs = {"batch_size": 10, "seed": 1, **kwargs}
        return _batches(input_pipeline.training_batches(dataset, preprocess, **kwargs), count)


def _labels(batches):
    return np.concatenate([batch["label"] for batch in batches]).tolist()


def test_each_epoch_has_each_example_once_in_its_own_order(dataset):
    labels = _labels(_train(dataset, 5))
    first, second = labels[:25], labels[25:]
    assert sorted(first) == sorted(second) == list(range(25))
    assert first != second != list(range(25)) != first


def test_picture_and_label_stay_together(dataset):
    for batch in _train(dataset, 3):
        assert batch["image"].shape == (10, 28, 28, 1)
        np.testing.assert_array_equal(batch["image"][:, 0, 0, 0], batch["label"])


def test_order_depends_on_the_seed_alone(dataset):
    labels = _labels(_train(dataset, 5))
    assert labels == _labels(_train(dataset, 5, num_threads=1))
    assert labels == _labels(_train(dataset, 5, graph_seed=3))
    assert labels != _labels(_train(dataset, 5, seed=2))


@pytest.mark.parametrize("first_batch", [0, 4])
def test_numbers_of_examples_come_in_the_order_of_the_examples(dataset, first_batch):
    batches = _train(dataset, 6, num_readers=2, first_batch=first_batch)
    with tf.Graph().as_default():
        indices = input_pipeline.training_indices(
            dataset,
            [9, 8, 8],
            batch_size=10,
            seed=1,
            first_batch=first_batch,
            num_readers=2,
            num_draws=2,
        )
        numbers = np.concatenate(_batches(indices, 6))
        (numbered,) = _batches(
            input_pipeline.numbered_batches(
                dataset, lambda image: image, batch_size=50, seed=1, num_draws=2
            ),
            1,
        )
    assert numbered["label"][numbers].tolist() == _labels(batches)
    epochs = np.arange(10 * first_batch, 10 * first_batch + 60) // 25
    np.testing.assert_array_equal(numbers // 25, epochs % 2)


def _at_random(image):
    image = tf.image.random_brightness(tf.cast(image, tf.float32), 50.0)
    return tf.cond(tf.random.uniform([]) < 0.5, lambda: -image, lambda: image)


@pytest.mark.parametrize("first_batch", [1, 3, 7])
@pytest.mark.parametrize("preprocess", [lambda image: image, _at_random], ids=["plain", "random"])
def test_resuming_continues_where_the_straight_run_was(dataset, preprocess, first_batch):
    straight = _train(dataset, 10, preprocess)
    resumed = _train(dataset, 10 - first_batch, preprocess, first_batch=first_batch)
    for expected, got in zip(straight[first_batch:], resumed, strict=True):
        np.testing.assert_array_equal(expected["label"], got["label"])
        np.testing.assert_array_equal(expected["image"], got["image"])


@pytest.mark.parametrize("first_batch", [0, 2])
@pytest.mark.parametrize("parts", [2, 3])
def test_processes_divide_the_batches_of_one(dataset, parts, first_batch):
    shared = {"preprocess": _at_random, "batch_size": 4}
    of_one = _train(dataset, 12, first_batch=first_batch * parts, **shared)
    for own in range(parts):
        mine = _train(dataset, 12 // parts, first_batch=first_batch, part=(own, parts), **shared)
        for expected, got in zip(of_one[own::parts], mine, strict=True):
            np.testing.assert_array_equal(expected["label"], got["label"])
            np.testing.assert_array_equal(expected["image"], got["image"])


def test_random_preprocessing_differs_between_examples_and_epochs(dataset):
    images = np.concatenate([batch["image"] for batch in _train(dataset, 5, _at_random)])
    assert len(np.unique(images[:, 0, 0, 0])) == 50


@pytest.mark.parametrize("batch_size", [1, 7, 25, 40])
def test_evaluation_sees_each_example_exactly_once(dataset, batch_size):
    batches = _batches(
        input_pipeline.evaluation_batches(dataset, lambda image: image, batch_size=batch_size)
    )
    assert sorted(_labels(batches)) == list(range(25))
    assert len(batches) == -(-25 // batch_size)


def test_evaluation_returns_the_items_asked_for(dataset):
    dataset.decoder._items_to_handlers["name"] = slim.tfexample_decoder.Tensor("image/format")
    batches = _batches(
        input_pipeline.evaluation_batches(
            dataset, lambda image: image, batch_size=25, items=["label", "name"]
        )
    )
    assert set(batches[0]) == {"image", "label", "name"}
    assert set(batches[0]["name"]) == {b"png"}


def test_empty_files_are_refused_instead_of_waited_for(dataset, tmp_path):
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match="data files are empty"):
        _train(dataset, 1)


@pytest.mark.parametrize("num_readers", [1, 2, 4])
def test_resuming_reads_on_in_the_middle_of_an_epoch(tmp_path, monkeypatch, num_readers):
    monkeypatch.setattr(order, "_WINDOW", 7)
    dataset = tiny_dataset.write(str(tmp_path), 40, num_shards=6)
    whole = _train(dataset, 30, batch_size=4, num_readers=num_readers)
    for first_batch in range(1, 20):
        rest = _train(dataset, 2, batch_size=4, num_readers=num_readers, first_batch=first_batch)
        assert _labels(rest) == _labels(whole[first_batch : first_batch + 2])


def test_resuming_reads_no_more_than_a_window_before_the_first_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(order, "_WINDOW", 7)
    dataset = tiny_dataset.write(str(tmp_path), 90, num_shards=1)
    expected = _labels(_train(dataset, 20, batch_size=4)[16:])
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[40] ^= 1  # Reading the first record would be an error.
    path.write_bytes(data)
    assert _labels(_train(dataset, 4, batch_size=4, first_batch=16)) == expected


def test_windows_are_bounded_by_bytes(dataset, monkeypatch):
    files = sorted(tf.io.gfile.glob(dataset.data_sources))
    size = sum(tf.io.gfile.stat(path).length for path in files)
    assert order.window_size(files, 25) == 25
    monkeypatch.setattr(order, "_WINDOW_BYTES", size // 5)
    assert order.window_size(files, 25) == 5 - (size % 5 > 0)
    monkeypatch.setattr(order, "_WINDOW_BYTES", 1)
    assert order.window_size(files, 25) == 1


@pytest.mark.parametrize(
    ("preprocessing", "is_training"), [("inception", True), ("inception", False), ("vgg", False)]
)
def test_files_that_are_decoded_in_part_give_the_same_images(tmp_path, preprocessing, is_training):
    dataset = photos.write(tmp_path)
    preprocess = preprocessing_factory.get_preprocessing(preprocessing, is_training)
    results = []
    for prepare in (
        preprocessing_factory.sized(preprocess, 64, 48),
        lambda image: preprocess(image, 64, 48),
    ):
        with tf.Graph().as_default():
            make = input_pipeline.evaluation_batches
            kwargs = {"batch_size": 8}
            if is_training:
                make, kwargs = input_pipeline.training_batches, {"batch_size": 24, "seed": 3}
            (batch,) = _batches(make(dataset, prepare, **kwargs), 1)
            graph = str(tf.get_default_graph().as_graph_def())
        results.append(batch)
        assert ("DecodeAndCropJpeg" in graph) == (prepare.__name__ == "prepare")
    np.testing.assert_array_equal(results[0]["label"], results[1]["label"])
    np.testing.assert_allclose(results[0]["image"], results[1]["image"], atol=1e-5)


@pytest.mark.parametrize(
    ("width", "height", "preprocessing", "is_training", "changes"),
    [
        (173, 131, "inception", True, False),
        (173, 131, "vgg", False, True),  # It has no other way to decode the middle alone.
        (1400, 1050, "inception", True, True),
        (1400, 1050, "inception", False, True),
        (1400, 1050, "vgg", True, True),
        (1400, 1050, "vgg", False, True),
    ],
)
def test_fast_decoding_changes_pixels_of_large_files_a_little(
    tmp_path, caplog, width, height, preprocessing, is_training, changes
):
    dataset = photos.write(tmp_path, width, height)
    preprocess = preprocessing_factory.get_preprocessing(preprocessing, is_training)
    plain = preprocessing_factory.sized(preprocess, 80, 64)
    with tf.Graph().as_default():
        batches = []
        for prepare in (plain, decoding.fast(dataset, plain)):
            if is_training:
                made = input_pipeline.training_batches(dataset, prepare, batch_size=8, seed=3)
            else:
                made = input_pipeline.evaluation_batches(dataset, prepare, batch_size=8)
            batches += _batches(made, 1)
    assert "--fast_decoding" not in caplog.text
    expected, got = batches
    np.testing.assert_array_equal(got["label"], expected["label"])
    maximum = 1 if preprocessing == "inception" else 128
    for label, one, other in zip(got["label"], got["image"], expected["image"], strict=True):
        difference = np.abs(one - other).mean() / maximum
        assert difference < 0.03, label
        assert (difference > 0) == (changes and label != 7), label  # Which is a PNG.


@pytest.mark.parametrize(
    ("num_pngs", "preprocessing", "reason"),
    [
        (1, "lenet", "this preprocessing does not resize images, those of inception and vgg do"),
        (8, "vgg", "none of the first 100 images is a JPEG file"),
        (None, "vgg", "the images are not read from files in color"),
    ],
)
def test_fast_decoding_says_where_it_changes_nothing(
    tmp_path, dataset, caplog, num_pngs, preprocessing, reason
):
    preprocess = preprocessing_factory.get_preprocessing(preprocessing)
    if num_pngs:
        dataset = photos.write(tmp_path, num_pngs=num_pngs)
    decoding.fast(dataset, preprocess)
    assert f"--fast_decoding changes nothing: {reason}.\n" in caplog.text


def test_fast_decoding_leaves_it_to_others_to_name_what_is_damaged(tmp_path, caplog):
    dataset = photos.write(tmp_path)
    (tmp_path / "photos").write_bytes(b"?" * 20)
    decoding.fast(dataset, preprocessing_factory.get_preprocessing("vgg"))
    assert "--fast_decoding" not in caplog.text


def _uneven(folder, labels):
    dataset = tiny_dataset.write(str(folder), len(labels), num_shards=2, num_classes=None)
    names = dict(enumerate(("ant", "bee", "cat")))
    decoder = dataset.decoder
    thresholds = (12, 18)  # 12 of class 0, 6 of class 1, 2 of class 2.

    class Decoder:
        def decode(self, record, items):
            values = dict(zip(items, decoder.decode(record, items), strict=True))
            label = values["label"]
            values["label"] = sum(tf.cast(label >= each, tf.int64) for each in thresholds)
            return [values[item] for item in items]

    return slim.dataset.Dataset(
        dataset.data_sources,
        dataset.reader,
        Decoder(),
        dataset.num_samples,
        {},
        num_classes=3,
        labels_to_names=names,
    )


def test_balanced_sampling_shows_classes_alike_and_all_examples_in_time(tmp_path):
    dataset = _uneven(tmp_path, range(20))
    counts = class_balance.counts(dataset, "--balanced_sampling")
    assert counts.tolist() == [12, 6, 2]
    batches = _train(dataset, 40, batch_size=10, class_counts=counts)
    labels = np.concatenate([batch["label"] for batch in batches]).reshape(20, 20)
    for epoch in labels:
        assert np.bincount(epoch).tolist() == [7, 7, 6]
    images = np.concatenate([batch["image"][:, 0, 0, 0] for batch in batches])
    often = np.bincount(images, minlength=20)
    assert often[:12].min() >= 6
    assert often[:12].max() <= 17  # 140 draws of 12 examples.
    assert often[18:].tolist() == [60, 60]
    resumed = _train(dataset, 3, batch_size=10, class_counts=counts, first_batch=5)
    for expected, got in zip(batches[5:8], resumed, strict=True):
        np.testing.assert_array_equal(expected["image"], got["image"])


def test_weights_of_classes_follow_from_counts_or_a_file(tmp_path):
    dataset = _uneven(tmp_path, range(20))
    balanced = class_balance.weights("balanced", dataset)
    np.testing.assert_allclose(balanced, [20 / 3 / 12, 20 / 3 / 6, 20 / 3 / 2])
    assert class_balance.weights("1,2,0.5", dataset) == [1, 2, 0.5]
    assert class_balance.weights("2,0.5", dataset, labels_offset=1) == [2, 0.5]
    assert class_balance.weights("0,1,2,3", dataset, labels_offset=-1) == [0, 1, 2, 3]
    with_background = class_balance.weights("balanced", dataset, labels_offset=-1)
    np.testing.assert_allclose(with_background[1:], balanced)
    assert len(with_background) == 4
    file = tmp_path / "weights.csv"
    file.write_text("bee,2\nant,1\ncat,3\n")
    assert class_balance.weights(str(file), dataset) == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("bee,2\nant,1\n", "has no weight for cat"),
        ("bees,2\n", "no class is named 'bees'. Did you mean 'bee'?"),
        ("bee,many\n", "'bee,many' is no line CLASS,WEIGHT"),
        ("bee,nan\n", "must be numbers of at least 0; got bee,nan"),
    ],
)
def test_a_wrong_file_of_weights_is_refused(tmp_path, content, message):
    file = tmp_path / "weights.csv"
    file.write_text(content)
    with pytest.raises(UserError) as error:
        class_balance.weights(str(file), _uneven(tmp_path, range(20)))
    assert message in str(error.value)


def test_a_split_without_images_of_a_class_is_named(tmp_path):
    dataset = _uneven(tmp_path, range(12))
    with pytest.raises(UserError, match="no images of 2 of 3 classes: bee, cat"):
        class_balance.weights("balanced", dataset)


def test_images_are_prepared_on_every_cpu_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 5})
    assert input_pipeline.threads(None) == 3
    assert input_pipeline.threads(7) == 7
    assert input_pipeline.threads(0) == input_pipeline.AUTOTUNE
