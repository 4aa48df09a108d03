"""A file or folder for one process at a time.

`wait` waits for a process that has it, `refuse` does not. The lock ends with the process, however
that ends, and leaves nothing behind. Some network file systems know no locks, or grant every one;
whoever uses this says why that does no harm there.
"""

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator

from slim_internal.ground import errors

_LOG = logging.getLogger(__name__)

_GLANCE_SECONDS = 0.1
_FOLDER_IS_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def wait(path: str, opener: Callable[[str], int]) -> Iterator[int]:
    """Opens a path for this process alone, waiting for another that has it.

    Args:
      path: The file or folder; folders above it are made.
      opener: Makes and opens it; returns the descriptor.

    Raises:
      UserError: It cannot be made.
    """
    while True:
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            descriptor = opener(path)
        except OSError as error:
            # The file is ours, the folder is the user's.
            place = (os.path.dirname(path) or ".") if error.errno in _FOLDER_IS_CLOSED else path
            raise errors.UserError(f"Cannot write to {place}: {error.strerror}.") from error
        try:
            if not _locked(descriptor, path):
                _LOG.warning("Another process is writing %s; waiting for it.", path)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The process that was waited for may have renamed or removed this very file.
            if _is_still(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def refuse(folder: str | os.PathLike, busy: str) -> Iterator[None]:
    """Keeps a folder for this process alone; one that another process has is refused.

    Args:
      folder: The folder, which exists.
      busy: The message if another process has it.

    Raises:
      UserError: Another process has it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not _locked(descriptor, os.fspath(folder)):
            time.sleep(_GLANCE_SECONDS)  # It may have been the glance of `is_held`.
            if not _locked(descriptor, os.fspath(folder)):
                raise errors.UserError(busy)
        yield
    finally:
        os.close(descriptor)


def is_held(folder: str | os.PathLike) -> bool:
    """Returns whether another process keeps a folder for itself; never where locks are unknown."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _locked(descriptor: int, path: str) -> bool:
    """Locks without waiting; returns whether no other process has the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        _LOG.info("%s cannot be locked: %s", path, error)
    return True


def _is_still(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
