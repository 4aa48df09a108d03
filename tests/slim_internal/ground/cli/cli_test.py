"""Runs small scripts the way a user does: as processes, with flags and mistakes."""

import os
import subprocess
import sys

import pytest

_SCRIPT = '''"""Multiplies two numbers."""
import logging
import os
import sys

from absl import flags

from slim_internal.ground import cli
from slim_internal.ground.errors import UserError

flags.DEFINE_integer("factor", 2, "What to multiply by.")

def main(arguments):
    if "tensorflow" in sys.modules:
        from slim_internal.ground.compat import tf
        with tf.Session() as session:
            print(session.run(tf.constant(6) * flags.FLAGS.factor))
            side = tf.placeholder(tf.int32, [])
            if arguments:
                session.run(tf.random_uniform([side, side, side]), {side: arguments[0]})
    else:
        logging.info("in %s", os.getcwd())
        logging.warning("careful")
        exec(arguments[0])

if __name__ == "__main__":
    cli.run(main, max_arguments=1, tensorflow="RUN_TENSORFLOW" in os.environ)
'''


@pytest.fixture
def run(tmp_path):
    script = tmp_path / "multiply.py"
    script.write_text(_SCRIPT)
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}

    def run_script(*arguments, text=True, shell=None, **environment):
        return subprocess.run(
            [*(["bash", shell] if shell else [sys.executable, str(script)]), *arguments],
            env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
            cwd=tmp_path,
            capture_output=True,
            text=text,
        )

    return run_script


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["--fctor=3"],
            "error: Unknown command line flag 'fctor'. Did you mean: factor ?\n",
            id="unknown_flag",
        ),
        pytest.param(
            ["--factor=three"],
            "error: flag --factor=three: invalid literal for int() with base 10: 'three'\n",
            id="wrong_type",
        ),
        pytest.param(
            ["os.fsdecode(b'/caf\\xe9').encode()"],
            "error: /caf\\udce9: this name is not UTF-8, which TensorFlow needs. Rename it.\n",
            id="name_not_utf_8",
        ),
        pytest.param(
            ["pass", "--factor=3", "stray"],
            "error: Unexpected argument 'stray'. A flag is written --name=value; --help lists"
            " them.\n",
            id="stray_argument",
        ),
        pytest.param(
            ["raise UserError('Unknown network.')"], "error: Unknown network.\n", id="user_error"
        ),
        pytest.param(
            ["open('missing.txt')"],
            "error: missing.txt: No such file or directory\n",
            id="missing_file",
        ),
        pytest.param(
            ["raise OSError(13, 'Permission denied', '/data/.a.csv.77.partial')"],
            "error: Cannot write to /data/a.csv: Permission denied.\n",
            id="temporary_name",
        ),
        pytest.param(
            ["raise OSError(30, 'Read-only file system', '/data/set')"],
            "error: Cannot write to /data/set: Read-only file system.\n",
            id="read_only",
        ),
        pytest.param(
            ["open('/dev/full', 'w').write(' ' * 99999)"],
            "error: Cannot write: the disk is full (No space left on device). "
            "Free some space and run the same command again.\n",
            id="full_disk",
            marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no /dev/full"),
        ),
    ],
)
def test_mistake_is_one_line(run, arguments, message):
    result = run(*arguments)
    assert result.returncode == 1
    assert result.stderr.splitlines(keepends=True)[-1] == message
    assert "Traceback" not in result.stderr


def test_bug_keeps_its_trace_back(run):
    result = run("1 / 0")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_ctrl_c_is_one_line(run):
    result = run("raise KeyboardInterrupt")
    assert (result.returncode, result.stderr.splitlines()[-1]) == (130, "Interrupted.")


def test_reader_that_has_read_enough_is_no_error(run):
    assert run("raise BrokenPipeError").stderr.splitlines()[-1] == "warning: careful"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
@pytest.mark.parametrize("statement", ["print(1)", "print('x' * 100_000)"])
def test_results_that_cannot_be_written_are_one_line(run, tmp_path, statement):
    (tmp_path / "multiply").write_text(f'"{sys.executable}" multiply.py "$@" >/dev/full')
    result = run(statement, shell="multiply")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: Cannot write: the disk is full")
    assert "Exception" not in result.stderr


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"])
def test_no_file_takes_the_place_of_a_closed_stream(run, tmp_path, closed):
    (tmp_path / "multiply").write_text(f'"{sys.executable}" multiply.py "$@" {closed}')
    statement = "print(1); os.write(1, b'x'); open('n', 'w').write(str(os.open('a', 64)))"
    result = run(statement, shell="multiply")
    assert (result.returncode, (tmp_path / "n").read_text() > "2") == (0, True)
    assert "Traceback" not in result.stderr
    assert run("print(1)", "--help", shell="multiply").returncode == 0


def test_log_lines(run, tmp_path):
    assert run("pass").stderr == f"in {tmp_path}\nwarning: careful\n"


def test_exit_code_of_main(run):
    assert run("sys.exit(7)").returncode == 7


def test_relative_paths_mean_the_folder_of_the_user(run, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    assert run("pass", BUILD_WORKING_DIRECTORY=str(there)).stderr.startswith(f"in {there}\n")


def test_help_shows_docstring_and_flags_without_tensorflow(run):
    result = run("--help")
    assert result.returncode == 0
    assert result.stdout.startswith("Multiplies two numbers.\n")
    assert "  --factor=2\n      What to multiply by.\n" in result.stdout


def test_tensorflow_is_quiet_unless_asked(run):
    quiet = run("--factor=7", RUN_TENSORFLOW="1")
    assert (quiet.stdout, quiet.stderr) == ("42\n", "")
    assert run("--factor=7", "--verbose", RUN_TENSORFLOW="1").stderr


def test_memory_that_is_not_enough_is_one_line(run):
    result = run("20000", RUN_TENSORFLOW="1")  # 32 TB.
    assert result.returncode == 1
    assert result.stderr.startswith("error: Out of memory. A smaller --batch_size")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        ([], ["in", "warning: careful"]),
        (["--alsologtostderr"], ["in", "warning: careful"]),
        (["--logtostderr"], ["in", "warning: careful"]),
        (["--stderrthreshold=error"], ["in", "warning: careful"]),
        (["--log_dir="], ["in", "warning: careful"]),
        (["--v=1"], ["in", "warning: careful"]),
        (["--verbosity=-1"], ["warning: careful"]),
        (["-v", "-2"], []),
    ],
)
def test_absl_flags_for_messages_on_the_terminal(run, flags, lines):
    result = run("pass", *flags)
    assert result.returncode == 0
    assert [
        line.removesuffix(" ").partition(" /")[0] for line in result.stderr.splitlines()
    ] == lines


@pytest.mark.parametrize(
    ("flags", "terminal", "in_file"),
    [
        ([], [], 2),
        (["--alsologtostderr"], ["in", "warning: careful"], 2),
        (["--stderrthreshold=warning"], ["warning: careful"], 2),
        (["--verbosity=-1"], [], 1),
        (["--logtostderr"], ["in", "warning: careful"], None),
    ],
)
def test_log_dir_gets_the_messages(run, tmp_path, flags, terminal, in_file):
    result = run("pass", "--log_dir=logs", *flags)
    assert result.returncode == 0
    assert [line.partition(" /")[0] for line in result.stderr.splitlines()] == terminal
    files = [path for path in tmp_path.glob("logs/multiply.*.INFO.*") if not path.is_symlink()]
    assert len(files) == (in_file is not None)
    for path in files:
        lines = path.read_text().splitlines()
        assert len(lines) == in_file
        assert lines[-1].startswith("W")
        assert lines[-1].endswith("] careful")


def test_log_file_takes_any_name(run, tmp_path):
    result = run(r"logging.info('a\udcff')", "--log_dir=logs")
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "logs/multiply.INFO").read_bytes().endswith(b"] a\xff\n")


def test_log_dir_that_cannot_be_written_to(run, tmp_path):
    (tmp_path / "logs").write_text("")
    result = run("pass", "--log_dir=logs")
    assert result.returncode == 1
    assert result.stderr == (
        "error: Cannot write to --log_dir=logs: File exists. Choose another folder.\n"
    )


def test_flagfile_is_found_from_the_folder_of_the_user(run, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "recipe.flags").write_text("# Seven.\n--factor=7\n")
    program = "print(flags.FLAGS.factor)"
    result = run(program, "--flagfile=recipe.flags", BUILD_WORKING_DIRECTORY=str(there))
    assert result.stdout == "7\n"
    result = run(program, "--flagfile=recipe.flags")
    assert (result.returncode, result.stderr) == (
        1,
        "error: --flagfile=recipe.flags: No such file or directory.\n",
    )


def test_flagfile_that_is_no_text(run, tmp_path):
    (tmp_path / "net.pb").write_bytes(bytes(range(255, 0, -1)))
    result = run("pass", "--flagfile=net.pb")
    assert (result.returncode, result.stderr) == (
        1,
        "error: The --flagfile is not a text file of flags, one per line.\n",
    )


def test_absl_flags_for_help_and_debugging(run, tmp_path):
    assert run("--helpshort").stdout == run("--help").stdout
    assert "--[no]alsologtostderr" in run("--helpfull").stdout
    assert "<name>factor</name>" in run("--helpxml").stdout
    assert run("1 / 0", "--only_check_args").returncode == 0
    assert "function calls" in run("pass", "--run_with_profiling").stdout
    assert run("pass", "--profile_file=profile").returncode == 0
    assert (tmp_path / "profile").stat().st_size > 0


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", b"a\\xfc\\u65e5\xff\n"),
        ("latin-1", b"a\xfc\\u65e5\xff\n"),
        ("utf-8", "aü日".encode() + b"\xff\n"),
    ],
)
def test_any_name_can_be_printed(run, encoding, printed):
    result = run(r"print('a\xfc\u65e5\udcff')", text=False, PYTHONIOENCODING=encoding)
    assert (result.returncode, result.stdout) == (0, printed)


def test_user_path(monkeypatch):
    from slim_internal.ground import cli

    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", "/home/me")
    monkeypatch.setenv("HOME", "/home/other")
    assert cli.user_path("data/mnist") == "/home/me/data/mnist"
    assert cli.user_path("/data/mnist") == "/data/mnist"
    assert cli.user_path("~/mnist") == "/home/other/mnist"
    assert cli.user_path("gs://bucket/mnist") == "gs://bucket/mnist"
    monkeypatch.delenv("BUILD_WORKING_DIRECTORY")
    assert cli.user_path("data") == "data"


@pytest.mark.parametrize(
    "statement",
    [
        "print('a\\x1b[2Jb')",
        "sys.stdout.write('a\\x1b[2Jb')",
        "logging.warning('%s', 'a\\x1b[2Jb')",
        "raise UserError('a\\x1b[2Jb')",
        "open('a\\x1b[2Jb')",
    ],
    ids=["print", "write", "log", "error", "missing_file"],
)
def test_control_characters_of_names_do_not_reach_the_terminal(run, statement):
    result = run(statement)
    assert r"a\x1b[2Jb" in result.stdout + result.stderr
    assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("No space left on device", "error: Cannot write: the disk is full"),
        ("Disk quota exceeded", "error: Cannot write: the disk is full"),
        ("OOM when allocating tensor", "error: Out of memory."),
    ],
)
def test_what_tensorflow_has_no_more_of(run, reason, message):
    exhausted = "type('ResourceExhaustedError', (Exception,), {})"
    result = run(f"raise {exhausted}('a/model.ckpt-1.tempstate; {reason}')")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(message)
