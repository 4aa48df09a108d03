"""The report as it is written."""

import html.parser
import json
import os

import pytest
from PIL import Image

from slim_internal.ground import errors
from slim_internal.programs.inspection import contact_sheet, report
from slim_internal.programs.inspection.settings import Inspection
from tests.slim_internal.programs.inspection import sets

NASTY = "<script>alert(\"x\")</script> & 'co'"


class Page(html.parser.HTMLParser):
    """Collects what the tests ask of a page; fails on a tag that is not closed."""

    VOID = ("meta", "img")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.seen if name == tag]


@pytest.fixture
def pets(tmp_path):
    boxes = sets.boxes((0.1, 0.1, 0.9, 0.9))
    train = [sets.record(sets.picture(n, 40 + n), n % 2, **boxes) for n in range(6)]
    train.append(sets.record(b"broken", 0))
    test = [sets.record(sets.picture(0, 40), 0), sets.record(sets.picture(50), 1)]
    sets.write(tmp_path / "pets", {"train-0": train, "test-0": test}, (NASTY, "dög", "unseen"))
    return str(tmp_path / "pets")


def inspect(folder: str, **options) -> report.Outcome:
    return report.inspect(Inspection(dataset_dir=folder, num_workers=2, **options))


def test_json(pets):
    outcome = inspect(pets)
    assert not outcome.good
    assert outcome.output_dir == pets + "_inspection"
    with open(os.path.join(outcome.output_dir, report.REPORT)) as file:
        found = json.load(file)
    assert found["splits"]["train"]["classes"] == {"0": 3, "1": 3}
    assert found["splits"]["train"]["records"] == 7
    assert found["splits"]["train"]["widths"] == {"least": 40, "median": 42, "most": 45}
    assert found["splits"]["train"]["boxes"] == 6
    assert found["class_names"] == {"0": NASTY, "1": "dög", "2": "unseen"}
    assert [(p["file"], p["record"]) for p in found["problems"]] == [("train-0", 6)]
    assert found["duplicates"]["between_splits"] == 1


def test_page(pets):
    outcome = inspect(pets)
    with open(os.path.join(outcome.output_dir, report.PAGE), encoding="utf-8") as file:
        text = file.read()
    page = Page(text)
    assert page.all("html") == [{"lang": "en"}]
    assert not page.all("script")
    assert not page.all("link")
    images = page.all("img")
    assert len(images) == 8
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in images)
    assert "http" not in text.replace("http-equiv", "")
    for fact in (NASTY, "dög", "unseen", "train-0, record 6", "1 problem found", "40 x 30, 1 box"):
        assert fact in page.text, fact
    assert "1 picture is in more than one split" in page.text
    heads = [attributes.get("scope") for attributes in page.all("th")]
    assert set(heads) == {"col", "row"}
    assert len(page.all("caption")) == len(page.all("table"))


@pytest.mark.parametrize(("classes", "lists"), [(16, 16), (17, 1)])
def test_pictures_of_many_classes_fill_any_window(tmp_path, classes, lists):
    records = [sets.record(sets.picture(n), n) for n in range(classes)]
    sets.write(tmp_path / "set", {"train-0": records}, map(str, range(classes)))
    outcome = inspect(str(tmp_path / "set"))
    with open(os.path.join(outcome.output_dir, report.PAGE), encoding="utf-8") as file:
        page = Page(file.read())
    assert page.all("ul").count({"class": "row"}) == lists
    assert len(page.all("img")) == classes


class Font:
    """A font that has certain letters; all others look the same."""

    def __init__(self, letters: str):
        self.letters = letters

    def getmask(self, letter: str) -> bytes:
        return letter.encode() if letter in self.letters else b"?"


def test_names_are_written_in_a_font_that_has_their_letters(monkeypatch):
    fonts = [Font("abc "), Font("abcü "), Font("日本")]
    monkeypatch.setattr(contact_sheet, "_fonts", lambda size: fonts)
    chosen = [
        fonts.index(contact_sheet._font(text, 16)) for text in ("a b", "aü", "日本", "日ü", "")
    ]
    assert chosen == [0, 1, 2, 0, 0]


def test_contact_sheet(pets):
    outcome = inspect(pets)
    with Image.open(os.path.join(outcome.output_dir, report.SHEET)) as sheet:
        sheet.load()
        assert sheet.format == "PNG"
        assert len(sheet.getcolors(1 << 24)) > 100


def test_summary(pets):
    lines = inspect(pets).summary()
    assert lines[0] == "pets: 9 pictures of 2 classes (7 train, 2 test)."
    assert lines[1] == "1 problem found."
    assert lines[2].startswith("  train-0, record 6: has a picture that cannot be read")
    assert lines[3] == "Equal byte for byte: 1 picture is in more than one split."


def test_nothing_is_overwritten_unasked(pets):
    first = inspect(pets)
    page = os.path.join(first.output_dir, report.PAGE)
    with open(page, "w") as file:
        file.write("mine")
    with pytest.raises(errors.UserError, match=r"holds report.json.*--overwrite"):
        inspect(pets)
    with open(page) as file:
        assert file.read() == "mine"
    inspect(pets, overwrite=True)
    with open(page) as file:
        assert file.read() != "mine"


def test_two_runs_write_the_same_bytes(pets, tmp_path):
    for run in ("a", "b"):
        inspect(pets, output_dir=str(tmp_path / run))
    for name in (report.REPORT, report.PAGE, report.SHEET):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


WRONG = {
    "no_folder_named": ({}, "--dataset_dir=FOLDER"),
    "missing_folder": ({"dataset_dir": "/nowhere/at/all"}, "There is no folder"),
    "unknown_value": ({"dataset_dir": "/", "verify_images": "decoded"}, "Did you mean 'decode'"),
    "negative_workers": ({"dataset_dir": "/", "num_workers": -1}, "--num_workers must be at"),
    "negative_samples": ({"dataset_dir": "/", "num_samples": -1}, "--num_samples must be at"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_refuses(options, message):
    with pytest.raises(errors.UserError, match=message):
        report.inspect(Inspection(**options))


def test_a_set_without_any_good_picture(tmp_path):
    sets.write(tmp_path / "bad", {"train-0": [b"\xff"], "train-1": []})
    outcome = inspect(str(tmp_path / "bad"))
    assert outcome.summary()[0] == "pets: 1 picture of 0 classes (1 train)."
    with open(os.path.join(outcome.output_dir, report.PAGE)) as file:
        assert "There is no picture that could be shown" in Page(file.read()).text
