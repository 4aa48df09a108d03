"""The locked Python distributions and the Python they were installed for."""

load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

package(default_visibility = ["//visibility:public"])

py_runtime(
    name = "python3",
    interpreter_path = "{python}",
    python_version = "PY3",
    # The launchers of programs and tests run on the same Python: a machine may have no `python`.
    stub_shebang = "#!{python}",
)

py_runtime_pair(
    name = "python_runtimes",
    py3_runtime = ":python3",
)

toolchain(
    name = "python_toolchain",
    toolchain = ":python_runtimes",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)

# What every distribution says of itself, for the test of the lock.
filegroup(
    name = "metadata",
    srcs = glob(["site-packages/*.dist-info"], exclude_directories = 0),
)

# The distributions of the extras that were asked for (`--config=cuda`); none by default.
py_library(
    name = "extras",
    deps = {extras},
)

# Each top-level folder is one label, and so one link in the sandbox instead of thousands. Bazel does
# not see changes inside, which is safe here: the repository is made anew when the lock changes.
{distributions}
