"""Every metric compared with scikit-learn's, on random and on degenerate predictions."""

import os

import numpy as np
import pytest
from sklearn import calibration
from sklearn import metrics as reference

from slim_internal.parts.metrics import table
from slim_internal.parts.metrics.metric import Outputs, Table


def _softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _case(seed, examples, classes, *, scale=1.0, labels=None):
    random = np.random.RandomState(seed)
    logits = (scale * random.standard_normal([examples, classes])).astype(np.float32)
    if labels is None:
        labels = random.randint(classes, size=examples)
    return logits, np.asarray(labels, np.int64)


def _always_class_2():
    logits, labels = _case(1, 50, 4)
    logits[:, 2] += 100
    return logits, labels


CASES = {
    "random": _case(0, 500, 7),
    "many_classes": _case(1, 300, 1000, scale=3),
    "two_classes": _case(2, 200, 2),
    "one_class": _case(2, 40, 1),
    "one_example": _case(3, 1, 10),
    "sure_and_wrong": _case(4, 100, 5, scale=40),
    "one_class_has_all_labels": _case(5, 80, 6, labels=[3] * 80),
    "classes_without_examples": _case(6, 90, 8, labels=[1, 4, 7] * 30),
    "always_the_same_prediction": _always_class_2(),
    "ties": (_case(7, 200, 9)[0].round(), _case(7, 200, 9)[1]),
    "all_right": (10 * np.eye(6, dtype=np.float32), np.arange(6)),
    "all_wrong": (10 * np.eye(6, dtype=np.float32), (np.arange(6) + 1) % 6),
}


def _measure(logits, labels, batch_size=64):
    classes = logits.shape[1]
    found = table.make([f"class {index}" for index in range(classes)], top_k=3)
    for start in range(0, len(labels), batch_size):
        outputs = Outputs(logits[start : start + batch_size], labels[start : start + batch_size])
        for metric in found:
            metric.update(outputs)
    return {value.name: value.value for metric in found for value in metric.result()}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    logits, labels = CASES[request.param]
    return logits, labels, _measure(logits, labels)


def test_accuracy_recall_and_loss(case):
    logits, labels, found = case
    classes = list(range(logits.shape[1]))
    predicted = logits.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(
        reference.accuracy_score(labels, predicted), abs=1e-12
    )
    for k, value in ((3, found["recall_at_3"]), (5, found["recall_at_5"])):
        # Of equally likely classes scikit-learn takes the last, we take the first.
        expected = 1.0
        if len(classes) > 2:
            expected = reference.top_k_accuracy_score(
                len(classes) - 1 - labels, logits[:, ::-1], k=min(k, len(classes)), labels=classes
            )
        assert value == pytest.approx(expected, abs=1e-12)
    probabilities = _softmax(logits.astype(np.float64))
    expected = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    assert found["loss"] == pytest.approx(expected, rel=1e-9)
    # scikit-learn takes no single class, and below it its number is another one.
    if len(classes) > 1 and probabilities.min() > 1e-15:
        expected = reference.log_loss(labels, probabilities, labels=classes)
        assert found["loss"] == pytest.approx(expected, rel=1e-9)


def test_classes(case):
    logits, labels, found = case
    predicted = logits.argmax(axis=1)
    classes = list(range(logits.shape[1]))
    expected = reference.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=np.nan
    )
    rows = found["per_class"]
    for column, numbers in zip(("precision", "recall", "f1", "examples"), expected, strict=True):
        own = [np.nan if row[column] is None else row[column] for row in rows]
        np.testing.assert_allclose(own, numbers, rtol=1e-12, err_msg=column)
    assert [row["class"] for row in rows] == classes
    assert sum(row["predictions"] for row in rows) == len(labels)
    present = [row["recall"] for row in rows if row["examples"]]
    assert found["mean_class_accuracy"] == pytest.approx(np.mean(present), abs=1e-12)
    if set(predicted) <= set(labels):  # Else scikit-learn warns.
        expected = reference.balanced_accuracy_score(labels, predicted)
        assert found["mean_class_accuracy"] == pytest.approx(expected, abs=1e-12)


def test_confusion(case):
    logits, labels, found = case
    classes = list(range(logits.shape[1]))
    confusion = found["confusion"]
    assert isinstance(confusion, Table)
    matrix = [row[1:] for row in confusion.rows]
    expected = reference.confusion_matrix(labels, logits.argmax(axis=1), labels=classes)
    np.testing.assert_array_equal(matrix, expected)
    assert [row[0] for row in confusion.rows] == list(confusion.columns[1:])


def test_calibration(case):
    logits, labels, found = case
    probabilities = _softmax(logits.astype(np.float64))
    right = logits.argmax(axis=1) == labels
    accuracy, confidence = calibration.calibration_curve(
        right, probabilities.max(axis=1), n_bins=15, strategy="uniform"
    )
    bins = found["calibration"]
    np.testing.assert_allclose([each["accuracy"] for each in bins], accuracy, rtol=1e-9)
    np.testing.assert_allclose([each["confidence"] for each in bins], confidence, rtol=1e-9)
    weights = np.array([each["examples"] for each in bins]) / len(labels)
    expected = np.sum(weights * np.abs(accuracy - confidence))
    assert found["expected_calibration_error"] == pytest.approx(expected, abs=1e-9)


def test_intervals_hold_their_fraction(case):
    _, _, found = case
    for name in ("accuracy", "recall_at_5", "mean_class_accuracy"):
        lower, upper = found[f"{name}_interval"]
        assert 0 <= lower <= found[name] <= upper <= 1
        assert lower < upper


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_the_size_of_batches_makes_no_difference(batch_size):
    logits, labels = CASES["random"]
    found, expected = _measure(logits, labels, batch_size), _measure(logits, labels)
    for name, value in expected.items():
        if isinstance(value, float):
            assert found[name] == pytest.approx(value, rel=1e-12), name
        elif name != "calibration":
            assert found[name] == value, name


def test_merged_metrics_are_those_of_all_examples():
    logits, labels = CASES["random"]
    for metric, other, whole in zip(*(table.make("abcdefg") for _ in range(3)), strict=True):
        metric.update(Outputs(logits[:123], labels[:123]))
        other.update(Outputs(logits[123:], labels[123:]))
        metric.merge(other)
        whole.update(Outputs(logits, labels))
        for own, expected in zip(metric.result(), whole.result(), strict=True):
            assert own.name == expected.name
            if isinstance(expected.value, float):
                assert own.value == pytest.approx(expected.value, rel=1e-12)
            elif own.name != "calibration":
                assert own.value == expected.value


def test_of_equally_likely_classes_the_first_counts():
    labels = np.arange(10)
    found = _measure(np.zeros([10, 10], np.float32), labels)
    assert (found["accuracy"], found["recall_at_5"]) == (0.1, 0.5)
    assert found["per_class"][0]["predictions"] == 10


def test_probabilities_of_zero_have_a_finite_loss():
    outputs = Outputs.of_probabilities([[0.0, 1.0], [0.25, 0.75]], [0, 1])
    np.testing.assert_allclose(outputs.losses, [87.3365, -np.log(0.75)], rtol=1e-5)
    np.testing.assert_array_equal(outputs.ranks, [1, 0])


def test_accuracy_by_image_size_and_source():
    logits, labels = CASES["random"]
    random = np.random.RandomState(0)
    details = {
        "height": random.choice([20, 100, 900], size=len(labels)),
        "width": random.choice([30, 200], size=len(labels)),
        "source": random.choice([b"camera", b"web"], size=len(labels)),
    }
    metrics = [table.AccuracyByImageSize("abcdefg"), table.AccuracyBySource("abcdefg")]
    for metric in metrics:
        metric.update(Outputs(logits, labels, details))
    by_size, by_source = (metric.result()[0].value for metric in metrics)
    right = logits.argmax(axis=1) == labels
    for row in by_source:
        expected = right[details["source"] == row["source"].encode()]
        assert (row["examples"], row["accuracy"]) == (len(expected), expected.mean())
    sides = np.sqrt(details["height"] * details["width"])
    for row in by_size:
        expected = right[(sides >= row["from_pixels"]) & (sides < row["below_pixels"])]
        assert (row["examples"], row["accuracy"]) == (len(expected), expected.mean())
    for rows in (by_size, by_source):
        assert sum(row["examples"] for row in rows) == len(labels)
        for row in rows:
            assert row["accuracy_interval"][0] <= row["accuracy"] <= row["accuracy_interval"][1]
    assert [row["source"] for row in by_source] == ["camera", "web"]
    assert [row["from_pixels"] for row in by_size] == [16, 32, 128, 256]


@pytest.mark.parametrize(
    "details", [{}, {"height": [28, 28], "width": [28, 28]}, {"source": [b""] * 2}]
)
def test_what_tells_no_examples_apart_makes_no_groups(details):
    details = {name: np.array(values) for name, values in details.items()}
    for metric in (table.AccuracyByImageSize("abc"), table.AccuracyBySource("abc")):
        metric.update(Outputs(np.eye(3)[:2], [0, 1], details))
        assert metric.result()[0].value == []


@pytest.mark.parametrize(
    ("files", "sources", "expected"),
    [
        (["a/x/1.jpg", "b/y/2.jpg", "a/y/3.jpg"], None, {"x": 1.0, "y": 0.5}),
        (["x/1.jpg", "y/2.jpg", "x/3.jpg"], None, {"x": 0.5, "y": 1.0}),
        (["test/a/1.jpg", "test/b/2.jpg", "test/a/3.jpg"], None, {}),  # Nothing but their classes.
        (["1.jpg", "2.jpg", "3.jpg"], None, {}),
        (["a/1.jpg", "b/y/2.jpg", "a/3.jpg"], None, {"": 0.5, "y": 1.0}),
        (["a/x/1.jpg", "b/y/2.jpg", "a/x/3.jpg"], ["web", "", "web"], {"web": 0.5, "y": 1.0}),
        (["é/1.jpg", "b/y/2.jpg", "\udcff/1.jpg"], None, {"y": 1.0, "é": 1.0, "\udcff": 0.0}),
    ],
)
def test_the_folder_of_a_file_is_its_source_where_no_other_is_told(files, sources, expected):
    """Of three images, of a, b and a, the last one is taken for b."""
    metric = table.AccuracyBySource("ab")
    details = {"filename": np.array([os.fsencode(file) for file in files])}
    if sources:
        details["source"] = np.array([source.encode() for source in sources])
    metric.update(Outputs(np.eye(2)[[0, 1, 1]], [0, 1, 0], details))
    (found,) = metric.result()
    assert {row["source"]: row["accuracy"] for row in found.value} == expected


@pytest.mark.parametrize("k", [2, 3, 7])
def test_recall_at_another_k_is_added_to_the_published_ones(k):
    logits, labels = _case(4, 200, 7)
    measured = {}
    for metric in table.make([str(index) for index in range(7)], k):
        metric.update(Outputs(logits, labels))
        measured |= {value.name: value.value for value in metric.result()}
    scores = _softmax(logits)
    expected = np.mean(np.argsort(-scores, axis=1)[:, :k] == labels[:, None], axis=0).sum()
    assert measured[f"recall_at_{k}"] == pytest.approx(expected)
    assert {"accuracy", "recall_at_5"} < measured.keys()


@pytest.mark.parametrize("k", [None, 1, 5])
def test_the_published_recalls_stand_there_once(k):
    assert len(table.make(["a", "b"], k)) == len(table.METRICS)
