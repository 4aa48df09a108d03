"""The record of a remote file refuses what cannot be meant."""

import pytest

from slim_internal.ground.downloads import remote_file
from slim_internal.ground.downloads.remote_file import RemoteFile

WRONG = {
    "no_name": {"name": ""},
    "folder_in_name": {"name": "a/b"},
    "parent": {"name": ".."},
    "no_algorithm": {"digest": "0" * 64},
    "unknown_algorithm": {"digest": "sha1:" + "0" * 40},
    "short_digest": {"digest": "sha256:" + "0" * 63},
    "upper_case_digest": {"digest": "md5:" + "A" * 32},
}


@pytest.mark.parametrize("facts", WRONG.values(), ids=WRONG)
def test_refuses(facts):
    with pytest.raises(ValueError, match="Received"):
        RemoteFile(**{"name": "a", "urls": ()} | facts)


@pytest.mark.parametrize(
    ("digest", "algorithm"),
    [(None, "sha256"), ("md5:" + "0" * 32, "md5"), ("sha256:" + "0" * 64, "sha256")],
    ids=["unknown", "md5", "sha256"],
)
def test_algorithm(digest, algorithm):
    assert RemoteFile(name="a", urls=(), digest=digest).algorithm == algorithm


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:80/a/b.tar", "http://host:80/a/b.tar"),
        ("https://me:secret@host/a?key=secret#secret", "https://host/a"),
        ("https://me:secret@[::1/a?key=secret", "https://[::1/a"),
    ],
    ids=["plain", "with_secrets", "nonsense_with_secrets"],
)
def test_printable(url, shown):
    assert remote_file.printable(url) == shown
