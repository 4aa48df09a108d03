"""What every script shares: reading flags, reporting mistakes, keeping TensorFlow quiet.

A script imports this package, defines its flags and ends with `cli.run(main)`. It imports
whatever needs TensorFlow inside `main`, so that `--help` and a misspelt flag answer at once:

    def main(arguments):
        # Here, because TensorFlow takes seconds to load.
        from slim_internal.programs.training import train

        ...

    if __name__ == "__main__":
        cli.run(main)

Libraries report through `logging.getLogger(__name__)`; `run` prints information as it is and
marks warnings and errors as such.
"""

import io
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence

from absl import flags

from slim_internal.ground.cli import help_text
from slim_internal.ground.errors import UserError
from slim_internal.ground.files import space

FLAGS = flags.FLAGS

_EXIT_USER_ERROR = 1
_EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it.


class _Formatter(logging.Formatter):
    """Marks what is more than information: "warning: ...", "error: ..."."""

    def format(self, record: logging.LogRecord) -> str:
        message = super().format(record)
        if record.levelno > logging.INFO:
            return f"{record.levelname.lower()}: {message}"
        return message


def user_path(path: str) -> str:
    """Returns the path that the user means: `~` expanded, relative to the user's folder.

    `bazel run` starts a program elsewhere and says in BUILD_WORKING_DIRECTORY where the user
    stands. `run` goes there before `main`, so that a plain relative path works too.
    """
    folder = os.environ.get("BUILD_WORKING_DIRECTORY", "")
    return path if "://" in path else os.path.join(folder, os.path.expanduser(path))


def run(
    main: Callable[[Sequence[str]], int | None],
    *,
    max_arguments: int = 0,
    tensorflow: bool = True,
) -> None:
    """Runs a script and exits with its code; a user's mistake is one line and exit code 1.

    Args:
      main: Function of the arguments that are not flags; returns the exit code, None meaning 0.
      max_arguments: How many such arguments the script takes.
      tensorflow: Whether the script needs TensorFlow, which is then loaded without its chatter.
    """
    handler = logging.StreamHandler()  # Standard error: standard output is for results.
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    if isinstance(sys.stdout, io.TextIOWrapper):  # Names of files need not be UTF-8.
        sys.stdout.reconfigure(errors="surrogateescape")
    _define_shared_flags()
    try:
        arguments = FLAGS(sys.argv)[1:]
        if FLAGS.help:
            print(
                help_text.help_text(
                    sys.modules["__main__"].__doc__ or "", FLAGS, sys.argv[0], __name__
                )
            )
            sys.exit(0)
        if len(arguments) > max_arguments:
            raise UserError(
                f"Unexpected argument {arguments[max_arguments]!r}. A flag is written --name=value;"
                " --help lists them."
            )
        os.chdir(user_path("") or ".")
        if tensorflow:
            _load_tensorflow(verbose=FLAGS.verbose)
        sys.exit(main(arguments))
    except (flags.Error, UserError) as error:
        _fail(str(error))
    except BrokenPipeError:  # `... | head` has read enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_EXIT_USER_ERROR)
    except OSError as error:
        if space.is_full(error):
            _fail(str(space.cannot_write(error)))
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(_EXIT_INTERRUPTED)
    except Exception as error:
        # TensorFlow's error goes by its name, for not every script loads TensorFlow.
        if type(error).__name__ not in ("MemoryError", "ResourceExhaustedError"):
            raise
        _fail("Out of memory. A smaller --batch_size or smaller images take less.")


def _define_shared_flags() -> None:
    if "verbose" not in FLAGS:
        flags.DEFINE_bool("help", False, "Show this help.", short_name="h")
        flags.DEFINE_bool("verbose", False, "Show the messages of TensorFlow as well.")


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(_EXIT_USER_ERROR)


def _load_tensorflow(*, verbose: bool) -> None:
    """Imports TensorFlow; unless verbose, only its fatal messages reach the terminal.

    Some messages are printed by C++ before any log level counts, so the stream itself is set
    aside while the libraries load. It is shown if they fail to.
    """
    if verbose:
        from slim_internal.ground import compat

        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    with tempfile.TemporaryFile() as aside:
        terminal = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            from slim_internal.ground import compat  # noqa: F401
        except Exception:  # Not Ctrl-C.
            aside.seek(0)
            os.write(terminal, aside.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
