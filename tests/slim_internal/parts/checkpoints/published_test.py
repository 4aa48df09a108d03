"""Fetches published weights from a real HTTP server that is right, wrong, or full of surprises."""

import dataclasses
import hashlib
import io
import json
import os
import tarfile
import threading

import pytest

from slim_internal.ground.compat import tf
from slim_internal.ground.downloads.download import Policy
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import contents, latest, published
from tests.slim_internal.ground.downloads import fault_server
from tests.slim_internal.ground.downloads.fault_server import Fault
from tests.slim_internal.parts.checkpoints import small_weights
from tests.slim_internal.parts.checkpoints.small_weights import ARCHIVE, SHAPES, WEIGHTS

_HASTY = Policy(retries=0, backoff=0.01, stall_timeout=2)


@pytest.fixture(autouse=True)
def _no_graph_is_built_twice(monkeypatch, tmp_path):
    monkeypatch.setattr(contents, "expected_shapes", lambda network, checkpoint: SHAPES)
    monkeypatch.setenv(published.CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return small_weights.good_archive(tmp_path_factory.mktemp("good"))


def _at(*urls):
    """The small weights with other addresses."""
    checkpoint = dataclasses.replace(WEIGHTS.checkpoint, url=urls[-1])
    return published.Weights(WEIGHTS.network, checkpoint)


def _fetch(weights, cache=None, **arguments):
    quiet = {"progress": lambda status: None, "policy": _HASTY}
    return published.fetch(weights, cache and str(cache), **quiet | arguments)


def _assert_good(cached):
    reader = tf.train.NewCheckpointReader(cached.checkpoint_path)
    for name, value in small_weights.values().items():
        assert (reader.get_tensor(name) == value).all()
    assert (cached.variables, cached.plain, cached.moving_averages) == (len(SHAPES), True, False)


def test_every_set_has_a_name_of_its_own():
    every = published.available()
    names = published.names()
    assert len({weights.name for weights in every}) == len(every)
    for weights in every:
        assert names[weights.name] == weights
        assert names[weights.network.name].checkpoint == weights.network.checkpoints[0]
        assert weights.urls[-1] == weights.checkpoint.url
        assert len(weights.urls) == len(set(weights.urls))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("inception_v33", "Did you mean 'inception_v3'"),
        ("lenet", "No weights of lenet were ever published"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UserError, match=message):
        published.get(name)


def test_fetched_once_and_recorded(tmp_path, good):
    cache = tmp_path / "cache"
    with fault_server.serve({ARCHIVE: good}) as server:
        first = _fetch(_at(server.url(ARCHIVE)))
        second = _fetch(_at(server.url(ARCHIVE)))
        assert len(server.requests) == 1
        assert first.origin == server.url(ARCHIVE)
    _assert_good(first)
    assert second == first
    assert first.digests == {ARCHIVE: f"sha256:{hashlib.sha256(good).hexdigest()}"}
    record = json.loads((cache / f"{WEIGHTS.name}.json").read_text())
    assert record["digests"] == first.digests
    assert sorted(os.listdir(cache)) == [WEIGHTS.name, f"{WEIGHTS.name}.json"]


def test_the_mirror_is_asked_first_and_the_record_after_it(tmp_path, good, monkeypatch):
    with fault_server.serve({f"second/{ARCHIVE}": good}) as server:
        monkeypatch.setattr(published, "_MIRRORS", {server.url("second/"): server.url("first/")})
        weights = _at(server.url(f"second/{ARCHIVE}"))
        _assert_good(_fetch(weights))
        assert [request.path for request in server.requests] == [
            f"/first/{ARCHIVE}",
            f"/second/{ARCHIVE}",
        ]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(status=403, body=b"<html>denied</html>"), "answered 403 Forbidden: access refused"),
        (Fault(status=404), "answered 404"),
        (Fault(status=200, body=b"<!DOCTYPE html><html>Sign in"), "a web page instead"),
    ],
)
def test_dead_links_say_so_and_what_else_there_is(tmp_path, good, fault, message):
    placed = tmp_path / "cache" / "other"
    with fault_server.serve({ARCHIVE: good}, [fault]) as server:
        weights = _at(server.url(ARCHIVE))
        with pytest.raises(UserError, match=message) as caught:
            _fetch(weights)
        assert "--source=FOLDER_OR_URL" in str(caught.value)
        assert "convert_checkpoint takes the weights of Keras applications" in str(caught.value)
        assert server.url(ARCHIVE) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert os.listdir(placed.parent) == []
        _assert_good(_fetch(weights))  # The next run is not hindered.


def _without(name):
    return {key: value for key, value in small_weights.values().items() if key != name}


def _reshaped(name):
    tensors = small_weights.values()
    return tensors | {name: tensors[name][..., :-1]}


_SOME = "MobilenetV1/Conv2d_0/weights"


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (_without(_SOME), rf"1 missing \({_SOME}\)"),
        (_reshaped(_SOME), rf"1 of another shape \({_SOME} is \[3, 3, 3, 7\], not \[3, 3, 3, 8\]"),
        ({"x": small_weights.values()[_SOME]}, rf"{len(SHAPES)} missing \(.*, \.\.\.\)"),
    ],
)
def test_other_weights_are_refused_and_not_kept(tmp_path, good, tensors, message):
    small_weights.save(tmp_path / "bad" / "model.ckpt", tensors)
    with fault_server.serve({ARCHIVE: small_weights.archive(tmp_path / "bad")}) as server:
        weights = _at(server.url(ARCHIVE))
        with pytest.raises(UserError, match=message):
            _fetch(weights)
        assert os.listdir(tmp_path / "cache") == []
        server.files[ARCHIVE] = good
        _assert_good(_fetch(weights))


def _hostile(name):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda good: good[:-9], "cannot be unpacked: it is damaged"),
        (lambda good: _hostile("../evil"), "points outside the folder"),
        (lambda good: _hostile("readme"), "holds no checkpoint"),
        (lambda good: b"not an archive at all", "cannot be unpacked"),
    ],
)
def test_bad_archives_leave_nothing(tmp_path, good, content, message):
    with (
        fault_server.serve({ARCHIVE: content(good)}) as server,
        pytest.raises(UserError, match=message),
    ):
        _fetch(_at(server.url(ARCHIVE)))
    assert os.listdir(tmp_path / "cache") == []
    assert not (tmp_path / "evil").exists()


def test_damaged_data_is_refused(tmp_path):
    path = tmp_path / "bad" / f"{WEIGHTS.name}.ckpt"
    small_weights.save(path, small_weights.values())
    data = path.with_name(f"{path.name}.data-00000-of-00001")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        _fetch(WEIGHTS, source=str(tmp_path / "bad"))
    assert os.listdir(tmp_path / "cache") == []


def _archive_in(folder, good):
    (folder / ARCHIVE).write_bytes(good)


def _checkpoint_in(folder, good):
    small_weights.save(folder / f"{WEIGHTS.name}.ckpt", small_weights.values())


def _subfolder_in(folder, good):
    small_weights.save(folder / WEIGHTS.name / "model.ckpt-7", small_weights.values())


@pytest.mark.parametrize("place", [_archive_in, _checkpoint_in, _subfolder_in])
@pytest.mark.parametrize("in_cache", [False, True], ids=["source", "cache"])
def test_folders(tmp_path, good, place, in_cache):
    folder = tmp_path / ("cache" if in_cache else "source")
    folder.mkdir()
    place(folder, good)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    _assert_good(_fetch(WEIGHTS, source=None if in_cache else str(folder)))
    if not in_cache:  # A folder of the user's stays as it is, but for the receipt of an archive.
        assert before.items() <= {p: p.stat().st_mtime_ns for p in folder.rglob("*")}.items()
    assert published.in_cache(WEIGHTS) is not None


def test_own_mirror(good):
    with fault_server.serve({f"mine/{ARCHIVE}": good}) as server:
        _assert_good(_fetch(WEIGHTS, source=server.url("mine")))


def test_a_cache_that_cannot_be_written_is_used_all_the_same(tmp_path, good, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir()
    _checkpoint_in(cache, good)

    def refuse(path, facts):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(published.atomic, "write_json", refuse)
    _assert_good(_fetch(WEIGHTS))
    assert published.in_cache(WEIGHTS) is None


@pytest.mark.parametrize(("plain", "averages"), [(True, True), (False, True)])
def test_moving_averages_are_noticed(tmp_path, plain, averages):
    tensors = small_weights.values()
    averaged = {f"{name}/ExponentialMovingAverage": value for name, value in tensors.items()}
    path = tmp_path / "source" / f"{WEIGHTS.name}.ckpt"
    small_weights.save(path, (tensors if plain else {}) | averaged)
    cached = _fetch(WEIGHTS, source=str(tmp_path / "source"))
    assert (cached.plain, cached.moving_averages) == (plain, averages)


def test_moving_averages_in_a_folder_of_their_own_come_first(tmp_path):
    tensors = small_weights.values()
    for name in ("pristine/model.ckpt-8", "ema/model-8", "aaa"):
        small_weights.save(tmp_path / "source" / WEIGHTS.name / "w" / name, tensors)
    with_folders = small_weights.archive(tmp_path / "source" / WEIGHTS.name)
    with fault_server.serve({ARCHIVE: with_folders}) as server:
        cached = _fetch(_at(server.url(ARCHIVE)))
    assert cached.checkpoint_path.endswith("/ema/model-8")


def test_two_at_once_fetch_once(good):
    with fault_server.serve({ARCHIVE: good}, rate=1_000_000) as server:
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(_fetch(_at(server.url(ARCHIVE)))))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 1
    assert results[0] == results[1]


def test_checkpoint_path_means_published_weights(tmp_path, good, monkeypatch):
    host = "http://download.tensorflow.org/"
    path = WEIGHTS.checkpoint.url.removeprefix(host)
    with fault_server.serve({path: good}) as server:
        monkeypatch.setattr(published, "_MIRRORS", {host: server.url("")})
        found = latest.find(WEIGHTS.name)
        assert latest.find(WEIGHTS.name) == found
        assert len(server.requests) == 1
    assert found == str(tmp_path / "cache" / WEIGHTS.name / f"{WEIGHTS.name}.ckpt")
    monkeypatch.chdir(tmp_path)
    small_weights.save(tmp_path / WEIGHTS.name / "model.ckpt-1", small_weights.values())
    assert latest.find(WEIGHTS.name) == f"{WEIGHTS.name}/model.ckpt-1"  # A file of that name wins.


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ("/a", {published.CACHE_VARIABLE: "/b"}, "/a"),
        (None, {published.CACHE_VARIABLE: "/b", "XDG_CACHE_HOME": "/c"}, "/b"),
        (None, {"XDG_CACHE_HOME": "/c"}, "/c/slim/checkpoints"),
        (None, {"HOME": "/h"}, "/h/.cache/slim/checkpoints"),
    ],
)
def test_cache_folder(monkeypatch, given, environment, expected):
    for name in (published.CACHE_VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert published.cache_folder(given) == expected
