"""The examples of a split that rank highest in something, few enough to be shown."""

import contextlib
import dataclasses
import heapq
from collections.abc import Sequence

from datasets.storage.layout import Layout
from slim_internal.parts.reports import stored_example, thumbnail
from slim_internal.parts.reports.thumbnail import Thumbnail


@dataclasses.dataclass(frozen=True, order=True)
class Answer:
    """What a network said of an example.

    Attributes:
      rank: The higher, the more it tells.
      number: Place of the example in the split, counted backwards from 0: ties go to the first.
      label: Its class.
      predicted: The most likely class.
      confidence: Probability of that class, 0..1.
      record: The serialized example.
    """

    rank: float
    number: int
    label: int
    predicted: int
    confidence: float
    record: bytes = dataclasses.field(compare=False)

    def thumbnail(self, class_names: Sequence[str], layout: Layout | None) -> Thumbnail:
        """Returns it as it is shown; raises `DamageError` if Pillow cannot read the image."""
        example = stored_example.parse(self.record, layout)
        label, predicted = class_names[self.label], class_names[self.predicted]
        name = label if label == predicted else f"{predicted}, labeled {label}"
        place = example.filename or f"example {-self.number}"
        with stored_example.open_image(example.encoded) as image:
            return thumbnail.make(image, name, f"{self.confidence:.1%} · {place}", place)


class KeptExamples:
    """Keeps the highest ranks of all that is offered.

    Args:
      count: How many to keep.
      layout: Where the parts of an example stand, if not where this library puts them.
    """

    def __init__(self, count: int, layout: Layout | None = None):
        self._count = count
        self._layout = layout
        self._kept: list[Answer] = []

    def offer(self, answer: Answer) -> None:
        """Keeps an answer if it ranks among the highest so far."""
        if len(self._kept) < self._count:
            heapq.heappush(self._kept, answer)
        elif answer.rank > self._kept[0].rank:
            heapq.heapreplace(self._kept, answer)

    def answers(self) -> list[Answer]:
        """Returns what was kept, the highest rank first."""
        return sorted(self._kept, reverse=True)

    def thumbnails(
        self, class_names: Sequence[str], answers: Sequence[Answer] | None = None
    ) -> list[Thumbnail]:
        """Returns answers as they are shown; images that cannot be read are left out.

        Args:
          class_names: Name of each class.
          answers: Which of those that were kept; all unless given.
        """
        shown = []
        for answer in self.answers() if answers is None else answers:
            with contextlib.suppress(stored_example.DamageError):
                shown.append(answer.thumbnail(class_names, self._layout))
        return shown
