"""What the headers and the first bytes of a server's response say; no server is trusted."""

import dataclasses
import email.utils
import re
import time

import requests

from slim_internal.ground.downloads.part_file import Version
from slim_internal.ground.downloads.remote_file import printable
from slim_internal.ground.errors.escaping import escaped

# Longer numbers are no lengths of files; Python refuses to read those of thousands of digits.
_NUMBER = r"[0-9]{1,18}"
_CONTENT_RANGE = re.compile(rf"bytes (?:({_NUMBER})-{_NUMBER}|\*)/({_NUMBER}|\*)", re.IGNORECASE)
_STRONG_ETAG = re.compile('"[!#-~\x80-\xff]*"')
_CHUNK_LENGTH = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*[;\r\n]")
NO_LENGTH = "the server sent a Content-Length that is no length"
_LONGEST_REASON = 100

# How web pages begin, after https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
# and what portals begin with besides.
_TAGS = (
    "!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta"
    "|center|form|frameset|h2|img|link|main|noscript|span"
)
_WEB_PAGE = re.compile(rf"\s*(<({_TAGS})[\s/>]|<!--|<\?xml\b)", re.IGNORECASE)
_PAGES = (".htm", ".html", ".svg", ".xhtml", ".xml")
# How many bytes decide whether it is one.
HEAD = 1024


class BadHeaderError(Exception):
    """A header that no sound server sends."""


@dataclasses.dataclass(frozen=True)
class ContentRange:
    """What the header of that name says.

    Attributes:
      start: First byte that was sent, or None if none was.
      size: Length of the whole file, or None if it does not tell.
    """

    start: int | None = None
    size: int | None = None


def content_range(response: requests.Response) -> ContentRange:
    """Returns what part of the file a response brings; nothing where the header is no range."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if not match:
        return ContentRange()
    start = int(match[1]) if match[1] else None
    return ContentRange(start, None if match[2] == "*" else int(match[2]))


def version(response: requests.Response, url: str) -> Version:
    """Returns what a response says of the file at a URL.

    Raises:
      BadHeaderError: Content-Length is no length.
    """
    headers = response.headers
    if response.status_code in (206, 416):
        size = content_range(response).size
    else:
        size = _content_length(headers.get("Content-Length"))
    encoding = headers.get("Content-Encoding", "").lower().replace("x-gzip", "gzip")
    return Version(
        url=printable(url),
        size=size,
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        encoding=None if encoding in ("", "identity") else encoding,
    )


def _content_length(value: str | None) -> int | None:
    if not value:
        return None
    if not re.fullmatch(_NUMBER, value.strip()):
        raise BadHeaderError(NO_LENGTH)
    return int(value)


def is_strong(etag: str | None) -> bool:
    """Returns whether an ETag names one sequence of bytes; a weak one names similar ones, too."""
    return etag is not None and _STRONG_ETAG.fullmatch(etag) is not None


def is_read_as_sent(response: requests.Response) -> bool:
    """Returns whether what is read is the body; other codings, which are never asked for, stay."""
    coding = response.headers.get("Transfer-Encoding", "").strip().lower()
    return coding in ("", "chunked", "identity")


def has_several_parts(response: requests.Response) -> bool:
    """Returns whether the parts of a file come wrapped, as several are."""
    return _content_type(response).startswith("multipart/")


def is_called_web_page(response: requests.Response) -> bool:
    """Returns whether the server says that it sends a page for people."""
    return _content_type(response).startswith(("text/html", "application/xhtml"))


def _content_type(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "").strip().lower()


def looks_like_web_page(head: bytes, name: str) -> bool:
    """Returns whether bytes are the beginning of a page, as networks send that want a login.

    Args:
      head: The first bytes.
      name: Name of the file that was asked for.
    """
    if name.lower().endswith(_PAGES):
        return False
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return _WEB_PAGE.match(head[:HEAD].decode(encoding, errors="replace")) is not None


def answer(response: requests.Response) -> str:
    """Returns status and reason, as far as a line of a message can take them."""
    reason = escaped(response.reason or "")[:_LONGEST_REASON]
    return f"the server answered {response.status_code} {reason}".rstrip()


def retry_after(value: str | None) -> float | None:
    """Returns the seconds of a Retry-After header, which holds seconds or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def read_lengths_strictly(response: requests.Response) -> None:
    """Lets a body in chunks break where the length of one is not written as HTTP says.

    Python's reader takes `+5`, `0x5` and `1_0` for numbers; another reader takes them for others.
    """
    answer = response.raw._fp
    if getattr(answer, "chunked", False) and answer.fp is not None:
        answer.fp = _StrictLengths(answer.fp)


class _StrictLengths:
    """A stream whose lines are lengths of chunks (RFC 9112, section 7.1) up to the last chunk."""

    def __init__(self, stream):
        self._stream = stream
        self._has_ended = False

    def readline(self, limit: int = -1) -> bytes:
        line = self._stream.readline(limit)
        if not self._has_ended:  # What follows the last chunk are fields.
            match = _CHUNK_LENGTH.match(line)
            if not match:
                raise ValueError("no length of a chunk")
            self._has_ended = not match[1].strip(b"0")
        return line

    def __getattr__(self, name: str):
        return getattr(self._stream, name)
