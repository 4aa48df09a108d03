"""Full disks in words, and free space."""

import errno
import os

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import space

AGAIN = "and run the same command again."
SENTENCES = {
    "full": (
        errno.ENOSPC,
        f": the disk is full (No space left on device). Free some space {AGAIN}",
    ),
    "quota": (errno.EDQUOT, f": the disk is full (Disk quota exceeded). Free some space {AGAIN}"),
    "limit": (
        errno.EFBIG,
        f": larger than a file may become here (see ulimit -f). Raise the limit {AGAIN}",
    ),
    "other": (errno.EROFS, ": Read-only file system."),
}


def failure(number: int, *path: str) -> OSError:
    return OSError(number, os.strerror(number), *path)


@pytest.mark.parametrize(("number", "rest"), SENTENCES.values(), ids=SENTENCES)
def test_cannot_write(number, rest):
    assert str(space.cannot_write(failure(number), "/data")) == f"Cannot write to /data{rest}"
    assert str(space.cannot_write(failure(number, "/x"))) == f"Cannot write to /x{rest}"
    assert str(space.cannot_write(failure(number, "/.x.9.partial"))) == f"Cannot write to /x{rest}"
    assert str(space.cannot_write(failure(number))) == f"Cannot write{rest}"
    with pytest.raises(UserError, match="Cannot write to /data: "):
        with space.write_errors_explained("/data"):
            raise failure(number)


@pytest.mark.parametrize(("number", "rest"), SENTENCES.values(), ids=SENTENCES)
def test_only_full_disks_are_explained_where_other_errors_may_come_from_reading(number, rest):
    with pytest.raises(OSError if number == errno.EROFS else UserError):
        with space.full_disk_explained("/data"):
            raise failure(number)


def test_require_free(tmp_path):
    space.require_free(tmp_path, 1, "a byte")
    message = r"Too little space in .* for the dataset: 1000000\.0 TB needed, .* free\."
    with pytest.raises(UserError, match=message):
        space.require_free(tmp_path, 10**18, "the dataset")
