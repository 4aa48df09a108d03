"""Running one of our scripts from another one, just as the user would type it."""

import dataclasses
import os
import pathlib
import shlex
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
            start = ["python", f"{self.script}.py"]
        return " \\\n    ".join([" ".join(start), *map(shlex.quote, self.words())])

    def run(self) -> int:
        """Runs it with the terminal of this program and returns its exit code.

        An interrupt reaches both; the script is left to end in its own way.
        """
        path = pathlib.Path(__file__).parent.parent / f"{self.script}.py"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen([sys.executable, path, *self.words()], env=environment)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
