"""Starts the processes of a cluster, reads what they say, and ends them with signals."""

import logging
import multiprocessing
import os
import re
import signal
import sys
import time

_PATIENCE = 240.0  # Seconds; on a busy machine everything takes long.

DEFAULTS = {
    "dataset_name": "digits",
    "model_name": "lenet",
    "batch_size": 4,
    "cpu_threads": 1,
    "optimizer": "sgd",
    "learning_rate": 0.001,
    "log_every_n_steps": 1,
    "max_number_of_steps": 1_000_000,
}


class Process:
    """A fork of a process that has TensorFlow loaded, which trains as the script does.

    Args:
      folder: Where it logs to.
      train: Function of the settings that returns the exit code, or None for training by name.
      settings: The settings that are not DEFAULTS.
    """

    def __init__(self, folder, train=None, **settings):
        place = f"{settings.get('job_name', 'worker')}{settings.get('task', 0)}"
        number = len(list(folder.glob(f"{place}-*.log")))
        self.log = folder / f"{place}-{number}.log"
        self.log.touch()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["slim_internal.programs.training.train"])
        settings = {**DEFAULTS, "train_dir": str(folder / "run"), **settings}
        self._process = context.Process(target=_main, args=(settings, str(self.log), train))
        self._process.start()

    @property
    def text(self) -> str:
        """What it has said."""
        return self.log.read_text(errors="replace")

    @property
    def step(self) -> int:
        """The last step that it has told of; 0 before the first."""
        return int((["0", *re.findall(r"^step (\d+)", self.text, re.MULTILINE)])[-1])

    def wait_for(self, condition) -> None:
        """Waits until a text is said, or until a function of this process is true."""
        if isinstance(condition, str):
            text = condition
            condition = lambda process: text in process.text  # noqa: E731
        end = time.monotonic() + _PATIENCE
        while not condition(self):
            assert self._process.is_alive(), f"{self.log.name} has ended:\n{self.text}"
            assert time.monotonic() < end, f"{self.log.name}:\n{self.text}"
            time.sleep(0.05)

    def makes_steps(self, count: int = 5) -> int:
        """Waits until it has made so many steps more, and returns the last one."""
        reached = self.step + count
        self.wait_for(lambda process: process.step >= reached)
        return self.step

    def send(self, number: int) -> None:
        """Sends a signal."""
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Kills it."""
        self._process.kill()
        self._process.join()

    def ends(self) -> int:
        """Waits for its end and returns its exit code."""
        self._process.join(_PATIENCE)
        assert self._process.exitcode is not None, f"{self.log.name} goes on:\n{self.text}"
        return self._process.exitcode

    def close(self) -> None:
        """Ends it, if it has not ended."""
        if self._process.is_alive():
            self.send(signal.SIGCONT)
            self.kill()


def _main(settings, log, train_function) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s", force=True)
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from slim_internal.ground.cli import leaving
    from slim_internal.ground.errors import UserError
    from slim_internal.programs.training import train
    from slim_internal.programs.training.settings import TrainConfig

    with leaving.hard_if_asked():
        try:
            config = TrainConfig(**settings)
            code = train_function(config) if train_function else train.train(config).exit_code
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 1
        sys.exit(code)
