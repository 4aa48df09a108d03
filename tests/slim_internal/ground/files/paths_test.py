"""Paths as users write them: plain, as file://, or in a bucket."""

import pytest

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import paths

LOCAL = {
    "data": "data",
    "": "",
    "/a b": "/a b",
    "~/a": "/home/me/a",
    "file:///data/set": "/data/set",
    "FILE:///data": "/data",
    "file://localhost/data": "/data",
    "file:///a%20b/%E4%B8%80?c#d": "/a b/一?c#d",
    "http://host/a": "http://host/a",
    "grpc://host:1": "grpc://host:1",
    "train:a,test:b": "train:a,test:b",
    "bags://x": "bags://x",
    "gs:/x": "gs:/x",
}


@pytest.mark.parametrize(("given", "path"), LOCAL.items(), ids=LOCAL)
def test_local(given, path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert paths.local(given, "--dir") == path


REMOTE = [
    "gs://b/x",
    "s3://b",
    "S3A://b",
    "hdfs://host:1/x",
    "train:gs://b/x",
    "a,s3://b",
    " gs://",
]


@pytest.mark.parametrize("given", REMOTE)
def test_remote(given):
    with pytest.raises(UserError, match=r"^--dir=.*:// is not supported, only paths of this mach"):
        paths.local(given, "--dir")


@pytest.mark.parametrize("given", ["file://host/a", "file://", "file://a", "file:///a%00b"])
def test_no_file_of_this_machine(given):
    with pytest.raises(UserError, match="names no file of this machine"):
        paths.local(given, "--dir")
