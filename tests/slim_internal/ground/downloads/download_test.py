"""Fetching from a server that behaves: mirrors, sources, receipts, what is there already."""

import base64
import hashlib
import json
import logging
import os

import pytest

from slim_internal.ground import errors
from slim_internal.ground.downloads import download
from slim_internal.ground.downloads.download import Credentials, Policy, RemoteFile
from tests.slim_internal.ground.downloads import fault_server
from tests.slim_internal.ground.downloads.fault_server import Fault

CONTENT = os.urandom(100_000)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()
HASTY = Policy(retries=2, backoff=0.01, stall_timeout=1.0)


def remote_file(*urls: str, **changes) -> RemoteFile:
    facts = {"name": "a.bin", "urls": urls, "size": len(CONTENT), "digest": SHA256}
    return RemoteFile(**facts | changes)


def quiet(status):
    del status


def fetch(remote: RemoteFile, directory, **options) -> str:
    return download.fetch(remote, directory, **{"progress": quiet, "policy": HASTY} | options)


def names(directory) -> list[str]:
    return sorted(os.listdir(directory))


@pytest.fixture
def server():
    with fault_server.serve({"a.bin": CONTENT}) as server:
        yield server


@pytest.mark.parametrize("digest", [SHA256, MD5], ids=["sha256", "md5"])
def test_leaves_the_file_and_its_receipt_only(server, tmp_path, digest):
    path = fetch(remote_file(server.url("a.bin"), digest=digest), tmp_path / "new" / "folder")

    assert path == str(tmp_path / "new" / "folder" / "a.bin")
    assert (tmp_path / "new/folder/a.bin").read_bytes() == CONTENT
    assert names(tmp_path / "new/folder") == ["a.bin", "a.bin.receipt.json"]
    receipt = json.loads((tmp_path / "new/folder/a.bin.receipt.json").read_text())
    assert receipt["url"] == server.url("a.bin")
    assert (receipt["size"], receipt["digest"]) == (len(CONTENT), digest)
    assert receipt["verified"] is True


def test_what_is_there_is_neither_fetched_nor_read_again(server, tmp_path):
    remote = remote_file(server.url("a.bin"))
    path = fetch(remote, tmp_path)
    statuses = []

    assert fetch(remote, tmp_path, progress=statuses.append) == path
    assert len(server.requests) == 1
    assert not statuses


def test_a_file_put_there_by_hand_is_verified_and_used(tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    statuses = []

    fetch(remote_file("http://127.0.0.1:9/a.bin"), tmp_path, progress=statuses.append)

    assert [status.action for status in statuses] == ["Checking"]
    assert names(tmp_path) == ["a.bin", "a.bin.receipt.json"]


@pytest.mark.parametrize(
    "change",
    [lambda content: content[:-1], lambda content: content[:-1] + b"\0"],
    ids=["shorter", "other_byte"],
)
def test_another_file_of_that_name_is_refused_and_kept(tmp_path, change):
    (tmp_path / "a.bin").write_bytes(change(CONTENT))

    with pytest.raises(errors.UserError, match=r"damaged or another file.*left as it is"):
        fetch(remote_file("http://127.0.0.1:9/a.bin"), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == change(CONTENT)
    assert names(tmp_path) == ["a.bin"]


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path):
    (tmp_path / "a.bin").mkdir()
    with pytest.raises(errors.UserError, match=r"Cannot read .*a\.bin: Is a directory"):
        fetch(remote_file(size=None, digest=None), tmp_path)


def test_a_file_changed_since_its_receipt_is_noticed(server, tmp_path):
    remote = remote_file(server.url("a.bin"))
    path = fetch(remote, tmp_path)
    with open(path, "r+b") as file:
        file.write(b"changed")
    os.utime(path, ns=(1, 1))

    with pytest.raises(errors.UserError, match="damaged or another file"):
        fetch(remote, tmp_path)


def test_a_receipt_of_a_file_that_was_not_verified_does_not_vouch_for_it(server, tmp_path):
    server.files["a.bin"] = CONTENT[::-1]  # Of the right size.
    url = server.url("a.bin")
    fetch(remote_file(url, size=None, digest=None), tmp_path)
    with pytest.raises(errors.UserError, match="damaged or another file"):
        fetch(remote_file(url), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT[::-1]


def test_unknown_file_is_said_to_be_unknown_and_recorded(server, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    fetch(remote_file(server.url("a.bin"), size=None, digest=None), tmp_path)

    assert "The contents of a.bin were compared with no checksum" in caplog.text
    assert SHA256 in caplog.text
    receipt = json.loads((tmp_path / "a.bin.receipt.json").read_text())
    assert (receipt["digest"], receipt["verified"]) == (SHA256, False)


def test_mirrors_are_tried_in_order(server, tmp_path):
    server.files["good/a.bin"] = CONTENT
    server.files["bad/a.bin"] = CONTENT[::-1]
    urls = [server.url(f"{folder}/a.bin") for folder in ("missing", "bad", "good", "never")]

    fetch(remote_file(*urls), tmp_path)

    assert [r.path for r in server.requests] == ["/missing/a.bin", "/bad/a.bin", "/good/a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_the_error_names_every_mirror_and_the_remedy(server, tmp_path):
    urls = [server.url("missing"), "http://127.0.0.1:9/a.bin"]

    with pytest.raises(errors.UserError) as caught:
        fetch(remote_file(*urls), tmp_path)
    message = str(caught.value)
    assert f"{urls[0]}: the server answered 404" in message
    assert f"{urls[1]}: no connection" in message
    assert f"put it into {tmp_path}" in message
    assert "\n" not in message
    assert names(tmp_path) == []


def test_mismatch_names_url_path_expected_and_got(server, tmp_path):
    other = "sha256:" + "0" * 64
    with pytest.raises(errors.UserError) as caught:
        fetch(remote_file(server.url("a.bin"), digest=other), tmp_path)
    message = str(caught.value)
    for fact in (server.url("a.bin"), str(tmp_path / "a.bin"), other, SHA256, str(len(CONTENT))):
        assert fact in message
    assert names(tmp_path) == []


def test_source_folder_is_used_in_place(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.bin").write_bytes(CONTENT)

    path = fetch(remote_file("http://127.0.0.1:9/a.bin"), tmp_path / "out", source=folder)

    assert path == str(folder / "a.bin")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("folder", "message"),
    [("empty", "a.bin is not in the folder"), ("nowhere", "No such folder")],
)
def test_source_folder_without_the_file(tmp_path, folder, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.UserError, match=message):
        fetch(remote_file("http://127.0.0.1:9/a.bin"), tmp_path, source=tmp_path / folder)


@pytest.mark.parametrize("source", ["ftp://user:secret@host/a", "file:///data", "s3://bucket"])
def test_source_of_another_scheme_is_one_clear_error(tmp_path, source):
    with pytest.raises(errors.UserError, match="by its path, or an address that starts") as caught:
        fetch(remote_file(), tmp_path / "data", source=source)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("slash", ["", "/"])
def test_source_url_replaces_the_mirrors(server, tmp_path, slash):
    server.files["mirror/a.bin"] = CONTENT
    remote = remote_file("http://127.0.0.1:9/elsewhere.bin")

    fetch(remote, tmp_path, source=f"{server.base_url}/mirror{slash}")

    assert [request.path for request in server.requests] == ["/mirror/a.bin"]


def test_the_query_of_a_source_url_stays_at_the_end(server, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    server.files["mirror/a.bin"] = CONTENT
    fetch(remote_file(), tmp_path, source=f"{server.base_url}/mirror/?key=secret/key")
    assert [request.path for request in server.requests] == ["/mirror/a.bin?key=secret/key"]
    assert "secret" not in (tmp_path / "a.bin.receipt.json").read_text() + caplog.text


def test_credentials_stay_with_their_host_and_out_of_sight(server, tmp_path, caplog, capsys):
    caplog.set_level(logging.INFO)
    secret = Credentials("me", "open sesame")
    with fault_server.serve({"a.bin": CONTENT}) as other:
        server.faults = [Fault(status=302, headers={"Location": other.url("a.bin")})]
        url = server.url("a.bin").replace("//", "//someone:hidden@") + "?token=hidden"
        fetch(remote_file(url), tmp_path, credentials=secret)

        sent = server.requests[0].headers["Authorization"]
        assert sent == "Basic " + base64.b64encode(b"me:open sesame").decode()
        # The other server has another port: for HTTP that is another host.
        assert "Authorization" not in other.requests[0].headers
    server.faults = [Fault(status=401)]
    with pytest.raises(errors.UserError) as caught:
        fetch(remote_file(url, name="b.bin"), tmp_path, credentials=secret)
    output = "".join(capsys.readouterr())
    kept = "".join(path.read_text() for path in tmp_path.glob("*.json"))
    for text in (str(caught.value), caplog.text, output, kept, repr(secret)):
        assert "sesame" not in text
        assert "hidden" not in text


def test_progress_counts_to_the_end(server, tmp_path):
    statuses = []
    fetch(remote_file(server.url("a.bin")), tmp_path, progress=statuses.append)
    ends = [(status.action, status.done, status.total) for status in statuses if status.finished]
    assert ends == [
        ("Fetching", len(CONTENT), len(CONTENT)),
        ("Checking", len(CONTENT), len(CONTENT)),
    ]
