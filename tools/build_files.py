"""Says what is untidy in the BUILD files of the repository.

The files are read as Python, whose syntax theirs is a part of. What is looked at: labels in order
and named once, rules loaded from one place, no code in comments, every Python file in a target.
"""

import ast
import collections
import itertools
import pathlib
import re
import subprocess
from collections.abc import Iterator

_RULES = "//tools/build_defs:python.bzl"
_PYTHON_RULES = ("py_binary", "py_library", "py_test")
_LABEL_LISTS = ("data", "deps", "srcs")
# A Python file of another package among the sources of a target.
_SOURCE_OF_ANOTHER = re.compile(r'srcs = \["//([^":]+):([^"]+\.py)"\]')
_COMMENTED_CODE = re.compile(r"""^\s*#\s*(["'].*["'],?|\w+\s*=.*,|\w+\()\s*$""")


def listed_files(root: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files that git knows or would add, relative to the top of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    # In the middle of a merge git names a file several times.
    files = [pathlib.Path(line) for line in dict.fromkeys(listed.stdout.splitlines())]
    return [file for file in files if (root / file).exists()]


def order(element: ast.expr) -> tuple:
    """Sorts labels: of this package, of this repository, of others, then calls."""
    if isinstance(element, ast.Constant):
        label = str(element.value)
        place = {":": 1, "/": 2, "@": 3}.get(label[:1], 0)
        return place, label.replace(":", "!").lower(), label
    return 4, ast.unparse(element), ast.unparse(element)


def _list_problems(keyword: ast.keyword, target: str) -> Iterator[str]:
    """Yields what is wrong with the lists of labels in an attribute."""
    for node in ast.walk(keyword.value):
        if not isinstance(node, ast.List) or not all(
            isinstance(element, (ast.Call, ast.Constant)) for element in node.elts
        ):
            continue
        keys = [order(element) for element in node.elts]
        for before, after in itertools.pairwise(keys):
            if before > after:
                yield f"{target}: {keyword.arg} is not in order at {after[-1]!r}"
                break
        for twice, count in collections.Counter(keys).items():
            if count > 1:
                yield f"{target}: {keyword.arg} names {twice[-1]!r} more than once"


def _function(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Yields the calls of rules and functions at the top of a file."""
    for statement in tree.body:
        if isinstance(statement, ast.Expr):
            yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def _strings(node: ast.AST) -> list[str]:
    return [
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


def _load_problems(calls: list[ast.Call], text: str) -> Iterator[str]:
    """Yields what is wrong with the `load` statements, given all calls of the file."""
    loads = [
        [_strings(argument)[0] for argument in call.args]
        for call in calls
        if _function(call) == "load"
    ]
    files = [file for file, *_ in loads]
    if files != sorted(files, key=lambda file: (not file.startswith("@"), file)):
        yield "load statements are not in order"
    for file, *names in loads:
        if names != sorted(names):
            yield f"names loaded from {file} are not in order"
        for name in names:
            if len(re.findall(rf"\b{name}\b", text)) < 2:
                yield f"{name} is loaded but not used"
    loaded = {name for file, *names in loads if file == _RULES for name in names}
    for rule in sorted({_function(call) for call in calls} & set(_PYTHON_RULES) - loaded):
        yield f"{rule} is not loaded from {_RULES}"


def _file_problems(calls: list[ast.Call], folder: pathlib.Path) -> Iterator[str]:
    """Yields the Python files of a folder that are in no target."""
    sources = {
        source
        for call in calls
        for keyword in call.keywords
        if keyword.arg == "srcs" and _function(call) != "filegroup"
        for source in _strings(keyword.value)
    }
    for file in sorted(folder.glob("*.py")):
        # The rules add __init__.py to every target by themselves.
        if file.name != "__init__.py" and file.name not in sources:
            yield f"{file.name} is in no target"


def file_problems(build_file: pathlib.Path) -> list[str]:
    """Returns one line for each thing that is untidy in a BUILD file."""
    text = build_file.read_text(encoding="utf-8")
    try:
        calls = list(_calls(ast.parse(text)))
    except SyntaxError as error:
        return [f"{build_file}:{error.lineno}: {error.msg}"]
    found = list(_load_problems(calls, text))
    for call in calls:
        name = next((_strings(k.value) for k in call.keywords if k.arg == "name"), [])
        for keyword in call.keywords:
            if keyword.arg in _LABEL_LISTS:
                found += _list_problems(keyword, name[0] if name else _function(call))
    for number, line in enumerate(text.splitlines(), start=1):
        if _COMMENTED_CODE.match(line):
            found.append(f"line {number} is code in a comment: {line.strip()}")
        if line != line.rstrip() or "\t" in line:
            found.append(f"line {number} ends in a space or holds a tab")
    found += _file_problems(calls, build_file.parent)
    return [f"{build_file}: {problem}" for problem in found]


def problems(root: pathlib.Path, files: list[pathlib.Path]) -> list[str]:
    """Returns what is untidy in the BUILD files among `files`, and Python folders without one.

    Args:
      root: Top of the repository.
      files: Every file of the repository, relative to the top.
    """
    build_files = {file for file in files if file.name == "BUILD"}
    found = [
        f"{folder}: holds Python files but no BUILD"
        for folder in sorted({file.parent for file in files if file.suffix == ".py"})
        if folder / "BUILD" not in build_files
    ]
    texts = {file: (root / file).read_text(encoding="utf-8") for file in sorted(build_files)}
    for build_file in texts:
        found += [problem.removeprefix(f"{root}/") for problem in file_problems(root / build_file)]
    used_elsewhere = {
        f"{folder}/BUILD: {name} is in no target"
        for text in texts.values()
        for folder, name in _SOURCE_OF_ANOTHER.findall(text)
    }
    return [problem for problem in found if problem not in used_elsewhere]
