"""Compares what the Python files of the repository import with the `deps` of their targets.

    tools/bazel run //tools:build_deps            # says what is missing, unused or runs up
    tools/bazel run //tools:build_deps -- --fix   # adds what is missing, and sorts; gives each new
                                                  # file of slim/ a library of its own

Files are read as text: nothing is built and nothing imported. Floors: ground, parts, programs, then
the scripts of slim/. A file imports from its own floor and from those below; programs do not know
each other, and the rooms of a floor do not import each other in a circle.
"""

import ast
import dataclasses
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tools import build_files

# Top-level module -> distribution, where the two have different names.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "absl": "absl-py",
    "google": "protobuf",
    "google_crc32c": "google-crc32c",
    "sklearn": "scikit-learn",
}
# Folders whose modules are imported without the folder's name.
_ROOTS = ("slim/", "")
# Further targets of the repository of distributions.
_NO_DISTRIBUTIONS = ("@pip//:extras", "@pip//:metadata")
_RULES = ("py_binary", "py_library", "py_test")

# Keyword argument that names a module for `importlib` to load.
_LOADED_BY_NAME = "converter"

_PRIVATE = "slim/slim_internal"
# Rooms that stand on a floor by themselves.
_ROOMS = {"slim", "slim/datasets", "slim/deployment", "slim/nets", "slim/preprocessing"}
# Beginning of a folder -> its floor; the longest that fits counts.
_FLOORS = {
    f"{_PRIVATE}/ground": 0,
    f"{_PRIVATE}/parts": 1,
    "slim/datasets": 1,
    "slim/deployment": 1,
    "slim/nets": 1,
    "slim/preprocessing": 1,
    f"{_PRIVATE}/programs": 2,
    "slim": 3,
}
_FLOOR_NAMES = ("ground", "parts", "programs", "scripts")
# Floor -> who may see its targets unless they say otherwise.
_VISIBILITY = tuple(
    f'package(default_visibility = ["{group}"])'
    for group in (
        f"//{_PRIVATE}:ground_and_above",
        f"//{_PRIVATE}:parts_and_above",
        f"//{_PRIVATE}:scripts",
        "//visibility:public",
    )
)


@dataclasses.dataclass(frozen=True)
class Target:
    """A Python target of a BUILD file.

    Attributes:
      package: Folder of the BUILD file.
      name: Name of the target.
      rule: py_binary, py_library or py_test.
      sources: Its Python files, from the top of the repository.
      deps: Full labels of what it depends on.
      call: Where it stands.
    """

    package: str
    name: str
    rule: str
    sources: tuple[str, ...]
    deps: frozenset[str]
    call: ast.Call = dataclasses.field(compare=False, hash=False)

    @property
    def label(self) -> str:
        """Its full label."""
        return f"//{self.package}:{self.name}"


def full_label(label: str, package: str) -> str:
    """Returns a label with package and name, as seen from a package."""
    if label.startswith("@"):
        return label
    if label.startswith(":"):
        return f"//{package}{label}"
    return label if ":" in label else f"{label}:{label.rpartition('/')[2]}"


def short_label(label: str, package: str) -> str:
    """Returns the usual spelling of a full label in a package."""
    place, _, name = label.removeprefix("//").partition(":")
    if place == package:
        return f":{name}"
    return f"//{place}" if place.rpartition("/")[2] == name else label


def targets(root: pathlib.Path, build_file: pathlib.Path) -> list[Target]:
    """Returns the Python targets of a BUILD file."""
    package = build_file.parent.as_posix().removeprefix(".")
    found = []
    for node in ast.parse((root / build_file).read_text(encoding="utf-8")).body:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or ast.unparse(call.func) not in _RULES:
            continue
        values = {keyword.arg: keyword.value for keyword in call.keywords}
        sources = [text for text in _strings(values.get("srcs")) if text.endswith(".py")]
        found.append(
            Target(
                package=package,
                name=ast.literal_eval(values["name"]),
                rule=ast.unparse(call.func),
                sources=tuple(_path(source, package) for source in sources),
                deps=frozenset(_dependencies(values.get("deps"), package)),
                call=call,
            )
        )
    return found


def _path(source: str, package: str) -> str:
    """Returns the path of a source, which may be a file that another package exports."""
    if source.startswith("//"):
        return source.removeprefix("//").replace(":", "/")
    return os.path.join(package, source)


def _strings(node: ast.AST | None) -> list[str]:
    return [
        each.value
        for each in ast.walk(node or ast.List([]))
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


def _dependencies(node: ast.AST | None, package: str) -> Iterator[str]:
    for element in getattr(node, "elts", []):
        (text,) = _strings(element)
        if isinstance(element, ast.Call):
            yield f"@pip//:{text}"
        else:
            yield full_label(text, package)


def modules(source: str) -> list[str]:
    """Returns the names under which a file can be imported."""
    names = []
    for root in _ROOTS:
        if source.startswith(root):
            stem = source.removeprefix(root).removesuffix(".py").removesuffix("/__init__")
            names.append(stem.replace("/", "."))
    return names


def imports(text: str) -> Iterator[tuple[str, ...]]:
    """Yields what a file imports: for each name, the modules it may be, the likelier first."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.name,)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield (f"{node.module}.{alias.name}", node.module)
        elif isinstance(node, ast.keyword) and node.arg == _LOADED_BY_NAME:
            yield from ((name,) for name in _strings(node.value) if name)


def _distribution(module: str) -> str | None:
    """Returns the label of the distribution that a module comes from; None for Python's own."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top == "pytest":  # The rule adds pytest to tests.
        return None
    return f"@pip//:{_DISTRIBUTIONS.get(top, top)}"


def _needed(
    root: pathlib.Path, target: Target, owners: Mapping[str, Sequence[Target]]
) -> dict[str, str]:
    """Returns what a target's files import: full label -> module."""
    needed = {}
    tops = {name.partition(".")[0] for name in owners}  # What is ours and not there is missing.
    for source in target.sources:
        for candidates in imports((root / source).read_text(encoding="utf-8")):
            module = next((name for name in candidates if name in owners), candidates[-1])
            if module in owners:
                found = owners[module]
                if not any(owner is target or owner.label in target.deps for owner in found):
                    needed[found[0].label] = module
                else:
                    for owner in found:
                        needed[owner.label] = module
            elif module.partition(".")[0] in tops:
                needed[f"//{module.replace('.', '/')}"] = module
            elif label := _distribution(module):
                needed[label] = module
    needed.pop(target.label, None)
    return needed


def _floor(package: str) -> int | None:
    for beginning in sorted(_FLOORS, key=len, reverse=True):
        if package == beginning or package.startswith(f"{beginning}/"):
            return _FLOORS[beginning]
    return None


def room(package: str) -> str:
    """Returns the room that a folder of slim/ belongs to: the folder just below its floor."""
    depth = 4 if package.startswith(f"{_PRIVATE}/") else 2
    return "/".join(package.split("/")[:depth])


def _reached(arrows: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """Returns all that arrows lead to from a place; the place itself if they come back to it."""
    reached, pending = set(), list(arrows.get(start, ()))
    while pending:
        if (here := pending.pop()) not in reached:
            reached.add(here)
            pending += arrows.get(here, ())
    return reached


def wall_problems(edges: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Yields the imports that run up a floor or between programs, and the circles between rooms.

    Args:
      edges: Folder of slim/ -> the folders that its files import from.
    """
    rooms: dict[str, set[str]] = {}
    for package, others in sorted(edges.items()):
        for other in sorted(others):
            mine, theirs = _floor(package), _floor(other)
            if mine is None or theirs is None or room(package) == room(other):
                continue
            rooms.setdefault(room(package), set()).add(room(other))
            if theirs > mine:
                yield (
                    f"{package} ({_FLOOR_NAMES[mine]}) imports {other}"
                    f" ({_FLOOR_NAMES[theirs]}), a floor above it"
                )
            elif mine == theirs == _FLOORS[f"{_PRIVATE}/programs"]:
                yield f"{package} imports {other}: programs do not know each other"
    for start in sorted(rooms):
        if start in _reached(rooms, start):
            yield f"{start} imports itself in a circle, by way of other rooms"


def _own_rooms(file: pathlib.Path) -> str:
    """Returns how a program opens its targets to the scripts and to its own rooms alone."""
    program = "/".join(file.parts[:4])
    return (
        "package(default_visibility = [\n"
        f'    "//{_PRIVATE}:scripts",\n'
        f'    "//{program}:__subpackages__",\n'
        "])"
    )


def visibility_problems(root: pathlib.Path, files: Sequence[pathlib.Path]) -> Iterator[str]:
    """Yields the BUILD files of slim/ that let more see their targets than their floor allows."""
    for file in sorted(file for file in files if file.name == "BUILD"):
        floor = _floor(file.parent.as_posix())
        if floor is None or file.parent.as_posix() in {_PRIVATE, *_FLOORS.keys() - _ROOMS}:
            continue
        text = (root / file).read_text(encoding="utf-8")
        if _VISIBILITY[floor] not in text and _own_rooms(file) not in text:
            yield f"{file}: {_FLOOR_NAMES[floor]} need {_VISIBILITY[floor]}"


_LIBRARY = """
py_library(
    name = "{0}",
    srcs = ["{0}.py"],
)
"""


class Repository:
    """The Python targets of the repository, and who owns which module."""

    def __init__(self, root: pathlib.Path, files: Sequence[pathlib.Path]):
        self._root = root
        self._files = files
        self._targets = [
            target
            for build_file in sorted(file for file in files if file.name == "BUILD")
            for target in targets(root, build_file)
        ]
        self._labels = {target.label for target in self._targets}
        self._owners: dict[str, list[Target]] = {}
        for target in self._targets:
            for source in target.sources:
                for module in modules(source):
                    self._owners.setdefault(module, []).append(target)
        self._needed = {
            target.label: _needed(root, target, self._owners) for target in self._targets
        }

    def missing(self, target: Target) -> dict[str, str]:
        """Returns what a target imports without depending on it: full label -> module."""
        needed = self._needed[target.label]
        return {label: needed[label] for label in needed if label not in target.deps}

    def problems(self) -> Iterator[str]:
        """Yields one line for each dependency that is missing, unused, or goes the wrong way."""
        libraries = {
            target.label
            for target in self._targets
            if target.rule == "py_library" and target.package.startswith("slim")
        }
        edges: dict[str, set[str]] = {}
        for target in self._targets:
            for label, module in self.missing(target).items():
                if label.startswith("//") and ":" not in label:
                    yield f"{target.label} imports {module}, which is in no target"
                    continue
                yield f"{target.label} imports {module}, but {label} is not in its deps"
            for label in sorted(target.deps):
                if label.startswith("//") and label not in self._labels:
                    yield f"{target.label} depends on {label}, which is not there"
            if target.label in libraries and target.sources:  # Tests run programs, without import.
                for label in sorted(target.deps & libraries - self._needed[target.label].keys()):
                    if label != full_label(f"//{target.package}", ""):  # The package itself.
                        yield f"{target.label} depends on {label} but does not import it"
            for label in self._needed[target.label]:
                if label.startswith("//slim"):
                    package = label.removeprefix("//").partition(":")[0]
                    edges.setdefault(target.package, set()).add(package)
        yield from self._circles()
        yield from visibility_problems(self._root, self._files)
        yield from wall_problems({package: frozenset(others) for package, others in edges.items()})

    def _circles(self) -> Iterator[str]:
        """Yields the targets that depend on themselves by way of others."""
        deps = {target.label: target.deps for target in self._targets}
        for label in sorted(deps):
            if label in _reached(deps, label):
                yield f"{label} depends on itself, by way of other targets"

    def add_libraries(self) -> None:
        """Adds a library for each file of slim/ that no target has, where there is a BUILD file."""
        known = {source for target in self._targets for source in target.sources}
        for file in self._files:
            build_file = self._root / file.parent / "BUILD"
            is_library = file.is_relative_to("slim") and file.suffix == ".py"
            is_library &= file.stem != "__init__"  # The rules add it themselves.
            if is_library and file.as_posix() not in known and build_file.exists():
                text = build_file.read_text(encoding="utf-8")
                build_file.write_text(text + _LIBRARY.format(file.stem), encoding="utf-8")

    def fix(self) -> None:
        """Adds the missing dependencies to the BUILD files."""
        for package in {target.package for target in self._targets}:
            path = self._root / package / "BUILD"
            lines = path.read_text(encoding="utf-8").split("\n")
            mine = [target for target in self._targets if target.package == package]
            for target in sorted(mine, key=lambda t: t.call.lineno, reverse=True):
                known = [label for label in self.missing(target) if ":" in label]
                _rewrite(lines, target, [*target.deps, *known])
            path.write_text(_loading_requirement("\n".join(lines)), encoding="utf-8")


def _rewrite(lines: list[str], target: Target, deps: Sequence[str]) -> None:
    """Replaces the `deps` of a target in the lines of its BUILD file."""
    node = next((k.value for k in target.call.keywords if k.arg == "deps"), None)
    if not deps or (node is not None and not isinstance(node, ast.List)):
        return
    shown = [_shown(label, target.package) for label in deps]
    elements = sorted(shown, key=lambda text: build_files.order(ast.parse(text, mode="eval").body))
    block = (
        [f"    deps = [{elements[0]}],"]
        if len(elements) == 1
        else ["    deps = [", *(f"        {element}," for element in elements), "    ],"]
    )
    if node is None:
        end = target.call.end_lineno - 1
        lines[end:end] = block
    else:
        lines[node.lineno - 1 : node.end_lineno] = block


def _shown(label: str, package: str) -> str:
    if label.startswith("@pip//:") and label not in _NO_DISTRIBUTIONS:
        return f'requirement("{label.removeprefix("@pip//:")}")'
    return f'"{short_label(label, package)}"'


def _loading_requirement(text: str) -> str:
    load = 'load("@pip//:requirements.bzl", "requirement")\n'
    return text if load in text or "requirement(" not in text else load + text


def repository(root: pathlib.Path) -> Repository:
    """Returns the repository below a folder."""
    return Repository(root, build_files.listed_files(root))


def main(arguments: Sequence[str]) -> int:
    """Checks, or mends with --fix; returns the exit code."""
    root = pathlib.Path()
    if "--fix" in arguments:
        repository(root).add_libraries()
        repository(root).fix()
    found = list(repository(root).problems())
    print(*found, sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    os.chdir(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    sys.exit(main(sys.argv[1:]))
