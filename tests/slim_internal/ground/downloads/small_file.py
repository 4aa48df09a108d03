"""A small file for tests to fetch, and how to tell that it arrived."""

import hashlib
import os
import random

from slim_internal.ground.downloads import download
from slim_internal.ground.downloads.download import Policy, RemoteFile

SIZE = 300_000
CONTENT = random.Random(7).randbytes(SIZE)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
# Gives up soon, so that no test waits long.
HASTY = Policy(retries=3, backoff=0.01, stall_timeout=2, minimum_rate=10.0)


def remote_file(*urls: str, **changes) -> RemoteFile:
    facts = {"name": "a.bin", "urls": urls, "size": SIZE, "digest": SHA256}
    return RemoteFile(**facts | changes)


def fetch(remote: RemoteFile, directory, policy=HASTY) -> str:
    return download.fetch(remote, directory, progress=lambda status: None, policy=policy)


def fetch_from(server, directory, **changes) -> str:
    return fetch(remote_file(server.url("a.bin"), **changes), directory)


def assert_good(directory) -> None:
    assert (directory / "a.bin").read_bytes() == CONTENT
    assert sorted(os.listdir(directory)) == ["a.bin", "a.bin.receipt.json"]
