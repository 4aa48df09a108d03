import pathlib

import pytest

from tools import code_size


def _function(lines, docstring=""):
    quoted = f'    """{docstring}"""\n' if docstring else ""
    return "def long(\n    a,\n):\n" + quoted + "    a += 1\n" * lines


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.py", _function(code_size.MAX_FUNCTION_LINES), []),
        ("a.py", _function(code_size.MAX_FUNCTION_LINES, "All.\n" * 9), []),
        ("a.py", _function(code_size.MAX_FUNCTION_LINES + 1), ["a.py:1: the body of long has 71"]),
        ("a.py", "a = 1\n" * code_size.MAX_FILE_LINES, []),
        ("a.py", "a = 1\n" * (code_size.MAX_FILE_LINES + 1), ["a.py: 451 lines; at most 450"]),
        ("a_test.py", "a = 1\n" * code_size.MAX_TEST_FILE_LINES, []),
        ("a_test.py", "a = 1\n" * 521, ["a_test.py: 521 lines; at most 520"]),
        ("a.txt", "a\n" * 1000, []),
        ("a.py", 'def empty():\n    """Nothing."""\n', []),
    ],
)
def test_problems(tmp_path, name, text, found):
    (tmp_path / name).write_text(text)
    problems = list(code_size.problems(tmp_path, [pathlib.Path(name)]))
    assert len(problems) == len(found)
    for problem, beginning in zip(problems, found, strict=True):
        assert problem.startswith(beginning)
