import pathlib

import packaging
import pytest

from third_party.python import lock

_FOLDER = pathlib.Path(lock.__file__).parent
_INSTALLED = pathlib.Path(packaging.__file__).parents[1]
_HASH = "    --hash=sha256:" + "0" * 64


def _installed(directory, **distributions):
    """Lays out distributions as pip leaves them: name -> (version, what it requires)."""
    for name, (version, needs) in distributions.items():
        folder = directory / f"{name}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {need}" for need in needs]
        (folder / "METADATA").write_text("\n".join(lines) + "\n")
    return directory


def _lock(**versions):
    return "\n".join(f"{name}=={version} \\\n{_HASH}" for name, version in versions.items())


def test_the_lock_is_fresh():
    requirements_in = (_FOLDER / "requirements.in").read_text(encoding="utf-8")
    requirements_lock = (_FOLDER / "requirements.lock").read_text(encoding="utf-8")
    assert lock.problems(requirements_in, requirements_lock, _INSTALLED) == []


def test_the_lock_names_no_place():
    assert "://" not in (_FOLDER / "requirements.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("numpy==", "numpy==99.", "numpy is"),
        ("tf_slim==", "# tf_slim==", "tf_slim is not needed by anything"),
        ("# Libraries", "hypothesis==6.0  #", "hypothesis is missing, needed by requirements.in"),
    ],
)
def test_the_real_lock_goes_stale(before, after, problem):
    requirements_in = (_FOLDER / "requirements.in").read_text(encoding="utf-8")
    requirements_lock = (_FOLDER / "requirements.lock").read_text(encoding="utf-8")
    found = lock.problems(requirements_in.replace(before, after), requirements_lock, _INSTALLED)
    assert len(found) == 1
    assert problem in found[0]
    assert "tools/bazel run //tools:update_lock" in found[0]


@pytest.mark.parametrize(
    "extra_in", sorted(_FOLDER.glob("extras/*.in")), ids=lambda path: path.stem
)
def test_the_locks_of_extras_are_fresh(extra_in):
    found = lock.extra_problems(
        extra_in.stem,
        extra_in.read_text(encoding="utf-8"),
        extra_in.with_suffix(".lock").read_text(encoding="utf-8"),
        (_FOLDER / "requirements.lock").read_text(encoding="utf-8"),
    )
    assert found == []


def test_the_lock_of_beam_is_fresh_and_names_no_place():
    texts = [(_FOLDER / f"beam.{kind}").read_text(encoding="utf-8") for kind in ("in", "lock")]
    assert lock.extra_problems("beam", *texts, "") == []
    assert "://" not in texts[1]


@pytest.mark.parametrize(
    ("added", "problems"),
    [
        (_lock(b="2.0"), []),
        (_lock(b="2.1"), ["b is 2.1, but more.in needs ==2.0"]),
        (_lock(c="2.0"), ["b is missing, needed by more.in"]),
        (_lock(a="1.0", b="2.0"), ["a is in requirements.lock already"]),
        ("b==2.0", ["b has no hash"]),
        ("b>=2.0", ["'b>=2.0' does not name one version with =="]),
    ],
)
def test_extra_problems(added, problems):
    remedy = ". Run: tools/bazel run //tools:update_lock"
    found = lock.extra_problems("more", "a==1.0\nb==2.0", added, _lock(a="1.0"))
    assert found == [f"extras/more.lock: {problem}{remedy}" for problem in problems]


def test_without():
    text = "# Why.\n" + _lock(a="1.0", B_b="2.0", c="3.0") + "\n"
    assert lock.without(text, ["b_b", "d"]) == "# Why.\n" + _lock(a="1.0", c="3.0") + "\n"
    assert lock.without(text, []) == text


@pytest.mark.parametrize(
    ("locked", "needs_of_a", "problems"),
    [
        (_lock(a="1.0", b="2.0"), ["b>=2"], []),
        (_lock(a="1.0", b="2.0"), ["b>=3"], ["b is 2.0, but a needs >=3"]),
        (_lock(a="1.0"), ["b>=2"], ["b is missing, needed by a"]),
        (_lock(a="1.0"), ["b>=2; sys_platform == 'no such'"], []),
        (_lock(a="1.0"), ["b>=2; extra == 'more'"], []),
        (_lock(a="1.0", b="2.0"), [], ["b is not needed by anything"]),
        (_lock(a="1.0") + "\nb==2.0 ; sys_platform == 'no such' \\\n" + _HASH, [], []),
        (_lock(a="2.0"), [], ["a is 2.0, but requirements.in needs ==1.0"]),
        ("a==1.0", [], ["a has no hash"]),
        ("a>=1.0", [], ["'a>=1.0' does not name one version with =="]),
        ("a==1.*", [], ["'a==1.*' does not name one version with =="]),
        ("--index-url elsewhere\na==1.0", [], ["'--index-url elsewhere' is not a requirement"]),
        ("a @ file:///a.whl", [], ["'a @ file:///a.whl' does not name one version with =="]),
    ],
)
def test_problems(tmp_path, locked, needs_of_a, problems):
    installed = _installed(tmp_path, a=("1.0", needs_of_a), b=("2.0", []))
    remedy = ". Run: tools/bazel run //tools:update_lock"
    assert lock.problems("a==1.0", locked, installed) == [
        f"requirements.lock: {problem}{remedy}" for problem in problems
    ]
