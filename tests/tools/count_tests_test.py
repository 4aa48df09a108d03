import pytest

from tools import count_tests

_SUITE = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'
# What Bazel writes by itself when a test was stopped before it could write anything.
_STOPPED = '<testsuites><testsuite name="a" tests="1" failures="0" errors="1"/></testsuites>'


@pytest.mark.parametrize(
    ("exit_code", "results", "line", "status"),
    [
        (0, [_SUITE.format(5, 0, 0, 0), _SUITE.format(2, 0, 0, 0)], "7 passed, 0 failed", 0),
        (0, [_SUITE.format(5, 0, 0, 2)], "3 passed, 0 failed, 2 skipped", 0),
        (3, [_SUITE.format(5, 1, 1, 1), _STOPPED], "2 passed, 3 failed, 1 skipped", 1),
        (1, [_SUITE.format(5, 0, 0, 0)], "5 passed, 1 failed", 1),
        (0, [], "0 passed, 1 failed", 1),
        (0, [_SUITE.format(0, 0, 0, 0)], "0 passed, 1 failed", 1),
    ],
)
def test_main(tmp_path, capsys, exit_code, results, line, status):
    for i, text in enumerate(results):
        (tmp_path / f"target_{i}" / "shard").mkdir(parents=True)
        (tmp_path / f"target_{i}" / "shard" / "test.xml").write_text(text)
    assert count_tests.main(exit_code, tmp_path) == status
    assert capsys.readouterr().out == line + "\n"
