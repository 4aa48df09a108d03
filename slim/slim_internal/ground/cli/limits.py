"""Limits of the shell under which TensorFlow cannot be loaded, in words."""

import contextlib
import errno
import os
import resource
from collections.abc import Iterator

from slim_internal.ground.errors import UserError
from slim_internal.ground.progress import human_bytes

# Below it, loading fails in changing ways, or never ends; measured on Linux.
_TENSORFLOW = 1536 << 20
_NO_THREAD = "can't start new thread"
_OUT_OF_MEMORY = (
    *("cannot allocate memory", "failed to map segment", "returned null without"),
    # What Python says where a library of C failed and could not even say so.
    "error return without exception",
    *(_NO_THREAD, "bad_alloc", "bad alloc", "memoryerror"),
)


def require_room_for_tensorflow() -> None:
    """Requires that TensorFlow's libraries may be mapped into memory.

    Raises:
      UserError: `ulimit -v` allows too little.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if _is_limited() and limit < _TENSORFLOW:
        raise UserError(
            f"TensorFlow needs at least {human_bytes(_TENSORFLOW)} of address space; ulimit -v"
            f" allows {human_bytes(limit)}. Raise it: ulimit -v unlimited."
        )


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether Python or a library says that it gets no more memory, or no more threads."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(text in said for text in _OUT_OF_MEMORY)


def shortage(error: Exception) -> str:
    """Returns what is lacking where `is_out_of_memory`, and what helps."""
    if _NO_THREAD not in str(error).lower():
        return "Out of memory. A smaller --batch_size or smaller images take less."
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    allowed = "" if limit == resource.RLIM_INFINITY else f" (ulimit -u allows {limit})"
    return (
        f"The system starts no more threads{allowed}. End other programs, or raise the limit:"
        " ulimit -u 4096."
    )


def _is_limited() -> bool:
    """Returns whether memory is limited; imports then fail in the oddest ways."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return limit != resource.RLIM_INFINITY


@contextlib.contextmanager
def loading_explained() -> Iterator[None]:
    """Turns an import that fails for want of memory or descriptors into one line.

    Raises:
      UserError: Instead of that failure.
    """
    try:
        yield
    except Exception as error:
        said = str(error)
        if os.strerror(errno.EMFILE) in said:
            files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            raise UserError(
                f"Too many open files: ulimit -n allows {files}. Raise it: ulimit -n 1024."
            ) from error
        unclear = _is_limited() and not isinstance(error, ModuleNotFoundError)
        if unclear or is_out_of_memory(error):
            raise UserError(
                "Too little memory to load TensorFlow. End other programs, or raise ulimit -v."
            ) from error
        raise
