"""The numbers of a network in a format, and what is written down where its process dies."""

import json
import subprocess

import pytest
from absl import flags

from nets import format_table, nets_factory
from tools import generative_formats, measure_formats

_DONE = {"network": "lenet", "image_size": "28", "format": "frozen", "megabytes": "13.1"}
_DONE |= {"difference": "4e-07", "agreement": "1"}


@pytest.fixture(scope="module", autouse=True)
def parsed_flags():
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["measure_formats"], known_only=True)


def test_measures_a_network():
    (facts,) = measure_formats.measure(nets_factory.get_network("lenet"), 28, ["frozen"])
    entry = format_table.Entry(**facts)
    assert entry.megabytes == "13.1"
    assert float(entry.difference) < 1e-5
    assert float(entry.agreement) == 1


def test_measures_a_generator():
    assert tuple(generative_formats.GENERATORS) == format_table.GENERATORS
    found = generative_formats.measure("dcgan_generator", ["frozen", "saved_model", "tflite"])
    for facts in found:
        entry = format_table.Entry(**facts)
        assert entry.cell.startswith("13.1 MB, "), entry
        assert float(entry.difference) < 1e-3


@pytest.mark.parametrize(
    ("name", "size"),
    [("lenet", 28), ("vgg_16", 224), ("mobilenet_v1", 128), ("inception_v3", 128)],
)
def test_images_are_small_where_the_network_allows(name, size):
    assert measure_formats._image_size(nets_factory.get_network(name), 128) == size


# Programs of a shell that measure in place of a process: the table's file is $0, the cells are $@.
_DIES_OF_TFLITE = """for cell; do [[ $cell == *tflite* ]] && kill -9 $$; echo "$cell"; done"""
_WAITS_FOR_EACH_CELL = """for cell; do
  echo "$cell"
  n=$((n + 1))
  until [[ -e $0 && $(wc -l <"$0") -gt $n ]]; do sleep 0.02; done
done"""
_GOES_TO_SLEEP = '''[[ $1 == *frozen* ]] && echo "$1" && exec sleep 60; printf "%s\n" "$@"'''


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Returns a function of a shell's program that measures lenet by it.

    The function returns the formats that each process was asked for, and the entries by format.
    """
    path = tmp_path / "formats.tsv"
    monkeypatch.setattr(measure_formats.os, "nice", lambda _: 0)
    for name, value in (
        ("output_file", str(path)),
        ("format", ["frozen", "tflite", "saved_model"]),
        ("minutes", 0.05),
    ):
        monkeypatch.setattr(flags.FLAGS[name], "value", value)
    start = subprocess.Popen

    def measure(program):
        asked = []

        def run(command, **options):
            formats = command[-1].removeprefix("--format=").split(",")
            asked.append(formats)
            cells = [json.dumps(_DONE | {"format": name}) for name in formats]
            return start(["bash", "-c", program, path, *cells], **options)

        monkeypatch.setattr(measure_formats.subprocess, "Popen", run)
        measure_formats.main(["lenet"])
        return asked, {entry.format: entry for entry in format_table.read(path)}

    return measure


def test_a_dead_process_is_written_down_and_the_rest_is_measured(measured):
    """The first process dies in its second format; one more does the third."""
    asked, entries = measured(_DIES_OF_TFLITE)
    assert asked == [["frozen", "tflite", "saved_model"], ["saved_model"]]
    assert entries["tflite"].problem == "not measured: its process ended with -9"
    assert entries["tflite"].cell == "-"
    assert entries["saved_model"].cell == "13.1 MB, 4e-07, 100%"
    asked, _ = measured(_DIES_OF_TFLITE)  # All is known.
    assert not asked


def test_each_cell_is_kept_as_soon_as_it_is_known(measured):
    """The process goes on only once the cell before stands in the file."""
    asked, entries = measured(_WAITS_FOR_EACH_CELL)
    assert asked == [["frozen", "tflite", "saved_model"]]
    assert not any(entry.problem for entry in entries.values())


def test_a_process_that_takes_too_long_is_killed(measured, monkeypatch):
    monkeypatch.setattr(flags.FLAGS["minutes"], "value", 0.01)
    asked, entries = measured(_GOES_TO_SLEEP)
    assert asked == [["frozen", "tflite", "saved_model"], ["saved_model"]]
    assert entries["frozen"].cell == "13.1 MB, 4e-07, 100%"
    assert entries["tflite"].problem == "not measured: it took more than 0.01 minutes"
    assert not entries["saved_model"].problem
