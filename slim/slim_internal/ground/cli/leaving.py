"""How a program ends that has started a server of TensorFlow.

Such a process never ends by itself: stopping the server waits for the other processes. So it is
left hard, after everything is flushed and what is registered for the end of the program has run.
"""

import atexit
import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator

_asked = False


def leave_hard() -> None:
    """Asks for it; `hard_if_asked` does it."""
    global _asked  # One process, one way to end.
    _asked = True


def now(code: int) -> None:
    """Ends the process, everything flushed."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


@contextlib.contextmanager
def hard_if_asked() -> Iterator[None]:
    """Within it, the end of the program is the hard one, if somebody has asked for that."""
    try:
        yield
    except SystemExit as error:
        if _asked:
            atexit._run_exitfuncs()
            now(error.code if isinstance(error.code, int) else bool(error.code))
        raise
    except BaseException:
        if _asked:
            traceback.print_exc()
            now(1)
        raise
