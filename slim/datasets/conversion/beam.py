"""Writes shards in a pipeline of Apache Beam: one element per shard.

The workers need this library on their import path, and inputs and output on a file system that all
of them see. What each has finished it notes beside the shards, so that a pipeline that fails loses
nothing.
"""

import dataclasses
import importlib
import json
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
            "--runner=beam needs Apache Beam, in an environment of its own: pip install"
            f" --require-hashes -r third_party/python/beam.lock ({error})."
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
    apache_beam = importlib.import_module("apache_beam")
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
        reason = (str(failure).strip().splitlines() or [type(failure).__name__])[0]
        raise UserError(f"The pipeline failed: {reason}. Run again to continue.") from failure


def _write(planned: PlannedShard, folder: str) -> None:
    """Writes a shard in a worker of the pipeline, and notes it."""
    place = pathlib.Path(folder)
    shard = write.write_shard(place, planned)
    atomic.write(place / NOTES / f"{planned.name}.json", json.dumps(dataclasses.asdict(shard)))
