"""Measures input, training and inference beside other libraries, in one table.

    bazel run //tools/benchmarks:all
    bazel run //tools/benchmarks:all -- --only=input --json_file=speed.json --html_file=speed.html

Each group has a yardstick, its first row, which is measured in the same run: rounds alternate among
the rows, each row in a process of its own while the others wait. Shown are medians, the spread
(largest / smallest round), and the median of the ratios to the yardstick. Libraries that are not
installed are named as such. Rates depend on the machine and on what else it does.
"""

import contextlib
import dataclasses
import functools
import logging
import multiprocessing
import os
import statistics
import warnings
from collections.abc import Callable, Sequence

from absl import flags

from slim_internal.ground import cli
from slim_internal.ground.files import atomic
from slim_internal.parts.reports import page
from slim_internal.parts.reports import table as html_table
from tools.benchmarks import contenders, rates

_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 3, "Least seconds of a row in a round.")
_ONLY = flags.DEFINE_string("only", "", "Measure the groups alone whose names contain this.")
_JSON = flags.DEFINE_string("json_file", "", "Where to write the figures as JSON, too.")
_HTML = flags.DEFINE_string("html_file", "", "Where to write a page with bars, too.")

_STARTING_SECONDS = 900  # Of one contender, on a slow machine.


@dataclasses.dataclass(frozen=True)
class Contender:
    """A row: its name, what prepares it, and the ratio to the yardstick that is aimed at.

    Attributes:
      name: Its name.
      prepare: Returns the work to measure.
      bar: Smallest ratio that is aimed at; the largest one for another library.
      is_rival: Whether it is another library.
    """

    name: str
    prepare: Callable[[], contenders.Work]
    bar: float | None = None
    is_rival: bool = False


def _row(name, prepare, *arguments, bar=None, is_rival=False) -> Contender:
    return Contender(name, functools.partial(prepare, *arguments), bar, is_rival)


def _step_group(model: str, batch: int, size: int, keras: str | None, torch: str | None):
    classes = 1000 if torch else 10
    rows = [_row("slim", contenders.slim_step, model, batch, size, classes)]
    if keras or not torch:
        keras_step = contenders.keras_step
        rows.append(_row("Keras", keras_step, keras, batch, size, classes, is_rival=True))
    if torch:
        torch_step, name = contenders.torch_step, "PyTorch channels_last"
        rows.append(_row(name, torch_step, torch, batch, size, bar=1.0, is_rival=True))
    return f"training step, {model}, batch {batch}, {size} px", rows


def _gpu_group(model: str, batch: int, size: int, torch: str, bar: float):
    rows = [
        _row("mixed precision, XLA", contenders.slim_step, model, batch, size, 1000, True),
        Contender(
            "PyTorch autocast",
            functools.partial(contenders.torch_step, torch, batch, size, on_gpu=True),
            *(bar, True),
        ),
    ]
    return f"GPU, training step, {model}, batch {batch}, {size} px", rows


def _inference_group(model: str, batch: int, size: int, keras: str, torch: str | None):
    rows = [_row("slim, frozen", contenders.slim_inference, model, batch, size)]
    rows.append(_row("Keras", contenders.keras_inference, keras, batch, size, is_rival=True))
    if torch:
        run, name = contenders.torch_inference, "PyTorch channels_last"
        rows.append(_row(name, run, torch, batch, size, bar=0.67, is_rival=True))  # 1 / 1.5.
    return f"inference, {model}, batch {batch}, {size} px", rows


_MOBILENET = ("mobilenet_v1", 1, 224)

# Name of a group -> its rows; the first one is the yardstick.
GROUPS: dict[str, list[Contender]] = dict(
    [
        (
            "input, JPEGs of 500 x 375, 224 px",
            [
                _row("decoding alone", contenders.read_images, None, False),
                _row("Inception training", contenders.read_images, "inception", True, bar=0.9),
                _row("VGG training", contenders.read_images, "vgg", True),
                _row("Inception evaluation", contenders.read_images, "inception", False),
                _row("VGG evaluation", contenders.read_images, "vgg", False),
            ],
        ),
        (
            "evaluation, mobilenet_v1, JPEGs, 224 px",
            [
                _row("frozen, one image at a time", contenders.slim_inference, *_MOBILENET),
                _row("batches of 64", contenders.evaluate_images, "mobilenet_v1", 64, bar=2.0),
                _row("its input alone", contenders.read_images, "inception", False),
            ],
        ),
        (
            "LeNet on digits, batch 32",
            [
                _row("step alone", contenders.slim_step, "lenet", 32, 28, 10),
                _row("from files", contenders.train_on_digits, False),
                _row("--cache", contenders.train_on_digits, True),
            ],
        ),
        (
            "start, one image (images/s: starts a second)",
            [
                _row("import of TensorFlow", contenders.start_tensorflow),
                _row("classify_image", contenders.start_classifying, bar=0.77),  # 1 / 1.3.
            ],
        ),
        _step_group("lenet", 32, 28, None, None),
        _step_group("mobilenet_v1", 32, 224, "MobileNet", None),
        _step_group("mobilenet_v2", 32, 224, None, "mobilenet_v2"),
        _step_group("resnet_v1_50", 16, 224, "ResNet50", "resnet50"),
        _step_group("inception_v3", 8, 299, "InceptionV3", "inception_v3"),
        _inference_group("mobilenet_v1", 1, 224, "MobileNet", None),
        _inference_group("resnet_v1_50", 32, 224, "ResNet50", "resnet50"),
        _gpu_group("resnet_v1_50", 128, 224, "resnet50", 1.0),
        _gpu_group("inception_v3", 128, 299, "inception_v3", 1.0),
        _gpu_group("mobilenet_v2", 256, 224, "mobilenet_v2", 1.0),
        _gpu_group("vgg_16", 64, 224, "vgg16", 1.11),
        (
            "machine",
            [_row("copies of 64 MiB", contenders.copy_bytes)],
        ),
    ]
)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What a row did.

    Attributes:
      group: Name of its group.
      name: Its own name.
      rates: Images a second, round by round; empty if it did not start.
      ratios: To the yardstick, round by round.
      problem: Why it did not start, or "".
      bar: Ratio that is aimed at.
      is_rival: Whether it is another library, which is to stay below the bar.
    """

    group: str
    name: str
    rates: Sequence[float] = ()
    ratios: Sequence[float] = ()
    problem: str = ""
    bar: float | None = None
    is_rival: bool = False

    def cells(self) -> tuple[str, ...]:
        """Returns what the table shows of it."""
        if self.problem:
            return self.name, self.problem, "", "", ""
        rate = statistics.median(self.rates)
        return (
            self.name,
            f"{rate:,.1f}" if rate >= 10 else f"{rate:.3f}",
            f"{max(self.rates) / min(self.rates):.2f}",
            f"{statistics.median(self.ratios):.2f}",
            self._aim(),
        )

    def _aim(self) -> str:
        """Returns what is aimed at, and whether it is reached."""
        if self.bar is None:
            return ""
        ratio = statistics.median(self.ratios)
        is_reached = ratio <= self.bar if self.is_rival else ratio >= self.bar
        sign = "\N{LESS-THAN OR EQUAL TO}" if self.is_rival else "\N{GREATER-THAN OR EQUAL TO}"
        return f"{sign} {self.bar:.2f} {'yes' if is_reached else 'no'}"


HEADINGS = ("", "images/s", "spread", "of yardstick", "aim")


def _serve(prepare, connection) -> None:
    """Measures the rate of a contender whenever it is asked for."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # The table is all that is to be seen.
    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        work = prepare()
        work()
        work()
    except ImportError as error:
        connection.send(f"{error.name or error} is not installed")
        return
    except contenders.NotHereError as error:
        connection.send(str(error))
        return
    except Exception as error:
        connection.send(f"failed: {(str(error) or repr(error)).splitlines()[0]}")
        return
    connection.send("")
    while seconds := connection.recv():
        connection.send(rates.measure(work, seconds))


@contextlib.contextmanager
def _started(contender: Contender):
    """Yields the connection to the process of a contender, and why it did not start."""
    spawn = multiprocessing.get_context("spawn")  # A fork would share what libraries have set up.
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(contender.prepare, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        problem = ours.recv() if ours.poll(_STARTING_SECONDS) else "did not start in time"
    except EOFError:
        problem = "its process died"
    try:
        yield ours, problem
    finally:
        process.kill()
        process.join()


def measure(group: str, rows: Sequence[Contender], rounds: int, seconds: float):
    """Returns a measurement of each row of a group."""
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(_started(row)) for row in rows]
        measured: list[list[float]] = [[] for _ in rows]
        for _ in range(rounds):
            for number, (connection, problem) in enumerate(started):
                if not problem:
                    connection.send(seconds)
                    measured[number].append(connection.recv())
    return [
        Measurement(
            group=group,
            name=row.name,
            rates=mine,
            ratios=[one / other for one, other in zip(mine, measured[0] or mine, strict=False)],
            problem=problem,
            bar=row.bar,
            is_rival=row.is_rival,
        )
        for row, mine, (_, problem) in zip(rows, measured, started, strict=True)
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
    return page.render("Speed", sections, lead="Medians of alternating rounds.")


def main(_: Sequence[str]) -> None:
    """Prints a table for each group."""
    measurements: list[Measurement] = []
    for group, rows in GROUPS.items():
        if _ONLY.value not in group:
            continue
        print(f"\n{group:40}" + "".join(f"{heading:>14}" for heading in HEADINGS[1:]))
        for measured in measure(group, rows, _ROUNDS.value, _SECONDS.value):
            measurements.append(measured)
            name, *cells = measured.cells()
            print(f"{name:40}" + "".join(f"{cell:>14}" for cell in cells), flush=True)
    if _JSON.value:
        figures = [dataclasses.asdict(measured) for measured in measurements]
        atomic.write_json(cli.user_path(_JSON.value), figures)
    if _HTML.value:
        atomic.write(cli.user_path(_HTML.value), render(measurements))


if __name__ == "__main__":
    cli.run(main, tensorflow=False)
