"""A program whose memory is limited runs in a child process, so that its death has a word.

TensorFlow's threads do not survive an allocation that fails: the process aborts, jumps into
nowhere, or the C library ends it with 127. Nothing within it can say why; its parent can.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys

from slim_internal.ground.progress import human_bytes

# How a process ends that gets no memory; glibc exits so if it has none for the data of a thread.
_DEATHS = (signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGKILL, signal.SIGSEGV)
_EXIT_WITHOUT_WORD = 127
_PR_SET_PDEATHSIG = 1


def run_in_child() -> None:
    """Returns in a child process if memory is limited, at once if it is not.

    The parent waits for the child, explains its death, and exits as it did. It must be called
    before there are threads.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    child = os.fork()
    if not child:
        _end_with(parent)
        if "--verbose" not in sys.argv:
            _set_chatter_aside()
        return
    os._exit(_wait(child, limit))


def _wait(child: int, limit: int) -> int:
    """Returns the exit code of the child, whose terminal has the same Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _signal(child))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == _EXIT_WITHOUT_WORD or -code in _DEATHS:
        print(
            f"error: Out of memory: ulimit -v allows {human_bytes(limit)}. Raise it, or use a"
            " smaller --batch_size, smaller images or fewer workers.",
            file=sys.stderr,
            flush=True,
        )
        return 1
    return 128 - code if code < 0 else code


def _signal(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)


def _end_with(parent: int) -> None:
    """Lets this process end when its parent is killed, where the system knows a way."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _set_chatter_aside() -> None:
    """Keeps what libraries write when they die from the terminal; Python still writes to it."""
    terminal = os.dup(2)
    os.set_inheritable(terminal, True)
    sys.stderr = open(terminal, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
