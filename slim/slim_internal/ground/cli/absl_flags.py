"""The flags that `absl.app` and `absl.logging` give every program, with their meaning."""

import importlib
import logging
from collections.abc import Callable, Sequence

from absl import app, flags
from absl import logging as absl_logging
from absl.logging import converter

from slim_internal.ground.cli import terminals
from slim_internal.ground.errors import UserError, require_writable_folder

FLAGS = flags.FLAGS
MODULES = (app.__name__, absl_logging.__name__)


def define_help_flags() -> None:
    """Defines the flags for help, which `absl.app` leaves to whoever starts a program."""
    if "help" not in FLAGS:
        flags.DEFINE_bool("help", False, "Show this help.", short_name="h")
        flags.DEFINE_bool("helpshort", False, "Show this help.")
        flags.DEFINE_bool("helpfull", False, "Show the flags for logging and debugging as well.")
        flags.DEFINE_bool("helpxml", False, "Show the same as XML.")


def parse(argv: Sequence[str]) -> Sequence[str]:
    """Sets the flags and returns what is left: the name of the program and its arguments.

    Raises:
      UserError: If a --flagfile cannot be read.
    """
    try:
        return FLAGS(argv)
    except flags.CantOpenFlagFileError as error:
        cause = error.__context__
        if not isinstance(cause, OSError):
            raise
        raise UserError(f"--flagfile={cause.filename}: {cause.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError("The --flagfile is not a text file of flags, one per line.") from error


def start_logging(program: str, terminal: logging.Handler) -> None:
    """Sends messages where the flags say: to the terminal, unless there is a --log_dir.

    Args:
      program: Name of the program, the beginning of the name of a log file.
      terminal: Handler of what goes to the terminal.

    Raises:
      UserError: If --log_dir cannot be written to.
    """
    handler = terminal
    if FLAGS.log_dir and not FLAGS["log_dir"].using_default_value and not FLAGS.logtostderr:
        require_writable_folder("log_dir", FLAGS.log_dir)
        handler = _FileHandler(terminal)
        handler.start_logging_to_file(program, FLAGS.log_dir)
        terminals.tolerate(handler.stream)  # Names of files need not be UTF-8.
    level = logging.INFO
    if not FLAGS["verbosity"].using_default_value:
        level = converter.absl_to_standard(min(FLAGS.verbosity, converter.ABSL_DEBUG))
    logging.basicConfig(level=level, handlers=[handler], force=True)


class _FileHandler(absl_logging.PythonHandler):
    """Writes a log file; to the terminal goes what --alsologtostderr or --stderrthreshold say."""

    def __init__(self, terminal: logging.Handler):
        super().__init__()
        self._terminal = terminal

    def _log_to_stderr(self, record: logging.LogRecord) -> None:
        self._terminal.emit(record)


def call(main: Callable[[Sequence[str]], int | None], arguments: Sequence[str]) -> int | None:
    """Calls the function of a program, in a debugger or under a profiler if the flags say so."""
    if FLAGS.only_check_args:
        return 0
    if FLAGS.run_with_pdb:
        return importlib.import_module("pdb").runcall(main, arguments)
    if not (FLAGS.run_with_profiling or FLAGS.profile_file):
        return main(arguments)
    module = "cProfile" if FLAGS.use_cprofile_for_profiling else "profile"
    profiler = importlib.import_module(module).Profile()
    try:
        return profiler.runcall(main, arguments)
    finally:
        if FLAGS.profile_file:
            profiler.dump_stats(FLAGS.profile_file)
        else:
            profiler.print_stats()
