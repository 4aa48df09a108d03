"""Measures input, training and inference beside other libraries, in one table.

    bazel run //tools/benchmarks:all
    bazel run //tools/benchmarks:all -- --only=input --json_file=speed.json --html_file=speed.html

Each group has a yardstick, its first row, which is measured in the same run: rounds alternate among
the rows, each row in a process of its own while the others wait. Shown are medians, the spread
(largest / smallest round), the median of the ratios to the yardstick, and the peak resident memory
of the row's largest process, its preparation included. Rows marked as recorded are not run: their
ratio to another row was measured once, on another processor. Libraries that are not installed are
named as such. Rates depend on the machine and on what else it does.
"""

import contextlib
import dataclasses
import logging
import multiprocessing
import os
import statistics
import warnings
from collections.abc import Sequence

from absl import flags

from slim_internal.ground import cli
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from slim_internal.parts.reports import page
from slim_internal.parts.reports import table as html_table
from tools.benchmarks import contenders, rates
from tools.benchmarks.groups import GROUPS, Contender, Recorded

_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 3, "Least seconds of a row in a round.")
_ONLY = flags.DEFINE_string("only", "", "Measure the groups alone whose names contain this.")
_JSON = flags.DEFINE_string("json_file", "", "Where to write the figures as JSON, too.")
_HTML = flags.DEFINE_string("html_file", "", "Where to write a page with bars, too.")

_LEAD = (
    "Medians of alternating rounds. Recorded ratios were measured once, on another processor. Peak:"
    " resident memory of the largest process of a row, its preparation included."
)

_STARTING_SECONDS = 900  # Of one contender, on a slow machine.
_ENDING_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What a row did.

    Attributes:
      group: Name of its group.
      name: Its own name.
      rates: Images a second, round by round; empty if it did not start.
      ratios: To the yardstick, round by round; empty if that did not start.
      problem: Why it did not start, or "".
      peak_mb: Peak resident memory of its largest process; None if it is not run.
      bar: Ratio that is aimed at.
      is_rival: Whether it is another library, which is to stay below the bar.
      against: Name of the row that the bar is about; the yardstick if empty.
      bar_ratios: To that row, round by round.
    """

    group: str
    name: str
    rates: Sequence[float] = ()
    ratios: Sequence[float] = ()
    problem: str = ""
    peak_mb: float | None = None
    bar: float | None = None
    is_rival: bool = False
    against: str = ""
    bar_ratios: Sequence[float] = ()

    def cells(self) -> tuple[str, ...]:
        """Returns what the table shows of it."""
        if self.problem:
            return self.name, self.problem, *[""] * (len(HEADINGS) - 2)
        rate = statistics.median(self.rates)
        return (
            self.name,
            f"{rate:,.1f}" if rate >= 10 else f"{rate:.3f}",
            f"{max(self.rates) / min(self.rates):.2f}",
            f"{statistics.median(self.ratios):.2f}" if self.ratios else "",
            "" if self.peak_mb is None else f"{self.peak_mb:,.0f}",
            self._aim(),
        )

    def _aim(self) -> str:
        """Returns what is aimed at, and whether it is reached."""
        if self.bar is None or not self.bar_ratios:
            return ""
        ratio = statistics.median(self.bar_ratios)
        is_reached = ratio <= self.bar if self.is_rival else ratio >= self.bar
        sign = "\N{LESS-THAN OR EQUAL TO}" if self.is_rival else "\N{GREATER-THAN OR EQUAL TO}"
        other = f" of {self.against}: {ratio:.2f}," if self.against else ""
        return f"{sign} {self.bar:.2f}{other} {'yes' if is_reached else 'no'}"


HEADINGS = ("", "images/s", "spread", "of yardstick", "peak, MB", "aim")


def _serve(contender: Contender, connection, verbose: bool) -> None:
    """Measures the rate of a contender whenever it is asked for."""
    os.environ.update({"TF_CPP_MIN_LOG_LEVEL": "3", **contender.environment})
    if not verbose:  # Some of what libraries say comes before log levels count.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    assert not isinstance(contender.source, Recorded)
    try:
        work = contender.source()
        work()
        work()
    except ImportError as error:
        connection.send(f"{error.name or error} is not installed")
        return
    except (contenders.NotHereError, UserError) as error:
        connection.send(str(error))
        return
    except Exception as error:
        connection.send(f"failed: {(str(error) or repr(error)).splitlines()[0]}")
        return
    connection.send("")
    with contextlib.suppress(EOFError):  # Whoever asks is gone.
        while seconds := connection.recv():
            if contender.warm_up:
                rates.measure(work, contender.warm_up)
            connection.send((rates.measure(work, seconds), rates.peak_memory()))


@contextlib.contextmanager
def _started(contender: Contender, verbose: bool):
    """Yields the connection to the process of a contender, and why it did not start."""
    spawn = multiprocessing.get_context("spawn")  # A fork would share what libraries have set up.
    ours, theirs = spawn.Pipe()
    # No daemon, for PyTorch starts processes that read files.
    process = spawn.Process(target=_serve, args=(contender, theirs, verbose))
    process.start()
    theirs.close()
    try:
        problem = ours.recv() if ours.poll(_STARTING_SECONDS) else "did not start in time"
    except EOFError:
        process.join()
        problem = f"its process died (exit code {process.exitcode})"
    try:
        yield ours, problem
    finally:
        with contextlib.suppress(OSError):  # It has ended.
            ours.send(0)
        process.join(_ENDING_SECONDS)
        process.kill()
        process.join()


def measure(
    group: str, rows: Sequence[Contender], rounds: int, seconds: float, verbose: bool = False
) -> list[Measurement]:
    """Returns a measurement of each row of a group.

    Args:
      group: Name of the group.
      rows: Its rows.
      rounds: How often to measure each row.
      seconds: Least time of each measurement.
      verbose: Whether the libraries may write to standard error.
    """
    run = [row for row in rows if not isinstance(row.source, Recorded)]
    with contextlib.ExitStack() as stack:
        started = {row.name: stack.enter_context(_started(row, verbose)) for row in run}
        problems = {name: problem for name, (_, problem) in started.items()}
        measured: dict[str, list[tuple[float, float]]] = {row.name: [] for row in run}
        for _ in range(rounds):
            for name, (connection, _) in started.items():
                if problems[name]:
                    continue
                try:
                    connection.send(seconds)
                    measured[name].append(connection.recv())
                except (EOFError, OSError):  # Out of memory, most likely.
                    problems[name] = "its process died while it was measured"
                    measured[name].clear()
    found = {name: [rate for rate, _ in mine] for name, mine in measured.items()}
    for row in rows:
        if isinstance(row.source, Recorded):
            found[row.name] = [row.source.ratio * rate for rate in found[row.source.row]]
            problem = problems[row.source.row]
            problems[row.name] = problem and f"{row.source.row}: {problem}"

    def ratios(name, other):
        return [mine / theirs for mine, theirs in zip(found[name], found[other], strict=False)]

    return [
        Measurement(
            group=group,
            name=row.name,
            rates=found[row.name],
            ratios=ratios(row.name, rows[0].name),
            problem=problems[row.name],
            peak_mb=max((peak for _, peak in measured.get(row.name, ())), default=None),
            bar=row.bar,
            is_rival=row.is_rival,
            against=row.against,
            bar_ratios=ratios(row.name, row.against or rows[0].name),
        )
        for row in rows
    ]


def render(measurements: Sequence[Measurement]) -> str:
    """Returns a page with a table of bars for each group."""
    sections = []
    for group in dict.fromkeys(measured.group for measured in measurements):
        of_group = [measured for measured in measurements if measured.group == group]
        ratios = [statistics.median(each.ratios) if each.ratios else 0.0 for each in of_group]
        longest = max(ratios) or 1.0
        sections.append(
            html_table.render(
                group,
                HEADINGS,
                [each.cells() for each in of_group],
                fractions=[ratio / longest for ratio in ratios],
            )
        )
    return page.render("Speed", sections, lead=_LEAD)


def main(_: Sequence[str]) -> None:
    """Prints a table for each group."""
    measurements: list[Measurement] = []
    for group, rows in GROUPS.items():
        if _ONLY.value not in group:
            continue
        print(f"\n{group}")
        _print_line(HEADINGS)
        for measured in measure(group, rows, _ROUNDS.value, _SECONDS.value, cli.FLAGS.verbose):
            measurements.append(measured)
            _print_line(measured.cells())
    if _JSON.value:
        figures = [dataclasses.asdict(measured) for measured in measurements]
        atomic.write_json(cli.user_path(_JSON.value), figures)
    if _HTML.value:
        atomic.write(cli.user_path(_HTML.value), render(measurements))


def _print_line(cells: Sequence[str]) -> None:
    name, *numbers, aim = cells
    columns = "".join(f"{number:>14}" for number in numbers)
    print(f"{name:42}{columns}    {aim}".rstrip(), flush=True)


if __name__ == "__main__":
    cli.run(main, tensorflow=False)
