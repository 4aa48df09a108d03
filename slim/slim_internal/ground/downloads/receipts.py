"""Whether a file is the one that was asked for, and the receipt that saves asking twice."""

import dataclasses
import hashlib
import logging
import os

from slim_internal.ground import errors
from slim_internal.ground.downloads import part_file
from slim_internal.ground.downloads.remote_file import RemoteFile
from slim_internal.ground.files import atomic, json_objects
from slim_internal.ground.progress import reporting

_LOG = logging.getLogger(__name__)
_CHUNK = 1 << 20


class MismatchError(errors.UserError):
    """The file has another length or digest than the one that was asked for."""


@dataclasses.dataclass(frozen=True)
class Receipt:
    """What a file was when it was last read from end to end; kept in `<name>.receipt.json`.

    Attributes:
      url: Where it came from.
      size: Its length in bytes.
      digest: Its digest, made with the algorithm of the record.
      verified: Whether size or digest were known beforehand, so that they could be compared.
      modified_ns: Its time of change in nanoseconds, by which a later change is noticed.
    """

    url: str
    size: int
    digest: str
    verified: bool
    modified_ns: int


def check(
    path: str, remote: RemoteFile, *, url: str, place: str, progress: reporting.Progress
) -> Receipt:
    """Reads a whole file and compares it with its record.

    Args:
      path: The file to read.
      remote: The record of what it should be.
      url: Where it came from, for the receipt and the message.
      place: The path to name in the message.
      progress: Told how far the reading has come.

    Raises:
      MismatchError: Length or digest differ from the record.
    """
    facts = os.stat(path)
    if remote.size in (None, facts.st_size):
        digest = _digest(path, remote, facts.st_size, progress)
    else:
        digest = "not computed, as the length already differs"
    if remote.size not in (None, facts.st_size) or remote.digest not in (None, digest):
        raise MismatchError(
            f"{remote.name} is damaged or another file. URL: {url}. Path: {place}. "
            f"Expected: {_describe(remote.size, remote.digest)}. "
            f"Got: {_describe(facts.st_size, digest)}."
        )
    verified = remote.digest is not None or remote.size is not None
    if remote.digest is None:
        _LOG.warning(
            "The contents of %s were compared with no checksum. Seen: %s.",
            remote.name,
            _describe(facts.st_size, digest),
        )
    return Receipt(url, facts.st_size, digest, verified, facts.st_mtime_ns)


def check_existing(path: str, remote: RemoteFile, progress: reporting.Progress) -> None:
    """Compares a file that was there already with its record, by its receipt if that still holds.

    Raises:
      MismatchError: It is another file; it is left alone.
    """
    facts = os.stat(path)
    receipt = read_receipt(path)
    if (
        receipt is not None
        and (receipt.size, receipt.modified_ns) == (facts.st_size, facts.st_mtime_ns)
        and remote.size in (None, receipt.size)
        and remote.digest in (None, receipt.digest)
    ):
        return
    try:
        receipt = check(path, remote, url=_origin(remote), place=path, progress=progress)
    except MismatchError as error:
        raise MismatchError(f"{error} It was left as it is; move it away and run again.") from None
    except OSError as error:
        raise errors.UserError(f"Cannot read {path}: {error.strerror}.") from error
    try:
        write_receipt(path, receipt)
        if part_file.remains(path):  # The run that finished it was killed while it tidied up.
            part_file.remove_remains(path)
    except OSError as error:
        # A file in a folder that cannot be written is good all the same, only read each time.
        _LOG.info("No receipt of %s could be kept: %s", path, error)


def read_receipt(path: str) -> Receipt | None:
    """Returns the receipt of a file, or None where there is none that can be read."""
    try:
        return json_objects.build(Receipt, json_objects.read(receipt_path(path)))
    except (FileNotFoundError, json_objects.DamageError):
        return None


def write_receipt(path: str, receipt: Receipt) -> None:
    """Keeps the receipt of a file beside it."""
    atomic.write_json(receipt_path(path), dataclasses.asdict(receipt))


def receipt_path(path: str) -> str:
    """Returns the path of the receipt of a path."""
    return path + ".receipt.json"


def _digest(path: str, remote: RemoteFile, size: int, progress: reporting.Progress) -> str:
    digest = hashlib.new(remote.algorithm, usedforsecurity=False)
    with (
        open(path, "rb") as file,
        reporting.Meter(progress, "Checking", remote.name, total=size) as m,
    ):
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            m.advance(len(chunk))
    return f"{remote.algorithm}:{digest.hexdigest()}"


def _describe(size: int | None, digest: str | None) -> str:
    length = "any length" if size is None else f"{size} bytes"
    return f"{length}, digest {digest or 'unknown'}"


def _origin(remote: RemoteFile) -> str:
    return remote.urls[0] if remote.urls else "none"
