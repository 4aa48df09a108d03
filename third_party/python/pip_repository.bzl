"""The repository rule that turns requirements.lock into Bazel targets.

`@pip` holds one `py_library` per locked distribution, the toolchain of the Python that installed
them, and `@pip//:requirements.bzl` with `requirement(name)`.
"""

_INTERPRETER_VARIABLE = "SLIM_PYTHON"
_EXTRAS_VARIABLE = "SLIM_EXTRAS"

_PROBE = """
import importlib.util, sys
print(sys.executable, "%d.%d" % sys.version_info[:2], importlib.util.find_spec("pip") is not None, sep="\\n")
"""

_REQUIREMENTS_BZL = '''"""Names of the locked Python distributions as Bazel labels."""

_DISTRIBUTIONS = {distributions}

def requirement(name):
    """Returns the label of a distribution; -, _, . and case do not matter in its name."""
    normal = name.lower().replace("-", "_").replace(".", "_")
    if normal not in _DISTRIBUTIONS:
        fail("%s is not in third_party/python/requirements.lock; add it to requirements.in." % name)
    return "@{repository}//:" + normal
'''

def _find_python(repository_ctx):
    """Returns the path of a Python that this project runs on, or fails with one line.

    `tools/bazel` looks first, and needs fewer lines to say so; not every Bazel goes through it.
    """
    versions = repository_ctx.read(repository_ctx.attr._versions).strip().split(" ")
    wanted = repository_ctx.os.environ.get(_INTERPRETER_VARIABLE) or "python3"
    path = repository_ctx.which(wanted) if "/" not in wanted else wanted
    if not path:
        fail("%s is not on the PATH: install Python %s or name one with %s=/path/to/python3." %
             (wanted, " or ".join(versions), _INTERPRETER_VARIABLE))

    probe = repository_ctx.execute([path, "-c", _PROBE])
    if probe.return_code:
        fail("%s does not run: %s" % (path, probe.stderr.strip()))
    executable, version, has_pip = probe.stdout.strip().split("\n")
    if version not in versions:
        fail("%s is Python %s, this project runs on %s: name one of these with %s=/path/to/python3." %
             (path, version, ", ".join(versions), _INTERPRETER_VARIABLE))
    if has_pip != "True":
        fail("%s has no pip: install it, on Debian and Ubuntu with apt-get install -y python3-pip." % path)
    return executable

def _run(repository_ctx, arguments, what):
    result = repository_ctx.execute(arguments, timeout = 3600)
    if result.return_code:
        fail("%s failed:\n%s%s" % (what, result.stdout, result.stderr))
    return result.stdout

def _extra_locks(repository_ctx, main_lock):
    """Returns the locks of the extras that `--config` asks for, by name."""
    names = repository_ctx.os.environ.get(_EXTRAS_VARIABLE, "")
    folder = main_lock.dirname.get_child("extras")
    locks = {}
    for name in [name for name in names.split(",") if name]:
        lock = folder.get_child(name + ".lock")
        if not lock.exists:
            known = [f.basename[:-len(".lock")] for f in folder.readdir() if f.basename.endswith(".lock")]
            fail("%s=%s: there is no extra %s; there are: %s." %
                 (_EXTRAS_VARIABLE, names, name, ", ".join(sorted(known))))
        locks[name] = lock
    return locks

def _locked_names(repository_ctx, lock):
    """Returns the distributions of a lock as Bazel knows them."""
    return [
        line.partition("==")[0].lower().replace("-", "_").replace(".", "_")
        for line in repository_ctx.read(lock).split("\n")
        if "==" in line and not line.startswith((" ", "#"))
    ]

def _pip_repository_impl(repository_ctx):
    python = _find_python(repository_ctx)
    lock = repository_ctx.path(repository_ctx.attr.requirements_lock)
    extras = _extra_locks(repository_ctx, lock)
    describe = repository_ctx.path(repository_ctx.attr._describe)

    # An empty virtual environment hides whatever else is installed on the machine.
    _run(repository_ctx, [python, "-m", "venv", "--without-pip", "venv"], "Making a virtual environment")

    repository_ctx.report_progress("Installing the locked Python distributions")

    # pip compiles to byte-code as it installs, which spares every sandboxed test the compilation
    # of TensorFlow.
    _run(repository_ctx, [
        python,
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--compile",
        "--disable-pip-version-check",
        "--no-input",
        "--no-warn-script-location",
        "--quiet",
        "--target=site-packages",
    ] + ["--requirement=%s" % each for each in [lock] + extras.values()], "Installing %s" % ", ".join(
        ["third_party/python/requirements.lock"] + ["extras/%s.lock" % name for name in extras],
    ))

    distributions = json.decode(_run(
        repository_ctx,
        [python, describe, "site-packages"],
        "Reading the installed distributions",
    ))
    repository_ctx.template("BUILD", repository_ctx.attr._build_template, {
        "{python}": str(repository_ctx.path("venv/bin/python3")),
        "{distributions}": "\n".join([_py_library(d) for d in distributions]),
        "{extras}": repr(sorted([
            ":" + name
            for lock in extras.values()
            for name in _locked_names(repository_ctx, lock)
            if name in [d["name"] for d in distributions]
        ])),
    }, executable = False)
    repository_ctx.file("requirements.bzl", _REQUIREMENTS_BZL.format(
        distributions = repr([d["name"] for d in distributions]),
        repository = repository_ctx.name,
    ), executable = False)

def _py_library(distribution):
    return """
py_library(
    name = {name},
    data = {data},
    imports = ["site-packages"],
    deps = {deps},
)""".format(
        name = repr(distribution["name"]),
        data = repr(distribution["files"]),
        deps = repr([":" + dependency for dependency in distribution["dependencies"]]),
    )

pip_repository = repository_rule(
    implementation = _pip_repository_impl,
    attrs = {
        "requirements_lock": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "Pinned and hashed requirements, every dependency included.",
        ),
        "_build_template": attr.label(default = "//third_party/python:pip.BUILD.tpl"),
        "_describe": attr.label(default = "//third_party/python:describe_distributions.py"),
        "_versions": attr.label(default = "//third_party/python:versions.txt"),
    },
    environ = [_INTERPRETER_VARIABLE, _EXTRAS_VARIABLE],
    doc = "Installs a lock file with the Python of the machine and declares what it installed.",
)
