"""A real HTTP server that answers correctly, or wrong in just the way a test asks for.

    with fault_server.serve({"a.bin": b"..."}, [Fault(cut_after=100)]) as server:
        fetch(server.url("a.bin"))

Each request takes the next fault of the list; when the list is used up, answers are right.
"""

import contextlib
import dataclasses
import gzip
import hashlib
import http.server
import itertools
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

_CHUNK = 16 << 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """How one answer differs from the right one.

    Attributes:
      status: Answer with this status and `body` instead of the file.
      body: The body of such an answer.
      reason: The words after the status.
      trickle: Seconds between two bytes of the body.
      endless_header: Seconds between two bytes of a header that never ends.
      endless_chunk: Seconds between two bytes of the line with the length of the second chunk.
      headers: More headers, replacing those of the right answer; an empty one takes its away.
      cut_after: Close the connection after so many bytes of the body.
      stall: Seconds to be silent, after `cut_after` bytes, before going on.
      ignore_if_range: Answer with a part even if the file is another than the one meant.
      ignore_range: Answer 200 with everything to a request for a part.
      range_shift: Answer with another part than the one asked for, so many bytes further on.
      length_error: Added to Content-Length.
      chunked: Send chunks and no length.
      chunk_length: How the length of a chunk is written.
      gzip: Compress the body and say so.
      flip_bit: Flip this bit of the body.
    """

    status: int | None = None
    body: bytes = b""
    reason: str | None = None
    trickle: float = 0.0
    endless_header: float = 0.0
    endless_chunk: float = 0.0
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cut_after: int | None = None
    stall: float = 0.0
    ignore_if_range: bool = False
    ignore_range: bool = False
    range_shift: int = 0
    length_error: int = 0
    chunked: bool = False
    chunk_length: Callable[[int], str] = "{:x}".format
    gzip: bool = False
    flip_bit: int | None = None


RIGHT = Fault()


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]

    @property
    def range_start(self) -> int | None:
        """First byte that was asked for, or None if all were."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match else None


class Server:
    """What `serve` gives.

    Attributes:
      files: Name -> content; may be changed between requests.
      faults: The faults still to come.
      requests: The requests so far.
      bytes_sent: Bytes of bodies sent so far.
      rate: Bytes per second to send at most, or None.
    """

    def __init__(self, files: Mapping[str, bytes], faults: Iterable[Fault], rate: float | None):
        self.files = dict(files)
        self.faults = list(faults)
        self.requests: list[Request] = []
        self.bytes_sent = 0
        self.rate = rate
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._scheme = "http"
        self._http.daemon_threads = True

    @property
    def base_url(self) -> str:
        """URL of the folder of all files."""
        return f"{self._scheme}://127.0.0.1:{self._http.server_port}"

    def use_tls(self, certificate: os.PathLike, key: os.PathLike) -> None:
        """Answers no more but to clients that accept a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._scheme = "https"

    def url(self, name: str) -> str:
        """URL of one file."""
        return f"{self.base_url}/{name}"


@contextlib.contextmanager
def serve(
    files: Mapping[str, bytes], faults: Iterable[Fault] = (), rate: float | None = None
) -> Iterator[Server]:
    """Serves files on a free port until the block ends."""
    server = Server(files, faults, rate)
    thread = threading.Thread(target=server._http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server._http.shutdown()
        server._http.server_close()
        thread.join()


def etag(content: bytes) -> str:
    """The ETag of the right answer."""
    return f'"{hashlib.md5(content).hexdigest()}"'


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):  # The name that http.server calls.
        owner = self.server.owner
        owner.requests.append(Request(self.path, dict(self.headers)))
        fault = owner.faults.pop(0) if owner.faults else RIGHT
        self.close_connection = True
        content = owner.files.get(self.path.lstrip("/").partition("?")[0])
        if fault.status is not None:
            self._answer(fault.status, fault.body, {}, fault)
        elif content is None:
            self._answer(404, b"<html>not found</html>", {"Content-Type": "text/html"}, fault)
        else:
            self._send_file(content, fault)

    def _send_file(self, content: bytes, fault: Fault) -> None:
        headers = {"ETag": etag(content), "Content-Type": "application/octet-stream"}
        start = self.server.owner.requests[-1].range_start
        condition = None if fault.ignore_if_range else self.headers.get("If-Range")
        changed = condition not in (None, headers["ETag"])
        body, status = content, 200
        if start is not None and not fault.ignore_range and not changed:
            start += fault.range_shift
            if start >= len(content):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"}, fault)
                return
            body, status = content[start:], 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if fault.gzip:
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        if fault.flip_bit is not None:
            flipped = bytearray(body)
            flipped[fault.flip_bit // 8] ^= 1 << fault.flip_bit % 8
            body = bytes(flipped)
        self._answer(status, body, headers, fault)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], fault: Fault) -> None:
        if fault.chunked or fault.endless_chunk:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(body) + fault.length_error)
        self.send_response(status, fault.reason)
        if fault.endless_header:
            with contextlib.suppress(OSError):
                self._trickle(itertools.repeat(b"x"), fault.endless_header)
            return
        for name, value in {**headers, **fault.headers}.items():
            if value:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        # A client that gives up closes the connection while this still writes.
        with contextlib.suppress(ConnectionError, OSError):
            self._send_body(body, fault)

    def _send_body(self, body: bytes, fault: Fault) -> None:
        stop = len(body) if fault.cut_after is None else min(fault.cut_after, len(body))
        if fault.endless_chunk:
            self._write(body[: stop // 2], chunked=True)
            self._trickle(itertools.chain([b"1;"], itertools.repeat(b"x")), fault.endless_chunk)
        elif fault.trickle:
            self._trickle((body[i : i + 1] for i in range(stop)), fault.trickle)
        else:
            self._write(body[:stop], fault.chunked, fault.chunk_length)
        if fault.stall:
            time.sleep(fault.stall)
            self._write(body[stop:], fault.chunked)
        elif stop < len(body):
            self._cut()
            return
        if fault.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _write(self, data: bytes, chunked: bool, length=RIGHT.chunk_length) -> None:
        owner = self.server.owner
        for start in range(0, len(data), _CHUNK):
            piece = data[start : start + _CHUNK]
            head = length(len(piece)).encode()
            self.wfile.write(b"%s\r\n%s\r\n" % (head, piece) if chunked else piece)
            owner.bytes_sent += len(piece)
            if owner.rate:
                time.sleep(len(piece) / owner.rate)

    def _trickle(self, pieces: Iterable[bytes], pause: float) -> None:
        self.flush_headers()
        for piece in pieces:
            self.wfile.write(piece)
            time.sleep(pause)

    def _cut(self) -> None:
        """Closes the connection; all that was written still arrives."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
