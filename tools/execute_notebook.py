"""Executes slim/slim_walkthrough.ipynb and keeps what its cells show.

    tools/bazel run //tools:execute_notebook

A notebook is committed with its outputs, so that it can be read where it cannot be run. They name
the sources they belong to: a test fails when a cell is changed and this is not run.
"""

import hashlib
import os
import pathlib
import sys
import tempfile

import nbclient
import nbformat
from jupyter_client import kernelspec, manager

NOTEBOOK = pathlib.Path("slim/slim_walkthrough.ipynb")
_SECONDS_PER_CELL = 300
_DIGEST = "sources_sha256"


def digest(notebook: nbformat.NotebookNode) -> str:
    """Returns the SHA-256 of the sources of all cells."""
    sources = "\0".join(f"{cell.cell_type}\0{cell.source}" for cell in notebook.cells)
    return hashlib.sha256(sources.encode()).hexdigest()


def recorded_digest(notebook: nbformat.NotebookNode) -> str | None:
    """Returns the digest of the sources that were executed, if any were."""
    return notebook.metadata.get(_DIGEST)


def execute(notebook: nbformat.NotebookNode, folder: pathlib.Path) -> None:
    """Executes the cells in order and puts what they show into the notebook.

    Args:
      notebook: The notebook.
      folder: Where its cells work; what Jupyter and IPython leave goes to it, too.

    Raises:
      nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    kernel = manager.AsyncKernelManager(
        # This Python, and none that the machine has registered.
        kernel_spec_manager=kernelspec.KernelSpecManager(kernel_dirs=[]),
        connection_file=str(folder / "kernel.json"),
    )
    client = nbclient.NotebookClient(
        notebook,
        km=kernel,
        timeout=_SECONDS_PER_CELL,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # It warns of connections without encryption.
        resources={"metadata": {"path": str(folder)}},
    )
    environment = {
        # Without what `bazel run` says, which moves programs to the folder of the user.
        **{name: value for name, value in os.environ.items() if not name.startswith("BUILD_")},
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / ".ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # A warning of the debugger, which nobody uses.
    }
    client.execute(env=environment)
    for cell in notebook.cells:  # On stderr TensorFlow speaks of the machine.
        outputs = cell.get("outputs", [])
        outputs[:] = [each for each in outputs if each.get("name") != "stderr"]
    notebook.metadata[_DIGEST] = digest(notebook)
    notebook.metadata.language_info = {"name": "python"}  # Whatever the version.


def main() -> None:
    """Executes the notebook in an empty folder and writes it."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        execute(notebook, pathlib.Path(folder))
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    os.chdir(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    main()
