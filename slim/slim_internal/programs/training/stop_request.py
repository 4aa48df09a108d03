"""Turns the first Ctrl-C, SIGTERM or SIGXCPU into a request to stop; obeys the second at once.

`timeout` and some terminals send a signal to a process and again to its group: what comes within a
second of the first is taken for the same one.
"""

import contextlib
import logging
import os
import signal
import socket
import threading
import time

_LOG = logging.getLogger(__name__)

_SAME_SECONDS = 1.0
# The last one comes when the soft limit of CPU time is reached, and with every second after that.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGXCPU)


class StopRequest(contextlib.AbstractContextManager):
    """Listens for signals while the `with` block runs. Use it in the main thread.

    Python calls signal handlers between two of its own instructions, which is after a step of
    TensorFlow has ended. A thread that reads the numbers of the signals hears the second one in
    time as well.

    Attributes:
      signal_number: The first signal that came, or None.
    """

    def __init__(self):
        self.signal_number: int | None = None
        self._reader, self._writer = socket.socketpair()
        self._previous = {}

    def __enter__(self):
        self._writer.setblocking(False)
        self._previous_fd = signal.set_wakeup_fd(self._writer.fileno())
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, lambda *_: None)
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_fd)
        self._writer.close()  # Ends the thread.

    @property
    def exit_code(self) -> int:
        """128 + the number of the signal, as shells report it; 0 without a signal."""
        return 128 + self.signal_number if self.signal_number else 0

    def _listen(self):
        first = 0.0
        while number := self._reader.recv(1):
            if self.signal_number is not None:
                if number[0] == signal.SIGXCPU or time.monotonic() - first < _SAME_SECONDS:
                    continue
                os._exit(128 + number[0])
            first = time.monotonic()
            self.signal_number = number[0]
            _LOG.info(
                "%s: finishing the step and saving; send it again to exit at once.",
                signal.Signals(number[0]).name,
            )
        self._reader.close()
