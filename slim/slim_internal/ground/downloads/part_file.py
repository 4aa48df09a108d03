"""A file on its way: `<name>.part`, and beside it what is known of the version it belongs to.

A process that writes a part file has it locked; a second process waits and then finds the finished
file. Two writers on a file system that grants every lock still cannot tear the file: each writes
the bytes of one version of it at their own offsets, so that they write the same.
"""

import contextlib
import dataclasses
import errno
import os
import stat
from collections.abc import Iterator

from slim_internal.ground.errors.escaping import escaped
from slim_internal.ground.files import atomic, json_objects, locks, space


@dataclasses.dataclass(frozen=True)
class Version:
    """What a server says of a file.

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

    @classmethod
    def from_json(cls, fields: dict) -> "Version":
        """Returns the version that a description beside a part file holds.

        Raises:
          DamageError: It is not one of ours.
        """
        version = json_objects.build(cls, fields)
        texts = (
            version.url,
            version.etag or "",
            version.last_modified or "",
            version.encoding or "",
        )
        if any(escaped(text) != text for text in texts):
            raise json_objects.DamageError("not a text of one line")
        if version.size is not None and version.size < 0:
            raise json_objects.DamageError("not a size")
        return version


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
        with space.write_errors_explained(self._sidecar):
            self.clear()
            atomic.write_json(self._sidecar, dataclasses.asdict(version))
        self.version, self.spliced = version, False

    def write(self, chunk: bytes) -> None:
        """Adds bytes at the end.

        Raises:
          UserError: The disk is full; what was written stays for a later run.
        """
        view = memoryview(chunk)
        with space.write_errors_explained(self.path):
            while view:
                written = os.pwrite(self._descriptor, view, self.length)
                self.length += written
                view = view[written:]

    def publish(self, contents: str) -> None:
        """Gives its bytes (at `path` or `decoded`) the final name, once they are safely on disk."""
        with space.write_errors_explained(contents):
            atomic.publish(contents, self._final_path)
        self.discard()

    def discard(self) -> None:
        """Removes the file and all that stands beside it."""
        remove_remains(self._final_path)

    def _read_sidecar(self) -> Version | None:
        try:
            return Version.from_json(json_objects.read(self._sidecar))
        except (FileNotFoundError, json_objects.DamageError):
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
    with locks.wait(part_path(final_path), _open) as descriptor:
        yield PartFile(final_path, descriptor)


def _open(path: str) -> int:
    # Its bytes will be overwritten: they must not be those of another file that a link leads to.
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "something else than a file has that name; move it away")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
