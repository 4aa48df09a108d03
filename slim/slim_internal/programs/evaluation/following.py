"""Evaluates one checkpoint after another: all of a folder, or those of a training that runs."""

import contextlib
import dataclasses
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

from slim_internal.ground.errors import UserError
from slim_internal.ground.files import locks
from slim_internal.ground.settings import replaced
from slim_internal.parts.checkpoints import latest
from slim_internal.parts.metrics.csv_tables import CsvTables
from slim_internal.parts.metrics.metric import Table, Value
from slim_internal.programs.evaluation import evaluate, networks
from slim_internal.programs.evaluation.evaluate import Metrics
from slim_internal.programs.evaluation.settings import Evaluation

_LOG = logging.getLogger(__name__)

_COLUMNS = ("step", "accuracy", "recall_at_5", "loss", "num_examples", "checkpoint_path")


def run(config: Evaluation) -> Iterator[Metrics]:
    """Evaluates what the settings name; yields what was found of each checkpoint.

    With several checkpoints, `checkpoints.csv` in `eval_dir` holds a row for each; the other files
    are about the last one.

    Raises:
      UserError: As `evaluate.evaluate` does, or if the settings contradict each other.
    """
    if not (config.watch or config.all_checkpoints):
        _require_folder_for_best(config)
        yield evaluate.evaluate(config)
        return
    folder = _folder(config)
    one = replaced(config, watch=False, all_checkpoints=False)
    found = _watched(folder, config.watch_interval_secs) if config.watch else _all(folder)
    history: list[Metrics] = []
    with _terminated() if config.watch else contextlib.nullcontext():
        for path in found:
            try:
                metrics = evaluate.evaluate(replaced(one, checkpoint_path=path), history)
            except UserError:
                if not config.watch or path in latest.list_checkpoints(folder):
                    raise
                _LOG.warning("%s was removed by the training before it was evaluated.", path)
                continue
            history.append(dataclasses.replace(metrics, values=()))
            rows = [[getattr(each, name) for name in _COLUMNS] for each in history]
            table = Value("checkpoints", Table(_COLUMNS, rows))
            CsvTables(config.eval_dir).write(metrics.step, [table])
            yield metrics


def _folder(config: Evaluation) -> str:
    """Returns the folder whose checkpoints are evaluated."""
    flag = "--watch" if config.watch else "--all_checkpoints"
    if config.watch and config.all_checkpoints:
        raise UserError("--watch and --all_checkpoints exclude each other; leave out one of them.")
    if config.best_checkpoint:
        raise UserError(f"{flag} and --best_checkpoint exclude each other; leave out one of them.")
    given = networks.paths(config)
    if config.graph or len(given) > 1 or networks.is_exported(given[0]):
        raise UserError(
            f"{flag} takes one folder of checkpoints; got"
            f" {'--graph' if config.graph else '--checkpoint_path'}={','.join(given)}."
        )
    if os.path.isdir(given[0]) or (config.watch and not os.path.exists(given[0])):
        return given[0]
    raise UserError(f"{flag} takes a folder of checkpoints; --checkpoint_path={given[0]} is none.")


def _require_folder_for_best(config: Evaluation) -> None:
    if not config.best_checkpoint:
        return
    for path in networks.paths(config):
        if not os.path.isdir(os.path.join(path, latest.BEST_FOLDER)):
            raise UserError(
                f"--best_checkpoint: {path} has no folder {latest.BEST_FOLDER!r}; training keeps"
                " the best checkpoint there if it evaluates (--eval_every_epochs=1)."
            )


def _all(folder: str) -> Iterator[str]:
    """Yields the checkpoints of a folder, the oldest first; damaged ones are left out."""
    paths = latest.list_checkpoints(folder)[::-1]
    whole = 0
    for path in paths:
        problem = latest.damage(path)
        if problem is None:
            whole += 1
            yield path
        else:
            _LOG.warning("Checkpoint %s is damaged and not used: %s", path, problem)
    if not whole:
        raise UserError(f"No usable checkpoint in folder {folder!r}.")


def _watched(folder: str, interval_secs: float) -> Iterator[str]:
    """Yields each newest checkpoint of a folder until the training in it has ended."""
    last, told = None, ""

    def tell(message: str) -> None:
        nonlocal told
        if message != told:
            _LOG.info("%s", message)
        told = message

    while True:
        # In this order: a training that ends in between has saved its last checkpoint.
        running = os.path.isdir(folder) and locks.is_held(folder)
        newest = next(iter(latest.list_checkpoints(folder)), None)
        path = latest.newest_good(folder) if newest not in (None, last) else None
        if path not in (None, last):
            last, told = path, ""
            yield path
            continue
        if not running and last is not None:
            _LOG.info("No training is running in %s any more; evaluated %s last.", folder, last)
            return
        if last is None:
            what = "first checkpoint of the training" if running else "start of a training"
            tell(f"Waiting for the {what} in {folder}")
        else:
            tell(f"Waiting for a checkpoint after {os.path.basename(last)} in {folder}")
        time.sleep(interval_secs)


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
    """Lets SIGTERM end the program in good order, as Ctrl-C does."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    previous: Callable | int | None = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
