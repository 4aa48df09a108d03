"""TensorFlow's servers: how a process of a cluster starts its own and finds the others.

Processes tell each other what is no part of a graph (who is there, where training stands, that it
is over) on boards: tables that live in the servers, on parameter servers or in the first worker.
"""

import concurrent.futures
import contextlib
import enum
import json
import logging
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from deployment import cluster
from deployment.cluster import Role
from slim_internal.ground.cli import leaving
from slim_internal.ground.compat import first_cause, tf
from slim_internal.ground.errors import UserError

_LOG = logging.getLogger(__name__)

POLL_SECS = 0.5
_REMIND_SECS = 10.0
_BOARD_SECS = 10.0  # A board that does not answer in that time has no news.
_GRACE_SECS = 60.0  # How long a server waits for its workers when the run is over.
_MAX_TASKS = 1 << 20

# What running an op ends in when another process is gone.
LOST_ERRORS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.NotFoundError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)

_running: list[tf.train.Server] = []  # Never given back: see `leaving`.


def device(job: str, task: int) -> str:
    """Returns TensorFlow's name of a process."""
    return f"/job:{job}/task:{task}"


def start(role: Role, config: tf.ConfigProto) -> str:
    """Starts the server of this process, unless --master names one, and returns its address.

    Args:
      role: What the process is.
      config: Settings of the server.

    Raises:
      UserError: It cannot be started.
    """
    leaving.leave_hard()
    if role.master:
        return role.master
    address = role.jobs[role.job][role.task]
    _require_free(role, address)
    try:
        server = tf.train.Server(
            tf.train.ClusterSpec({job: list(addresses) for job, addresses in role.jobs.items()}),
            job_name=role.job,
            task_index=role.task,
            config=config,
        )
    except tf.errors.OpError as error:
        raise UserError(
            f"The server of {role.name} cannot be started at {address}: {first_cause(error)}."
        ) from error
    _running.append(server)
    return server.target


def _require_free(role: Role, address: str) -> None:
    """Refuses an address that another process has, which TensorFlow would not tell."""
    _, port = cluster.split_address(address)
    if problem := port_problem(port):
        raise UserError(
            f"The server of {role.name} cannot be started at {address}: port {port}: {problem}. End"
            " the process that has the port (ss -ltnp), or name another one in --cluster of all"
            " processes."
        )
    if not unreachable({role.name: address}):  # Nobody here has the port, and yet it answers.
        raise UserError(
            f"{role.name.capitalize()} runs already, at {address} on another machine:"
            f" --task={role.task} was given twice, or --cluster has another order there."
        )


def port_problem(port: int) -> str:
    """Returns why this process cannot listen at a port, or "".

    TensorFlow itself would share it with another server without a word.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def unreachable(peers: Mapping[str, str]) -> dict[str, str]:
    """Returns the processes that take no connection now, and why.

    Args:
      peers: Names and addresses.
    """
    found = {}
    for name, address in peers.items():
        try:
            socket.create_connection(cluster.split_address(address), timeout=2.0).close()
        except OSError as error:
            found[name] = error.strerror or str(error)
    return found


def wait_for(peers: Mapping[str, str], patience: float) -> None:
    """Waits until all these processes take connections.

    Args:
      peers: Names and addresses.
      patience: Seconds after which to give up.

    Raises:
      UserError: One of them takes none.
    """
    waiting = Waiting(patience)
    while missing := unreachable(peers):
        name, reason = next(iter(missing.items()))
        waiting.sleep(f"{name} at {peers[name]}", reason)


class Waiting:
    """Waits for something in small steps, and says from time to time for what.

    Args:
      patience: Seconds after which to give up.
    """

    def __init__(self, patience: float):
        self._patience = patience
        self._start = self._told = time.monotonic()

    def sleep(self, what: str, reason: str) -> None:
        """Sleeps for a moment.

        Raises:
          UserError: The time is over.
        """
        now = time.monotonic()
        if now - self._start > self._patience:
            raise UserError(
                f"No answer from {what} within {self._patience:g} s: {reason}. Start that process,"
                " correct its address, or raise --cluster_timeout_secs."
            )
        if now - self._told > _REMIND_SECS:
            _LOG.info("Waiting for %s (%s): %d s", what, reason, now - self._start)
            self._told = now
        time.sleep(POLL_SECS)


class Topic(enum.IntEnum):
    """What a note on a board is about; each process has one note of each."""

    CLUSTER = 0  # The cluster as this process was told it, and whether it has ended.
    PLAN = 1  # The chief's settings and the step that training starts from.
    READY = 2  # The variables have their values.
    WISH = 3  # A worker that wants to stop asks the chief.
    OVER = 4  # Training is over for all; why, and how to end.


Notes = dict[tuple[Topic, int], Any]


class Board:
    """Notes that live in one process and that others read.

    Args:
      target: Address of this process's own server.
      own: Device of this process.
      place: Device of the process that the board is in.
    """

    def __init__(self, target: str, own: str, place: str):
        self._graph = tf.Graph()
        with self._graph.as_default(), tf.device(f"{place}/device:CPU:0"):
            # Tables of text by text do not exist.
            table = tf.raw_ops.MutableHashTableV2(
                key_dtype=tf.int64, value_dtype=tf.string, shared_name="slim_board"
            )
            self._key = tf.placeholder(tf.int64, [1])
            self._value = tf.placeholder(tf.string, [1])
            self._insert = tf.raw_ops.LookupTableInsertV2(
                table_handle=table, keys=self._key, values=self._value
            )
            self._export = tf.raw_ops.LookupTableExportV2(
                table_handle=table, Tkeys=tf.int64, Tvalues=tf.string
            )
        self._target = target
        self._config = tf.ConfigProto(
            device_filters=sorted({own, place}),
            device_count={"GPU": 0},
            operation_timeout_in_ms=int(1000 * _BOARD_SECS),
        )
        self._options = tf.RunOptions(timeout_in_ms=int(1000 * _BOARD_SECS))
        self._open()

    def _open(self) -> None:
        self._session = tf.Session(self._target, graph=self._graph, config=self._config)

    def _run(self, fetches: Any, feed: dict[tf.Tensor, Any] | None = None) -> Any:
        try:
            return self._run_in_time(fetches, feed)
        except tf.errors.AbortedError:  # The process of the board has begun anew.
            self._open()
            return self._run_in_time(fetches, feed)

    def _run_in_time(self, fetches: Any, feed: dict[tf.Tensor, Any] | None) -> Any:
        """Runs it in a thread: opening the session has no time limit.

        A process that takes connections and answers nothing would hold it for ever.
        """
        answer: concurrent.futures.Future = concurrent.futures.Future()

        def run():
            try:
                answer.set_result(self._session.run(fetches, feed, options=self._options))
            except Exception as error:
                answer.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        try:
            return answer.result(_BOARD_SECS + 1)
        except concurrent.futures.TimeoutError as error:
            message = f"nothing came within {_BOARD_SECS:g} s"
            raise tf.errors.DeadlineExceededError(None, None, message) from error

    def write(self, topic: Topic, task: int, note: Any) -> None:
        """Puts a note in the place of the last one of this process on that topic."""
        feed = {self._key: [topic * _MAX_TASKS + task], self._value: [json.dumps(note)]}
        self._run(self._insert, feed)

    def read(self) -> Notes:
        """Returns all notes."""
        keys, values = self._run(self._export)
        return {
            (Topic(int(key) // _MAX_TASKS), int(key) % _MAX_TASKS): json.loads(value)
            for key, value in zip(keys, values, strict=True)
        }

    def await_note(self, topic: Topic, task: int, waiting: Waiting, what: str) -> Any:
        """Waits for a note and returns it.

        Raises:
          UserError: It does not come in time.
        """
        while True:
            reason = "it is not ready"
            try:
                notes = self.read()
                if notes.get((topic, task)):
                    return notes[topic, task]
            except LOST_ERRORS as error:
                reason = first_cause(error)
            waiting.sleep(what, reason)


def serve(role: Role, config: tf.ConfigProto) -> None:
    """Is a parameter server until all workers have ended.

    Raises:
      UserError: It cannot be started.
    """
    target = start(role, config)
    own = device(role.job, role.task)
    board = Board(target, own, own)
    board.write(Topic.CLUSTER, _MAX_TASKS - 1, {"cluster": role.text()})
    _LOG.info(
        "Parameter server %d of %d at %s, for %d workers. It ends when they have.",
        *(role.task, role.num_servers, role.jobs["ps"][role.task], role.num_workers),
    )
    ended: set[int] = set()
    over_since = None
    while len(ended) < role.num_workers:
        time.sleep(POLL_SECS)
        try:
            notes = board.read()
        except LOST_ERRORS as error:  # This process was stopped for a while.
            _LOG.debug("The board is asked again: %s", first_cause(error))
            continue
        for task in range(role.num_workers):
            has_ended = notes.get((Topic.CLUSTER, task), {}).get("ended", False)
            if has_ended and task not in ended:
                _LOG.info("Worker %d has ended.", task)
            (ended.add if has_ended else ended.discard)(task)
        if not notes.get((Topic.OVER, 0)):
            over_since = None
            continue
        over_since = over_since or time.monotonic()
        if time.monotonic() - over_since > _GRACE_SECS:
            missing = sorted({*range(role.num_workers)} - ended)
            _LOG.warning(
                "Training is over; not waiting for worker %s.", ", ".join(map(str, missing))
            )
            return
    _LOG.info("All workers have ended.")


def server_cluster(notes: Notes) -> str | None:
    """Returns the cluster as the parameter server with these notes was told it."""
    return notes.get((Topic.CLUSTER, _MAX_TASKS - 1), {}).get("cluster")


@contextlib.contextmanager
def news_only() -> contextlib.AbstractContextManager:
    """Within it, a process that is gone does no harm: there was something to tell it, no more."""
    try:
        yield
    except LOST_ERRORS as error:
        _LOG.debug("Not told: %s", first_cause(error))
