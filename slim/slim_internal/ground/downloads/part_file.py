"""A file on its way: `<name>.part`, and beside it what is known of the version it belongs to.

A process that writes a part file has it locked; a second process waits and then finds the finished
file. Two writers on a file system that grants every lock still cannot tear the file: each writes
the bytes of one version of it at their own offsets, so that they write the same.
"""

import contextlib
import dataclasses
import errno
import json
import os
import stat
from collections.abc import Iterator

from slim_internal.ground import errors
from slim_internal.ground.files import locks
from slim_internal.ground.progress import human_bytes

# How the system says that a disk is full, or that the user may have no more of it.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclasses.dataclass(frozen=True)
class Version:
    """What a server says of a file; two answers that agree belong to the same bytes.

    Attributes:
      url: Where it was asked for, without anything secret.
      size: Length of the whole file in bytes.
      etag: The server's name for this version of it.
      last_modified: When the server's file last changed.
      encoding: The Content-Encoding its bytes were sent in, although none was asked for.
    """

    url: str
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    encoding: str | None = None

    def agrees_with(self, other: "Version") -> bool:
        """Whether bytes of both may stand in one file."""
        if (self.url, self.encoding) != (other.url, other.encoding):
            return False
        if (self.etag, self.last_modified) != (other.etag, other.last_modified):
            return False
        if None not in (self.size, other.size):
            return self.size == other.size
        return self.etag is not None or self.last_modified is not None


class PartFile:
    """The open part file of a path; use `claim` to get one.

    Attributes:
      path: Where it is.
      version: The version its bytes belong to, or None while it has none.
      length: How many bytes of that version it holds.
      spliced: Whether its bytes came from more than one answer of the server.
      decoded: Path for its contents without the encoding that the server put on them.
    """

    def __init__(self, final_path: str, descriptor: int):
        self._final_path = final_path
        self.path, self.decoded, self._sidecar = _paths(final_path)
        self._descriptor = descriptor
        self.version = self._read_sidecar()
        self.length = os.fstat(descriptor).st_size if self.version else 0
        self.spliced = False

    def clear(self) -> None:
        """Forgets all bytes."""
        # The description goes first: bytes without one are never trusted.
        _remove(self._sidecar, self.decoded)
        os.ftruncate(self._descriptor, 0)
        self.version, self.length = None, 0

    def begin(self, version: Version) -> None:
        """Forgets all bytes; those that follow belong to `version`."""
        with explain_write_errors(self._sidecar):
            self.clear()
            replace_json(self._sidecar, dataclasses.asdict(version))
        self.version, self.spliced = version, False

    def write(self, chunk: bytes) -> None:
        """Adds bytes at the end.

        Raises:
          UserError: The disk is full; what was written stays for a later run.
        """
        view = memoryview(chunk)
        with explain_write_errors(self.path):
            while view:
                written = os.pwrite(self._descriptor, view, self.length)
                self.length += written
                view = view[written:]

    def publish(self, contents: str) -> None:
        """Gives its bytes (at `path` or `decoded`) the final name, once they are safely on disk."""
        with explain_write_errors(contents):
            _sync(contents)
            os.replace(contents, self._final_path)
        self.discard()

    def discard(self) -> None:
        """Removes the file and all that stands beside it."""
        remove_remains(self._final_path)

    def _read_sidecar(self) -> Version | None:
        try:
            with open(self._sidecar, encoding="utf-8") as file:
                return Version(**json.load(file))
        except (OSError, ValueError, TypeError):
            return None  # Missing or damaged: the bytes cannot be trusted, start again.


def part_path(final_path: str) -> str:
    """Returns the path of the part file of a path."""
    return final_path + ".part"


def remains(final_path: str) -> bool:
    """Returns whether a run that was killed left a part file with its description."""
    _, _, sidecar = _paths(final_path)
    return os.path.exists(sidecar)


def remove_remains(final_path: str) -> None:
    """Removes the part file of a path and all that stands beside it, the description last."""
    path, decoded, sidecar = _paths(final_path)
    _remove(path, decoded, sidecar)


def _paths(final_path: str) -> tuple[str, str, str]:
    """Returns where the part file of a path is, its decoded contents and its description."""
    path = part_path(final_path)
    return path, path + ".decoded", path + ".json"


def _remove(*paths: str) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


@contextlib.contextmanager
def claim(final_path: str) -> Iterator[PartFile]:
    """Opens the part file of a path for this process alone, waiting for another that has it.

    Raises:
      UserError: The folder cannot be written.
    """
    with locks.exclusive(part_path(final_path), _open) as descriptor:
        yield PartFile(final_path, descriptor)


@contextlib.contextmanager
def explain_write_errors(path: str) -> Iterator[None]:
    """Turns the operating system's refusal to write into a `UserError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise errors.UserError(f"Cannot write {path}: {error.strerror}.") from error
        raise errors.UserError(
            f"The disk is full: {path} could not be written ({error.strerror}). "
            "Free some space and run the same command again."
        ) from error


def check_free_space(directory: str, needed: int) -> None:
    """Raises a `UserError` unless `needed` bytes fit on the disk of a folder."""
    info = os.statvfs(directory)
    free = info.f_bavail * info.f_frsize
    if needed > free:
        raise errors.UserError(
            f"Too little space in {directory}: {human_bytes(needed)} are needed, "
            f"{human_bytes(free)} are free."
        )


def replace_json(path: str, content: dict) -> None:
    """Writes a small JSON file, whole or not at all.

    What a killed run leaves of it is overwritten by the next. Of two processes that write the same
    at once, one finds it done.
    """
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, sort_keys=True)
            file.write("\n")
        with contextlib.suppress(FileNotFoundError):
            os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _open(path: str) -> int:
    # Its bytes will be overwritten: they must not be those of another file that a link leads to.
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "something else than a file has that name; move it away")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
