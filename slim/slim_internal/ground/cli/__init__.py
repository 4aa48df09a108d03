"""What every script shares: reading flags, reporting mistakes, keeping TensorFlow quiet.

A script imports this package, defines its flags and ends with `cli.run(main)`. It imports
whatever needs TensorFlow inside `main`, so that `--help` and a misspelt flag answer at once:

    @cli.entry()
    def main(arguments):
        # Here, because TensorFlow takes seconds to load.
        from slim_internal.programs.training import train

        ...

    if __name__ == "__main__":
        cli.run(main)

Libraries report through `logging.getLogger(__name__)`; `run` prints information as it is and
marks warnings and errors as such.
"""

import contextlib
import errno
import functools
import inspect
import io
import logging
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO, cast

from absl import flags

from slim_internal.ground import own_packages
from slim_internal.ground.cli import (
    absl_flags,
    help_text,
    leaving,
    limits,
    supervision,
    terminals,
)
from slim_internal.ground.errors import UserError
from slim_internal.ground.errors.escaping import escaped_lines
from slim_internal.ground.files import atomic, paths, space
from slim_internal.ground.progress import start_up

# Before a script imports what it needs of them.
own_packages.require_for_program(getattr(sys.modules["__main__"], "__file__", None))

FLAGS = flags.FLAGS

Main = Callable[[Sequence[str]], int | None]

_EXIT_USER_ERROR = 1
_EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it.


class _Formatter(logging.Formatter):
    """Marks what is more than information: "warning: ...", "error: ..."."""

    def format(self, record: logging.LogRecord) -> str:
        message = escaped_lines(super().format(record))
        if record.levelno > logging.INFO:
            return f"{record.levelname.lower()}: {message}"
        return message


class _EscapedOutput:
    """A stream in whose place control characters of names cannot reach the terminal."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(escaped_lines(text))

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def user_path(path: str) -> str:
    """Returns the path that the user means: `~` expanded, relative to the user's folder.

    `bazel run` starts a program elsewhere and says in BUILD_WORKING_DIRECTORY where the user
    stands. `run` goes there before `main`, so that a plain relative path works too.
    """
    folder = os.environ.get("BUILD_WORKING_DIRECTORY", "")
    return path if "://" in path else os.path.join(folder, os.path.expanduser(path))


def entry(*, max_arguments: int = 0, tensorflow: bool = True) -> Callable[[Main], Main]:
    """Decorates the `main` of a script: `run` starts it, and so does `tf.app.run`.

    Args:
      max_arguments: How many arguments that are not flags the script takes.
      tensorflow: Whether the script needs TensorFlow, which `run` then loads without its chatter.
    """

    def decorate(main: Main) -> Main:
        @functools.wraps(main)
        def entered(argv: Sequence[str]) -> int | None:
            with _one_line():
                return main(_arguments(argv, max_arguments))

        entered.max_arguments = max_arguments  # type: ignore[attr-defined]
        entered.tensorflow = tensorflow  # type: ignore[attr-defined]
        return entered

    return decorate


def run(main: Main, *, max_arguments: int = 0, tensorflow: bool = True) -> None:
    """Runs a script and exits with its code; a user's mistake is one line and exit code 1.

    Args:
      main: Function of the arguments that are not flags; returns the exit code, None meaning 0.
      max_arguments: How many such arguments the script takes, unless `entry` said so.
      tensorflow: Whether the script needs TensorFlow, unless `entry` said so.
    """
    max_arguments = getattr(main, "max_arguments", max_arguments)
    tensorflow = getattr(main, "tensorflow", tensorflow)
    terminals.open_closed()
    if tensorflow:
        supervision.run_in_child()
    terminal = logging.StreamHandler()  # Standard error: standard output is for results.
    terminal.setFormatter(_Formatter())
    logging.basicConfig(level=logging.INFO, handlers=[terminal], force=True)
    terminals.tolerate(sys.stdout)
    escaped = cast(TextIO, _EscapedOutput(sys.stdout))
    with leaving.hard_if_asked(), _one_line(), contextlib.redirect_stdout(escaped):
        os.chdir(user_path("") or ".")  # Before a relative --flagfile is read.
        _define_shared_flags()
        argv = absl_flags.parse(sys.argv)
        if shown := _help():
            print(shown)
            sys.exit(0)
        arguments = _arguments(argv, max_arguments)
        for name, value in FLAGS.flag_values_dict().items():  # Before TensorFlow takes seconds.
            if isinstance(value, str):
                paths.local(value, f"--{name}")
        absl_flags.start_logging(pathlib.Path(argv[0]).stem, terminal)
        if tensorflow and not FLAGS.only_check_args:
            limits.require_room_for_tensorflow()
            with limits.loading_explained(), start_up.measured("TensorFlow"):
                _load_tensorflow(verbose=FLAGS.verbose)
        code = absl_flags.call(inspect.unwrap(main), arguments)
        sys.stdout.flush()  # Results that cannot be written are an error, not left to the end.
        sys.exit(code)


def _arguments(argv: Sequence[str], max_arguments: int) -> Sequence[str]:
    """Returns what follows the name of the program and the flags."""
    arguments = [paths.local(argument, f"argument {n}") for n, argument in enumerate(argv[1:], 1)]
    if len(arguments) > max_arguments:
        raise UserError(
            f"Unexpected argument {arguments[max_arguments]!r}. A flag is written --name=value;"
            " --help lists them."
        )
    return arguments


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """Turns mistakes of the user and states of the machine into one line and an exit code."""
    try:
        yield
    except (flags.Error, UserError) as error:
        _fail(str(error))
    except UnicodeEncodeError as error:
        if error.reason != "surrogates not allowed":
            raise
        _fail(f"{error.object}: this name is not UTF-8, which TensorFlow needs. Rename it.")
    except BrokenPipeError:  # `... | head` has read enough.
        _forget_output()
        sys.exit(_EXIT_USER_ERROR)
    except OSError as error:
        if error.filename is None:
            _forget_output()  # It may be what could not be written.
        if space.is_full(error):
            _fail(str(space.cannot_write(error)))
        if limits.is_out_of_memory(error):
            _fail(limits.shortage(error))
        if error.filename is None:
            raise
        if error.errno == errno.EROFS or atomic.is_temporary(error.filename):
            _fail(str(space.cannot_write(error)))
        _fail(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(_EXIT_INTERRUPTED)
    except Exception as error:
        # TensorFlow's error goes by its name, for not every script loads TensorFlow.
        exhausted = type(error).__name__ == "ResourceExhaustedError"
        if not exhausted and not limits.is_out_of_memory(error):
            raise
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE):  # It goes by that name as well.
            if os.strerror(number) in str(error):
                _fail(str(space.cannot_write(OSError(number, os.strerror(number)))))
        _fail(limits.shortage(error))


def _forget_output() -> None:
    """Sends what is still to be printed nowhere, so that the end of the program is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _define_shared_flags() -> None:
    absl_flags.define_help_flags()
    if "verbose" not in FLAGS:
        flags.DEFINE_bool("verbose", False, "Show the messages of TensorFlow as well.")


def _help() -> str:
    """Returns the help that the flags ask for, if any."""
    if FLAGS.helpxml:
        text = io.StringIO()
        FLAGS.write_help_in_xml_format(text)
        return text.getvalue()
    if not (FLAGS.help or FLAGS.helpshort or FLAGS.helpfull):
        return ""
    docstring = sys.modules["__main__"].__doc__ or ""
    shared = (absl_flags.__name__, __name__, *(absl_flags.MODULES if FLAGS.helpfull else ()))
    return help_text.help_text(docstring, FLAGS, sys.argv[0], shared)


def _fail(message: str) -> None:
    print(f"error: {escaped_lines(message)}", file=sys.stderr)
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
