"""Prints how many test cases passed and failed in the last `bazel test`, for CI to read.

    python3 tools/count_tests.py EXIT_CODE bazel-testlogs

The exit code of the checks counts too: what failed without a test case to show for it (a target
that does not build, a static check) counts as one failure. No test at all is a failure as well.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def count(test_logs: pathlib.Path) -> tuple[int, int, int]:
    """Returns how many test cases passed, failed and were skipped, over all results in a folder."""
    cases = failed = skipped = 0
    for results in test_logs.rglob("test.xml"):
        for suite in ElementTree.parse(results).getroot().iter("testsuite"):
            cases += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    return cases - failed - skipped, failed, skipped


def main(exit_code: int, test_logs: pathlib.Path) -> int:
    """Prints the counts and returns 1 if anything failed or nothing ran, otherwise 0."""
    passed, failed, skipped = count(test_logs)
    if not failed and (exit_code or not passed):
        failed = 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), pathlib.Path(sys.argv[2])))
