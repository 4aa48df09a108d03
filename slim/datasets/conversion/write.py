"""Carries out a plan: writes its shards in worker processes, resumably, all or nothing.

Whatever is already there with the digest of the plan and intact is kept; everything else is
written. Each finished shard is noted in a journal, so that a run which is killed continues where
it was. The manifest comes last, and only when every shard is right.
"""

import collections
import contextlib
import csv
import dataclasses
import io
import logging
import multiprocessing
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures

from datasets.conversion.plan import Plan, PlannedShard, Problem
from datasets.storage import journal, labels, manifest, tfrecords
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic, locks, space
from slim_internal.ground.progress import reporting

# Lists the inputs that were skipped or repaired, if there were any.
REPORT = "bad_images.csv"
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a conversion did.

    Attributes:
      manifest: The complete set; None for one that the original library wrote.
      written: Names of the shards written by this run; the others were there and intact.
    """

    manifest: manifest.Manifest | None
    written: tuple[str, ...]

    def summary(self, dataset_dir: str | os.PathLike) -> str:
        """Says what the folder holds now and how much of it is new."""
        if self.manifest is None:
            return (
                f"{os.fspath(dataset_dir)} holds files that the original library wrote, without a "
                f"{manifest.FILENAME}; they can be read, and were left as they are."
            )
        splits = ", ".join(f"{size:,} {split}" for split, size in self.manifest.splits.items())
        count = len(self.manifest.shards)
        new = f"{len(self.written)} of {count} files written"
        problems = [problem for shard in self.manifest.shards for problem in shard.problems]
        bad = sum(action != "kept" for _, _, action in problems)
        notes = f" Bad images: {bad}, listed in {REPORT}." if bad else ""
        if len(problems) > bad:
            notes += f" Kept but dubious: {len(problems) - bad}, listed in {REPORT}."
        return (
            f"{os.fspath(dataset_dir)} holds {self.manifest.dataset}: {splits} images of "
            f"{self.manifest.num_classes} classes; "
            f"{new if self.written else 'all files were there, none was written'}."
            f"{notes}"
        )


# Writes shards into a folder, somewhere else than in processes of this machine, and yields each.
Carrier = Callable[[pathlib.Path, list[PlannedShard]], Iterator[manifest.Shard]]


def build(
    dataset_dir: str | os.PathLike,
    plan: Plan,
    *,
    num_workers: int = 1,
    progress: reporting.Progress = reporting.silent,
    carrier: Carrier | None = None,
) -> Outcome:
    """Writes a dataset, or what is missing or damaged of it.

    Args:
      dataset_dir: Folder to write into; made when missing.
      plan: What to write.
      num_workers: Maximum number of processes; little work stays in this one.
      progress: Called as examples are done.
      carrier: Writes the shards instead of processes of this machine, by `write_shard`.

    Raises:
      UserError: The folder holds another set, the disk is too small or gets full, too many inputs
        are unusable, or a worker failed. The finished shards stay for the next run.
    """
    with exclusive(dataset_dir):
        return build_exclusively(
            dataset_dir, plan, num_workers=num_workers, progress=progress, carrier=carrier
        )


def build_exclusively(
    dataset_dir: str | os.PathLike,
    plan: Plan,
    *,
    num_workers: int = 1,
    progress: reporting.Progress = reporting.silent,
    carrier: Carrier | None = None,
) -> Outcome:
    """Does what `build` does, for a caller that has the folder to itself (`exclusive`)."""
    folder = pathlib.Path(dataset_dir)
    _check_extra_files(folder, plan)
    with space.full_disk_explained(folder):
        atomic.remove_unfinished(folder)
        done = _keep_intact(folder, plan)
        missing = [shard for shard in plan.shards if shard.name not in done]
        _check_disk(folder, plan, missing)
        complete = manifest.read(folder)
        if missing or not complete:
            _write_missing(folder, plan, missing, done, num_workers, progress, carrier)
            complete = _finish(folder, plan, done)
        for extra in plan.extra_files:
            if not (folder / extra.name).exists():
                atomic.write(folder / extra.name, extra.text)
        journal.end(folder)
    return Outcome(complete, tuple(shard.name for shard in missing))


@contextlib.contextmanager
def exclusive(dataset_dir: str | os.PathLike) -> Iterator[None]:
    """Makes a folder and keeps other conversions out; one that stays empty goes again.

    The system frees the folder when the process dies.

    Raises:
      UserError: Another process is converting a dataset into it.
    """
    folder = pathlib.Path(dataset_dir)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with locks.refuse(folder, f"Another process is converting a dataset into {folder}."):
        try:
            yield
        finally:
            if is_new:
                with contextlib.suppress(OSError):  # It is filled, as it should be.
                    folder.rmdir()


def _check_extra_files(folder: pathlib.Path, plan: Plan) -> None:
    """Refuses to replace a file of the user's by one that says something else."""
    for extra in plan.extra_files:
        path = folder / extra.name
        if path.exists() and path.read_bytes() != extra.text.encode():
            raise UserError(f"{path} {extra.conflict}")


def _keep_intact(folder: pathlib.Path, plan: Plan) -> dict[str, manifest.Shard]:
    """Returns the shards that are there already, and journals them if any is missing.

    From here on a damaged set counts as unfinished: its manifest gives way to the journal. Files
    of an unfinished run that the plan does not have, for it was to have more or fewer shards, go.
    """
    complete = manifest.read(folder)
    if complete:
        _check_same(folder, plan, complete)
    unfinished = None if complete else journal.read(folder)
    if unfinished and unfinished.dataset != plan.dataset:
        raise UserError(
            f"{folder} holds a part of another dataset, {unfinished.dataset}. "
            "Choose another folder."
        )
    noted: Mapping[str, manifest.Shard] = unfinished.shards if unfinished else {}
    if complete:
        noted = {shard.name: shard for shard in complete.shards}
    entries = [
        noted[shard.name]
        for shard in plan.shards
        if shard.name in noted and noted[shard.name].inputs == shard.inputs
    ]
    # Reading the 150 GB of ImageNet again takes minutes.
    inspected = manifest.inspect(folder, entries, reporting.ProgressLog())
    done = {shard.name: shard for shard, fault in inspected if not fault}
    if len(done) < len(plan.shards) or not complete:
        names = [shard.name for shard in plan.shards]
        for name in (unfinished.files if unfinished else frozenset()).difference(names):
            (folder / name).unlink(missing_ok=True)
        journal.begin(folder, plan.dataset, names, done.values())
        (folder / manifest.FILENAME).unlink(missing_ok=True)
    return done


def _check_same(folder: pathlib.Path, plan: Plan, complete: manifest.Manifest) -> None:
    planned = {shard.name: shard.inputs for shard in plan.shards}
    if planned != {shard.name: shard.inputs for shard in complete.shards}:
        raise UserError(
            f"{folder} holds a complete set, {complete.dataset}, made from other files or with "
            "other options. Choose another folder, or remove the converted files from this one "
            "to make it anew."
        )


def _check_disk(folder: pathlib.Path, plan: Plan, missing: list[PlannedShard]) -> None:
    needed = plan.needed_bytes * len(missing) // max(len(plan.shards), 1)
    try:
        space.require_free(folder, needed, "the dataset")
    except UserError:
        if not any((folder / shard.name).exists() for shard in plan.shards):
            journal.end(folder)  # Nothing was begun: the folder is free for another set.
        raise


def _write_missing(
    folder: pathlib.Path,
    plan: Plan,
    missing: list[PlannedShard],
    done: dict[str, manifest.Shard],
    num_workers: int,
    progress: reporting.Progress,
    carrier: Carrier | None = None,
) -> None:
    """Writes the missing shards, noting each in `done` and in the journal."""
    total = sum(shard.examples for shard in plan.shards)
    count = total - sum(shard.examples for shard in missing)
    examples = {shard.name: shard.examples for shard in missing}
    meter = reporting.Meter(progress, "Converted", done=count, total=total, unit="images")
    num_workers = min(num_workers, len(missing), (total - count) // plan.examples_per_worker)
    if carrier:
        finished = carrier(folder, missing)
    elif num_workers > 1:
        finished = _in_processes(folder, missing, num_workers)
    else:
        finished = (
            write_shard(folder, shard, lambda n, base=count: meter.reach(base + n))
            for shard in missing
        )
    _check_problems(folder, plan, done)
    with contextlib.closing(finished), open(journal.path(folder), "a", encoding="utf-8") as file:
        with meter:
            for shard in finished:
                done[shard.name] = shard
                journal.note(file, shard)
                count += examples[shard.name]
                meter.reach(count)
                _check_problems(folder, plan, done)


def _check_problems(folder: pathlib.Path, plan: Plan, done: dict[str, manifest.Shard]) -> None:
    problems = [entry for entry in _report_problems(folder, done) if entry[2] != "kept"]
    if plan.max_problems is not None and len(problems) > plan.max_problems:
        file, fault, action = problems[0]
        raise UserError(
            f"More than {plan.max_problems} images are unusable, which is too many to go on "
            f"(--max_bad_images). The first, {action}: {file!r}: {fault}. All are in {REPORT}."
        )


def _report_problems(
    folder: pathlib.Path, done: dict[str, manifest.Shard]
) -> list[tuple[str, str, str]]:
    """Writes file, fault and action of every bad input so far as CSV, and returns them."""
    problems = sorted(problem for shard in done.values() for problem in shard.problems)
    if not problems:  # Those of an earlier try may have been mended.
        (folder / REPORT).unlink(missing_ok=True)
    else:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([("file", "fault", "action"), *problems])
        atomic.write(folder / REPORT, text.getvalue())
    return problems


def write_shard(
    folder: pathlib.Path, planned: PlannedShard, tick: Callable[[int], None] = lambda count: None
) -> manifest.Shard:
    """Writes one shard and returns what the manifest says of it.

    Args:
      folder: Where to; only the finished file gets its name.
      planned: What to write.
      tick: Called with the number of examples after each.
    """
    problems = []
    with tfrecords.ShardWriter(folder / planned.name) as writer:
        count = 0
        for record in planned.records():
            if isinstance(record, Problem):
                problems.append(dataclasses.astuple(record))
            else:
                writer.write(record)
                count += 1
            tick(count)
    return manifest.Shard(
        name=planned.name,
        split=planned.split,
        **dataclasses.asdict(writer.contents),
        inputs=planned.inputs,
        problems=tuple(problems),
    )


def _in_processes(
    folder: pathlib.Path, shards: list[PlannedShard], num_workers: int
) -> Iterator[manifest.Shard]:
    """Yields each shard when a worker has written it; the first failure stops them all."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = futures.ProcessPoolExecutor(
        num_workers, mp_context=context, initializer=_start_worker, initargs=(stop,)
    )
    try:
        with _interrupts_held():  # The workers start here.
            tasks = [pool.submit(_write_in_worker, folder, shard) for shard in shards]
        for task in futures.as_completed(tasks):
            yield task.result()
    except futures.process.BrokenProcessPool:
        begun = ", ".join(atomic.unfinished(folder))
        raise UserError(
            f"A worker process was killed, perhaps for want of memory, while {begun or 'nothing'} "
            "was being written. Run again to continue; fewer workers take less memory."
        ) from None
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Puts Ctrl-C off; for the processes that start meanwhile, which inherit this, for ever."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(stop) -> None:
    """Prepares a worker to end with its parent."""
    global _stop  # Set once per process: events cannot travel with a task.
    _stop = stop
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _write_in_worker(folder: pathlib.Path, shard: PlannedShard) -> manifest.Shard:
    if not multiprocessing.parent_process().is_alive():
        os._exit(1)  # The next run may have begun already; its folder is not ours.

    def leave_when_stopped(_):
        if _stop.is_set():
            raise futures.CancelledError

    return write_shard(folder, shard, leave_when_stopped)


def _finish(folder: pathlib.Path, plan: Plan, done: dict[str, manifest.Shard]) -> manifest.Manifest:
    """Writes labels and manifest, with which the journal has served."""
    _check_totals(plan, done)
    _require_images(done)
    if plan.look_at_skipped:
        problems = (problem for shard in done.values() for problem in shard.problems)
        plan.look_at_skipped({name for name, _, action in problems if action == "skipped"})
    complete = manifest.Manifest(
        dataset=plan.dataset,
        class_names=plan.class_names,
        shards=tuple(done[shard.name] for shard in plan.shards),
        options=plan.options,
        left_out=plan.left_out,
    )
    labels.write_label_file(dict(enumerate(plan.class_names)), folder)
    atomic.remove_unfinished(folder)  # Workers of a killed run may have outlived it by a moment.
    manifest.write(folder, complete)
    return complete


def _check_totals(plan: Plan, done: Mapping[str, manifest.Shard]) -> None:
    """Compares what was written with what was to be, image by image left out."""
    expected, found = collections.Counter(), collections.Counter()
    for planned in plan.shards:
        expected[planned.split] += planned.examples
        found[planned.split] += num_inputs(done[planned.name])
    if found != expected:
        raise RuntimeError(f"Of {dict(expected)} examples, {dict(found)} were written or left out.")


def _require_images(done: Mapping[str, manifest.Shard]) -> None:
    """Warns of splits of which nothing could be used; a set of none at all is an error."""
    sizes: dict[str, list[int]] = {}
    for shard in done.values():
        size = sizes.setdefault(shard.split, [0, 0])
        size[0] += shard.records
        size[1] += num_inputs(shard)
    if not any(records for records, _ in sizes.values()):
        raise UserError(f"None of the images can be used. What is wrong with each is in {REPORT}.")
    for split, (records, inputs) in sorted(sizes.items()):
        if not records:
            _LOG.warning(
                "The %s split is empty: none of its images (%d) can be used. See %s.",
                *(split, inputs, REPORT),
            )


def num_inputs(shard: manifest.Shard) -> int:
    """Returns the number of inputs that a shard was made from, those left out included."""
    return shard.records + sum(action == "skipped" for _, _, action in shard.problems)
