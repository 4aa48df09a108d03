"""The worked examples of CONTRIBUTING.md work exactly as they are written."""

import pathlib

import pytest

from tests import worked_examples

TEXT = (worked_examples.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = worked_examples.read(TEXT)

# How many places one more of each kind may cost, tests aside.
HAND_EDITS = {
    "augmentation": 1,
    "dataset": 4,
    "export format": 2,
    "flag": 2,
    "metric": 1,
    "mixing of examples": 2,
    "network": 3,
    "optimizer": 2,
    "schedule": 2,
}


def test_every_kind_has_its_example():
    assert EXAMPLES.keys() == HAND_EDITS.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_number_of_hand_edits(kind):
    assert 1 <= EXAMPLES[kind].hand_edits() <= HAND_EDITS[kind]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_example_works_as_written(kind, tmp_path):
    worked_examples.Copy(tmp_path / "copy").carry_out(EXAMPLES[kind])


EDIT = """## Adding a thing

Edits:

In `a.py`, below `TABLE = (`, after `one,`:

```
    two,
```
"""


@pytest.fixture
def copy(tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr(worked_examples, "ROOT", root)
    (root / "a.py").write_text("OTHER = (\n    one,\n)\nTABLE = (\n    one,\n)\n")
    return worked_examples.Copy(tmp_path / "copy")


def changed(copy: worked_examples.Copy) -> str:
    return pathlib.Path(copy._folder, "a.py").read_text()


def test_inserts_below_and_after(copy):
    copy.carry_out(worked_examples.read(EDIT)["thing"])
    assert changed(copy) == "OTHER = (\n    one,\n)\nTABLE = (\n    one,\n    two,\n)\n"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("before `TABLE = (`", "OTHER = (\n    one,\n)\n    two,\nTABLE = (\n    one,\n)\n"),
        ("instead of `OTHER = (`", "    two,\n    one,\n)\nTABLE = (\n    one,\n)\n"),
        ("at the end", "OTHER = (\n    one,\n)\nTABLE = (\n    one,\n)\n    two,\n"),
    ],
)
def test_other_places(copy, place, expected):
    text = EDIT.replace("below `TABLE = (`, after `one,`", place)
    copy.carry_out(worked_examples.read(text)["thing"])
    assert changed(copy) == expected


@pytest.mark.parametrize(
    ("written", "instead", "problem"),
    [
        ("below `TABLE = (`, ", "", "has 2 lines `one,`"),
        ("`one,`", "`three,`", "has 0 lines `three,`"),
        ("`TABLE = (`", "`TABLES = (`", "has 0 lines `TABLES = \\(`"),
    ],
)
def test_place_that_is_not_there_or_not_the_only_one(copy, written, instead, problem):
    (example,) = worked_examples.read(EDIT.replace(written, instead)).values()
    with pytest.raises(ValueError, match=problem):
        copy.carry_out(example)


def test_new_file_that_exists(copy):
    text = EDIT.replace("In `a.py`, below `TABLE = (`, after `one,`:", "New file `a.py`:")
    with pytest.raises(ValueError, match=r"a\.py exists already"):
        copy.carry_out(worked_examples.read(text)["thing"])


def test_block_that_does_not_say_where_it_belongs():
    with pytest.raises(ValueError, match="neither which file to edit"):
        worked_examples.read(EDIT.replace("In `a.py`", "Somewhere in `a.py`"))


def test_what_a_command_prints_is_no_step():
    assert not worked_examples.read("## Adding a thing\n\nIt prints:\n\n```text\n2\n```\n")


def test_command_that_fails(copy):
    text = "## Adding a thing\n\nRun:\n\n```sh\nfalse\necho further\n```\n"
    with pytest.raises(AssertionError, match=r"^false"):
        copy.carry_out(worked_examples.read(text)["thing"])


def test_edits_of_tests_are_not_counted():
    text = EDIT + EDIT.partition("\n\n")[2].replace("`a.py`", "`tests/a_test.py`")
    assert worked_examples.read(text)["thing"].hand_edits() == 1


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("run //slim:list_networks", ["slim/list_networks.py"]),
        ("run //tests/nets:x -- --network=y", ["tests/nets/x.py", "--network=y"]),
        ("test //tests/nets:api_test", ["-m", "pytest", "-q", "tests/nets/api_test.py"]),
        ("test --test_filter=a //t:b_test", ["-m", "pytest", "-q", "-k", "a", "t/b_test.py"]),
        (
            "test //tests/nets:vgg_16_shape_test",
            ["-m", "pytest", "-q", "tests/nets/network_shape_test.py", "--network", "vgg_16"],
        ),
    ],
)
def test_commands_of_bazel_without_bazel(typed, command):
    assert worked_examples.python_command(typed.split())[1:] == command
