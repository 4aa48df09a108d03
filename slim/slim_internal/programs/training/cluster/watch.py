"""Watches a process that waits for others: a thread beside the loop, for the loop itself is stuck.

A step of synchronous training ends only when the other workers have made theirs.
"""

import logging
import threading
import time
from collections.abc import Callable

from slim_internal.ground.cli import leaving
from slim_internal.programs.training import hooks

_LOG = logging.getLogger(__name__)

_PERIOD_SECS = 1.0
_STUCK_SECS = 10.0  # A step that lasts so long waits for somebody, once an end is wanted.
_REMIND_SECS = 60.0


class Watch(hooks.Hook):
    """Ends a process that is stuck in a step when that is called for, and says what it waits for.

    Args:
      news: Returns why training is over for all, as the others say ("" for a good end), else None.
      exit_code: Returns the code to end with once a signal asks this process to stop, else 0.
      save: Called with the number of steps made, before the process ends for a signal.
      whom: Returns in words whom a step waits for.
      leave: Called before the process ends in a step, when nothing else will tell the others.
    """

    def __init__(
        self,
        news: Callable[[], str | None],
        exit_code: Callable[[], int],
        save: Callable[[int], None],
        whom: Callable[[], str],
        leave: Callable[[], None],
    ):
        self._news = news
        self._exit_code = exit_code
        self._save = save
        self._whom = whom
        self._tell = leave
        self._step = 0
        self._since: float | None = None  # When the step began that is made now.
        self._closed = threading.Event()
        self.over: str | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def fetches(self, step):
        """Takes the time: a step begins."""
        self._step = step
        self._since = time.monotonic()
        return {}

    def after_step(self, step):
        """Takes note that the step has ended."""
        self._since = None

    def at_end(self, step):
        """Watches no longer."""
        self.close()

    def close(self):
        """Watches no longer."""
        self._closed.set()

    def _run(self) -> None:
        told = 0.0
        asked_since: float | None = None
        while not self._closed.wait(_PERIOD_SECS):
            self.over = self._news()
            since, now = self._since, time.monotonic()
            wanted = self.over is not None or self._exit_code()
            asked_since = (asked_since or now) if wanted else None
            if since is None or self._closed.is_set():
                continue
            if asked_since and now - max(since, asked_since) > _STUCK_SECS:
                self._leave()
            if now - since > _REMIND_SECS and now - told > _REMIND_SECS:
                _LOG.info(
                    "Step %d takes %d s: waiting for %s", self._step + 1, now - since, self._whom()
                )
                told = now

    def _leave(self) -> None:
        """Ends the process: the step that it is in will not end."""
        if self.over:
            _LOG.error("%s", self.over)
        elif self.over is not None:
            _LOG.info("Training is over; stopped at step %d.", self._step)
        else:
            _LOG.info("Step %d does not end: waiting for %s.", self._step + 1, self._whom())
            try:
                self._save(self._step)
            except Exception as error:  # Whatever it is: the process ends now.
                _LOG.error("%s", str(error).partition("\n")[0])
        self._tell()
        leaving.now(1 if self.over else self._exit_code())
