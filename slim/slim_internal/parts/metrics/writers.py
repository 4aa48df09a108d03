"""Where results go: one interface, and several writers at once."""

import abc
import contextlib
from collections.abc import Sequence

from slim_internal.parts.metrics.metric import Value


class Writer(contextlib.AbstractContextManager, abc.ABC):
    """Writes results to one place; leaves out those that have no name there."""

    @abc.abstractmethod
    def write(self, step: int, values: Sequence[Value]) -> None:
        """Writes results.

        Args:
          step: The training step that they belong to.
          values: The results.
        """

    def close(self) -> None:  # Most writers have nothing to close.
        """Ends the writing; everything is on the disk then."""

    def __exit__(self, *_) -> None:
        self.close()


class Several(Writer):
    """Hands everything to several writers, in their order."""

    def __init__(self, *writers: Writer):
        self._writers = writers

    def write(self, step: int, values: Sequence[Value]) -> None:
        """Writes with each of them."""
        for writer in self._writers:
            writer.write(step, values)

    def close(self) -> None:
        """Closes each of them."""
        with contextlib.ExitStack() as stack:  # All are closed, even if one of them fails.
            for writer in self._writers:
                stack.callback(writer.close)
