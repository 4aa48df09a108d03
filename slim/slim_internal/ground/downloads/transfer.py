"""Bringing the bytes of one URL into a part file, through whatever network and server do.

A transfer is a series of attempts. Each asks for the bytes that are still missing, as long as the
server shows, by a strong validator, that its file is still the one the first bytes came from.
Attempts that bring the file further do not count against the number of retries.
"""

import contextlib
import dataclasses
import logging
import os
import ssl
import threading
import time
from collections.abc import Iterator

import requests
import urllib3

from slim_internal.ground import errors
from slim_internal.ground.downloads import part_file, responses
from slim_internal.ground.downloads.remote_file import RemoteFile, printable
from slim_internal.ground.errors.escaping import escaped
from slim_internal.ground.files import space
from slim_internal.ground.progress import duration, human_bytes, reporting

_LOG = logging.getLogger(__name__)
# Small enough that a connection that breaks takes little with it that was not yet written.
_CHUNK = 256 << 10
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)
WEB_PAGE_INSTEAD = "the server answered with a web page instead of the file"


class SourceError(errors.UserError):
    """This URL will not give the file; another one may."""


class _TryAgainError(Exception):
    """The attempt failed in a way that passes; `wait` is how many seconds the server asked for."""

    def __init__(self, message: str, wait: float | None = None):
        super().__init__(message)
        self.wait = wait


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """How patient a transfer is.

    Attributes:
      retries: Attempts in a row that may fail without bringing the file any further.
      backoff: Seconds before the first retry; they double with each that follows.
      longest_wait: The most seconds to wait before a retry, even where the server asks for more.
      stall_timeout: Seconds of silence from the server after which a connection is given up.
      answer_timeout: Seconds until the headers of an answer must be there, redirects included.
      minimum_rate: Bytes per second below which a connection is given up, and below which an
        attempt did not bring the file further.
      rate_window: Seconds over which the rate is measured.
      longest_transfer: Seconds after which a transfer ends, whatever comes; what has arrived is
        kept for the next run.
    """

    retries: int = 5
    backoff: float = 1.0
    longest_wait: float = 300.0
    stall_timeout: float = 30.0
    answer_timeout: float = 300.0
    minimum_rate: float = 1000.0
    rate_window: float = 60.0
    longest_transfer: float = 7 * 86_400.0


@dataclasses.dataclass(frozen=True)
class Credentials:
    """User name and key for HTTP basic authentication.

    They go to the host of the URL only, never to one it redirects to, and are never printed.
    """

    user: str = dataclasses.field(repr=False)
    key: str = dataclasses.field(repr=False)


def run(
    url: str,
    remote: RemoteFile,
    part: part_file.PartFile,
    *,
    credentials: Credentials | None,
    progress: reporting.Progress,
    policy: Policy,
) -> None:
    """Brings the part file to its full length.

    Raises:
      SourceError: The URL does not give the file, or not after all retries.
      UserError: The bytes could not be written.
    """
    _Transfer(url, remote, part, credentials, progress, policy).run()


def can_continue(part: part_file.PartFile) -> bool:
    """Returns whether a later run can make use of the bytes of a part file."""
    return part.length > 0 and responses.is_strong(part.version.etag)


@dataclasses.dataclass(frozen=True)
class _Transfer:
    """The arguments of `run`."""

    url: str
    remote: RemoteFile
    part: part_file.PartFile
    credentials: Credentials | None
    progress: reporting.Progress
    policy: Policy

    def run(self) -> None:
        farthest = self.part.length
        failures = 0
        end = time.monotonic() + self.policy.longest_transfer
        while True:
            start = time.monotonic()
            try:
                self._attempt(end)
                return
            except _TryAgainError as error:
                # A server that always starts over and breaks at the same place makes no progress,
                # nor does one that sends another byte each time.
                waited = time.monotonic() - start + self.policy.backoff
                moved = self.part.length - farthest
                failures = 0 if moved > self.policy.minimum_rate * waited else failures + 1
                farthest = max(farthest, self.part.length)
                if failures > self.policy.retries:
                    reason = f"{error}, and {failures} attempts in a row brought no more bytes"
                    reason += ", or hardly any" * (moved > 0)
                    raise SourceError(reason) from error
                self._wait(error, failures)

    def _wait(self, error: _TryAgainError, failures: int) -> None:
        wait = error.wait
        if wait is None:
            wait = self.policy.backoff * 2 ** max(failures - 1, 0)
        wait = min(wait, self.policy.longest_wait)
        _LOG.warning("%s: %s; trying again in %s.", self.remote.name, error, duration(wait))
        time.sleep(wait)

    def _attempt(self, end: float) -> None:
        start = self._resume_point()
        with self._answer(start) as response:
            version = self._version(response)
            if response.status_code == 416 and start:
                self._settle_unsatisfiable(version)
                return
            self._refuse_errors(response)
            if response.status_code == 206:
                if not start or not self._continues(response, version, start):
                    self.part.clear()
                    raise _TryAgainError("the server sent another part than it was asked for")
                self.part.spliced = True
            else:
                self._refuse_other_file(response, version)
                self.part.begin(version)
            self._receive(response, end)

    def _resume_point(self) -> int:
        """Returns how many bytes of the part file may stay."""
        same = self.part.version is not None and self.part.version.url == printable(self.url)
        return self.part.length if same and can_continue(self.part) else 0

    def _answer(self, start: int) -> requests.Response:
        """Returns the response, whose headers may not take for ever, not even byte by byte."""
        box: list[requests.Response | BaseException] = []

        def ask() -> None:
            try:
                box.append(self._request(start))
            except BaseException as error:  # Raised below.
                box.append(error)

        # Not to be waited for when the program ends.
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(self.policy.answer_timeout)
        if not box:
            raise _TryAgainError(f"no whole answer within {duration(self.policy.answer_timeout)}")
        if isinstance(box[0], BaseException):
            raise box[0]
        return box[0]

    def _version(self, response: requests.Response) -> part_file.Version:
        try:
            return responses.version(response, self.url)
        except responses.BadHeaderError as error:
            raise SourceError(str(error)) from None

    def _request(self, start: int) -> requests.Response:
        # Without "identity", requests would ask for gzip, and byte ranges would count other bytes.
        headers = {"Accept-Encoding": "identity", "User-Agent": "slim-downloads"}
        if start:
            headers["Range"] = f"bytes={start}-"
            headers["If-Range"] = self.part.version.etag
        timeout = self.policy.stall_timeout
        auth = (self.credentials.user, self.credentials.key) if self.credentials else None
        try:
            return requests.get(self.url, headers=headers, auth=auth, stream=True, timeout=timeout)
        # The messages of requests hold the URL with all its secrets: say it in our words.
        except requests.Timeout as error:
            raise _TryAgainError(f"no answer within {timeout:g} s") from error
        except requests.ConnectionError as error:
            _refuse_false_certificate(error)
            secure = "secure " * isinstance(error, requests.exceptions.SSLError)
            through = " through the proxy" * isinstance(error, requests.exceptions.ProxyError)
            connected = isinstance(error.args[0], urllib3.exceptions.ProtocolError)
            what = "whole answer of HTTP" if connected else "connection"
            raise _TryAgainError(f"no {secure}{what}{through}") from error
        except requests.exceptions.InvalidHeader:  # Two lengths that differ.
            raise SourceError(responses.NO_LENGTH) from None
        except requests.exceptions.InvalidSchema as error:
            socks = "SOCKS" in str(error)
            reason = "SOCKS proxies cannot be used" if socks else "its scheme is not http or https"
            raise SourceError(reason) from None
        except requests.TooManyRedirects:
            raise SourceError("too many redirects") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
            # The latter two come from addresses that requests does not look at itself.
            raise SourceError("invalid URL, or one that it redirects to") from None

    def _refuse_errors(self, response: requests.Response) -> None:
        code = response.status_code
        where = f" from {printable(response.url)}" if response.history else ""
        answer = responses.answer(response) + where
        if code in _TEMPORARY:
            raise _TryAgainError(answer, responses.retry_after(response.headers.get("Retry-After")))
        if code in (401, 403):
            raise SourceError(f"{answer}: access refused")
        if code not in (200, 206):
            raise SourceError(answer)
        if responses.is_called_web_page(response):
            raise SourceError(WEB_PAGE_INSTEAD)

    def _refuse_other_file(self, response: requests.Response, version: part_file.Version) -> None:
        expected = self.remote.size
        if version.encoding not in (None, "gzip"):
            raise SourceError(f"the server insists on the encoding {escaped(version.encoding)}")
        if not responses.is_read_as_sent(response):
            raise SourceError("the server sends the file in a transfer encoding nobody asked for")
        sizes_known = version.encoding is None and None not in (expected, version.size)
        if sizes_known and version.size != expected:
            raise SourceError(
                f"the server has another file there: expected {expected} bytes, "
                f"it announces {version.size}"
            )

    def _continues(
        self, response: requests.Response, version: part_file.Version, start: int
    ) -> bool:
        if responses.has_several_parts(response):  # Their headers would get into the file.
            return False
        return responses.content_range(response).start == start and self._same(version)

    def _same(self, version: part_file.Version) -> bool:
        """Returns whether a strong validator says that bytes of both may stand in one file."""
        known = self.part.version
        same_size = None in (known.size, version.size) or known.size == version.size
        same_etag = responses.is_strong(version.etag) and known.etag == version.etag
        return same_size and same_etag and known.encoding == version.encoding

    def _settle_unsatisfiable(self, version: part_file.Version) -> None:
        """Decides what "416 Range Not Satisfiable" means: that no byte is missing, or a change."""
        # Few servers repeat the ETag here, or announced the same size; the digest tells.
        known = self.part.version
        same = version.etag == known.etag and known.size in (None, version.size)
        unnamed = version.etag in (None, known.etag) and self.remote.digest is not None
        if version.size != self.part.length or not (same or unnamed):
            self.part.clear()
            raise _TryAgainError("the file on the server has changed")
        self.part.spliced = True

    def _receive(self, response: requests.Response, end: float) -> None:
        part = self.part
        size = self.remote.size if part.version.encoding is None else None
        total = part.version.size if size is None else size
        if total is not None:
            folder = os.path.dirname(part.path) or "."
            space.require_free(folder, total - part.length, self.remote.name)
        meter = reporting.Meter(
            self.progress, "Fetching", self.remote.name, done=part.length, total=total
        )
        with meter:
            for chunk in self._steady(self._chunks(response), end):
                if part.length == 0 and responses.looks_like_web_page(chunk, self.remote.name):
                    part.clear()
                    raise SourceError(WEB_PAGE_INSTEAD)
                if total is None:
                    space.require_room_to_spare(part.path, len(chunk), self.remote.name)
                part.write(chunk)
                meter.advance(len(chunk))
                if total is not None and part.length > total:
                    part.clear()
                    raise SourceError(f"the server sent more than the {total} bytes of the file")
        if total is not None and part.length < total:
            raise _TryAgainError(f"the connection ended after {part.length} of {total} bytes")
        if not part.length and self.remote.size is None:
            raise SourceError("the server sent an empty file")

    def _steady(self, chunks: Iterator[bytes], end: float) -> Iterator[bytes]:
        """Yields chunks as long as they come fast enough."""
        policy = self.policy
        start, arrived = time.monotonic(), 0
        for chunk in chunks:
            yield chunk
            arrived += len(chunk)
            now = time.monotonic()
            if now > end:
                raise SourceError(f"it was not there after {duration(policy.longest_transfer)}")
            if now - start >= policy.rate_window:
                if arrived < policy.minimum_rate * (now - start):
                    rate = human_bytes(policy.minimum_rate)
                    raise _TryAgainError(f"the server sent less than {rate}/s")
                start, arrived = now, 0

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        """Yields the bytes as they arrive, so that a break loses none that came before it."""
        responses.read_lengths_strictly(response)
        watch = _Watch(response, self.policy.stall_timeout + self.policy.rate_window)
        try:
            with watch:
                while chunk := response.raw.read1(_CHUNK, decode_content=False):
                    watch.arrived()
                    yield chunk
                    watch.arrived()
            if watch.cut_off:
                raise urllib3.exceptions.ProtocolError
        except urllib3.exceptions.ReadTimeoutError as error:
            silence = f"{self.policy.stall_timeout:g} s"
            raise _TryAgainError(f"the server sent nothing for {silence}") from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if watch.cut_off:
                rate = human_bytes(self.policy.minimum_rate)
                raise _TryAgainError(f"the server sent less than {rate}/s") from error
            length = human_bytes(self.part.length)
            raise _TryAgainError(f"the connection broke after {length}") from error


class _Watch:
    """Shuts a connection on which no read comes to an end.

    The time that a socket may be silent bounds each byte, not a line of them: the length of a chunk
    that arrives byte by byte would be read for ever.

    Args:
      response: The answer that is being read.
      longest: Seconds that a read may take.

    Attributes:
      cut_off: Whether the connection was shut.
    """

    def __init__(self, response: requests.Response, longest: float):
        self.cut_off = False
        self._response = response
        self._longest = longest
        self._last = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def arrived(self) -> None:
        """Notes that something has come, or is asked for."""
        self._last = time.monotonic()

    def _run(self) -> None:
        left = self._longest
        while left > 0 and not self._end.wait(left):
            left = self._last + self._longest - time.monotonic()
        if not self._end.is_set():
            self.cut_off = True
            with contextlib.suppress(OSError, ValueError):
                self._response.raw.shutdown()

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, error_type, error, trace) -> None:
        self._end.set()
        self._thread.join()


def _refuse_false_certificate(error: BaseException) -> None:
    """Raises a `SourceError` if that is what a connection failed for; no retry makes it right."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise SourceError(
                f"its certificate is not accepted ({cause.verify_message}). If your network has "
                "an authority of its own, name its file in the environment, REQUESTS_CA_BUNDLE"
            ) from None
        cause = cause.__cause__ or cause.__context__
