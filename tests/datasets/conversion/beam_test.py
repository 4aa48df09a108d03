"""Converts a small ImageNet by Beam, where Beam is installed, and asks for it where it is not."""

import os
import pathlib
import sys

import pytest

from datasets.conversion import beam
from datasets.converters.imagenet import launch
from datasets.converters.imagenet.settings import ArchiveSettings
from slim_internal.ground.errors import UserError
from tests.datasets.converters.imagenet import fake_ilsvrc

_ARGS = (
    "--runner=FnApiRunner",
    "--runner=FnApiRunner --direct_running_mode=multi_processing --direct_num_workers=2",
)


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("arguments", _ARGS)
def test_same_bytes_as_without(tmp_path, monkeypatch, arguments):
    pytest.importorskip("apache_beam", exc_type=ImportError)
    # What workers import is in the tests only: the library they find themselves.
    tests = [path for path in sys.path if not (pathlib.Path(path) / "datasets").exists()]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(tests))
    source = fake_ilsvrc.challenge().write(tmp_path / "archives")
    found = {}
    for runner in ("processes", "beam"):
        settings = ArchiveSettings(
            output_directory=str(tmp_path / runner),
            source=str(source),
            archive_checksums="off",
            train_shards=4,
            validation_shards=2,
            num_threads=1,
            runner=runner,
            beam_args=arguments if runner == "beam" else "",
        )
        launch.from_archives(settings)
        found[runner] = _contents(tmp_path / runner)
    assert found["beam"] == found["processes"]
    assert {"manifest.json", "labels.txt", "train-00000-of-00004"} <= found["beam"].keys()
    assert not (tmp_path / "beam" / beam.NOTES).exists()


def test_finished_shards_of_a_failed_pipeline_are_kept(tmp_path, monkeypatch):
    pytest.importorskip("apache_beam", exc_type=ImportError)
    settings = ArchiveSettings(
        output_directory=str(tmp_path / "out"),
        source=str(fake_ilsvrc.challenge().write(tmp_path / "archives")),
        archive_checksums="off",
        train_shards=2,
        validation_shards=1,
        runner="beam",
        beam_args="--runner=FnApiRunner",
    )
    write = beam._write

    def failing(planned, folder):
        if planned.split == "validation":
            raise OSError("no room")
        write(planned, folder)

    monkeypatch.setattr(beam, "_write", failing)
    with pytest.raises(UserError, match=r"^The pipeline failed: .*\. Run again to continue\.$"):
        launch.from_archives(settings)
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("train-*")}
    monkeypatch.undo()
    assert launch.from_archives(settings) > 0
    assert all(path.stat().st_mtime_ns == made for path, made in finished.items())


def test_beam_is_asked_for_where_it_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam.options.pipeline_options", None)
    with pytest.raises(UserError, match=r"^--runner=beam needs Apache Beam: .*beam\.lock \("):
        beam.carrier("beam", "")


def test_options_of_a_pipeline_that_there_is_not():
    with pytest.raises(UserError, match=r"^--beam_args=--a=b needs --runner=beam\.$"):
        beam.carrier("processes", "--a=b")
    assert beam.carrier("processes", "") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no room [while running 'Write']", "no room [while running 'Write']"),
        ("Traceback (most recent call last):\n  File x\nOSError: no room.\n\n", "OSError: no room"),
        ("", "ValueError"),
    ],
)
def test_reason_of_a_failure_is_one_line(text, reason):
    assert beam._reason(ValueError(text)) == reason
