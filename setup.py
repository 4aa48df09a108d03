"""Makes a distribution: `pip install .`, or `pip install "slim @ git+ADDRESS"`.

The published packages and scripts are installed under their own names, each script as a command,
too. A .pth file makes `import tensorflow.contrib.slim as slim` work in a plain interpreter.
"""

import pathlib

import setuptools
from setuptools.command.build_py import build_py

_ROOT = pathlib.Path(__file__).parent
_SCRIPTS = sorted(path.stem for path in _ROOT.glob("slim/*.py") if path.stem != "__init__")
_PTH = "import slim_internal.contrib\n"


class BuildWithPth(build_py):
    """Copies the modules, and adds the file that an interpreter reads when it starts."""

    def run(self):
        """Builds."""
        super().run()
        pathlib.Path(self.build_lib, "slim_contrib.pth").write_text(_PTH, encoding="utf-8")


def _requirements() -> list[str]:
    """Returns what the library needs: the requirements above those of tests."""
    text = (_ROOT / "third_party/python/requirements.in").read_text(encoding="utf-8")
    lines = text.partition("# Tests")[0].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


setuptools.setup(
    name="slim",
    version="0.1.0",
    description="Networks, datasets and programs for image classification, after TF-Slim.",
    python_requires=">=3.11",
    install_requires=_requirements(),
    package_dir={"": "slim"},
    packages=setuptools.find_packages("slim"),
    package_data={"": ["*.css", "*.tsv"]},
    py_modules=_SCRIPTS,
    entry_points={
        "console_scripts": [f"{name} = slim_internal.console:{name}" for name in _SCRIPTS]
    },
    cmdclass={"build_py": BuildWithPth},
)
