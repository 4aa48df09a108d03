"""Makes a distribution: `pip install .`, or `pip install "slim @ git+ADDRESS"`.

The published packages and scripts are installed under their own names, each script as a command,
too; `from slim.nets import vgg` finds the same packages. A .pth file makes `import
tensorflow.contrib.slim as slim` work in a plain interpreter.
"""

import pathlib
import shutil

import setuptools
from setuptools.command.build_py import build_py

_ROOT = pathlib.Path(__file__).parent
_PYTHON = _ROOT / "third_party/python"
_SCRIPTS = sorted(path.stem for path in _ROOT.glob("slim/*.py") if path.stem != "__init__")
_PTH = "import slim_internal.contrib\n"


class BuildWithPth(build_py):
    """Copies the modules, and adds what has no place in the source tree.

    That is the file that an interpreter reads when it starts, and the package `slim`, whose folder
    is the folder of all the others there.
    """

    def run(self):
        """Builds."""
        super().run()
        pathlib.Path(self.build_lib, "slim_contrib.pth").write_text(_PTH, encoding="utf-8")
        package = pathlib.Path(self.build_lib, "slim")
        package.mkdir(exist_ok=True)
        shutil.copyfile(_ROOT / "slim/__init__.py", package / "__init__.py")


def _requirements(path: pathlib.Path) -> list[str]:
    """Returns what a file of requirements asks for, above what tests need."""
    lines = path.read_text(encoding="utf-8").partition("# Tests")[0].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


setuptools.setup(
    name="slim",
    version="0.1.0",
    description="Networks, datasets and programs for image classification, after TF-Slim.",
    python_requires=">=3.11",
    install_requires=_requirements(_PYTHON / "requirements.in"),
    extras_require={path.stem: _requirements(path) for path in sorted(_PYTHON.glob("extras/*.in"))},
    package_dir={"": "slim"},
    packages=setuptools.find_packages("slim"),
    package_data={"": ["*.css", "*.tsv"]},
    py_modules=_SCRIPTS,
    entry_points={
        "console_scripts": [f"{name} = slim_internal.console:{name}" for name in _SCRIPTS]
    },
    cmdclass={"build_py": BuildWithPth},
)
