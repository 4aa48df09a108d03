"""The page about an evaluation, with few classes and with many."""

import numpy as np
import pytest
from PIL import Image

from slim_internal.parts.metrics.measurement import Measurement
from slim_internal.parts.metrics.metric import Value
from slim_internal.parts.reports import thumbnail
from slim_internal.programs.evaluation import evaluation_page
from tests.slim_internal.parts.reports import browser
from tests.slim_internal.parts.reports.parsed_page import ParsedPage

NASTY = "<script>alert(1)</script>"


def values(labels, predicted, names) -> list[Value]:
    measured = Measurement(names)
    logits = np.zeros([len(labels), len(names)])
    logits[np.arange(len(labels)), predicted] = 3.0
    measured.add(logits, np.array(labels))
    return [
        Value("checkpoint_path", "/runs/model.ckpt-5"),
        Value("num_examples", len(labels)),
        *measured.values(),
    ]


def many(num_classes: int) -> list[Value]:
    random = np.random.RandomState(0)
    labels = random.randint(0, num_classes, 3 * num_classes)
    predicted = np.where(random.rand(len(labels)) < 0.7, labels, random.randint(0, num_classes))
    return values(labels, predicted, [NASTY, *(f"class {n}" for n in range(1, num_classes))])


def shown() -> list[thumbnail.Thumbnail]:
    return [thumbnail.make(Image.new("RGB", (20, 20), "red"), NASTY, "99.0% · a.jpg", "a.jpg")] * 3


def test_numbers_stand_on_the_page():
    text = evaluation_page.render("t", values([0, 0, 0, 1], [0, 0, 1, 1], ["cat", "dog"]))
    parsed = ParsedPage(text)
    for fact in ("75.00%", "4 images, /runs/model.ckpt-5", "33.3%", "66.7%", "30.1% to 95.4%"):
        assert fact in parsed.text, fact
    assert "There is no mistake to show" in parsed.text
    assert "Recall at 5" not in parsed.text  # Of two classes five are always right.


def test_groups_stand_on_the_page_if_there_are_any():
    group = {"examples": 7, "accuracy": 0.25, "accuracy_interval": [0.1, 0.6]}
    found = [
        *values([0, 1], [0, 1], ["cat", "dog"]),
        Value("accuracy_by_image_size", [{"from_pixels": 64, "below_pixels": 128, **group}]),
        Value("accuracy_by_source", [{"source": NASTY, **group}]),
    ]
    text = ParsedPage(evaluation_page.render("t", found)).text
    assert "64 to 127 pixels" in text
    assert "10.0% to 60.0%" in text
    assert NASTY in text
    assert "By image size" not in evaluation_page.render("t", values([0], [0], ["a", "b"]))


VERDICTS = {
    # labels, answers -> what the top of the page says.
    "good": ([0, 1, 1], [0, 1, 1], "good", "100.0% of the most likely classes are right"),
    "largest_class": ([0, 1, 1], [1, 1, 1], "bad", "always answering dog would reach 66.7%"),
    "no_image": ([0, 1, 1], [0, 1, 1], "note", "1 class has no image in this split."),
    "never_answered": ([0, 1, 1], [1, 1, 1], "bad", "1 class is never the answer."),
    "one_class": ([0, 0], [0, 0], "good", "100.0% of the most likely classes are right"),
    "calibration": ([0, 1, 1], [0, 1, 0], "note", "Probabilities differ from the accuracy by"),
}


@pytest.mark.parametrize(("labels", "answers", "state", "words"), VERDICTS.values(), ids=VERDICTS)
def test_verdicts(labels, answers, state, words):
    text = evaluation_page.render("t", values(labels, answers, ["cat", "dog", "owl"]))
    (item,) = [line for line in text.splitlines() if words in line]
    assert item.startswith(f'<li class="{state}">')


@pytest.mark.parametrize(
    ("classes", "maps", "folds"), [(1, 1, 0), (2, 1, 0), (25, 1, 0), (1000, 0, 1)]
)
def test_many_classes_are_folded_and_have_no_matrix(classes, maps, folds):
    parsed = ParsedPage(evaluation_page.render(NASTY, many(classes), shown(), shown()))
    assert len([table for table in parsed.all("table") if table.get("class") == "heat"]) == maps
    assert len(parsed.all("details")) == folds
    assert not parsed.all("script")
    assert NASTY in parsed.text
    assert len(parsed.all("img")) == 6


@pytest.mark.parametrize("classes", [2, 25, 1000])
def test_page_fills_a_browser(tmp_path, classes):
    page = tmp_path / "report.html"
    page.write_text(evaluation_page.render("t", many(classes), shown()), encoding="utf-8")
    picture = browser.screenshot(page)
    assert picture.shape == (1600, 1280, 3)
    assert 0.3 < browser.filled(picture) < 1
