"""Unpacking archives that may be damaged or hostile, completely or not at all.

Members are regular files and folders with plain relative names, or the archive is refused: no
links, devices or pipes, no absolute names, no "..", no two names that are one on some file system.
Everything goes into `<directory>.incomplete`, which gets its final name at the end.
"""

import contextlib
import dataclasses
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from slim_internal.ground import errors
from slim_internal.ground.files import locks, space

# No header that describes a member is longer; what asks for more wants to fill the memory.
_LONGEST_HEADER = 64 << 10
_CHUNK = _LONGEST_HEADER
# What may follow the end marker of a tar: programs pad their output to large records.
_LONGEST_PADDING = 16 << 20
_END_MARKER = bytes(tarfile.BLOCKSIZE)
# A member needs two or three headers, and archives have one for all members.
_MOST_HEADERS = 16
_MOST_SHARED_RECORDS = 1000
_LONGEST_NAME = 1024  # Bytes.
_DEEPEST = 64
# The end of a zip: signature, 6 bytes, number of members, bytes and place of their list, and a
# comment.
_ZIP_END = struct.Struct("<4s6xHII2x")
# The end of one that may be large stands before it: signature, 28 bytes, number of members, bytes
# and place of their list; and between them so many bytes that say where.
_ZIP64_END = struct.Struct("<4s28xQQ8x")
_ZIP64_LOCATOR = 20
_LONGEST_COMMENT = (1 << 16) - 1
_LONGEST_ZIP_LIST = 64 << 20
_TAR_KINDS = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)
_ZIP_KINDS = (0, stat.S_IFREG, stat.S_IFDIR)


class _RefusedError(Exception):
    """Why an archive cannot be unpacked."""


def extract(
    archive_path: str | os.PathLike,
    directory: str | os.PathLike,
    *,
    max_members: int = 10_000,
    max_bytes: int = 2 << 30,
) -> str:
    """Unpacks a tar, a tar.gz or a zip into a folder of its own and returns that folder.

    Args:
      archive_path: The archive; what it is tells its content, not its name.
      directory: The folder to make; it may exist if it is empty.
      max_members: The most files and folders it may hold.
      max_bytes: The most bytes its files may have together.

    Raises:
      errors.UserError: The archive is damaged, too large or not harmless, or there is no space.
        Nothing stands under `directory` then.
    """
    archive_path, directory = os.fspath(archive_path), os.fspath(directory).rstrip("/")
    incomplete = directory + ".incomplete"
    if not os.path.isfile(archive_path):
        raise errors.UserError(f"There is no archive {archive_path}.")
    with locks.wait(incomplete, _open_folder):
        _refuse_filled(directory)
        _empty(incomplete)  # Of what an earlier run left that was killed.
        try:
            with space.write_errors_explained(incomplete):
                _unpack(archive_path, incomplete, _Limits(max_members, max_bytes))
                os.rename(incomplete, directory)
        except BaseException as error:
            shutil.rmtree(incomplete, ignore_errors=True)
            if isinstance(error, _RefusedError):
                raise errors.UserError(f"{archive_path} cannot be unpacked: {error}.") from error
            raise
    return directory


@dataclasses.dataclass
class _Limits:
    """How much an archive may still hold, and the names it has used.

    Attributes:
      members: How many more members are allowed.
      bytes: How many more bytes are allowed.
      names: The members so far: name as a file system that folds case sees it -> (name, whether
        it is a folder).
    """

    members: int
    bytes: int
    names: dict[str, tuple[str, bool]] = dataclasses.field(default_factory=dict)

    def admit(self, name: str, size: int, is_folder: bool) -> str:
        """Returns the plain form of the name of a member, or raises `_RefusedError`."""
        self.bytes -= size
        if self.bytes < 0:
            raise _RefusedError(f"with its member {name!r} it is larger than is allowed for it")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if len(name.encode(errors="replace")) > _LONGEST_NAME or len(parts) > _DEEPEST:
            raise _RefusedError(f"its member {name[:50]!r}... has too long a name")
        if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise _RefusedError(f"its member {name!r} points outside the folder")
        if not parts and not is_folder:
            raise _RefusedError(f"its member {name!r} has no name")
        for end in range(1, len(parts)):
            self._count(self._enter(parts[:end], True))  # It is made, though not listed.
        if parts:
            self._enter(parts, is_folder)
        self._count(1)
        return "/".join(parts)

    def _count(self, members: int) -> None:
        self.members -= members
        if self.members < 0:
            raise _RefusedError("it holds more members than is allowed for it")

    def _enter(self, parts: list[str], is_folder: bool) -> bool:
        """Notes a name and returns whether it is new."""
        name = "/".join(parts)
        # Some file systems know neither case nor the two ways to write an accent.
        key = unicodedata.normalize("NFC", name).casefold()
        entry = (name, is_folder)
        known = self.names.setdefault(key, entry)
        repeated_folder = known == (name, True) and is_folder
        if known is not entry and not repeated_folder:
            raise _RefusedError(f"its members {known[0]!r} and {name!r} have the same place")
        return known is entry


class _GuardedFile:
    """The bytes of a tar for tarfile to read; damage and greed end the reading.

    Attributes:
      last: What the last reading gave. tarfile takes any damage between two members, and the end
        of the file, for the end of the archive; at a real end it has read a block of zeros.
      headers: How many headers were read since the last member.
    """

    def __init__(self, file: io.BufferedIOBase):
        self._file = file
        self.last = b""
        self.headers = 0
        self._kind: bytes | None = None  # Of the last header; None if a header is to be read.

    def expect_header(self) -> None:
        """Is told that the next bytes to be read are a header."""
        self.headers += 1
        if self.headers > _MOST_HEADERS:
            raise _RefusedError("one of its members has too many headers")
        self._kind = None

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise _RefusedError("one of its headers is too long")
        with _explain_damage():
            self.last = self._file.read(size)
        if self._kind is None:
            self._kind = self.last[156:157]
        elif self._kind == tarfile.GNUTYPE_LONGNAME and b"\0" in self.last.rstrip(b"\0"):
            raise _RefusedError("the name of one of its members holds a NUL")
        return self.last

    def expect_data(self) -> None:
        """Is told that a member is complete: what follows is what it holds."""
        self.headers = 0
        self._kind = b""

    def seek(self, position: int) -> int:
        with _explain_damage():
            return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()


class _Header(tarfile.TarInfo):
    """A header of a tar that is read from a `_GuardedFile`."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> "_Header":
        if len(tarfile.pax_headers) > _MOST_SHARED_RECORDS:
            raise _RefusedError("the headers for all of its members are too long")
        cast(_GuardedFile, tarfile.fileobj).expect_header()
        return super().fromtarfile(tarfile)


@contextlib.contextmanager
def _explain_damage() -> Iterator[None]:
    """Turns whatever reading an archive raises, and nothing that writing does, into a refusal."""
    try:
        yield
    except (EOFError, ValueError, OSError, zlib.error, lzma.LZMAError) as error:
        raise _RefusedError(f"it is damaged or cut short ({error})") from error


def _unpack(archive_path: str, directory: str, limits: _Limits) -> None:
    with open(archive_path, "rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic.startswith(b"PK"):
            _unpack_zip(file, directory, limits)
        elif magic.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file) as plain:
                _unpack_tar(plain, directory, limits)
        else:
            _unpack_tar(file, directory, limits)
    if not limits.names:
        raise _RefusedError("it is empty")


def _unpack_tar(file: io.BufferedIOBase, directory: str, limits: _Limits) -> None:
    guarded = _GuardedFile(file)
    try:
        source = cast(IO[bytes], guarded)
        with tarfile.open(fileobj=source, mode="r:", tarinfo=_Header) as archive:
            while member := archive.next():
                guarded.expect_data()
                archive.members = []  # type: ignore[attr-defined]  # They would be kept with all that their headers hold.
                if member.type not in _TAR_KINDS or member.issparse() or member.size < 0:
                    raise _RefusedError(f"its member {member.name!r} is no regular file or folder")
                name = limits.admit(member.name, member.size, member.isdir())
                _write(directory, name, archive.extractfile(member))
    except tarfile.TarError as error:
        raise _RefusedError(f"it is damaged or no tar, tar.gz or zip ({error})") from error
    except (OverflowError, RecursionError, ValueError) as error:
        raise _RefusedError("it is damaged (one of its headers makes no sense)") from error
    if guarded.last != _END_MARKER:
        raise _RefusedError("it is damaged or cut short (the end marker is missing)")
    # Only at its very end does a gzip file show whether it was whole.
    padding = 0
    while guarded.read(_LONGEST_HEADER):
        padding += len(guarded.last)
        if padding > _LONGEST_PADDING:
            raise _RefusedError("much follows its end marker")
        if guarded.last.strip(b"\0"):
            raise _RefusedError("it is damaged or cut short (its end marker stands in the middle)")


def _unpack_zip(file: BinaryIO, directory: str, limits: _Limits) -> None:
    expected = _count_zipped(file)
    if expected > limits.members:
        raise _RefusedError("it holds more members than is allowed for it")
    try:
        with zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) != expected:
                raise _RefusedError("it is damaged (the number of its members differs)")
            members = [(member, _admit_zipped(member, limits)) for member in archive.infolist()]
            for member, name in members:
                source = None if _is_folder(member) else _open_zipped(archive, member)
                if _write(directory, name, source) != member.file_size:
                    raise _RefusedError(f"it is damaged (the length of {name!r} differs)")
    except UnicodeDecodeError as error:
        raise _RefusedError("it is damaged (the name of a member is not UTF-8)") from error
    except (zipfile.BadZipFile, NotImplementedError, OverflowError, RuntimeError) as error:
        raise _RefusedError(f"it is damaged or encrypted ({error})") from error


def _count_zipped(file: BinaryIO) -> int:
    """Returns the number of members that the end of a zip tells."""
    size = file.seek(0, os.SEEK_END)
    ends = _ZIP64_END.size + _ZIP64_LOCATOR + _ZIP_END.size
    file.seek(max(0, size - _LONGEST_COMMENT - ends))
    tail = file.read()
    file.seek(0)
    place = tail.rfind(b"PK\5\6")
    if place < 0 or len(tail) - place < _ZIP_END.size:
        raise _RefusedError("it is damaged or truncated (its end is missing)")
    _, count, length, _ = _ZIP_END.unpack_from(tail, place)
    if place >= _ZIP64_LOCATOR and tail[place - _ZIP64_LOCATOR :].startswith(b"PK\6\7"):
        place -= _ZIP64_LOCATOR + _ZIP64_END.size
        if place < 0 or not tail[place:].startswith(b"PK\6\6"):
            raise _RefusedError("it is damaged (its end for large archives is missing)")
        _, count, length = _ZIP64_END.unpack_from(tail, place)
    if length > _LONGEST_ZIP_LIST:
        raise _RefusedError("its list of members is too long")
    return count


def _is_folder(member: zipfile.ZipInfo) -> bool:
    # `is_dir` does not expect an empty name.
    return member.orig_filename.endswith("/")


def _admit_zipped(member: zipfile.ZipInfo, limits: _Limits) -> str:
    if stat.S_IFMT(member.external_attr >> 16) not in _ZIP_KINDS:
        raise _RefusedError(f"its member {member.filename!r} is no regular file or folder")
    # The other name, `filename`, ends at the first NUL.
    return limits.admit(member.orig_filename, member.file_size, _is_folder(member))


def _open_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    with _explain_damage():
        return archive.open(member)


def _write(directory: str, name: str, source: IO[bytes] | None) -> int:
    """Writes a member, a folder if it has no source, and returns its length in bytes.

    Of its header nothing but the name counts.

    The filters of tarfile, which would keep owners and modes out too, are not in Python before
    3.11.4, and have holes before 3.11.13.
    """
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path) if source else path, exist_ok=True)
    if source:
        with source, open(path, "xb") as file:
            while chunk := _read(source):
                file.write(chunk)
            return file.tell()
    return 0


def _read(source: IO[bytes]) -> bytes:
    with _explain_damage():
        return source.read(_CHUNK)


def _open_folder(path: str) -> int:
    os.makedirs(path, exist_ok=True)
    # What it holds will be removed: that must not be what a link of this name leads to.
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _refuse_filled(directory: str) -> None:
    if os.path.isdir(directory) and not os.listdir(directory):
        return
    if os.path.lexists(directory):
        shutil.rmtree(directory + ".incomplete")
        raise errors.UserError(f"{directory} exists already; nothing was unpacked into it.")


def _empty(directory: str) -> None:
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
