"""Which part a process plays in distributed training; imports no TensorFlow.

A cluster has jobs: the parameter servers ("ps"), which hold the variables, and the workers, which
train. `resolve` tells from the settings, or from TF_CONFIG, which process of which job this is.
"""

import dataclasses
import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any

from slim_internal.ground.errors import UserError, unknown

JOBS = ("ps", "worker")

_ADDRESS = re.compile(r"(?P<host>[\w.-]+|\[(?P<ipv6>[0-9a-fA-F:.]+)\]):(?P<port>[0-9]{1,5})")
_GRPC = "grpc://"
_SHOWN = 500  # Characters of TF_CONFIG in a message.
_EXAMPLE = "ps=host0:2222;worker=host1:2222,host2:2222"
_TITLES = {"ps": "Parameter server", "worker": "Worker"}


@dataclasses.dataclass(frozen=True)
class Role:
    """The part of one process.

    Attributes:
      job: "ps" or "worker".
      task: Its number in the job.
      num_workers: Workers in all.
      num_servers: Parameter servers in all.
      jobs: Addresses of the processes of each job; empty if only `master` is known.
      master: Address of a server that was started by somebody else, or "".
      collective: Whether the workers add up their gradients themselves.
      sync: Whether an update waits for the gradients of several workers.
      aggregate: How many gradients make an update.
      patience: Seconds to wait for other processes.
    """

    job: str
    task: int
    num_workers: int
    num_servers: int
    jobs: Mapping[str, tuple[str, ...]]
    master: str
    collective: bool
    sync: bool
    aggregate: int
    patience: float

    @property
    def is_chief(self) -> bool:
        """Whether this is the worker that initializes, saves and reports."""
        return self.job == "worker" and self.task == 0

    @property
    def name(self) -> str:
        """What messages call this process: "worker 1"."""
        return name(self.job, self.task)

    def peers(self, job: str) -> dict[str, str]:
        """Returns the other processes of a job: their names in messages, and addresses."""
        return {
            name(job, task): address
            for task, address in enumerate(self.jobs.get(job, ()))
            if (job, task) != (self.job, self.task)
        }

    def text(self) -> str:
        """Returns the cluster in the words of --cluster."""
        return ";".join(f"{job}={','.join(self.jobs[job])}" for job in JOBS if job in self.jobs)


def name(job: str, task: int) -> str:
    """Returns what messages call a process."""
    return f"{_TITLES[job].lower()} {task}"


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port.

    Raises:
      ValueError: It is no address.
    """
    match = _ADDRESS.fullmatch(address)
    if not match or not 0 < int(match["port"]) < 65536:
        raise ValueError(address)
    if match["ipv6"]:
        return str(ipaddress.IPv6Address(match["ipv6"])), int(match["port"])
    match["host"].encode("idna")  # As looking it up does; raises a ValueError of its own.
    return match["host"].lower(), int(match["port"])


def split_grpc(address: str) -> tuple[str, int]:
    """Returns host and port of grpc://HOST:PORT.

    Raises:
      ValueError: It is no such address.
    """
    if not address.startswith(_GRPC):
        raise ValueError(address)
    return split_address(address.removeprefix(_GRPC))


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """Returns the addresses of each job in the text of --cluster.

    Raises:
      UserError: It is written otherwise than `_EXAMPLE`.
    """
    jobs: dict[str, tuple[str, ...]] = {}
    text = _in_one_line(text)
    for part in filter(None, map(str.strip, text.split(";"))):
        job, equals, addresses = part.partition("=")
        if not equals:
            raise UserError(
                f"--cluster={text}: {part!r} is not JOB=HOST:PORT,...; write {_EXAMPLE}."
            )
        if job in jobs:
            raise UserError(f"--cluster={text}: job {job} is listed twice.")
        jobs[job] = tuple(address.strip() for address in addresses.split(","))
    if text and not jobs:
        raise UserError(f"--cluster={text}: names no worker; write {_EXAMPLE}.")
    return _checked(jobs, f"--cluster={text}")


def resolve(settings: Any, environment: Mapping[str, str]) -> Role | None:
    """Returns the part of this process, or None if it trains alone.

    Args:
      settings: A `ClusterSettings`.
      environment: Environment variables; TF_CONFIG counts where neither --cluster nor --master is
        given.

    Raises:
      UserError: The settings do not fit each other.
    """
    jobs, job, task = _jobs(settings, environment)
    workers = len(jobs.get("worker", ())) or settings.worker_replicas
    servers = len(jobs.get("ps", ())) if jobs else settings.num_ps_tasks
    collective = settings.distribution == "collective"
    _check_counts(settings, jobs, workers, servers)
    _check_aggregation(settings, workers, servers)
    if not jobs and not settings.master:
        _require_alone(settings, workers, servers)
        return None
    if collective:
        _check_collective(settings, jobs)
    elif workers > 1 and not servers:
        raise UserError(
            f"{workers} workers need what they share: parameter servers (ps=HOST:PORT in --cluster,"
            " --num_ps_tasks with --master), or --distribution=collective."
        )
    size = servers if job == "ps" else workers
    if not 0 <= task < size:
        raise UserError(
            f"--task must be at least 0 and below {size}, the number of"
            f" {_TITLES[job].lower()}s; got {task}."
        )
    return Role(
        job=job,
        task=task,
        num_workers=workers,
        num_servers=servers,
        jobs=jobs,
        master=settings.master,
        collective=collective,
        sync=settings.sync_replicas,
        aggregate=settings.replicas_to_aggregate if settings.sync_replicas else 1,
        patience=settings.cluster_timeout_secs,
    )


def _jobs(settings, environment) -> tuple[dict[str, tuple[str, ...]], str, int]:
    """Returns the addresses of each job, and the job and number of this process."""
    if settings.cluster and settings.master:
        raise UserError(
            "--cluster starts a server and --master names one that runs already: give one of them."
        )
    if settings.master:
        _check_master(settings)
        return {}, "worker", settings.task
    if not settings.cluster and environment.get("TF_CONFIG"):
        return _from_environment(environment["TF_CONFIG"], settings)
    jobs = parse(settings.cluster)
    job = settings.job_name
    if jobs and not job:
        if "ps" in jobs:
            raise UserError("--job_name is required with --cluster: ps or worker.")
        job = "worker"
    if jobs and job not in jobs:
        raise UserError(
            f"--job_name={job}: --cluster={_in_one_line(settings.cluster)} has no such job."
        )
    return jobs, job or "worker", settings.task


def _from_environment(text: str, settings) -> tuple[dict[str, tuple[str, ...]], str, int]:
    """Returns what TF_CONFIG says; its chief is the first worker."""
    try:
        said = json.loads(text)
        if "cluster" not in said.keys():  # noqa: SIM118 (A list has no keys.)
            return {}, "worker", settings.task
        jobs = {job: _texts(addresses) for job, addresses in said["cluster"].items()}
        job, task = str(said["task"]["type"]), _index(said["task"]["index"])
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise UserError(
            'TF_CONFIG must be {"cluster": {"ps": [...], "worker": [...]}, "task": {"type":'
            f' "worker", "index": 0}}}}; got {_in_one_line(text)[:_SHOWN]}.'
        ) from error
    given = jobs.get(job, ())
    chiefs = jobs.pop("chief", jobs.pop("master", ()))
    if chiefs:
        jobs["worker"] = (*chiefs, *jobs.get("worker", ()))
    jobs.pop("evaluator", None)
    jobs = _checked({job: addresses for job, addresses in jobs.items() if addresses}, "TF_CONFIG")
    if settings.job_name or "task" in settings.given:
        return jobs, settings.job_name or "worker", settings.task
    if job not in (*jobs, "chief", "master"):
        raise unknown("task type in TF_CONFIG", job, jobs)
    if not 0 <= task < len(given):
        raise UserError(
            f"TF_CONFIG: the index of a task of {job} must be at least 0 and below {len(given)},"
            f" the number of its addresses; got {task}."
        )
    if job == "worker":
        task += len(chiefs)
    return jobs, "ps" if job == "ps" else "worker", task


def _texts(addresses: Any) -> tuple[str, ...]:
    """Returns the addresses of a job in TF_CONFIG.

    Raises:
      TypeError: It is no list.
    """
    if not isinstance(addresses, list):
        raise TypeError(addresses)
    return tuple(map(str, addresses))


def _index(said: Any) -> int:
    """Returns the number of a task in TF_CONFIG, which may stand there as text.

    Raises:
      ValueError: It is no whole number.
    """
    if isinstance(said, bool | float):
        raise ValueError(said)
    return int(said)


def _checked(jobs: dict[str, tuple[str, ...]], what: str) -> dict[str, tuple[str, ...]]:
    places = set()
    for job, addresses in jobs.items():
        if job not in JOBS:
            raise unknown(f"job in {what}:", job, JOBS)
        for address in addresses:
            try:
                place = split_address(address)
            except ValueError:
                raise UserError(
                    f"{what}: {address!r} is not HOST:PORT with a port of 1 to 65535."
                ) from None
            if place in places:
                raise UserError(f"{what}: {address} is listed twice.")
            places.add(place)
    if "worker" not in jobs and (jobs or what == "TF_CONFIG"):
        raise UserError(f"{what}: names no worker; write {_EXAMPLE}.")
    return jobs


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _check_master(settings) -> None:
    try:
        split_grpc(settings.master)
    except ValueError:
        raise UserError(f"--master must be grpc://HOST:PORT; got {settings.master!r}.") from None
    if settings.job_name == "ps":
        raise UserError(
            "--job_name=ps starts a parameter server and needs --cluster; --master is for workers."
        )


def _check_counts(settings, jobs, workers: int, servers: int) -> None:
    """Refuses numbers that the cluster does not have; the defaults say nothing."""
    if not jobs:
        return
    for flag, default, count in (("worker_replicas", 1, workers), ("num_ps_tasks", 0, servers)):
        given = getattr(settings, flag)
        if given not in (default, count):
            raise UserError(f"--{flag}={given}, but the cluster has {count}: leave the flag out.")


def _check_aggregation(settings, workers: int, servers: int) -> None:
    if settings.replicas_to_aggregate > workers:
        raise UserError(
            f"--replicas_to_aggregate must be at most the number of workers, {workers}; got"
            f" {settings.replicas_to_aggregate}."
        )
    if settings.sync_replicas and settings.distribution == "collective":
        raise UserError(
            "--sync_replicas is for parameter servers; --distribution=collective is synchronous"
            " without it."
        )
    if settings.sync_replicas and not servers:
        raise UserError(
            f"--sync_replicas needs parameter servers: --cluster={_EXAMPLE}, for example."
        )


def _require_alone(settings, workers: int, servers: int) -> None:
    for flag, given in (
        ("distribution", "collective" if settings.distribution == "collective" else None),
        ("worker_replicas", workers if workers > 1 else None),
        ("num_ps_tasks", servers or None),
        ("job_name", settings.job_name or None),
        ("task", settings.task or None),
    ):
        if given is not None:
            raise UserError(
                f"--{flag}={given} needs --cluster={_EXAMPLE} (or TF_CONFIG, or --master): without"
                " it, training runs in one process, on all its GPUs with --num_clones."
            )


def _check_collective(settings, jobs) -> None:
    if not jobs:
        raise UserError(
            "--distribution=collective needs --cluster=worker=HOST:PORT,... (no --master)."
        )
    if "ps" in jobs:
        raise UserError(
            "--distribution=collective takes no parameter servers: leave ps= out of --cluster."
        )
