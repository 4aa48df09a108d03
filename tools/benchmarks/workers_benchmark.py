"""Prints how fast several processes train one network together, beside one process.

    bazel run //tools/benchmarks:workers_benchmark
    bazel run //tools/benchmarks:workers_benchmark -- --model_name=cifarnet --json_file=workers.json

All processes run on this machine and share its processors: what is measured is what it costs to
work together, not what further machines gain. Each round trains in every set-up anew, by the
training program on the digits. Shown are medians: steps and images a second of all workers
together, the spread (largest / smallest round), and images a second relative to one process of the
same round. Rates depend on the machine and on what else it does.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from absl import flags

from slim_internal.ground import cli
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic
from tools.benchmarks import loopback, rates

_MODEL = flags.DEFINE_string("model_name", "lenet", "Network that is trained.")
_BATCH = flags.DEFINE_integer("batch_size", 32, "Images in a batch of a worker.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds.", lower_bound=1)
_SECONDS = flags.DEFINE_float("seconds", 10, "Least seconds of a set-up in a round.")
_JSON = flags.DEFINE_string("json_file", "", "Where to write the figures as JSON, too.")

_TOLD_EVERY = 5  # Steps.
_PATIENCE_SECS = 300.0  # Until all processes have made steps, and from one line to the next.


@dataclasses.dataclass(frozen=True)
class Setup:
    """Processes that train together.

    Attributes:
      name: What the table calls them.
      num_servers: Parameter servers.
      num_workers: Workers; 0 for one process that trains alone.
      collective: Whether the workers add up their gradients themselves.
    """

    name: str
    num_servers: int = 0
    num_workers: int = 0
    collective: bool = False

    @property
    def batches_per_step(self) -> int:
        """Batches of a global step."""
        return self.num_workers if self.collective else 1

    def commands(self) -> list[list[str]]:
        """Returns the flags of each process, those of the chief first."""
        if not self.num_workers:
            return [[]]
        shared = [f"--cluster={loopback.cluster(self.num_servers, self.num_workers)}"]
        if self.collective:
            shared.append("--distribution=collective")
        jobs = [("worker", task) for task in range(self.num_workers)]
        jobs += [("ps", task) for task in range(self.num_servers)]
        return [[*shared, f"--job_name={job}", f"--task={task}"] for job, task in jobs]


# The first one is the yardstick.
SETUPS = (
    Setup("one process"),
    Setup("collective, 1 worker", 0, 1, collective=True),
    Setup("collective, 2 workers", 0, 2, collective=True),
    Setup("1 server, 1 worker", 1, 1),
    Setup("1 server, 2 workers", 1, 2),
)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """How fast a set-up was.

    Attributes:
      name: Its name.
      steps: Steps a second, round by round.
      images: Images a second.
      ratios: Images a second relative to one process.
    """

    name: str
    steps: Sequence[float]
    images: Sequence[float]
    ratios: Sequence[float]

    def cells(self) -> tuple[str, ...]:
        """Returns what the table shows of it."""
        return (
            f"{statistics.median(self.steps):,.1f}",
            f"{statistics.median(self.images):,.0f}",
            f"{max(self.images) / min(self.images):.2f}",
            f"{statistics.median(self.ratios):.2f}",
        )


HEADINGS = ("steps/s", "images/s", "spread", "of one process")


class _Process:
    """A training program, and what it has said."""

    def __init__(self, flags_: Sequence[str], log: pathlib.Path):
        self._log = log
        with log.open("w") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "train_image_classifier", *flags_],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
                stdout=stream,
                stderr=stream,
            )

    def step(self) -> int:
        """Returns the last step that it has told of; 0 before the first."""
        text = self._log.read_text(errors="replace")
        return int((["0", *re.findall(r"^step (\d+)", text, re.MULTILINE)])[-1])

    def wait_beyond(self, step: int) -> int:
        """Waits until it tells of a later step, and returns that.

        Raises:
          UserError: It has ended, or nothing comes.
        """
        end = time.monotonic() + _PATIENCE_SECS
        while (reached := self.step()) <= step:
            if self._process.poll() is not None or time.monotonic() > end:
                lines = self._log.read_text(errors="replace").splitlines()
                raise UserError(f"A process does not train: {lines[-1] if lines else 'no word'}")
            time.sleep(0.02)
        return reached

    def kill(self) -> None:
        """Kills it."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def _training(setup: Setup, shared: Sequence[str]) -> Iterator[_Process]:
    """Yields the chief of processes that all train."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        processes = []
        for number, own in enumerate(setup.commands()):
            words = [*shared, *own, f"--train_dir={folder / 'run'}"]
            processes.append(_Process(words, folder / f"{number}.log"))
            stack.callback(processes[-1].kill)
        for worker in processes[: setup.num_workers or 1]:
            worker.wait_beyond(0)
        yield processes[0]


def images_a_second(setup: Setup, dataset_dir: str, seconds: float) -> float:
    """Returns how many images a second all workers together train on.

    Args:
      setup: The processes.
      dataset_dir: The digits.
      seconds: Least time to measure.
    """
    shared = [
        "--dataset_name=digits",
        f"--dataset_dir={dataset_dir}",
        f"--model_name={_MODEL.value}",
        f"--batch_size={_BATCH.value}",
        "--learning_rate=0.001",
        "--eval_every_epochs=0",
        f"--log_every_n_steps={_TOLD_EVERY}",
    ]
    with _training(setup, shared) as chief:
        step = chief.wait_beyond(chief.step())

        def work() -> int:
            nonlocal step
            before, step = step, chief.wait_beyond(step)
            return (step - before) * _BATCH.value * setup.batches_per_step

        return rates.measure(work, seconds)


def measure(setups: Sequence[Setup], dataset_dir: str, rounds: int, seconds: float):
    """Returns a measurement of each set-up; the first one is the yardstick."""
    images: list[list[float]] = [[] for _ in setups]
    for _ in range(rounds):
        for mine, setup in zip(images, setups, strict=True):
            mine.append(images_a_second(setup, dataset_dir, seconds))
    return [
        Measurement(
            name=setup.name,
            steps=[rate / _BATCH.value / setup.batches_per_step for rate in mine],
            images=mine,
            ratios=[one / other for one, other in zip(mine, images[0], strict=True)],
        )
        for setup, mine in zip(setups, images, strict=True)
    ]


def main(_: Sequence[str]) -> None:
    """Prints a row for each set-up."""
    from datasets.conversion import convert
    from datasets.conversion.settings import Conversion

    with tempfile.TemporaryDirectory() as folder:
        convert.convert(Conversion(dataset_name="digits", dataset_dir=folder))
        measurements = measure(SETUPS, folder, _ROUNDS.value, _SECONDS.value)
    title = f"{_MODEL.value}, batch {_BATCH.value}"
    print(f"{title:30}" + "".join(f"{heading:>16}" for heading in HEADINGS))
    for measured in measurements:
        print(f"{measured.name:30}" + "".join(f"{cell:>16}" for cell in measured.cells()))
    if _JSON.value:
        figures = [dataclasses.asdict(measured) for measured in measurements]
        atomic.write_json(cli.user_path(_JSON.value), figures)


if __name__ == "__main__":
    cli.run(main)
