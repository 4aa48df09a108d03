"""Checks which part the settings give a process, and which settings fit no cluster."""

import json

import pytest

from deployment import cluster
from deployment.settings import ClusterSettings
from slim_internal.ground.errors import UserError

_CLUSTER = "ps=a:1;worker=b:1,c:2"
_WORKERS = "worker=b:1,c:2"
_TASK = '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "%s", "index": %s}}'


@pytest.fixture(autouse=True)
def _no_cluster_in_the_environment(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


def _role(environment=None, **settings):
    return cluster.resolve(ClusterSettings(**settings), environment or {})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"cluster": _CLUSTER, "job_name": "ps"}, ("ps", 0, 2, 1)),
        ({"cluster": _CLUSTER, "job_name": "worker", "task": 1}, ("worker", 1, 2, 1)),
        ({"cluster": f" {_CLUSTER}; ", "job_name": "worker"}, ("worker", 0, 2, 1)),
        ({"cluster": "worker=[::1]:1;ps=a:1", "job_name": "ps"}, ("ps", 0, 1, 1)),
        ({"cluster": _WORKERS, "distribution": "collective"}, ("worker", 0, 2, 0)),
        (
            {"master": "grpc://a:1", "worker_replicas": 3, "num_ps_tasks": 2, "task": 2},
            ("worker", 2, 3, 2),
        ),
        (
            {"cluster": _CLUSTER, "job_name": "ps", "worker_replicas": 2, "num_ps_tasks": 1},
            ("ps", 0, 2, 1),
        ),
    ],
)
def test_part_of_a_process(settings, expected):
    role = _role(**settings)
    assert (role.job, role.task, role.num_workers, role.num_servers) == expected
    assert role.is_chief == (expected[:2] == ("worker", 0))


def test_alone_without_a_cluster():
    assert _role() is None


@pytest.mark.parametrize(
    ("type_", "index", "expected"),
    [("ps", 0, ("ps", 0)), ("chief", 0, ("worker", 0)), ("worker", 1, ("worker", 2))],
)
def test_tf_config(monkeypatch, type_, index, expected):
    jobs = {"ps": ["a:1"], "chief": ["b:1"], "worker": ["c:1", "d:1"], "evaluator": ["e:1"]}
    text = json.dumps({"cluster": jobs, "task": {"type": type_, "index": index}})
    role = _role({"TF_CONFIG": text})
    assert (role.job, role.task) == expected
    assert role.text() == "ps=a:1;worker=b:1,c:1,d:1"
    assert _role({"TF_CONFIG": text}, cluster=_CLUSTER, job_name="ps").num_workers == 2
    assert _role({"TF_CONFIG": "{}"}) is None
    monkeypatch.setenv("TF_CONFIG", text)
    assert _role({"TF_CONFIG": text}, task=2).task == 2  # Flags count more.


def test_names_of_the_other_processes():
    role = _role(cluster=_CLUSTER, job_name="worker", task=1)
    assert role.name == "worker 1"
    assert role.peers("worker") == {"worker 0": "b:1"}
    assert role.peers("ps") == {"parameter server 0": "a:1"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cluster": _CLUSTER}, "--job_name is required with --cluster: ps or worker."),
        (
            {"cluster": _CLUSTER, "job_name": "pss"},
            "--job_name must be one of ps, worker; got 'pss'",
        ),
        ({"cluster": _WORKERS, "job_name": "ps"}, "--job_name=ps: --cluster=.* has no such job"),
        (
            {"cluster": _CLUSTER, "job_name": "worker", "task": 2},
            "--task must be at least 0 and below 2, the number of workers; got 2",
        ),
        (
            {"cluster": _CLUSTER, "job_name": "ps", "task": -1},
            "--task must be at least 0 and below 1, the number of parameter servers; got -1",
        ),
        ({"cluster": "ps:a:1"}, "'ps:a:1' is not JOB=HOST:PORT,...; write ps=host0:2222"),
        ({"cluster": "ps=a;worker=b:1"}, "'a' is not HOST:PORT with a port of 1 to 65535"),
        ({"cluster": "ps=a:70000;worker=b:1"}, "'a:70000' is not HOST:PORT"),
        ({"cluster": "ps=a:1;worker=a:1"}, "a:1 is listed twice"),
        ({"cluster": "worker=a:1,A:01"}, "A:01 is listed twice"),
        ({"cluster": "worker=[::1]:1,[0::0:1]:1"}, r"\[0::0:1\]:1 is listed twice"),
        ({"cluster": "worker=[:]:1"}, r"'\[:\]:1' is not HOST:PORT"),
        ({"cluster": "worker=a..b:1"}, "'a..b:1' is not HOST:PORT"),
        ({"cluster": "worker=a:２"}, "'a:２' is not HOST:PORT"),
        ({"cluster": "worker=a:1\nps=b:1"}, "'a:1 ps=b:1' is not HOST:PORT"),
        ({"cluster": "worker=a:1;\nps=b:1", "job_name": "ps", "task": 1}, "below 1, the number"),
        (
            {"cluster": "worker=a:1;\n", "job_name": "ps"},
            "--job_name=ps: --cluster=worker=a:1; has",
        ),
        ({"cluster": " ; "}, "--cluster=;: names no worker"),
        ({"cluster": "ps=a:1;ps=b:1"}, "job ps is listed twice"),
        ({"cluster": "ps=a:1", "job_name": "ps"}, "names no worker"),
        ({"cluster": "ps=a:1;workr=b:1"}, "'workr'. Did you mean 'worker'"),
        ({"cluster": _WORKERS}, "2 workers need what they share: parameter servers"),
        (
            {"cluster": _CLUSTER, "job_name": "ps", "distribution": "collective"},
            "takes no parameter servers: leave ps= out",
        ),
        ({"distribution": "collective"}, "--distribution=collective needs --cluster="),
        ({"distribution": "collectiv"}, "--distribution must be one of"),
        (
            {"cluster": _WORKERS, "distribution": "collective", "sync_replicas": True},
            "--sync_replicas is for parameter servers",
        ),
        ({"sync_replicas": True}, "--sync_replicas needs parameter servers"),
        (
            {"cluster": _CLUSTER, "job_name": "ps", "replicas_to_aggregate": 3},
            "--replicas_to_aggregate must be at most the number of workers, 2; got 3",
        ),
        ({"worker_replicas": 2}, "--worker_replicas=2 needs --cluster="),
        ({"num_ps_tasks": 1}, "--num_ps_tasks=1 needs --cluster="),
        ({"task": 1}, "--task=1 needs --cluster="),
        ({"job_name": "ps"}, "--job_name=ps needs --cluster="),
        (
            {"cluster": _CLUSTER, "job_name": "ps", "worker_replicas": 3},
            "--worker_replicas=3, but the cluster has 2: leave the flag out",
        ),
        ({"master": "host:1"}, "--master must be grpc://HOST:PORT; got 'host:1'"),
        ({"master": "grpc://a:1", "cluster": _CLUSTER}, "give one of them"),
        ({"master": "grpc://a:1", "job_name": "ps"}, "--job_name=ps starts a parameter server"),
        ({"master": "grpc://a:1", "worker_replicas": 2}, "2 workers need what they share"),
        ({"cluster_timeout_secs": 0.0}, "--cluster_timeout_secs must be above 0"),
    ],
)
def test_impossible_cluster_is_one_line(settings, message):
    with pytest.raises(UserError, match=message) as caught:
        ClusterSettings(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ps=a:1", "TF_CONFIG must be"),
        ("[]", "TF_CONFIG must be"),
        ("[" * 100_000, "TF_CONFIG must be"),
        ('{"cluster":\n{}}', r'got {"cluster": {}}\.'),
        ('{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}', "must be"),
        ('{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}', "names no worker"),
        (_TASK % ("worker", "1.5"), "TF_CONFIG must be"),
        (_TASK % ("worker", "true"), "TF_CONFIG must be"),
        (_TASK % ("worker", "1e999"), "TF_CONFIG must be"),
        (_TASK % ("worker", "-1"), "index of a task of worker must be at least 0 and below 1"),
        (_TASK % ("chief", "1"), "index of a task of chief must be at least 0 and below 1"),
        ('{"cluster": {"worker": ["a:1"]}}', "TF_CONFIG must be"),
        (
            '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
            "'a' is not HOST",
        ),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "evaluator", "index": 0}}',
            "'evaluator'.* Allowed: worker",
        ),
    ],
)
def test_unusable_tf_config_is_one_line(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=message) as caught:
        ClusterSettings()
    assert "\n" not in str(caught.value)
