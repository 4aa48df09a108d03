import pytest

from tools import fault_page

PAGE = """In all 0 test cases do.

| fault | what happens | tests | cases |
| --- | --- | --- | --- |
| one | a line | `//tests/a:one_test` | 0 |
| two | a line | `//tests/a:one_test` `//tests:two_test` | 12 |
"""


@pytest.mark.parametrize(
    ("target", "found"),
    [("two_test", []), ("too_test", ["docs/faults.md: there is no target //tests:two_test"])],
)
def test_targets_have_to_exist(tmp_path, target, found):
    for folder, name in (("tests/a", "one_test"), ("tests", target)):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "BUILD").write_text(f'py_test(\n    name = "{name}",\n)\n')
    (tmp_path / "docs").mkdir()
    (tmp_path / fault_page.PAGE).write_text(PAGE)
    assert list(fault_page.problems(tmp_path)) == found


def test_numbers_are_those_of_the_cases():
    text = fault_page.counted(PAGE, {"tests/a/one_test.py": 3, "tests/two_test.py": 2000})
    assert "In all 2,003 test cases do" in text
    assert "`//tests/a:one_test` | 3 |" in text
    assert "`//tests:two_test` | 2,003 |" in text


def test_pytest_is_asked(tmp_path):
    (tmp_path / "a_test.py").write_text("def test_one(): ...\ndef test_two(): ...\n")
    assert fault_page.collect(tmp_path, ["a_test.py"]) == {"a_test.py": 2}
