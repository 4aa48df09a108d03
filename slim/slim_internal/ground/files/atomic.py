"""Writing files whole or not at all.

A file grows under a temporary name beside its place, `.<name>.<process>.partial`, and takes its
final name when all of it is on the disk: contents and folder are synchronized, so that a power cut
leaves the old file or the new one. A writer that is killed leaves its temporary file; the next
writer of the same name removes it, and `remove_unfinished` all of a folder's.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import stat
from collections.abc import Iterable, Mapping
from typing import Any

from slim_internal.ground.errors import UserError

SUFFIX = ".partial"
_PARTIAL = re.compile(rf"\.(.+)\.\d+(\.\w+)?{re.escape(SUFFIX)}", re.DOTALL)
# File systems allow 255 bytes in a name; process and suffix need their part of them.
_LONGEST_NAME = 200

Path = str | os.PathLike


class AtomicFile:
    """A file that grows, and appears under its name when it is closed without an error.

    with AtomicFile(path) as file:
        file.write(b"...")

    Leaving the block by an exception leaves no file behind. A link at `path` is replaced, not
    followed.

    Attributes:
      path: The final path.
      size: Bytes written so far.
    """

    def __init__(self, path: Path):
        self.path = os.fspath(path)
        self.size = 0
        require_replaceable(self.path)
        _remove_abandoned(self.path)
        self._partial = partial_path(self.path)
        self._file = open(open_alone(self._partial), "wb")  # noqa: SIM115  # Until the end.
        self._synced = False

    def write(self, data: bytes) -> int:
        """Appends bytes and returns their number."""
        self._file.write(data)
        self.size += len(data)
        return len(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Appends several pieces."""
        for piece in pieces:
            self.write(piece)

    def sync(self) -> None:
        """Brings everything to the disk, still under the temporary name.

        Raises:
          UserError: The file system took the bytes without an error and did not keep them all.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        kept = os.fstat(self._file.fileno()).st_size
        if kept != self.size:
            raise UserError(
                f"Cannot write to {self.path}: of {self.size} bytes written, {kept} are there."
            )
        self._synced = True

    def publish(self) -> None:
        """Gives the file its final name; afterwards nothing more can be written."""
        if not self._synced:
            self.sync()
        os.replace(self._partial, self.path)
        self._file.close()
        sync_folder(os.path.dirname(self.path))

    def discard(self) -> None:
        """Removes what was written so far; does nothing once the file is published."""
        if self._file.closed:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._partial)
        with contextlib.suppress(OSError):  # On a full disk, that of the bytes still buffered.
            self._file.close()

    def __enter__(self) -> "AtomicFile":
        return self

    def __exit__(self, error_type, error, trace) -> None:
        try:
            if error_type is None:
                self.publish()
        finally:
            self.discard()


def write(path: Path, content: bytes | str) -> None:
    """Writes one file; text as UTF-8, in which names that are no UTF-8 survive."""
    write_all({path: content})


def write_json(path: Path, content: Any) -> None:
    """Writes plain values as a JSON file."""
    write(path, json_text(content))


def json_text(content: Any) -> str:
    """Returns plain values as `write_json` writes them."""
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def write_all(contents: Mapping[Any, bytes | str]) -> None:
    """Writes files that belong together: none is replaced before all of them are on the disk.

    Args:
      contents: Path -> content; they get their names in this order.
    """
    with contextlib.ExitStack() as stack:
        files = []
        for path, content in contents.items():
            file = AtomicFile(path)
            stack.callback(file.discard)
            files.append(file)
            file.write(_encoded(content))
            file.sync()
        for file in files:
            file.publish()


def write_output(path: Path, content: bytes | str) -> None:
    """Writes a file that the user named; a link, a pipe or a device is written through."""
    if os.path.islink(path) or (os.path.exists(path) and not os.path.isfile(path)):
        with open(path, "wb") as file:
            file.write(_encoded(content))
    else:
        write(path, content)


def publish(contents: Path, path: Path) -> None:
    """Gives a file that is complete, in whatever way it was written, its final name."""
    require_replaceable(path)
    descriptor = os.open(contents, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(contents, path)
    sync_folder(os.path.dirname(path))


def partial_path(path: Path) -> str:
    """Returns the temporary path of a file that this process is writing."""
    folder, name = os.path.split(os.fspath(path))
    return os.path.join(folder, f".{_shortened(name)}.{os.getpid()}{SUFFIX}")


def is_temporary(path: object) -> bool:
    """Returns whether something is the temporary path of a file that is being written."""
    return isinstance(path, str) and meant_by(path) != path


def meant_by(path: Path) -> str:
    """Returns the final path of what is written under a temporary one; any other as it is."""
    folder, name = os.path.split(os.fspath(path))
    match = _PARTIAL.fullmatch(name)
    return os.path.join(folder, match[1]) if match else os.fspath(path)


def unfinished(folder: Path) -> list[str]:
    """Returns the names of the files that are being written, or were when a writer was killed."""
    hidden = sorted(path.name for path in _partials(folder))
    return [os.path.basename(meant_by(name)) for name in hidden]


def remove_unfinished(folder: Path) -> None:
    """Removes what writers left in a folder that the caller has to itself."""
    for path in _partials(folder):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk, where its file system has a way to."""
    with contextlib.suppress(OSError):
        descriptor = os.open(os.fspath(folder) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _encoded(content: bytes | str) -> bytes:
    return content.encode(errors="surrogateescape") if isinstance(content, str) else content


def _shortened(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:_LONGEST_NAME])


def _partials(folder: Path) -> list[pathlib.Path]:
    return list(pathlib.Path(folder).glob(f".*{SUFFIX}"))


def require_replaceable(path: Path) -> None:
    """Requires that nothing stands at a path, or a file or link; a device must not be replaced.

    Raises:
      UserError: If something else stands there.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise UserError(f"Cannot write to {path}: it is not a regular file.")


def open_alone(partial: str) -> int:
    """Opens an empty temporary file and locks it: others see by that that its writer is alive."""
    while True:
        # A link of that name must not lead to another file.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(partial, flags, 0o666)
        with contextlib.suppress(OSError):  # Some network file systems know no locks.
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # Another thread may write the same file.
        # Meanwhile it may have been published, or taken for abandoned.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.lstat(partial), os.fstat(descriptor)):
                os.ftruncate(descriptor, 0)
                return descriptor
        os.close(descriptor)


def _remove_abandoned(path: str) -> None:
    """Removes what killed writers of a path left: nobody has it locked, and its process is gone.

    Both, for some network file systems grant every lock, and processes elsewhere are not seen.
    """
    folder, name = os.path.split(path)
    start = f".{_shortened(name)}."
    for partial in _partials(folder):
        process = partial.name[len(start) : -len(SUFFIX)]
        if partial.name.startswith(start) and process.isdecimal() and not _is_alive(int(process)):
            with contextlib.suppress(OSError):
                _remove_unlocked(partial)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def _remove_unlocked(partial: pathlib.Path) -> None:
    descriptor = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        partial.unlink()
    finally:
        os.close(descriptor)
