"""Fetching through everything a network and a server can do to a transfer."""

import email.utils
import hashlib
import logging
import os
import random
import re
import shutil
import subprocess
import time

import pytest

from slim_internal.ground import errors
from slim_internal.ground.downloads import part_file
from slim_internal.ground.downloads.download import Policy, RemoteFile
from tests.slim_internal.ground.downloads import fault_server
from tests.slim_internal.ground.downloads.fault_server import RIGHT, Fault
from tests.slim_internal.ground.downloads.small_file import (
    CONTENT,
    HASTY,
    SIZE,
    assert_good,
    fetch,
    fetch_from,
    remote_file,
)

OTHER = random.Random(8).randbytes(SIZE)
HTML = b"<!DOCTYPE html><html><body>Please log in.</body></html>"


NOTHING_KNOWN = {"size": None, "digest": None}


def leave_part(server, directory, length: int, **facts) -> None:
    """Leaves what a run leaves that ended after so many bytes."""
    faults, server.faults = server.faults, [Fault(cut_after=length)] + [Fault(cut_after=0)] * 9
    with pytest.raises(errors.UserError):
        fetch_from(server, directory, **facts)
    server.faults = faults
    server.requests.clear()
    assert os.path.getsize(directory / "a.bin.part") == length


@pytest.fixture
def server():
    with fault_server.serve({"a.bin": CONTENT}) as server:
        yield server


RECOVERED = {
    # Faults in the order of the requests, after which the file must be there.
    "cut_after_0": [Fault(cut_after=0)],
    "cut_after_1": [Fault(cut_after=1)],
    "cut_after_half": [Fault(cut_after=SIZE // 2)],
    "cut_after_all_but_1": [Fault(cut_after=SIZE - 1)],
    "5_cuts_in_a_row": [Fault(cut_after=SIZE // 7)] * 5,
    "cut_without_length": [Fault(chunked=True, cut_after=SIZE // 2)],
    "cut_that_looks_like_an_end": [
        Fault(
            status=200,
            body=CONTENT[: SIZE // 2],
            chunked=True,
            headers={"ETag": fault_server.etag(CONTENT)},
        )
    ],
    "500_three_times": [Fault(status=500, body=HTML)] * 3,
    "502_503_504": [Fault(status=status) for status in (502, 503, 504)],
    "500_between_cuts": [Fault(cut_after=SIZE // 4), Fault(status=500), Fault(status=500)] * 3,
    "chunked": [Fault(chunked=True)],
    "part_without_validator": [Fault(cut_after=999), Fault(headers={"ETag": ""})],
}


@pytest.mark.parametrize("faults", RECOVERED.values(), ids=RECOVERED)
def test_recovers(server, tmp_path, faults):
    server.faults = list(faults)
    fetch_from(server, tmp_path)
    assert_good(tmp_path)
    assert not server.faults


CUTS = {name: faults for name, faults in RECOVERED.items() if "cut" in name}


@pytest.mark.parametrize("faults", CUTS.values(), ids=CUTS)
def test_cuts_cost_no_second_transfer_of_the_same_bytes(server, tmp_path, faults):
    server.faults = list(faults)
    fetch_from(server, tmp_path)
    assert server.bytes_sent <= 1.1 * SIZE


def test_failures_without_progress_give_up_and_keep_the_part(server, tmp_path):
    server.faults = [Fault(cut_after=1000)] + [Fault(cut_after=0)] * 9
    with pytest.raises(errors.UserError, match="brought no more bytes"):
        fetch_from(server, tmp_path)
    assert len(server.requests) == 1 + HASTY.retries + 1
    assert sorted(os.listdir(tmp_path)) == ["a.bin.part", "a.bin.part.json"]


def test_a_server_that_always_starts_over_and_breaks_ends_the_retries(server, tmp_path):
    server.faults = [Fault(cut_after=SIZE // 2, ignore_range=True)] * 20
    with pytest.raises(errors.UserError, match="brought no more bytes"):
        fetch_from(server, tmp_path)


def test_the_next_process_asks_for_the_missing_bytes_only(server, tmp_path):
    leave_part(server, tmp_path, SIZE // 3)
    fetch_from(server, tmp_path)
    assert [request.range_start for request in server.requests] == [SIZE // 3]
    assert_good(tmp_path)


RESTARTED = {
    "200_instead_of_206": Fault(ignore_range=True),
    "206_with_wrong_offset_later": Fault(range_shift=10),
    "206_with_wrong_offset_earlier": Fault(range_shift=-10),
    "206_without_content_range": Fault(headers={"Content-Range": ""}),
    "206_with_wrong_total": Fault(
        headers={"Content-Range": f"bytes {SIZE // 2}-{SIZE - 1}/{SIZE + 1}"}
    ),
    "206_compressed": Fault(gzip=True),
    "206_with_another_etag": Fault(headers={"ETag": '"other"'}),
    "416_although_bytes_are_missing": Fault(
        status=416, headers={"Content-Range": f"bytes */{SIZE}"}
    ),
}


@pytest.mark.parametrize("fault", RESTARTED.values(), ids=RESTARTED)
@pytest.mark.parametrize("facts", [{}, NOTHING_KNOWN], ids=["digest_known", "nothing_known"])
def test_restarts_rather_than_mixes(server, tmp_path, fault, facts):
    leave_part(server, tmp_path, SIZE // 2, **facts)
    server.faults = [fault]
    fetch_from(server, tmp_path, **facts)
    assert server.requests[0].range_start == SIZE // 2
    assert_good(tmp_path)


@pytest.mark.parametrize("careless", [False, True], ids=["if_range_kept", "if_range_ignored"])
@pytest.mark.parametrize("known", [True, False], ids=["digest_known", "nothing_known"])
def test_etag_changes_between_attempts(server, tmp_path, known, careless):
    server.files["a.bin"] = OTHER
    server.faults = [Fault(cut_after=SIZE // 2)] + [Fault(cut_after=0)] * 9
    facts = {} if known else NOTHING_KNOWN
    with pytest.raises(errors.UserError):
        fetch_from(server, tmp_path, **facts)
    server.files["a.bin"] = CONTENT
    server.faults = [Fault(ignore_if_range=careless)]
    server.requests.clear()

    fetch_from(server, tmp_path, **facts)

    assert server.requests[0].range_start == SIZE // 2
    # A server that keeps to If-Range answers with the whole file at once.
    assert len(server.requests) == (2 if careless else 1)
    assert_good(tmp_path)


def test_a_part_that_nothing_identifies_is_not_continued(server, tmp_path):
    server.faults = [Fault(cut_after=999, headers={"ETag": ""})]
    fetch_from(server, tmp_path, **NOTHING_KNOWN)
    assert [request.range_start for request in server.requests] == [None, None]
    assert_good(tmp_path)


def test_416_of_another_file_of_the_same_size_does_not_end_the_transfer(server, tmp_path):
    leave_part(server, tmp_path, SIZE - 1, **NOTHING_KNOWN)
    (tmp_path / "a.bin.part").write_bytes(OTHER)
    headers = {"Content-Range": f"bytes */{SIZE}", "ETag": '"other"'}
    server.faults = [Fault(status=416, headers=headers)]
    fetch_from(server, tmp_path, **NOTHING_KNOWN)
    assert_good(tmp_path)


def test_416_with_the_complete_file_ends_the_transfer(server, tmp_path):
    leave_part(server, tmp_path, SIZE - 1)
    with open(tmp_path / "a.bin.part", "ab") as file:
        file.write(CONTENT[-1:])
    fetch_from(server, tmp_path)
    assert [request.range_start for request in server.requests] == [SIZE]
    assert server.bytes_sent < 2 * SIZE
    assert_good(tmp_path)


@pytest.mark.parametrize("damage", ["flipped_byte", "no_sidecar", "torn_sidecar", "longer"])
def test_a_damaged_part_is_fetched_anew(server, tmp_path, damage):
    leave_part(server, tmp_path, SIZE // 2)
    part, sidecar = tmp_path / "a.bin.part", tmp_path / "a.bin.part.json"
    if damage == "flipped_byte":
        part.write_bytes(bytes([CONTENT[0] ^ 1]) + CONTENT[1 : SIZE // 2])
    elif damage == "no_sidecar":
        sidecar.unlink()
    elif damage == "torn_sidecar":
        sidecar.write_text(sidecar.read_text()[:20])
    else:
        part.write_bytes(CONTENT + b"more")
    fetch_from(server, tmp_path)
    assert_good(tmp_path)


def test_a_part_of_another_mirror_is_not_continued(server, tmp_path):
    leave_part(server, tmp_path, SIZE // 2)
    server.files["b.bin"] = CONTENT
    fetch(remote_file(server.url("b.bin")), tmp_path)
    assert [request.range_start for request in server.requests] == [None]
    assert_good(tmp_path)


WRONG_LENGTHS = {
    # error of Content-Length, size in the record, what the message says or None if all is well.
    "short_by_1_size_known": (-1, SIZE, "announces 299999"),
    "long_by_1_size_known": (1, SIZE, "announces 300001"),
    "short_by_1_size_unknown": (-1, None, "damaged or another file"),
    "long_by_1_size_unknown": (1, None, None),
}


@pytest.mark.parametrize(("error", "size", "message"), WRONG_LENGTHS.values(), ids=WRONG_LENGTHS)
def test_wrong_content_length(server, tmp_path, error, size, message):
    server.faults = [Fault(length_error=error)] * 20
    if message is None:
        fetch_from(server, tmp_path, size=size)
        assert_good(tmp_path)
        return
    with pytest.raises(errors.UserError, match=message):
        fetch_from(server, tmp_path, size=size)
    assert os.listdir(tmp_path) == []


def test_more_bytes_than_the_file_has_are_not_waited_for(server, tmp_path):
    server.files["a.bin"] = CONTENT * 100
    server.faults = [Fault(chunked=True)]
    with pytest.raises(errors.UserError, match="sent more than the 300000 bytes"):
        fetch_from(server, tmp_path)
    assert os.listdir(tmp_path) == []


ENCODED = {
    # name, content, whether the server compresses it or only says so.
    "label_on_a_gz": ("a.tar.gz", "gzip", False),
    "compressed_gz": ("a.tar.gz", "gzip", True),
    "compressed_plain": ("a.tar", None, True),
}


@pytest.mark.parametrize(("name", "kind", "compress"), ENCODED.values(), ids=ENCODED)
@pytest.mark.parametrize("known", [True, False], ids=["digest_known", "nothing_known"])
def test_content_encoding_gzip(tmp_path, name, kind, compress, known):
    content = fault_server.gzip.compress(CONTENT) if kind else CONTENT
    label = Fault(gzip=True) if compress else Fault(headers={"Content-Encoding": "gzip"})
    facts = {"size": None, "digest": None}
    if known:
        facts = {
            "size": len(content),
            "digest": "sha256:" + hashlib.sha256(content).hexdigest(),
        }
    with fault_server.serve({name: content}, [label]) as server:
        fetch(RemoteFile(name=name, urls=(server.url(name),), **facts), tmp_path)
        assert server.requests[0].headers["Accept-Encoding"] == "identity"
    assert (tmp_path / name).read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == [name, f"{name}.receipt.json"]


REFUSED = {
    # fault -> what the message must say.
    "404": (Fault(status=404, body=HTML), "answered 404"),
    "403_html": (Fault(status=403, body=HTML), "answered 403 Forbidden.*access refused"),
    "200_html": (
        Fault(status=200, body=HTML, headers={"Content-Type": "text/html; charset=utf-8"}),
        "web page",
    ),
    "200_html_called_data": (
        Fault(status=200, body=HTML, headers={"Content-Type": "application/octet-stream"}),
        "web page|another file",
    ),
    "204": (Fault(status=204), "answered 204"),
    "unknown_encoding": (Fault(headers={"Content-Encoding": "br"}), "insists on the encoding br"),
    "gzip_label_on_other_bytes": (Fault(headers={"Content-Encoding": "gzip"}), "said gzip"),
    "too_many_redirects": (Fault(status=302, headers={"Location": "/a.bin"}), "too many redirects"),
    "redirect_to_nonsense": (
        Fault(status=302, headers={"Location": "http://[::1/a.bin"}),
        "invalid URL",
    ),
    "redirect_to_a_file": (
        Fault(status=302, headers={"Location": "file:///etc/passwd"}),
        "its scheme is not http or https",
    ),
    "redirect_to_nowhere": (Fault(status=302), "answered 302"),
}


@pytest.mark.parametrize(("fault", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("known", [True, False], ids=["digest_known", "nothing_known"])
def test_no_other_answer_is_taken_for_the_file(server, tmp_path, fault, message, known):
    server.faults = [fault] * 50
    facts = {} if known else NOTHING_KNOWN
    with pytest.raises(errors.UserError, match=message):
        fetch_from(server, tmp_path, **facts)
    assert os.listdir(tmp_path) == []


def test_redirect_to_a_403_page_names_where_it_led(server, tmp_path):
    with fault_server.serve({}, [Fault(status=403, body=HTML)]) as other:
        location = other.url("login?session=secret")
        server.faults = [Fault(status=302, headers={"Location": location})]
        with pytest.raises(errors.UserError, match=re.escape(other.url("login"))) as caught:
            fetch_from(server, tmp_path)
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


RETRY_AFTER = {"seconds": "1", "date_in_the_past": "Wed, 21 Oct 2015 07:28:00 GMT", "nonsense": "?"}


@pytest.mark.parametrize("value", RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_429_waits_as_long_as_the_server_asks(server, tmp_path, value):
    server.faults = [Fault(status=429, headers={"Retry-After": value})]
    start = time.monotonic()
    fetch_from(server, tmp_path)
    elapsed = time.monotonic() - start
    assert (elapsed >= 1) == (value == "1")
    assert_good(tmp_path)


def test_no_server_can_ask_for_a_wait_without_end(server, tmp_path):
    server.faults = [Fault(status=429, headers={"Retry-After": "9" * 400})]
    start = time.monotonic()
    fetch(remote_file(server.url("a.bin")), tmp_path, Policy(longest_wait=0.5))
    assert 0.5 <= time.monotonic() - start < 10
    assert_good(tmp_path)


def test_503_waits_until_the_date_that_the_server_names(server, tmp_path):
    start = time.time()
    date = email.utils.formatdate(start + 3, usegmt=True)  # In whole seconds.
    server.faults = [Fault(status=503, headers={"Retry-After": date})]
    fetch_from(server, tmp_path)
    assert 2 <= time.time() - start < 6
    assert_good(tmp_path)


ADDRESSES = {
    # URL -> what the message says.
    "half_an_ipv6": (
        "http://me:secret@[::1/a.bin?secret",
        r"http://\[::1/a.bin: invalid URL",
    ),
    "port_in_words": ("http://host:port/a.bin", "invalid URL"),
    "port_too_large": ("http://host:99999/a.bin", "invalid URL"),
    "host_too_long": (f"http://{'a' * 70}.org/a.bin", "invalid URL"),
    "no_host": ("http:///a.bin", "invalid URL"),
    "another_scheme": ("ftp://host/a.bin", "its scheme is not http or https"),
    "ipv6_without_server": ("http://[::1]:9/a.bin", "no connection"),
}


@pytest.mark.parametrize(("url", "message"), ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_cannot_be_used_is_told_and_the_next_mirror_asked(
    server, tmp_path, url, message, caplog
):
    caplog.set_level(logging.INFO)
    with pytest.raises(errors.UserError, match=message) as caught:
        fetch(remote_file(url), tmp_path)
    assert "secret" not in str(caught.value) + caplog.text
    assert os.listdir(tmp_path) == []
    fetch(remote_file(url, server.url("a.bin")), tmp_path)
    assert_good(tmp_path)


PROXIES = {
    "dead": ("http://me:secret@127.0.0.1:9", "no connection through the proxy"),
    "socks": ("socks5://me:secret@127.0.0.1:9", "SOCKS proxies cannot be used"),
}


@pytest.mark.parametrize(("proxy", "message"), PROXIES.values(), ids=PROXIES)
def test_a_proxy_that_cannot_be_used(tmp_path, monkeypatch, proxy, message):
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(errors.UserError, match=message) as caught:
        fetch(remote_file("http://example.org/a.bin"), tmp_path)
    assert "secret" not in str(caught.value)


def test_a_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    server.files["http://example.org/a.bin"] = CONTENT
    monkeypatch.setenv("http_proxy", server.base_url)
    fetch(remote_file("http://example.org/a.bin"), tmp_path)
    assert_good(tmp_path)


def test_a_server_that_does_not_speak_tls(server, tmp_path):
    with pytest.raises(errors.UserError, match="no secure connection"):
        fetch(remote_file(server.url("a.bin").replace("http", "https")), tmp_path)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(server, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject)
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server.use_tls(certificate, key)
    with pytest.raises(errors.UserError, match=r"not accepted \(self.signed cert.*_CA_BUNDLE"):
        fetch_from(server, tmp_path / "set")
    assert not server.requests


def test_a_stalled_server_is_given_up_and_asked_again(server, tmp_path):
    server.faults = [Fault(cut_after=SIZE // 2, stall=30)]
    start = time.monotonic()
    fetch_from(server, tmp_path)
    assert HASTY.stall_timeout <= time.monotonic() - start < 15
    assert server.requests[1].range_start == SIZE // 2
    assert_good(tmp_path)


@pytest.mark.parametrize("seed", range(20))
def test_one_flipped_bit_leaves_no_file(server, tmp_path, seed):
    server.faults = [Fault(flip_bit=random.Random(seed).randrange(8 * SIZE))]
    with pytest.raises(errors.UserError, match="damaged or another file"):
        fetch_from(server, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("seed", range(20))
def test_one_flipped_bit_in_the_second_piece_is_mended(server, tmp_path, seed):
    bit = random.Random(seed).randrange(4 * SIZE)
    server.faults = [Fault(cut_after=SIZE // 2), Fault(flip_bit=bit)]
    fetch_from(server, tmp_path)
    assert_good(tmp_path)


def test_the_server_of_these_tests_is_right_without_faults(server, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger=part_file.__name__)
    server.faults = [RIGHT]
    fetch_from(server, tmp_path)
    assert_good(tmp_path)
    assert not caplog.records
