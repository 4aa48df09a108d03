"""Fetching from servers that vouch for nothing, lie, dawdle or write to the terminal."""

import dataclasses
import errno
import gzip
import json
import os
import time

import pytest

from slim_internal.ground import errors
from slim_internal.ground.downloads import receipts
from slim_internal.ground.downloads.download import Policy
from slim_internal.ground.downloads.part_file import Version
from tests.slim_internal.ground.downloads import fault_server
from tests.slim_internal.ground.downloads.fault_server import Fault
from tests.slim_internal.ground.downloads.small_file import (
    CONTENT,
    HASTY,
    SIZE,
    assert_good,
    fetch,
    fetch_from,
    remote_file,
)

NOTHING_KNOWN = {"size": None, "digest": None}
MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"
DIGITS = "9" * 5000


@pytest.fixture
def server():
    with fault_server.serve({"a.bin": CONTENT}) as server:
        yield server


# What cannot vouch for the bytes of a part: headers of the answers.
WEAK = {
    "weak_etag": {"ETag": 'W/"1"'},
    "modified_in_the_same_second": {"ETag": "", "Last-Modified": MODIFIED},
    "both": {"ETag": 'W/"1"', "Last-Modified": MODIFIED},
    "etag_without_quotes": {"ETag": "1"},
    "nothing": {"ETag": ""},
}


@pytest.mark.parametrize("headers", WEAK.values(), ids=WEAK)
@pytest.mark.parametrize("facts", [{}, NOTHING_KNOWN], ids=["digest_known", "nothing_known"])
def test_only_a_strong_validator_lets_a_transfer_go_on(server, tmp_path, headers, facts):
    server.faults = [Fault(cut_after=SIZE // 2, headers=headers), Fault(headers=headers)]
    fetch_from(server, tmp_path, **facts)
    assert [request.range_start for request in server.requests] == [None, None]
    assert_good(tmp_path)


@pytest.mark.parametrize("headers", WEAK.values(), ids=WEAK)
def test_a_part_of_an_older_run_that_nothing_vouches_for_is_fetched_anew(server, tmp_path, headers):
    version = Version(
        url=server.url("a.bin"),
        size=SIZE,
        etag=headers.get("ETag") or None,
        last_modified=headers.get("Last-Modified"),
    )
    (tmp_path / "a.bin.part").write_bytes(bytes(SIZE // 2))
    (tmp_path / "a.bin.part.json").write_text(json.dumps(dataclasses.asdict(version)))
    server.faults = [Fault(headers=headers)]
    fetch_from(server, tmp_path, **NOTHING_KNOWN)
    assert [request.range_start for request in server.requests] == [None]
    assert_good(tmp_path)


@pytest.mark.parametrize("headers", WEAK.values(), ids=WEAK)
def test_a_part_that_is_of_no_use_is_not_left(server, tmp_path, headers):
    server.faults = [Fault(cut_after=1000, headers=headers)] * 20
    with pytest.raises(errors.UserError, match="brought no more bytes"):
        fetch_from(server, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_not_kept_full_by_a_part_of_no_use(server, tmp_path, monkeypatch):
    def pwrite(descriptor, data, offset, write=os.pwrite):
        if offset + len(data) > SIZE // 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data, offset)

    monkeypatch.setattr("os.pwrite", pwrite)
    server.faults = [Fault(chunked=True, headers={"ETag": ""})]
    with pytest.raises(errors.UserError, match=r"disk is full.*Free some space"):
        fetch_from(server, tmp_path, **NOTHING_KNOWN)
    assert os.listdir(tmp_path) == []


def leave_part(server, tmp_path) -> None:
    server.faults = [Fault(cut_after=SIZE // 2)] + [Fault(cut_after=0)] * 9
    with pytest.raises(errors.UserError):
        fetch_from(server, tmp_path, **NOTHING_KNOWN)
    server.faults = []
    server.requests.clear()


MULTIPART = (
    b"--x\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Range: bytes 150000-299999/300000\r\n\r\n%s\r\n--x--\r\n" % CONTENT[SIZE // 2 :]
)
OTHER_PARTS = {
    "several_parts": {"Content-Type": "multipart/byteranges; boundary=x", "Content-Range": ""},
    "several_parts_as_one": {"Content-Type": "Multipart/ByteRanges; boundary=x"},
    "start_of_5000_digits": {"Content-Range": f"bytes {DIGITS}-{DIGITS}/{SIZE}"},
    "size_of_5000_digits": {"Content-Range": f"bytes {SIZE // 2}-{SIZE - 1}/{DIGITS}"},
    "weak_etag": {"ETag": f"W/{fault_server.etag(CONTENT)}"},
    "etag_missing": {"ETag": ""},
}


@pytest.mark.parametrize("headers", OTHER_PARTS.values(), ids=OTHER_PARTS)
def test_a_part_that_cannot_be_joined_starts_the_transfer_anew(server, tmp_path, headers):
    leave_part(server, tmp_path)
    right = {
        "ETag": fault_server.etag(CONTENT),
        "Content-Range": f"bytes {SIZE // 2}-{SIZE - 1}/{SIZE}",
    }
    body = MULTIPART if "Content-Type" in headers else CONTENT[SIZE // 2 :]
    server.faults = [Fault(status=206, body=body, headers=right | headers)]
    fetch_from(server, tmp_path, **NOTHING_KNOWN)
    assert [request.range_start for request in server.requests] == [SIZE // 2, None]
    assert_good(tmp_path)


@pytest.mark.parametrize("value", [DIGITS, "-1", "1e3", "0x10", "+5", "3, 3", "3, 4"])
def test_a_length_that_is_none_is_one_line(server, tmp_path, value):
    server.faults = [Fault(headers={"Content-Length": value})] * 20
    with pytest.raises(errors.UserError, match="Content-Length that is no length"):
        fetch_from(server, tmp_path)
    assert os.listdir(tmp_path) == []


ENDS = [f"bytes */{SIZE // 2}", f"bytes */{SIZE}", "bytes */*", "items */1", ""]


@pytest.mark.parametrize("value", ENDS)
def test_a_shorter_file_of_the_same_name_for_its_version_is_no_end(server, tmp_path, value):
    leave_part(server, tmp_path)
    headers = {"ETag": fault_server.etag(CONTENT), "Content-Range": value}
    server.faults = [Fault(status=416, headers=headers)]
    fetch_from(server, tmp_path, **NOTHING_KNOWN)
    assert [request.range_start for request in server.requests] == [SIZE // 2, None]
    assert_good(tmp_path)


BODIES = {
    # What a server does to a body -> what is said if the file is known, and if nothing is.
    "empty": (Fault(status=200), "announces 0", "sent an empty file"),
    "empty_chunks": (Fault(status=200, chunked=True), "after 0 of 300000", "sent an empty file"),
    "other_transfer_encoding": (
        Fault(chunked=True, headers={"Transfer-Encoding": "gzip, chunked"}),
        *["a transfer encoding nobody asked for"] * 2,
    ),
    "escape_as_encoding": (
        Fault(headers={"Content-Encoding": "\x1b[2J"}),
        *[r"insists on the encoding \x1b[2j"] * 2,
    ),
    "no_http": (Fault(status=2000), *["no whole answer of HTTP"] * 2),
}


@pytest.mark.parametrize(("fault", "known", "unknown"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_not_the_file_is_one_line(server, tmp_path, fault, known, unknown):
    for facts, message in (({}, known), (NOTHING_KNOWN, unknown)):
        server.faults = [fault] * 20
        with pytest.raises(errors.UserError) as raised:
            fetch_from(server, tmp_path, **facts)
        assert message in str(raised.value)
        assert os.listdir(tmp_path) == []


CHUNK_LENGTHS = {
    "sign": "+{:x}",
    "minus": "-{:x}",
    "prefix": "0x{:x}",
    "underscore": "0_{:x}",
    "space": " {:x}",
    "nothing": "",
    "fraction": "{:x}.0",
    "many_digits": "{:020x}",
}


@pytest.mark.parametrize("written", CHUNK_LENGTHS.values(), ids=CHUNK_LENGTHS)
def test_the_length_of_a_chunk_is_hexadecimal_digits(server, tmp_path, written):
    server.faults = [Fault(chunked=True, chunk_length=written.format)] * 20
    with pytest.raises(errors.UserError, match="the connection broke after 0 bytes"):
        fetch_from(server, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("written", ["{:x};name=value", "{:X}  ", "{:08x}", "{:x} ; a"])
def test_the_length_of_a_chunk_may_have_zeros_spaces_and_extensions(server, tmp_path, written):
    server.faults = [Fault(chunked=True, chunk_length=written.format)]
    fetch_from(server, tmp_path)
    assert_good(tmp_path)
    assert len(server.requests) == 1


def test_what_gzip_made_small_is_not_unpacked_beyond_the_length_of_the_file(server, tmp_path):
    bomb = gzip.compress(bytes(8 << 20))
    server.faults = [Fault(status=200, body=bomb, headers={"Content-Encoding": "gzip"})] * 20
    with pytest.raises(errors.UserError, match="sent more than the 300000 bytes of the file"):
        fetch_from(server, tmp_path)
    assert os.listdir(tmp_path) == []


ENDLESS = {
    "digits": DIGITS,
    "infinite": "9" * 400,
    "year": "Fri, 31 Dec 99999 23:59:59 GMT",
    "year_of_many_digits": f"Fri, 31 Dec {DIGITS} 23:59:59 GMT",
    "no_date": "soon",
    "half_a_date": "Fri, 31",
}


@pytest.mark.parametrize("value", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_wait_is_cut(server, tmp_path, value):
    server.faults = [Fault(status=503, headers={"Retry-After": value})]
    policy = dataclasses.replace(HASTY, longest_wait=0.1)
    fetch(remote_file(server.url("a.bin")), tmp_path, policy)
    assert_good(tmp_path)


LOGIN = b"<body>Please log in.</body></html>"
PAGES = {
    "doctype": b"<!DOCTYPE html>" + LOGIN,
    "space_first": b"\n\n  <html>" + LOGIN,
    "byte_order_mark": b"\xef\xbb\xbf<HTML lang=en>" + LOGIN,
    "utf_16": ("\ufeff<html>" + LOGIN.decode()).encode("utf-16-le"),
    "comment": b"<!-- portal --><html>" + LOGIN,
    "xhtml": b'<?xml version="1.0"?><html>' + LOGIN,
    "head": b"<head><title>Login</title></head>" + LOGIN,
    "script": b"<script>location='/login'</script>",
    "center": b"<center><h2>Welcome to the network</h2>",
    "noscript": b"<noscript>Please switch on scripts</noscript>",
    "meta": b'<meta http-equiv="refresh" content="0; url=/login">',
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize(
    "way",
    [{}, {"trickle": 0.001}, {"headers": {"Content-Type": "", "Content-Encoding": "gzip"}}],
    ids=["at_once", "byte_by_byte", "compressed"],
)
def test_a_page_without_a_type_is_not_taken_for_the_file(server, tmp_path, page, way):
    body = gzip.compress(page) if "headers" in way else page
    fault = {"status": 200, "body": body, "headers": {"Content-Type": ""}} | way
    server.faults = [Fault(**fault)] * 20
    with pytest.raises(errors.UserError, match="web page instead of the file"):
        fetch_from(server, tmp_path, **NOTHING_KNOWN)
    assert os.listdir(tmp_path) == []


def test_a_page_that_was_asked_for_is_fetched(tmp_path):
    with fault_server.serve({"a.html": PAGES["head"]}) as server:
        remote = remote_file(server.url("a.html"), name="a.html", **NOTHING_KNOWN)
        fetch(remote, tmp_path)
    assert (tmp_path / "a.html").read_bytes() == PAGES["head"]


def elapsed(function, *arguments) -> float:
    start = time.monotonic()
    with pytest.raises(errors.UserError) as raised:
        function(*arguments)
    return time.monotonic() - start, str(raised.value)


SLOW = {
    "a_byte_now_and_then": (
        Fault(trickle=0.02),
        Policy(retries=2, backoff=0.01, minimum_rate=10_000.0, rate_window=0.3),
        "sent less than 10.0 kB/s, and 3 attempts in a row",
    ),
    "another_byte_each_time": (
        Fault(cut_after=1),
        Policy(retries=2, backoff=0.01, minimum_rate=10_000.0),
        "3 attempts in a row brought no more bytes, or hardly any",
    ),
    "headers_byte_by_byte": (
        Fault(endless_header=0.02),
        Policy(retries=2, backoff=0.01, answer_timeout=0.3),
        "no whole answer within",
    ),
    "the_length_of_a_chunk_byte_by_byte": (
        Fault(endless_chunk=0.02),
        Policy(retries=2, backoff=0.01, stall_timeout=0.3, rate_window=0.3, minimum_rate=1e7),
        "sent less than 10.0 MB/s, and 3 attempts in a row",
    ),
    "fast_enough_and_without_end": (
        Fault(trickle=0.01),
        Policy(retries=2, backoff=0.01, minimum_rate=1.0, longest_transfer=0.5),
        "was not there after",
    ),
}


@pytest.mark.parametrize(("fault", "policy", "message"), SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("facts", [{}, NOTHING_KNOWN], ids=["digest_known", "nothing_known"])
def test_no_server_takes_for_ever(server, tmp_path, fault, policy, message, facts):
    server.faults = [fault] * 1000
    remote = remote_file(server.url("a.bin"), **facts)
    seconds, said = elapsed(fetch, remote, tmp_path, policy)
    assert message in said
    assert seconds < 10
    assert len(server.requests) <= 4


def test_what_a_server_says_is_escaped(server, tmp_path, caplog):
    caplog.set_level("INFO")
    reason = "\x1b[2J\x1b]0;gone\x07\x9b31m" + "a" * 200
    for status in (404, 503):
        server.faults = [Fault(status=status, reason=reason)] * 20
        with pytest.raises(errors.UserError) as raised:
            fetch_from(server, tmp_path)
        for text in (str(raised.value), caplog.text):
            assert r"\x1b[2J\x1b]0;gone\x07\x9b31m" in text
            assert not set(text) & set("\x1b\x07\x9b")
            assert "a" * 101 not in text


DESCRIPTIONS = {
    "text_as_size": {"size": "300000"},
    "negative_size": {"size": -1},
    "truth_as_size": {"size": True},
    "number_as_etag": {"etag": 7},
    "etag_of_two_lines": {"etag": '"1"\r\nX-Other: 1'},
    "list_as_url": {"url": []},
    "more_fields": {"more": 1},
}


def deep(depth: int = 100_000) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("change", [*DESCRIPTIONS.values(), None], ids=[*DESCRIPTIONS, "deep"])
def test_a_description_that_is_not_ours_is_not_trusted(server, tmp_path, change):
    leave_part(server, tmp_path)
    sidecar = tmp_path / "a.bin.part.json"
    fields = json.loads(sidecar.read_text())
    sidecar.write_text(deep() if change is None else json.dumps(fields | change))
    fetch_from(server, tmp_path, **NOTHING_KNOWN)
    assert [request.range_start for request in server.requests] == [None]
    assert_good(tmp_path)


RECEIPTS = {
    "text_as_size": {"size": str(SIZE)},
    "number_as_digest": {"digest": 7},
    "no_truth": {"verified": "yes"},
    "list_as_url": {"url": []},
    "fraction_as_time": {"modified_ns": 1.5},
}


@pytest.mark.parametrize("change", [*RECEIPTS.values(), None], ids=[*RECEIPTS, "deep"])
def test_a_receipt_that_is_not_ours_is_written_anew(server, tmp_path, change):
    path = fetch_from(server, tmp_path)
    receipt = tmp_path / "a.bin.receipt.json"
    fields = json.loads(receipt.read_text())
    receipt.write_text(deep() if change is None else json.dumps(fields | change))
    assert receipts.read_receipt(path) is None
    assert fetch_from(server, tmp_path) == path
    assert json.loads(receipt.read_text()) == fields
