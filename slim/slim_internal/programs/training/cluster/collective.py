"""A worker with variables of its own that shares its gradients with all others in each step."""

import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Sequence

from deployment import servers, sessions
from deployment.cluster import Role
from deployment.servers import Board, Topic
from slim_internal.ground.compat import first_cause, tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.training import hooks
from slim_internal.programs.training.cluster import replica
from slim_internal.programs.training.cluster.watch import Watch
from slim_internal.programs.training.start import Start

_LOG = logging.getLogger(__name__)

_LEADER = "/job:worker/replica:0/task:0"
_GROUP_KEY = 1
_FAREWELL_SECS = 30.0


class CollectiveWorker(replica.Replica):
    """A worker of synchronous training without parameter servers.

    All workers make each step together, with the mean of their gradients, so that their variables
    stay the same to the last bit. One vector holds all that is reduced in a step: gradients, moving
    statistics, loss, accuracy, and whether somebody wants to stop.

    Args:
      role: Its part.
      on_gpu: Whether what is added up is brought together on a GPU, by NCCL.
    """

    trains_alone = False

    def __init__(self, role: Role, on_gpu: bool = False):
        self.is_chief = role.is_chief
        self.task = role.task
        self.num_input_parts = self.batches_per_step = role.num_workers
        self._role = role
        self._own = servers.device("worker", role.task)
        self._keys = itertools.count(1)
        self._adder, self._hint = ("GPU:0", "nccl") if on_gpu else ("CPU:0", "auto")
        self._average: tf.Operation | None = None
        self._stop = _Stop()
        self._board: Board | None = None

    def meet(self, config, find):
        """Waits for all workers; the chief says where to start."""
        try:
            return self._met(config, find)
        except servers.LOST_ERRORS as lost:
            raise self._lost(lost, None) from lost

    def _met(self, config, find) -> Start:
        self._target = servers.start(self._role, self._entered(sessions.config(config.cpu_threads)))
        waiting = servers.Waiting(self._role.patience)
        servers.wait_for(self._role.peers("worker"), self._role.patience)
        self._board = Board(self._target, self._own, servers.device("worker", 0))
        mine = {"--cluster": self._role.text(), **replica.compared(config)}
        if self.is_chief:
            begin = find()
            self._board.write(Topic.PLAN, 0, {"settings": mine, "step": begin.step})
            for task in range(1, self._role.num_workers):
                name = f"worker {task} at {self._role.jobs['worker'][task]}"
                said = self._board.await_note(Topic.CLUSTER, task, waiting, name)
                if said["error"]:
                    raise UserError(f"Worker {task} ended: {said['error']}")
            return begin
        plan = self._board.await_note(Topic.PLAN, 0, waiting, "worker 0, the chief")
        error = ""
        if plan["settings"]["--cluster"] != mine["--cluster"]:
            error = (
                f"--cluster={mine['--cluster']} here, {plan['settings']['--cluster']} at the chief"
            )
        elif differs := replica.difference(mine, plan["settings"]):
            error = differs
        if error:
            error += ": give all workers the same settings."
        self._board.write(Topic.CLUSTER, self.task, {"error": error})
        if error:
            raise UserError(error)
        return Start(None, plan["step"])

    def placed(self):
        """Puts everything into this worker."""
        return tf.device(self._own)

    def combined(self, loss, gradients, updates, accuracy):
        """Returns the means over all workers."""
        statistics = replica.moving_statistics()
        with tf.control_dependencies(updates):
            current = [variable.read_value() for variable in statistics]
        values = [tf.convert_to_tensor(gradient) for gradient, _ in gradients]
        rest = [loss, accuracy, self._stop.asked()]
        means = self._means([*values, *current, *rest])
        values, means = means[: len(values)], means[len(values) :]
        gradients = [(value, v) for value, (_, v) in zip(values, gradients, strict=True)]
        updates = [tf.assign(v, mean) for v, mean in zip(statistics, means, strict=False)]
        loss, accuracy, self._stop.wanted = means[len(statistics) :]
        if statistics:
            parted = self._means([variable.read_value() for variable in statistics])
            pairs = zip(statistics, parted, strict=True)
            self._average = tf.group(*(tf.assign(variable, mean) for variable, mean in pairs))
        return loss, gradients, updates, accuracy

    def _means(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the means over all workers of some tensors, which travel as one."""
        flat = tf.concat([tf.reshape(tf.cast(t, tf.float32), [-1]) for t in tensors], 0)
        parts = tf.split(self._reduced(flat, "Div"), [t.shape.num_elements() for t in tensors])
        return [
            tf.cast(tf.reshape(part, t.shape), t.dtype)
            for part, t in zip(parts, tensors, strict=True)
        ]

    def _reduced(self, flat: tf.Tensor, final: str) -> tf.Tensor:
        # Always there, wherever its input is: the devices of a group must be of one kind.
        with tf.device(f"/device:{self._adder}"):
            return tf.raw_ops.CollectiveReduce(
                input=flat,
                group_size=self._role.num_workers,
                group_key=_GROUP_KEY,
                instance_key=next(self._keys),
                merge_op="Add",
                final_op=final,
                subdiv_offsets=[0],
                communication_hint=self._hint,
            )

    def _entered(self, config: tf.ConfigProto) -> tf.ConfigProto:
        """Enters what this process sees into the settings of a session, and returns them."""
        config.device_filters.append(self._own)
        config.experimental.collective_group_leader = _LEADER
        return config

    def session(self, config):
        """Opens a session of this worker."""
        opened = tf.Session(self._target, config=self._entered(config))
        return replica.closed_at_a_good_end(opened)

    def initialize(self, session, restore):
        """Gives the variables of all workers the values that they have at the chief."""
        shares = self._shared_variables()
        super().initialize(session, restore)
        session.run(shares)

    def _shared_variables(self) -> list[tf.Tensor]:
        """Returns what gives each variable the value that it has at the chief."""
        shares = []
        for dtype in sorted({v.dtype.base_dtype for v in tf.global_variables()}, key=str):
            variables = [v for v in tf.global_variables() if v.dtype.base_dtype == dtype]
            exact = dtype if dtype in (tf.float32, tf.float64) else tf.float64
            flat = tf.concat([tf.cast(tf.reshape(v, [-1]), exact) for v in variables], 0)
            whole = self._reduced(flat if self.is_chief else tf.zeros_like(flat), "Id")
            parts = tf.split(whole, [v.shape.num_elements() for v in variables])
            shares += [
                tf.assign(v, tf.cast(tf.reshape(part, v.shape), dtype))
                for v, part in zip(variables, parts, strict=True)
            ]
        return shares

    def hooks(self, session, save, exit_code, feed):
        """Follows whether somebody wants to stop, and averages what was estimated at the end."""
        self._stop.open(session)
        watch = Watch(
            *(lambda: None, exit_code, save if self.is_chief else lambda step: None, self._whom),
            lambda: None,  # They see that it is gone.
        )
        return watch, self._stop, _Averaging(session, self._average)

    def _whom(self) -> str:
        missing = servers.unreachable(self._role.peers("worker"))
        names = [f"{name} ({reason})" for name, reason in missing.items()]
        return ", ".join(names) or "the other workers, one of which may be stopped"

    def must_stop(self, wants_to):
        """Stops at the same step as all other workers."""
        return self._stop.told(wants_to)

    @contextlib.contextmanager
    def guarded(self, newest: Callable[[], str | None]):
        """Tells in one line that a worker is lost; a good end is that of all workers."""
        try:
            yield
        except servers.LOST_ERRORS as lost:
            raise self._lost(lost, newest() if self.is_chief else None) from lost
        with servers.news_only():
            self._take_leave()

    def _lost(self, lost: tf.errors.OpError, newest: str | None) -> UserError:
        peers = self._role.peers("worker")
        gone = [f"{name} at {peers[name]}" for name in servers.unreachable(peers)]
        return UserError(
            f"Lost {', '.join(gone) or 'another worker'}: {first_cause(lost)}."
            + (f" The newest checkpoint is {newest}." if newest else "")
            + " All workers end; the same commands continue from the newest checkpoint."
        )

    def _take_leave(self) -> None:
        """Waits until no other worker needs what this one has still to send."""
        others = range(1, self._role.num_workers)
        end = time.monotonic() + _FAREWELL_SECS
        for stage in (1, 2):
            if not self.is_chief:
                self._board.write(Topic.WISH, self.task, stage)
            while time.monotonic() < end:
                notes = self._board.read()
                if self.is_chief and all(notes.get((Topic.WISH, t), 0) >= stage for t in others):
                    self._board.write(Topic.OVER, 0, stage)
                    break
                if not self.is_chief and (stage == 2 or notes.get((Topic.OVER, 0), 0) >= stage):
                    break
                time.sleep(servers.POLL_SECS / 5)


class _Stop(hooks.Hook):
    """Whether some worker wants to stop, which all of them learn in the same step."""

    def __init__(self):
        self.wanted: tf.Tensor | None = None
        self._session: tf.Session | None = None
        self._is_asked = False
        self._is_told = False

    def asked(self) -> tf.Tensor:
        """Returns a tensor that is 1 once this worker wants to stop, else 0."""
        self._flag = tf.Variable(
            0.0, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES], name="stop_asked"
        )
        self._ask = self._flag.assign(1.0).op
        return self._flag.read_value()

    def open(self, session: tf.Session) -> None:
        """Takes the session that trains."""
        self._session = session

    def told(self, wants_to: bool) -> bool:
        """Returns whether all workers stop now; asks them to if this one wants to."""
        if wants_to and not self._is_asked:
            self._is_asked = True
            self._session.run(self._ask)
        return self._is_told

    def fetches(self, step):
        """Asks whether somebody wants to stop."""
        return {"stop": self.wanted}

    def after_step(self, step):
        """Remembers it."""
        self._is_told = self._is_told or step.values["stop"] > 0


class _Averaging(hooks.Hook):
    """Averages the statistics that each worker has estimated on its own batches at the end."""

    def __init__(self, session: tf.Session, average: tf.Operation | None):
        self._session = session
        self._average = average

    def at_end(self, step):
        """Averages them, in all workers at the same time."""
        if self._average is not None:
            self._session.run(self._average)
