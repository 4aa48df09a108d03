"""The notebook runs from its first cell to its last, and shows what is committed with it."""

import pathlib

import nbformat
import pytest

from tools import execute_notebook

_MAX_BYTES = 300_000


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(execute_notebook.NOTEBOOK, as_version=4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _kinds(cell):
    """Returns what a cell shows: "stdout", "image/png", ..."""
    shown = [output.get("data", [output.get("name")]) for output in cell.outputs]
    return [kind for kinds in shown for kind in sorted(kinds)]  # Files have them sorted.


def test_outputs_are_of_the_committed_sources(committed):
    executed = execute_notebook.recorded_digest(committed)
    assert executed == execute_notebook.digest(committed), (
        "tools/bazel run //tools:execute_notebook"
    )
    cells = _code(committed)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


def test_a_changed_cell_is_noticed(committed):
    changed = nbformat.from_dict(committed)
    changed.cells[1].source += "\n"
    assert execute_notebook.digest(changed) != execute_notebook.digest(committed)


def test_outputs_are_small_and_of_no_machine(committed):
    text = pathlib.Path(execute_notebook.NOTEBOOK).read_text(encoding="utf-8")
    assert len(text) < _MAX_BYTES
    for sign in ("/tmp", "/home", "/root", "site-packages", ".cache"):
        assert sign not in text
    shown = [kind for cell in _code(committed) for kind in _kinds(cell)]
    assert "stderr" not in shown
    assert shown.count("image/svg+xml") == 2
    assert shown.count("image/png") + shown.count("image/jpeg") == 5


def test_it_runs(committed, tmp_path):
    notebook = nbformat.from_dict(committed)
    for cell in _code(notebook):
        cell.outputs, cell.execution_count = [], None
    execute_notebook.execute(notebook, tmp_path)  # A cell that fails raises.
    for now, then in zip(_code(notebook), _code(committed), strict=True):
        assert _kinds(now) == _kinds(then), now.source
    assert (tmp_path / "walkthrough" / "digits.pb").exists()
