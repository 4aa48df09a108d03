"""The Python rules of this project: the one place that knows where they come from.

Every target can import from the root of the repository (`from tests import golden_files`) and from
`slim/` (`from nets import vgg`), and carries the `__init__.py` of its folder.
"""

load("@pip//:requirements.bzl", "requirement")

_RUN_PYTEST = "//tools/build_defs:run_pytest.py"

_TEST_DEPS = ["//tests:conftest", requirement("pytest")]

def _with_init(srcs):
    return srcs + [init for init in native.glob(["__init__.py"], allow_empty = True) if init not in srcs]

def _imports():
    """Returns the import root `slim/`, seen from the package that is being loaded."""
    depth = len([part for part in native.package_name().split("/") if part])
    return ["../" * depth + "slim"]

def _parent_packages():
    """Returns the targets with the `__init__.py` of the private package and of its floor."""
    parts = native.package_name().split("/")
    if parts[:2] != ["slim", "slim_internal"]:
        return []
    return ["//" + "/".join(parts[:depth]) for depth in range(2, min(len(parts), 4))]

def py_library(name, srcs = [], deps = [], **kwargs):
    """Declares a library; takes the attributes of Bazel's own `py_library`."""
    parents = [label for label in _parent_packages() if label not in deps]
    native.py_library(
        name = name,
        srcs = _with_init(srcs),
        deps = deps + parents,
        imports = _imports(),
        srcs_version = "PY3",
        **kwargs
    )

def py_binary(name, srcs, **kwargs):
    """Declares a program; takes the attributes of Bazel's own `py_binary`."""
    native.py_binary(
        name = name,
        srcs = _with_init(srcs),
        imports = _imports(),
        python_version = "PY3",
        srcs_version = "PY3",
        **kwargs
    )

def py_test(name, srcs, args = [], data = [], deps = [], **kwargs):
    """Declares a test whose files run under pytest.

    Args:
      name: Name of the target.
      srcs: The test files.
      args: Arguments for pytest, after the files; `--test_filter` and `--test_arg` add to them.
      data: Files that the test reads.
      deps: Libraries that the test imports; pytest itself is added.
      **kwargs: Further attributes of Bazel's own `py_test`.
    """
    native.py_test(
        name = name,
        srcs = _with_init(srcs) + [_RUN_PYTEST],
        args = ["$(rootpath %s)" % src for src in srcs] + args,
        data = data + ["//:pyproject.toml"],
        deps = deps + [label for label in _TEST_DEPS if label not in deps],
        main = _RUN_PYTEST,
        imports = _imports(),
        python_version = "PY3",
        srcs_version = "PY3",
        **kwargs
    )
