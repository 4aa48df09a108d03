"""docs/formats.md shows what was measured, and a table says all of it."""

import json
import pathlib

from nets import format_table, nets_factory

COMMAND = "tools/bazel run //slim:list_networks -- --export_formats --format=markdown"
_ENTRIES = [
    format_table.Entry("b", "28", "tflite", problem="No MaxPool3D."),
    format_table.Entry("b", "28", "frozen", "13.1", "4e-07", "0.875"),
    format_table.Entry("a", "96", "frozen", "1.0", "4e-03", "1"),
]


def test_page_is_fresh():
    path = pathlib.Path(__file__).parents[2] / "docs" / "formats.md"
    names = [*sorted(nets_factory.networks), *format_table.GENERATORS]
    table = format_table.markdown(names, format_table.read())
    assert table in path.read_text(encoding="utf-8"), f"replace the table by: {COMMAND}"


def test_every_measured_network_and_format_exists():
    entries = format_table.read()
    known = {*nets_factory.networks, *format_table.GENERATORS}
    assert {entry.network for entry in entries} <= known
    assert format_table.encode(entries) == format_table.PATH.read_text(encoding="utf-8")


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "formats.tsv"
    assert format_table.read(path) == []
    path.write_text(format_table.encode(_ENTRIES), encoding="utf-8")
    assert format_table.read(path) == [_ENTRIES[2], _ENTRIES[1], _ENTRIES[0]]


def test_tables():
    assert format_table.text(["a", "b", "c"], _ENTRIES).splitlines() == [
        "network  size  frozen               tflite",
        "a        96    1.0 MB, 4e-03, 100%  -",
        "b        28    13.1 MB, 4e-07, 88%  no",
        "c        -     -                    -",
        "b, tflite: No MaxPool3D.",
    ]
    assert format_table.Entry("g", "32", "onnx", "13.1", "2e-06").cell == "13.1 MB, 2e-06"
    assert "| b | 28 | 13.1 MB, 4e-07, 88% | no |" in format_table.markdown(["b"], _ENTRIES)
    assert "- b, tflite: No MaxPool3D." in format_table.markdown(["b"], _ENTRIES)
    (row,) = json.loads(format_table.as_json(["a"], _ENTRIES))
    assert row["difference"] == "4e-03"
