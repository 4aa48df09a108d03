"""Where the archives come from: folders, mirrors, and the site that wants a login."""

import base64
import logging

import pytest

from datasets.converters.imagenet import archives
from slim_internal.ground import errors
from tests import golden_files
from tests.datasets.converters.imagenet import fake_ilsvrc
from tests.slim_internal.ground.downloads import fault_server
from tests.slim_internal.ground.downloads.fault_server import Fault

NAMES = [remote.name for remote in archives.SOURCES.values()]
USER, KEY = "someone", "s3cret-key"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return fake_ilsvrc.challenge().write(tmp_path_factory.mktemp("archives"))


@pytest.fixture
def login(monkeypatch):
    monkeypatch.setenv("IMAGENET_USERNAME", USER)
    monkeypatch.setenv("IMAGENET_ACCESS_KEY", KEY)


@pytest.fixture
def no_login(monkeypatch):
    monkeypatch.delenv("IMAGENET_USERNAME", raising=False)
    monkeypatch.delenv("IMAGENET_ACCESS_KEY", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)


def files(source) -> dict[str, bytes]:
    return {name: (source / name).read_bytes() for name in NAMES}


def request(data_dir, **changes) -> archives.Request:
    return archives.Request(**{"data_dir": str(data_dir), "checksums": False} | changes)


def names_in(paths: archives.Archives) -> set[str]:
    return {paths.devkit, paths.validation, paths.train, paths.boxes}


def test_the_records_are_those_that_are_published():
    golden = golden_files.load("checksums.json")["imagenet"]
    assert golden["base_url"] == archives.BASE_URL
    published = {name: (size, digest) for name, size, _, digest in golden["files"]}
    for remote in archives.SOURCES.values():
        size, md5 = published.pop(remote.name)
        assert remote.size == size
        assert remote.digest == (md5 and f"md5:{md5}")
        assert remote.urls == (archives.BASE_URL + remote.name,)
    assert not published


def test_archives_are_taken_from_raw_data(source, tmp_path, no_login):
    fake_ilsvrc.challenge().write(tmp_path / "raw-data")
    found = archives.obtain(request(tmp_path))
    assert names_in(found) == {str(tmp_path / "raw-data" / name) for name in NAMES}


def test_archives_are_taken_from_any_folder_where_they_are(source, tmp_path, no_login):
    found = archives.obtain(request(tmp_path, source=str(source)))
    assert names_in(found) == {str(source / name) for name in NAMES}
    assert list(tmp_path.iterdir()) == []


def test_boxes_can_be_left_out(source, tmp_path, no_login):
    assert archives.obtain(request(tmp_path, source=str(source), boxes=False)).boxes is None


def test_a_folder_that_lacks_archives_says_which(source, tmp_path):
    for name in NAMES[:2]:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(errors.UserError, match=f"lacks {NAMES[2]}, {NAMES[3]}"):
        archives.obtain(request(tmp_path / "data", source=str(tmp_path)))


@pytest.mark.parametrize("name", [fake_ilsvrc.DEVKIT, fake_ilsvrc.VALIDATION, fake_ilsvrc.TRAIN])
def test_an_archive_that_is_not_the_official_one_is_refused(source, tmp_path, name):
    size = next(remote.size for remote in archives.SOURCES.values() if remote.name == name)
    for other in NAMES:
        if archives.SOURCES["boxes"].name == other or NAMES.index(other) < NAMES.index(name):
            continue
        (tmp_path / other).write_bytes(b"x")
    only = {role: remote for role, remote in archives.SOURCES.items() if remote.name == name}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "SOURCES", only)
        refusal = rf"{name} is damaged or another .*{size} bytes.*--archive_checksums=off"
        with pytest.raises(errors.UserError, match=refusal):
            archives.obtain(request(tmp_path, source=str(tmp_path), checksums=True))
    assert (tmp_path / name).read_bytes() == b"x"


def test_what_is_missing_is_downloaded_with_the_login(source, tmp_path, login, caplog):
    caplog.set_level(logging.DEBUG)
    (tmp_path / "raw-data").mkdir()
    (tmp_path / "raw-data" / NAMES[0]).write_bytes((source / NAMES[0]).read_bytes())
    with fault_server.serve(files(source)) as server:
        found = archives.obtain(request(tmp_path, base_url=server.base_url + "/"))
        requests = list(server.requests)

    assert names_in(found) == {str(tmp_path / "raw-data" / name) for name in NAMES}
    for name in NAMES:
        assert (tmp_path / "raw-data" / name).read_bytes() == (source / name).read_bytes()
    assert {r.path for r in requests} == {f"/{name}" for name in NAMES[1:]}
    expected = "Basic " + base64.b64encode(f"{USER}:{KEY}".encode()).decode()
    assert {r.headers["Authorization"] for r in requests} == {expected}
    assert KEY not in caplog.text
    kept = b"".join(p.read_bytes() for p in tmp_path.rglob("*.json"))
    assert KEY.encode() not in kept


def test_a_mirror_is_not_told_the_login(source, tmp_path, login):
    with fault_server.serve(files(source)) as server:
        archives.obtain(request(tmp_path, source=server.base_url))
        assert len(server.requests) == 4
        assert not any("Authorization" in r.headers for r in server.requests)


@pytest.mark.parametrize("status", [401, 403])
def test_where_the_login_is_refused_the_message_says_what_to_do(
    source, tmp_path, login, capfd, status
):
    with fault_server.serve(files(source), [Fault(status=status)] * 20) as server:
        with pytest.raises(errors.UserError) as caught:
            archives.obtain(request(tmp_path, base_url=server.base_url))
    message = str(caught.value)
    assert f"{status}" in message
    assert "access refused" in message
    for name in NAMES:
        assert name in message
    assert str(tmp_path / "raw-data") in message
    output = "".join(capfd.readouterr())
    assert KEY not in message + output
    assert USER not in message + output


def test_without_a_login_the_message_says_what_to_fetch_by_hand(tmp_path, no_login):
    with pytest.raises(errors.UserError) as caught:
        archives.obtain(request(tmp_path, checksums=True))
    message = str(caught.value)
    assert "IMAGENET_USERNAME and IMAGENET_ACCESS_KEY" in message
    assert f"put these files into {tmp_path}/raw-data" in message
    for name in NAMES:
        assert name in message
    assert "147897477120 bytes, md5:1d675b47d978889d74fa0da5fadfb00e" in message
    assert not (tmp_path / "raw-data").exists()


def test_a_login_is_asked_for_without_echo(source, tmp_path, no_login, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: USER)
    monkeypatch.setattr("getpass.getpass", lambda prompt: KEY)
    with fault_server.serve(files(source)) as server:
        archives.obtain(request(tmp_path, base_url=server.base_url))
        sent = base64.b64decode(server.requests[0].headers["Authorization"].split()[1])
    assert sent == f"{USER}:{KEY}".encode()


def test_no_answer_to_the_question_for_a_login_is_an_error(tmp_path, no_login, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda *_: "", raising=False)  # Ctrl-D.
    with pytest.raises(errors.UserError, match=r"There was no answer\. To fetch them by hand"):
        archives.obtain(request(tmp_path))


def test_a_disk_that_is_too_small_is_noticed_before_the_download(tmp_path, login, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 2 * 10**11}))
    with pytest.raises(errors.UserError, match=r": 309.3 GB needed, 200.0 GB free"):
        archives.obtain(request(tmp_path, checksums=True, base_url="http://127.0.0.1:9/"))


def test_what_is_there_already_needs_no_room_on_the_disk(tmp_path, login, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10**10}))
    (tmp_path / "raw-data").mkdir()
    for path in ("raw-data/ILSVRC2012_img_train.tar.part", "train-00000-of-01024"):
        with open(tmp_path / path, "wb") as file:
            file.truncate(147 * 10**9)
    with pytest.raises(errors.UserError, match=r": 15.3 GB needed, 10.0 GB free"):
        archives.obtain(request(tmp_path, checksums=True, base_url="http://127.0.0.1:9/"))
