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


def test_a_dead_process_is_written_down_and_the_rest_is_measured(tmp_path, monkeypatch, capsys):
    """The first process dies in its second format; one more does the third."""
    asked = []

    def run(command, **_):
        formats = command[-1].removeprefix("--format=").split(",")
        asked.append(formats)
        lines = [json.dumps(_DONE | {"format": name}) for name in formats if name != "tflite"]
        lines = lines[: formats.index("tflite")] if "tflite" in formats else lines
        code = -9 if "tflite" in formats else 0
        return subprocess.CompletedProcess(command, code, "\n".join(lines))

    monkeypatch.setattr(measure_formats.subprocess, "run", run)
    monkeypatch.setattr(measure_formats.os, "nice", lambda _: 0)
    path = tmp_path / "formats.tsv"
    monkeypatch.setattr(flags.FLAGS["output_file"], "value", str(path))
    monkeypatch.setattr(flags.FLAGS["format"], "value", ["frozen", "tflite", "saved_model"])
    measure_formats.main(["lenet"])
    assert asked == [["frozen", "tflite", "saved_model"], ["saved_model"]]
    entries = {entry.format: entry for entry in format_table.read(path)}
    assert entries["tflite"].problem == "not measured: its process ended with -9"
    assert entries["tflite"].cell == "-"
    assert entries["saved_model"].cell == "13.1 MB, 4e-07, 100%"
    measure_formats.main(["lenet"])  # All is known.
    assert len(asked) == 2
