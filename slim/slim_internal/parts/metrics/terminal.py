"""Results on the terminal, one line each."""

from collections.abc import Callable, Sequence

from slim_internal.parts.metrics.metric import Value
from slim_internal.parts.metrics.writers import Writer


class Terminal(Writer):
    """Prints each result that has a label as a line: label, then value."""

    def __init__(self, line: Callable[[str], object] = print):
        """Prints through a function.

        Args:
          line: Takes one line without its end.
        """
        self._line = line

    def write(self, step: int, values: Sequence[Value]) -> None:
        """Prints the values that have a label."""
        shown = [value for value in values if value.label]
        width = max((len(value.label) for value in shown), default=0)
        for value in shown:
            text = f"{value.value:.4f}" if isinstance(value.value, float) else value.value
            self._line(f"{value.label:{width}} {text}")
