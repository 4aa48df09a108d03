"""A program under a low limit of the shell runs in a child process, so that its death has a word.

TensorFlow's threads do not survive an allocation, or a thread, that they do not get: the process
aborts, jumps into nowhere, or the C library ends it with 127. At its limit of CPU time the system
kills it. Nothing within it can say why; its parent can.
"""

import contextlib
import ctypes
import dataclasses
import os
import resource
import signal
import sys
from collections.abc import Callable

from slim_internal.ground.progress import human_bytes

# How a process ends that gets no memory, no thread or no time.
_DEATHS = (
    *(signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGKILL, signal.SIGSEGV),
    signal.SIGXCPU,
)
_EXIT_WITHOUT_WORD = 127  # That of glibc, where it has no memory for the data of a thread.
_PR_SET_PDEATHSIG = 1
_SECONDS_TO_SPARE = 1


@dataclasses.dataclass(frozen=True)
class _Limit:
    """A limit under which programs die without a word.

    Attributes:
      number: The resource.
      harmless: From this value on it does no harm.
      words: What is said of it where a program died of it, with the value in its place.
      shown: How its value is shown.
    """

    number: int
    harmless: int
    words: str
    shown: Callable[[int], str] = str

    @property
    def value(self) -> int:
        """What the shell set it to."""
        return resource.getrlimit(self.number)[0]

    @property
    def is_low(self) -> bool:
        """Whether a program may die of it."""
        return self.value != resource.RLIM_INFINITY and self.value < self.harmless

    def __str__(self):
        return self.words.format(self.shown(self.value))


_CPU_TIME = _Limit(
    resource.RLIMIT_CPU,
    sys.maxsize,
    "Out of CPU time: ulimit -t allows {} s. Raise it: ulimit -t unlimited.",
)
# In the order in which they are looked at.
_LIMITS = (
    _Limit(
        resource.RLIMIT_AS,
        sys.maxsize,
        "Out of memory: ulimit -v allows {}. Raise it, or use a smaller --batch_size, smaller"
        " images or fewer workers.",
        human_bytes,
    ),
    _Limit(
        resource.RLIMIT_STACK,
        1 << 20,
        "Too small a stack: ulimit -s allows {}. Raise it: ulimit -s 8192.",
        human_bytes,
    ),
    _Limit(
        resource.RLIMIT_NPROC,
        1 << 11,
        "Too few threads: ulimit -u allows {}, those of your other programs counted. Raise it:"
        " ulimit -u 4096.",
    ),
)


def run_in_child() -> None:
    """Returns in a child process if a limit is low, at once if none is.

    The parent waits for the child, explains its death, and exits as it did. It must be called
    before there are threads.
    """
    low = [limit for limit in (_CPU_TIME, *_LIMITS) if limit.is_low]
    if not low:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    try:
        child = os.fork()
    except BlockingIOError:  # Not even that is allowed; the program will say so itself.
        return
    if not child:
        _end_with(parent)
        if "--verbose" not in sys.argv:
            _set_chatter_aside()
        return
    os._exit(_wait(child, low))


def _wait(child: int, low: list[_Limit]) -> int:
    """Returns the exit code of the child, whose terminal has the same Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _signal(child))
    _, status, used = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    is_late = used.ru_utime + used.ru_stime >= _CPU_TIME.value - _SECONDS_TO_SPARE
    causes = [limit for limit in low if is_late or limit is not _CPU_TIME]
    if causes and (code == _EXIT_WITHOUT_WORD or -code in _DEATHS):
        print(f"error: {causes[0]}", file=sys.stderr, flush=True)
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
