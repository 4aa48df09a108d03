import pathlib

import pytest

from tools import words


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.py", "An image, a dataset, a color, a grayscale image.", []),
        (
            "a.py",
            "A picture of a colour.",
            ["'picture': the term is 'image'", "'colour': the term is 'color'"],
        ),
        ("a.md", "Two data\nsets.", ["a.md:1: 'data sets': the term is 'dataset'"]),
        ("a.py", "def _picture_size(): ...", ["'picture': the term is 'image'"]),
        ("a.py", "\nclass Pictures: ...", ["a.py:2: 'Pictures': the term is 'image'"]),
        ("BUILD", "# Greys.", ["BUILD:1: 'Greys': the term is 'grayscale'"]),
        ("a.py", "picturesque greyhounds", []),
        ("a.json", "picture", []),
        ("tests/golden/README.md", "picture", []),
        ("a.py", "Finished writing all 7 images in data set.", []),
    ],
)
def test_problems(tmp_path, name, text, found):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    problems = list(words.problems(tmp_path, [pathlib.Path(name)]))
    assert len(problems) == len(found)
    for problem, expected in zip(problems, found, strict=True):
        assert expected in problem
