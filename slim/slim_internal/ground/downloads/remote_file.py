"""The record of a file to be fetched: where it is and how to tell that it is the right one."""

import dataclasses
import os
import re
import urllib.parse

_HEX_DIGITS = {"md5": 32, "sha256": 64}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file on one or several servers.

    Attributes:
      name: Its name on disk, and below the `source` that a user may name instead of the mirrors.
      urls: Where it can be had, best place first.
      size: Its length in bytes, or None where nobody has published it.
      digest: "sha256:<hex>" or "md5:<hex>" of the whole file, or None where nothing is known.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    digest: str | None = None

    def __post_init__(self):
        if not self.name or self.name in (".", "..") or os.path.basename(self.name) != self.name:
            raise ValueError(f"A remote file needs a bare file name. Received: {self.name!r}")
        if self.digest is not None:
            algorithm, _, value = self.digest.partition(":")
            digits = set(value) <= set("0123456789abcdef")
            if not digits or len(value) != _HEX_DIGITS.get(algorithm):
                raise ValueError(
                    f"The digest of {self.name} must be 'sha256:' or 'md5:' and lower-case "
                    f"hexadecimal digits. Received: {self.digest!r}"
                )

    @property
    def algorithm(self) -> str:
        """What to hash the file with: what its digest was made with, else sha256."""
        return self.digest.partition(":")[0] if self.digest else "sha256"


def below(folder_url: str, name: str) -> str:
    """Returns the URL of a file in a folder; a query, which may hold a key, stays at the end."""
    place, mark, query = folder_url.partition("?")
    return f"{place.rstrip('/')}/{name}{mark}{query}"


def printable(url: str) -> str:
    """Returns a URL without user name, password and query, which may hold secrets."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # It is invalid; the message that says so shows what can be shown of it.
        return re.sub("//[^/]*@", "//", re.split("[?#]", url)[0])
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))
