"""Each case runs the runner as Bazel does: in a process of its own, told by the environment."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tools.build_defs import run_pytest

_TESTS = "def test_one(): pass\ndef test_two(): pass\ndef test_three(): pass\n"


@pytest.fixture
def run(tmp_path):
    """Returns a function of (source of a test file, environment) -> (exit code, output)."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")

    def run_source(source, **environ):
        (tmp_path / "some_test.py").write_text(source)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TEST", "XML_", "PYTEST_"))
        }
        result = subprocess.run(
            [sys.executable, run_pytest.__file__, "some_test.py", "-v"],
            cwd=tmp_path,
            env=inherited | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return result.returncode, result.stdout + result.stderr

    return run_source


def _passed(output):
    return re.findall(r"::(\w+) PASSED", output)


def test_all_tests_run(run):
    code, output = run(_TESTS)
    assert code == 0
    assert _passed(output) == ["test_one", "test_two", "test_three"]


def test_a_failing_test_fails_the_target(run):
    code, _ = run("def test_one(): assert False")
    assert code == 1


@pytest.mark.parametrize("source", ["", "def tset_one(): pass", "import no_such_module"])
def test_a_file_without_a_test_fails_the_target(run, source):
    code, _ = run(source)
    assert code != 0


def test_a_file_without_a_test_fails_whatever_the_filter(run):
    code, _ = run("", TESTBRIDGE_TEST_ONLY="test_one")
    assert code != 0


@pytest.mark.parametrize(
    ("wanted", "passed"),
    [("test_two", ["test_two"]), ("one or three", ["test_one", "test_three"]), ("nothing", [])],
)
def test_filter(run, wanted, passed):
    code, output = run(_TESTS, TESTBRIDGE_TEST_ONLY=wanted)
    assert code == 0
    assert _passed(output) == passed


def test_shards_share_the_tests(run, tmp_path):
    passed = []
    for shard in range(4):
        status_file = tmp_path / f"shard_{shard}"
        code, output = run(
            _TESTS,
            TEST_SHARD_INDEX=str(shard),
            TEST_TOTAL_SHARDS="4",
            TEST_SHARD_STATUS_FILE=str(status_file),
        )
        assert code == 0
        assert status_file.exists()
        passed.append(_passed(output))
    assert passed == [["test_one"], ["test_two"], ["test_three"], []]


def test_results_go_where_bazel_reads_them(run, tmp_path):
    results = tmp_path / "results.xml"
    run(_TESTS + "def test_bad(): assert False", XML_OUTPUT_FILE=str(results))
    assert 'failures="1"' in results.read_text()
    assert 'tests="4"' in results.read_text()


def test_temporary_files_stay_in_the_folder_of_the_target(run, tmp_path):
    source = "def test_where(tmp_path): print(f'<{tmp_path}>'); assert False"
    _, output = run(source, TEST_TMPDIR=str(tmp_path))
    where = pathlib.Path(re.search("<(/.*)>", output)[1])
    assert where.is_relative_to(tmp_path / "pytest")


def test_first_failure_ends_the_run_on_request(run):
    source = "def test_one(): assert False\ndef test_two(): pass"
    _, output = run(source, TESTBRIDGE_TEST_RUNNER_FAIL_FAST="1")
    assert _passed(output) == []
