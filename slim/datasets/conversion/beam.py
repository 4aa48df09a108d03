"""Writes shards in a pipeline of Apache Beam: one element per shard.

The workers need this library on their import path (those of this machine find it), and inputs and
output on a file system that all of them see. What each has finished it notes beside the shards, so
that a pipeline that fails loses nothing.
"""

import dataclasses
import importlib
import json
import logging
import os
import pathlib
import shlex
import shutil
from collections.abc import Iterator

from datasets.conversion import write
from datasets.conversion.plan import PlannedShard
from datasets.storage import manifest
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import atomic

# Folder of the dataset in which workers note what they have finished, while the pipeline runs.
NOTES = ".beam"

_LIBRARY = pathlib.Path(__file__).resolve().parents[2]


def carrier(runner: str, arguments: str) -> write.Carrier | None:
    """Returns what writes shards by Beam, or None if that is not wanted.

    Args:
      runner: "beam", or anything else.
      arguments: Options of the pipeline, separated as in a shell.

    Raises:
      UserError: Beam is not installed, or does not know an option.
    """
    if runner != "beam":
        if arguments:
            raise UserError(f"--beam_args={arguments} needs --runner=beam.")
        return None
    try:
        # By name: it is none of the lock's distributions, and not every user has it.
        pipeline_options = importlib.import_module("apache_beam.options.pipeline_options")
    except ImportError as error:
        raise UserError(
            "--runner=beam needs Apache Beam: with Bazel, --config=beam; else, in an environment of"
            " its own, pip install --require-hashes -r third_party/python/beam.lock"
            f" ({error})."
        ) from error
    try:
        words = shlex.split(arguments)
        options = pipeline_options.PipelineOptions(words)
        options.get_all_options(drop_default=True)
    except (SystemExit, ValueError) as error:  # argparse ends the program.
        raise UserError(f"--beam_args={arguments} cannot be read: {error}.") from error
    if unknown := [word for word in words if not word.startswith("--")]:
        raise UserError(f"--beam_args: {unknown[0]!r} is no option; write --name=value.")
    return lambda folder, shards: _carry(folder, shards, options)


def _carry(folder: pathlib.Path, shards: list[PlannedShard], options) -> Iterator[manifest.Shard]:
    logging.getLogger("apache_beam").setLevel(logging.WARNING)  # It tells of each channel.
    apache_beam = importlib.import_module("apache_beam")
    # For workers that are processes of this machine.
    path = [str(_LIBRARY), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(path)
    notes = folder.resolve() / NOTES
    shutil.rmtree(notes, ignore_errors=True)  # Of a run that was killed; the journal knows more.
    notes.mkdir()
    failure = None
    try:
        with apache_beam.Pipeline(options=options) as pipeline:
            planned = pipeline | "Plan" >> apache_beam.Create(shards)
            spread = planned | "Spread" >> apache_beam.Reshuffle()
            spread | "Write" >> apache_beam.Map(_write, str(folder.resolve()))
    except Exception as error:  # Beam wraps what happened in a worker.
        failure = error
    for note in sorted(notes.iterdir()):
        yield manifest.Shard.from_json(json.loads(note.read_bytes()))
    shutil.rmtree(notes)
    if failure:
        raise UserError(
            f"The pipeline failed: {_reason(failure)}. Run again to continue."
        ) from failure


def _reason(failure: Exception) -> str:
    """Returns what went wrong in one line; that of a worker comes with a traceback before it."""
    lines = str(failure).strip().splitlines() or [type(failure).__name__]
    return lines[-1 if lines[0].startswith("Traceback") else 0].rstrip(".")


def _write(planned: PlannedShard, folder: str) -> None:
    """Writes a shard in a worker of the pipeline, and notes it."""
    place = pathlib.Path(folder)
    shard = write.write_shard(place, planned)
    atomic.write(place / NOTES / f"{planned.name}.json", json.dumps(dataclasses.asdict(shard)))
