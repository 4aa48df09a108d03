"""The report as it is written."""

import json
import os
import pathlib

import pytest
from PIL import Image

from slim_internal.ground import errors
from slim_internal.programs.inspection import inspect
from slim_internal.programs.inspection.settings import Inspection
from tests.slim_internal.parts.reports import browser
from tests.slim_internal.parts.reports.parsed_page import ParsedPage
from tests.slim_internal.programs.inspection import sets

NASTY = "<script>alert(\"x\")</script> & 'co'"


@pytest.fixture
def pets(tmp_path):
    boxes = sets.boxes((0.1, 0.1, 0.9, 0.9))
    train = [sets.record(sets.image(n, 40 + n), n % 2, **boxes) for n in range(6)]
    train.append(sets.record(b"broken", 0))
    test = [sets.record(sets.image(0, 40), 0), sets.record(sets.image(50), 1)]
    sets.write(tmp_path / "pets", {"train-0": train, "test-0": test}, (NASTY, "dög", "unseen"))
    return str(tmp_path / "pets")


def run(folder: str, **options) -> inspect.Inspected:
    return inspect.inspect(Inspection(dataset_dir=folder, num_workers=2, **options))


def test_json(pets):
    outcome = run(pets)
    assert not outcome.good
    assert outcome.output_dir == pets + "_inspection"
    with open(os.path.join(outcome.output_dir, inspect.REPORT)) as file:
        found = json.load(file)
    assert found["splits"]["train"]["classes"] == {"0": 3, "1": 3}
    assert found["splits"]["train"]["records"] == 7
    assert found["splits"]["train"]["widths"] == {"minimum": 40, "median": 42, "maximum": 45}
    assert found["splits"]["train"]["boxes"] == 6
    assert found["class_names"] == {"0": NASTY, "1": "dög", "2": "unseen"}
    assert [(p["file"], p["record"]) for p in found["problems"]] == [("train-0", 6)]
    assert found["duplicates"]["between_splits"] == 1


def test_page(pets):
    outcome = run(pets)
    with open(os.path.join(outcome.output_dir, inspect.PAGE), encoding="utf-8") as file:
        text = file.read()
    page = ParsedPage(text)
    assert page.all("html") == [{"lang": "en"}]
    assert not page.all("script")
    assert not page.all("link")
    images = page.all("img")
    assert len(images) == 8 + 2  # The samples, and a pair that occurs twice.
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in images)
    assert "http" not in text.replace("http-equiv", "")
    for fact in (NASTY, "dög", "unseen", "train-0, record 6", "1 problem found", "40 x 30, 1 box"):
        assert fact in page.text, fact
    assert "1 image is in more than one split" in page.text
    heads = [attributes.get("scope") for attributes in page.all("th")]
    assert set(heads) == {"col", "row"}
    assert len(page.all("caption")) == len(page.all("table"))


@pytest.mark.parametrize(("classes", "lists"), [(16, 16), (17, 1)])
def test_images_of_many_classes_fill_any_window(tmp_path, classes, lists):
    records = [sets.record(sets.image(n), n) for n in range(classes)]
    sets.write(tmp_path / "set", {"train-0": records}, map(str, range(classes)))
    outcome = run(str(tmp_path / "set"))
    with open(os.path.join(outcome.output_dir, inspect.PAGE), encoding="utf-8") as file:
        page = ParsedPage(file.read())
    assert page.all("ul").count({"class": "row"}) == lists
    assert len(page.all("img")) == classes


def test_contact_sheet(pets):
    outcome = run(pets)
    with Image.open(os.path.join(outcome.output_dir, inspect.SHEET)) as sheet:
        sheet.load()
        assert sheet.format == "PNG"
        assert len(sheet.getcolors(1 << 24)) > 100


def test_summary(pets):
    lines = run(pets).summary()
    assert lines[0] == "pets: 9 images of 2 classes (7 train, 2 test)."
    assert lines[1] == "1 problem found."
    assert lines[2].startswith("  train-0, record 6: has an image that cannot be read")
    assert lines[3] == "Equal byte for byte: 1 image is in more than one split."


def test_near_duplicates_between_splits_are_shown(tmp_path):
    def image(seed, kind="JPEG", width=40):
        return sets.image(seed, width, 30, kind)

    train = [sets.record(image(n), 0, filename=[b"%d.jpg" % n]) for n in range(5)]
    train.append(sets.record(image(1, "PNG"), 0))  # Not in another split.
    test = [
        sets.record(image(3, width=80), 1, filename=[b"large.jpg"]),
        sets.record(image(2), 0),  # Equal byte for byte, which is told elsewhere.
        sets.record(image(9), 1),
    ]
    sets.write(tmp_path / "pets", {"train-0": train, "test-0": test})
    outcome = run(str(tmp_path / "pets"))
    with open(os.path.join(outcome.output_dir, inspect.REPORT)) as file:
        found = json.load(file)["near_duplicates"]
    assert found["between_splits"] == 1
    places = [
        {"file": "train-0", "record": 3, "filename": "3.jpg"},
        {"file": "test-0", "record": 0, "filename": "large.jpg"},
    ]
    assert sorted(found["pairs"][0], key=lambda place: place["record"]) == places[::-1]
    with open(os.path.join(outcome.output_dir, inspect.PAGE), encoding="utf-8") as file:
        page = ParsedPage(file.read())
    assert "1 pair of images in different splits is nearly the same" in page.text
    assert "3.jpg (train-0, record 3)" in page.text
    assert any("1 pair of images" in line for line in outcome.summary())
    headers = run(str(tmp_path / "pets"), verify_images="header", overwrite=True)
    assert headers.survey.duplicates.near is None


def test_nothing_is_overwritten_unasked(pets):
    first = run(pets)
    page = os.path.join(first.output_dir, inspect.PAGE)
    with open(page, "w") as file:
        file.write("mine")
    with pytest.raises(errors.UserError, match=r"already holds report.json.*--overwrite"):
        run(pets)
    with open(page) as file:
        assert file.read() == "mine"
    run(pets, overwrite=True)
    with open(page) as file:
        assert file.read() != "mine"


def test_two_runs_write_the_same_bytes(pets, tmp_path):
    for name in ("a", "b"):
        run(pets, output_dir=str(tmp_path / name))
    for name in (inspect.REPORT, inspect.PAGE, inspect.SHEET):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


WRONG = {
    "no_folder_named": ({}, "--dataset_dir is required"),
    "missing_folder": ({"dataset_dir": "/nowhere/at/all"}, "there is no such folder"),
    "unknown_value": ({"dataset_dir": "/", "verify_images": "decoded"}, "Did you mean 'decode'"),
    "negative_workers": ({"dataset_dir": "/", "num_workers": -1}, "--num_workers must be at"),
    "negative_samples": ({"dataset_dir": "/", "num_samples": -1}, "--num_samples must be at"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_refuses(options, message):
    with pytest.raises(errors.UserError, match=message):
        inspect.inspect(Inspection(**options))


def test_a_set_without_any_good_image(tmp_path):
    sets.write(tmp_path / "bad", {"train-0": [b"\xff"], "train-1": []})
    outcome = run(str(tmp_path / "bad"))
    assert outcome.summary()[0] == "pets: 1 image of 0 classes (1 train)."
    with open(os.path.join(outcome.output_dir, inspect.PAGE)) as file:
        assert "There is no image that could be shown" in ParsedPage(file.read()).text


def test_duplicates_are_shown_with_the_names_of_their_files(tmp_path):
    def record(seed: int, name: bytes) -> bytes:
        return sets.record(sets.image(seed), 0, filename=[name])

    train = [record(1, b"a<b>.jpg"), record(2, b"c.jpg")]
    sets.write(tmp_path / "set", {"train-0": train, "test-0": [record(1, b"d.jpg")]})
    outcome = run(str(tmp_path / "set"), num_samples=0)
    with open(os.path.join(outcome.output_dir, inspect.PAGE), encoding="utf-8") as file:
        page = ParsedPage(file.read())
    assert len(page.all("img")) == 2
    assert "a<b>.jpg (train-0, record 0) = d.jpg (test-0, record 0)" in page.text
    with open(os.path.join(outcome.output_dir, inspect.REPORT)) as file:
        (group,) = json.load(file)["duplicates"]["groups"]
    assert [place["filename"] for place in group] == ["a<b>.jpg", "d.jpg"]


def test_page_previews_what_training_sees(pets):
    outcome = run(pets, model_name="lenet", num_samples=4)
    with open(os.path.join(outcome.output_dir, inspect.PAGE), encoding="utf-8") as file:
        page = ParsedPage(file.read())
    assert "What lenet sees in training" in page.text
    assert page.text.count("as stored, ") == 2  # One of each class.


def test_an_unknown_network_is_refused_before_anything_is_read(pets):
    with pytest.raises(errors.UserError, match="Did you mean 'lenet'"):
        run(pets, model_name="lenett")
    assert not os.path.exists(pets + "_inspection")


def test_page_fills_a_browser(pets):
    outcome = run(pets, model_name="lenet")
    shown = browser.screenshot(pathlib.Path(outcome.output_dir, inspect.PAGE), height=1200)
    assert shown.shape == (1200, 1280, 3)
    assert 0.3 < browser.filled(shown) < 1
