"""What the names of numbered files say of others."""

import pytest

from datasets.storage import series

SERIES = {
    # Names -> those that are missing, and what is said of them.
    "whole": (["a-00000-of-00002", "a-00001-of-00002"], [], ""),
    "one is missing": (
        ["a-00000-of-00003.tfrecord", "a-00002-of-00003.tfrecord"],
        ["a-00001-of-00003.tfrecord"],
        "1 file is missing: a-00001-of-00003.tfrecord.",
    ),
    "many are missing": (
        ["a_0-of-9"],
        [f"a_{number}-of-9" for number in range(1, 9)],
        "8 files are missing: a_1-of-9, a_2-of-9, a_3-of-9, ...",
    ),
    "percent": (["50%-0-of-2"], ["50%-1-of-2"], "1 file is missing: 50%-1-of-2."),
    "twice": (
        ["t-0-of-1", "t-00000-of-00002", "t-00001-of-00002"],
        [],
        "Files of 1 and 2 parts lie side by side",
    ),
    "two splits": (["train-0-of-1", "val-0-of-2", "val-1-of-2"], [], ""),
    "beyond the last": (["a-7-of-3"], [], ""),
    "as many as no dataset has": (["a-0-of-999999999", "b-0-of-99999999999999999"], [], ""),
    "no parts": (["train.tfrecord", "notes.txt"], [], ""),
}


@pytest.mark.parametrize(("names", "missing", "said"), SERIES.values(), ids=SERIES)
def test_files_that_are_missing_or_too_many(names, missing, said):
    assert series.missing(names) == missing
    remarks = list(series.remarks(f"/data/{name}" for name in names))
    assert len(remarks) == bool(said)
    assert said in "".join(remarks)
