"""Files that are numbered parts of one whole, as `train-00002-of-00010` is."""

import os
import re
from collections.abc import Iterable, Iterator

PART = re.compile(r"^(?P<stem>.+?)[-_]?(?P<number>\d{1,9})-of-(?P<count>\d{1,9})(?:\.\w+)?$")
_SHOWN = 3
_MOST_PARTS = 100_000  # What names larger numbers is no part.


def missing(names: Iterable[str]) -> list[str]:
    """Returns the names of the parts that are not among files of these names."""
    return [
        template % f"{number:0{len(count)}d}"
        for (template, count), numbers in _series(names).items()
        for number in sorted(set(range(int(count))) - numbers)
    ]


def doubled(names: Iterable[str]) -> Iterator[str]:
    """Yields a sentence for each whole that is there in several numbers of parts."""
    counts: dict[str, set[int]] = {}
    for template, count in _series(names):
        counts.setdefault(template.replace(f"-of-{count}", ""), set()).add(int(count))
    for several in counts.values():
        if len(several) > 1:
            listed = " and ".join(map(str, sorted(several)))
            yield (
                f"Files of {listed} parts lie side by side: one dataset, written twice? Then every"
                " example counts twice. Remove those of one."
            )


def remarks(files: Iterable[str]) -> Iterator[str]:
    """Yields sentences about what the names of files say of others, missing or too many.

    Args:
      files: Paths of the files of one split.
    """
    names = [os.path.basename(file) for file in files]
    if absent := missing(names):
        number = "1 file is" if len(absent) == 1 else f"{len(absent)} files are"
        more = ", ..." if len(absent) > _SHOWN else ""
        yield f"By the names of the others {number} missing: {', '.join(absent[:_SHOWN])}{more}."
    yield from doubled(names)


def _series(names: Iterable[str]) -> dict[tuple[str, str], set[int]]:
    """Returns (name with %s for the number, number of parts) -> the numbers that are there."""
    series: dict[tuple[str, str], set[int]] = {}
    for match in filter(None, map(PART.match, names)):
        if int(match["number"]) < int(match["count"]) <= _MOST_PARTS:
            name, (start, end) = match.string, match.span("number")
            template = f"{name[:start].replace('%', '%%')}%s{name[end:].replace('%', '%%')}"
            series.setdefault((template, match["count"]), set()).add(int(match["number"]))
    return series
