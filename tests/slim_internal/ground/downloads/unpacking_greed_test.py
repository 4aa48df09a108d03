"""Archives that want much time or memory."""

import gzip
import os
import subprocess
import sys
import tarfile
import time

import pytest

from tests.slim_internal.ground.downloads.archives import tar_bytes, tar_header


@pytest.fixture
def place(tmp_path):
    (tmp_path / "x").write_bytes(b"untouched")
    return tmp_path


BOMBS = {
    # 1 GiB of zeros that are a member, a header that describes one, or follow the end.
    "member": ("REGTYPE", "larger than is allowed"),
    "pax_header": ("XHDTYPE", "headers is too long"),
    "long_name": ("GNUTYPE_LONGNAME", "headers is too long"),
    "trailing": (None, "much follows its end marker"),
}

MEASURE = """
import resource, sys
from slim_internal.ground.downloads import unpacking
from slim_internal.ground import errors
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    unpacking.extract(sys.argv[1], sys.argv[2], max_bytes=64 << 20)
except errors.UserError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def write_bomb(path, kind: str | None) -> None:
    info = tarfile.TarInfo("zeros")
    info.size = 1 << 30
    if kind is None:
        head = tar_bytes([("a", b"1")], "w:")
    else:
        info.type = getattr(tarfile, kind)
        head = info.tobuf(tarfile.USTAR_FORMAT)
    mebibyte_of_zeros = gzip.compress(bytes(1 << 20))
    path.write_bytes(gzip.compress(head) + 1024 * mebibyte_of_zeros)


@pytest.mark.parametrize(("kind", "message"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_in_little_memory(place, kind, message):
    write_bomb(place / "archive", kind)
    assert (place / "archive").stat().st_size < 1.1 * (1 << 20)
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(place / "archive"), str(place / "out")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    error, growth = result.stdout.splitlines()
    assert message in error
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(growth) * unit < 64 << 20
    assert sorted(os.listdir(place)) == ["archive", "x"]


def record(number: int) -> bytes:
    text = b" k%06d=1\n" % number
    return b"%d%s" % (len(text) + 2, text)


MANY = 20_000
GREEDY = {
    # An archive whose headers want time and memory -> what the message says.
    "pax_headers_of_one_member": (
        lambda: tar_header("XHDTYPE", record(1)) * MANY + tar_header("REGTYPE", b"1"),
        "too many headers",
    ),
    "long_names_of_one_member": (
        lambda: tar_header("GNUTYPE_LONGNAME", b"b\0") * MANY + tar_header("REGTYPE", b"1"),
        "too many headers",
    ),
    "headers_for_all": (
        lambda: tar_header("XGLTYPE", record(1)) * MANY + tar_header("REGTYPE", b"1"),
        "too many headers",
    ),
    "headers_for_all_before_each_member": (
        lambda: b"".join(
            tar_header("XGLTYPE", record(n)) + tar_header("REGTYPE", b"", f"f{n}")
            for n in range(MANY)
        ),
        "headers for all of its members are too long",
    ),
    "300_folders_deep": (
        lambda: tar_bytes([("/".join([f"{n}"] * 300) + "/f", b"1") for n in range(50)], "w:"),
        "too long a name",
    ),
    "name_of_a_kilobyte": (lambda: tar_bytes([("a" * 1025, b"1")], "w:"), "too long a name"),
}


@pytest.mark.parametrize(("make", "message"), GREEDY.values(), ids=GREEDY)
def test_greedy_headers_are_refused_soon_and_in_little_memory(place, make, message):
    content = make()
    (place / "archive").write_bytes(content + bytes(1024) * (content[:2] != b"\x1f\x8b"))
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(place / "archive"), str(place / "out")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    error, growth = result.stdout.splitlines()
    assert message in error
    assert time.monotonic() - start < 10
    assert int(growth) * (1 if sys.platform == "darwin" else 1024) < 32 << 20
    assert sorted(os.listdir(place)) == ["archive", "x"]
