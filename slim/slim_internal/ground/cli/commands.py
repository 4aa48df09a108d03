"""Running one of our scripts from another one, just as the user would type it."""

import dataclasses
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Command:
    """A script with its flags.

    Attributes:
      script: Name of the script, without `.py`.
      flags: Flag -> value.
      arguments: What follows the flags.
    """

    script: str
    flags: Mapping[str, object]
    arguments: Sequence[str] = ()

    def words(self) -> list[str]:
        """Returns the flags and arguments, one word each."""
        return [*(f"--{name}={value}" for name, value in self.flags.items()), *self.arguments]

    def shown(self) -> str:
        """Returns what to type to run it: with Bazel if this program was started so."""
        if "BUILD_WORKING_DIRECTORY" in os.environ:
            start = ["bazel", "run", f"//slim:{self.script}", "--"]
        else:
            start = [shlex.quote(_python()), shlex.quote(_shortest(str(self._path())))]
        return " \\\n    ".join([" ".join(start), *map(shlex.quote, self.words())])

    def run(self) -> int:
        """Runs it with the terminal of this program and returns its exit code.

        An interrupt from the terminal reaches both, a SIGTERM is handed on; the script is left to
        end in its own way.
        """
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen([sys.executable, self._path(), *self.words()], env=environment)
        previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            code = _wait(process)
        finally:
            signal.signal(signal.SIGTERM, previous)
        return code if code >= 0 else 128 - code  # As shells report the end by a signal.

    def _path(self) -> pathlib.Path:
        return pathlib.Path(__file__).parents[3] / f"{self.script}.py"


def _wait(process: subprocess.Popen) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _python() -> str:
    """Returns what to type for the Python that runs this program."""
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found and os.path.abspath(found) == os.path.abspath(sys.executable):
            return name
    return _shortest(sys.executable)


def _shortest(path: str) -> str:
    """Returns a path as it is or from the folder of the user, whichever is shorter."""
    return min(os.path.relpath(path), os.path.abspath(path), key=len)
