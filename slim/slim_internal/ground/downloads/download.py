"""Fetching a file so that what stands under its final name is complete and verified.

    path = download.fetch(remote_file, directory)

Bytes arrive in `<name>.part`, with `<name>.part.json` beside it, and get their final name only
after the whole file was read again and compared with the record. A run that ends early, however
it ends, leaves the part file for the next one, which asks for the missing bytes only.
`<name>.receipt.json` says where a file came from and what its digest was.
"""

import dataclasses
import gzip
import logging
import os
import zlib
from collections.abc import Iterable

from slim_internal.ground import errors
from slim_internal.ground.downloads import part_file, receipts, responses, transfer
from slim_internal.ground.downloads.remote_file import RemoteFile, below, printable
from slim_internal.ground.downloads.transfer import Credentials, Policy
from slim_internal.ground.files import space
from slim_internal.ground.progress import human_bytes, reporting

__all__ = ["Credentials", "Policy", "RemoteFile", "fetch"]

_LOG = logging.getLogger(__name__)
_SCHEMES = ("http://", "https://")
_CHUNK = 1 << 20
_GZIP_NAMES = (".gz", ".tgz")
_GZIP_MAGIC = b"\x1f\x8b"


def fetch(
    remote: RemoteFile,
    directory: str | os.PathLike,
    *,
    source: str | os.PathLike | None = None,
    credentials: Credentials | None = None,
    progress: reporting.Progress | None = None,
    policy: Policy = Policy(),  # noqa: B008  # Frozen, so that it can be shared.
) -> str:
    """Returns the path of a file that is the one asked for, getting it first if need be.

    A file that stands in `directory` already is compared with the record and used. Several
    processes may ask for the same file at once: one fetches it, the others wait for that one.

    Args:
      remote: The file.
      directory: Where to put it; made if it does not exist.
      source: Instead of the record's mirrors, a folder that holds the file (it is then used where
        it is, nothing is copied) or the URL of such a folder.
      credentials: Sent to the hosts of the mirrors if they ask for a login.
      progress: Called now and then with how far it has come; by default a line on stderr.
      policy: How patient to be with network and server.

    Raises:
      errors.UserError: The file cannot be had, or what came is not the file; the message says
        what to do.
    """
    progress = progress or reporting.StatusLine()
    if source is not None and "://" not in os.fspath(source):
        return _from_folder(remote, os.fspath(source), progress)
    if source is not None and not os.fspath(source).lower().startswith(_SCHEMES):
        raise errors.UserError(
            f"Cannot fetch from {printable(os.fspath(source))}. A source is a folder, named by its "
            f"path, or an address that starts with {' or '.join(_SCHEMES)}."
        )
    urls = remote.urls if source is None else (below(os.fspath(source), remote.name),)
    path = os.path.join(os.fspath(directory), remote.name)
    if not os.path.exists(path):
        with part_file.claim(path) as part:
            if not os.path.exists(path):
                _Job(remote, path, part, credentials, progress, policy).run(urls)
                return path
            part.discard()
    receipts.check_existing(path, remote, progress)
    return path


def _from_folder(remote: RemoteFile, folder: str, progress: reporting.Progress) -> str:
    path = os.path.join(folder, remote.name)
    if not os.path.isfile(path):
        kind = f"{remote.name} is not in the folder" if os.path.isdir(folder) else "No such folder:"
        raise errors.UserError(f"{kind} {folder}, which was named as the source of {remote.name}.")
    receipts.check_existing(path, remote, progress)
    return path


@dataclasses.dataclass(frozen=True)
class _Job:
    """One file that this process is to fetch; the arguments of `fetch`, and its part file."""

    remote: RemoteFile
    path: str
    part: part_file.PartFile
    credentials: Credentials | None
    progress: reporting.Progress
    policy: Policy

    def run(self, urls: Iterable[str]) -> None:
        """Tries one mirror after the other."""
        directory = os.path.dirname(self.path) or "."
        if self.remote.size is not None:
            missing = self.remote.size - self.part.length
            space.require_free(directory, missing, self.remote.name)
        failures = []
        for url in urls:
            try:
                self._fetch_from(url)
                return
            except transfer.SourceError as error:
                failures.append(f"{printable(url)}: {error}.")
            except receipts.MismatchError as error:
                failures.append(str(error))
            except KeyboardInterrupt:
                self._say_what_is_kept()
                raise
            except errors.UserError:  # A full disk, which bytes of no use would keep full.
                if self.part.version is not None:
                    self._discard_useless()
                raise
            _LOG.info("%s", failures[-1])
        self._discard_useless()
        raise errors.UserError(
            f"Cannot fetch {self.remote.name}. {' '.join(failures)} "
            f"If you can get it another way, put it into {directory} and run again."
        )

    def _say_what_is_kept(self) -> None:
        name, count = self.remote.name, human_bytes(self.part.length)
        if transfer.can_continue(self.part):
            kept = "%s of %s are kept in %s; the next run goes on from there."
            _LOG.warning(f"Interrupted. {kept}", count, name, self.part.path)
        elif self.part.length:
            _LOG.warning(
                "Interrupted. The next run fetches %s from the start: its server does not say which"
                " version of the file it sends, so that the %s that are here are not kept.",
                *(name, count),
            )
            self.part.discard()

    def _discard_useless(self) -> None:
        if not transfer.can_continue(self.part):
            self.part.discard()

    def _fetch_from(self, url: str) -> None:
        try:
            self._fetch_once(url)
        except receipts.MismatchError:
            if not self.part.spliced:
                raise
            # Bytes of an earlier run or connection may be at fault.
            _LOG.warning("%s, put together from pieces, is damaged; starting anew.", self.part.path)
            self._fetch_once(url)

    def _fetch_once(self, url: str) -> None:
        """Fetches the file from one mirror, verifies it and gives it its name."""
        transfer.run(
            url,
            self.remote,
            self.part,
            credentials=self.credentials,
            progress=self.progress,
            policy=self.policy,
        )
        contents = self._contents()
        with open(contents, "rb") as file:
            # The first bytes may have come one by one, or compressed.
            if responses.looks_like_web_page(file.read(responses.HEAD), self.remote.name):
                self.part.clear()
                raise transfer.SourceError(transfer.WEB_PAGE_INSTEAD)
        try:
            receipt = receipts.check(
                contents,
                self.remote,
                url=printable(url),
                place=self.path,
                progress=self.progress,
            )
        except receipts.MismatchError:
            self.part.clear()
            raise
        self.part.publish(contents)
        with space.write_errors_explained(self.path):
            receipts.write_receipt(self.path, receipt)

    def _contents(self) -> str:
        """Returns the path of what arrived, without the gzip encoding that a server put on unasked.

        Servers also say "Content-Encoding: gzip" of a file that is a gzip file by itself. Those
        bytes are the file: there is something to take off only if another gzip file comes to light.
        """
        part = self.part
        if part.version.encoding != "gzip":
            return part.path
        with space.write_errors_explained(part.decoded):
            try:
                with gzip.open(part.path) as encoded:
                    if self.remote.name.endswith(_GZIP_NAMES) and encoded.read(2) != _GZIP_MAGIC:
                        return part.path
                    encoded.seek(0)
                    with open(part.decoded, "wb") as file:
                        while chunk := encoded.read(_CHUNK):
                            self._require_room_for(part.decoded, file.tell() + len(chunk))
                            file.write(chunk)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                part.clear()
                reason = "the server said gzip and sent something else"
                raise transfer.SourceError(reason) from error
        return part.decoded

    def _require_room_for(self, path: str, length: int) -> None:
        """Requires that so many bytes are no more than the file has, or than the disk takes."""
        if self.remote.size is None:
            space.require_room_to_spare(path, _CHUNK, self.remote.name)
        elif length > self.remote.size:
            self.part.clear()
            raise transfer.SourceError(
                f"the server sent more than the {self.remote.size} bytes of the file"
            )
