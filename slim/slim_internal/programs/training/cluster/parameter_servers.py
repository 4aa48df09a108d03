"""A worker that shares its variables with others through parameter servers."""

import contextlib
import itertools
import logging
import threading
from collections.abc import Callable

from deployment import model_deploy, servers, sessions
from deployment.cluster import Role
from deployment.servers import Board, Topic
from slim_internal.ground.compat import first_cause, slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.programs.training import hooks
from slim_internal.programs.training.cluster import replica
from slim_internal.programs.training.cluster.watch import Watch
from slim_internal.programs.training.start import Start

_LOG = logging.getLogger(__name__)

_AGAIN = "Start all processes again with the same commands to continue from the newest checkpoint."


class ServedWorker(replica.Replica):
    """A worker whose variables are on parameter servers.

    Its steps change the variables of all at once (asynchronous), or wait until the gradients of
    several workers have made one update (`role.sync`).

    Args:
      role: Its part.
    """

    trains_alone = False

    def __init__(self, role: Role):
        self.is_chief = role.is_chief
        self.task = role.task
        self.batches_per_step = role.aggregate
        self.counts_updates = role.sync
        self._role = role
        self._own = servers.device("worker", role.task)
        self._boards: list[Board] = []
        self._optimizer: tf.train.SyncReplicasOptimizer | None = None
        self._watch: Watch | None = None
        self._wish_told = False

    def meet(self, config, find):
        """Finds the servers; the chief says where to start, and takes over what is newer there."""
        try:
            return self._met(config, find)
        except servers.LOST_ERRORS as lost:
            raise self._lost(lost, None) from lost

    def _met(self, config, find) -> Start:
        self._target = servers.start(self._role, self._entered(sessions.config(config.cpu_threads)))
        places = [servers.device("ps", task) for task in range(self._role.num_servers)]
        servers.wait_for(self._servers(), self._role.patience)
        self._boards = [Board(self._target, self._own, place) for place in places or [self._own]]
        waiting = servers.Waiting(self._role.patience)
        for task, board in enumerate(self._boards):
            self._compare_clusters(board, waiting, task)
            board.write(Topic.CLUSTER, self.task, {"ended": False})
        mine = replica.compared(config)
        if not self.is_chief:
            plan = self._boards[0].await_note(Topic.PLAN, 0, waiting, "worker 0, the chief")
            if differs := replica.difference(mine, plan["settings"]):
                raise UserError(f"{differs}: give all workers the same settings.")
            step = self._served_step()
            return Start(None, plan["step"] if step is None else step)
        return self._begin(mine, find())

    def _servers(self) -> dict[str, str]:
        """Returns what this worker cannot do without: names in messages, and addresses."""
        if self._role.master:
            return {"the server of --master": self._role.master.removeprefix("grpc://")}
        return self._role.peers("ps")

    def _compare_clusters(self, board: Board, waiting: servers.Waiting, task: int) -> None:
        """Requires that a server was told the same cluster as this process.

        Raises:
          UserError: It was not, or it does not answer.
        """
        if self._role.master:  # Somebody else's server, which does not say.
            return
        while True:
            try:
                theirs = servers.server_cluster(board.read())
                reason = "it is starting"
            except servers.LOST_ERRORS as error:
                theirs, reason = None, first_cause(error)
            if theirs == self._role.text():
                return
            if theirs:
                raise UserError(
                    f"--cluster={self._role.text()} here, but parameter server {task} was started"
                    f" with --cluster={theirs}: give all processes the same one."
                )
            waiting.sleep(f"parameter server {task}", reason)

    def _begin(self, mine: dict[str, object], own: Start) -> Start:
        """Returns where the chief starts, and tells the others."""
        served = self._served_step()
        if served is not None:
            before = self._boards[0].read().get((Topic.PLAN, 0), {}).get("settings", mine)
            if differs := replica.difference(mine, before):
                raise UserError(
                    f"{differs} that began the run whose variables the servers hold: use the same"
                    " settings, or start the servers again."
                )
        self.begins_ready = served is not None and served >= own.step
        begin = Start(own.checkpoint, served) if self.begins_ready else own
        if self.begins_ready:
            _LOG.info("Continuing with the variables on the parameter servers, of step %d.", served)
        for board in self._boards:
            board.write(Topic.OVER, 0, None)
            board.write(Topic.PLAN, 0, {"settings": mine, "step": begin.step})
        return begin

    def _served_step(self) -> int | None:
        """Returns the step of the variables on the servers; None if one of them has no values."""
        for board in self._boards:
            if not board.read().get((Topic.READY, 0)):
                return None
        place = servers.device("ps", 0) if self._role.num_servers else self._own
        with tf.Graph().as_default(), tf.device(f"{place}/device:CPU:0"):
            step = tf.train.get_or_create_global_step()
            with tf.Session(self._target, config=self._entered(sessions.config())) as session:
                return int(session.run(step))

    def placed(self):
        """Puts what has no device of its own into this worker."""
        return tf.device(self._own)

    def deployment(self, config):
        """Puts the variables on the servers in turn."""
        return model_deploy.DeploymentConfig(
            num_clones=config.num_clones,
            clone_on_cpu=config.clone_on_cpu,
            replica_id=self.task,
            num_replicas=self._role.num_workers,
            num_ps_tasks=self._role.num_servers,
        )

    def input_seed(self, config):
        """Gives each worker an order of its own, as the workers read at their own pace."""
        return self.seed(config)

    def first_batch(self, step):
        """Takes the steps of all workers for made by each in turn, unless made together."""
        return step if self._role.sync else step // self._role.num_workers

    def wrapped(self, optimizer, averages):
        """Makes one update of the gradients of several workers, if that is wanted."""
        if not self._role.sync:
            return optimizer, False
        self._optimizer = tf.train.SyncReplicasOptimizer(
            optimizer,
            replicas_to_aggregate=self._role.aggregate,
            total_num_replicas=self._role.num_workers,
            variable_averages=averages,
            variables_to_average=slim.get_model_variables() if averages else None,
        )
        return self._optimizer, averages is not None

    def count(self, loss, global_step):
        """Reads the step, which other workers count, too."""
        with tf.control_dependencies([loss]):
            self._counting = _Counting(global_step.read_value())

    def _entered(self, config: tf.ConfigProto) -> tf.ConfigProto:
        """Enters what this process sees into the settings of a session, and returns them."""
        # Without the filters, one dead worker blocks the sessions of all others.
        config.device_filters.extend(["/job:ps", self._own])
        return config

    def session(self, config):
        """Opens a session that sees the servers and this worker."""
        opened = tf.Session(self._target, config=self._entered(config))
        return replica.closed_at_a_good_end(opened)

    def initialize(self, session, restore):
        """Lets the chief give the variables their values, unless they have them; others wait."""
        if self.is_chief:
            if not self.begins_ready:
                session.run(tf.global_variables_initializer())
                restore()
            for board in self._boards:
                board.write(Topic.READY, 0, True)
        waiting = servers.Waiting(self._role.patience)
        for board in self._boards:
            board.await_note(Topic.READY, 0, waiting, "worker 0, the chief")
        session.run(tf.local_variables_initializer())
        if self._optimizer and self.is_chief:
            session.run(self._optimizer.chief_init_op)
            if self.begins_ready:
                # The last chief may have died between an update and its tokens, for which the
                # others wait; a token too many costs one of them a batch.
                others = self._role.num_workers - 1
                session.run(self._optimizer.get_init_tokens_op(others))
        elif self._optimizer:
            session.run(self._optimizer.local_step_init_op)

    def hooks(self, session, save, exit_code, feed):
        """Watches for the end of the run, whoever calls it; the chief makes the common updates."""
        if self._optimizer and self.is_chief:
            (update,) = self._optimizer.get_chief_queue_runner().enqueue_ops
            step = session.run(tf.train.get_global_step())
            threading.Thread(
                target=_repeat, args=(session, update, step, feed), daemon=True
            ).start()
        self._watch = Watch(
            *(self._news, exit_code, save if self.is_chief else lambda step: None, self._whom),
            lambda: self._tell_end(UserError(self._watch.over) if self._watch.over else None),
        )
        return self._watch, self._counting

    def _news(self) -> str | None:
        with servers.news_only():
            notes = self._boards[0].read()
            if over := notes.get((Topic.OVER, 0)):
                return over["error"]
            wishes = [note for (topic, _), note in notes.items() if topic == Topic.WISH and note]
            if self.is_chief and wishes:
                return ""
        return None

    def _whom(self) -> str:
        missing = servers.unreachable({**self._role.peers("ps"), **self._role.peers("worker")})
        if missing:
            return ", ".join(f"{name} ({reason})" for name, reason in missing.items())
        return "the gradients of the other workers" if self._role.sync else "the parameter servers"

    def must_stop(self, wants_to):
        """Stops with all others, or alone if these can go on."""
        over = self._watch is not None and self._watch.over is not None
        if self._role.sync and not self.is_chief and wants_to:
            if not self._wish_told:  # The others would wait for its gradients for ever.
                self._wish_told = True
                with servers.news_only():
                    self._boards[0].write(Topic.WISH, self.task, True)
            return over
        return wants_to or over

    @contextlib.contextmanager
    def guarded(self, newest: Callable[[], str | None]):
        """Tells servers and workers how this worker ended, and the user which of them is lost."""
        error: Exception | None = None
        try:
            yield
            if self._watch is not None and self._watch.over:
                raise UserError(self._watch.over)
        except servers.LOST_ERRORS as lost:
            error = self._lost(lost, newest())
            raise error from lost
        except UserError as mistake:
            error = mistake
            raise
        finally:
            self._tell_end(error)

    def _lost(self, lost: tf.errors.OpError, newest: str | None) -> UserError:
        peers = self._servers()
        gone = ", ".join(f"{name} at {peers[name]}" for name in servers.unreachable(peers))
        if self._role.master:
            gone = f"the server of --master at {peers.popitem()[1]}"
        what = f"Lost {gone or 'a parameter server, which was restarted'}: {first_cause(lost)}."
        saved = f" The newest checkpoint is {newest}." if newest else ""
        return UserError(f"{what}{saved} {_AGAIN}")

    def _tell_end(self, error: Exception | None) -> None:
        ends_all = self.is_chief or self._role.sync or isinstance(error, hooks.DivergedError)
        for board in self._boards:
            with servers.news_only():
                if ends_all and (self.is_chief or error):
                    said = f"{self._role.name.capitalize()} ended: {error}" if error else ""
                    if not (error and self._watch and self._watch.over):  # Somebody else's end.
                        board.write(Topic.OVER, 0, {"error": said})
                board.write(Topic.WISH, self.task, False)
                board.write(Topic.CLUSTER, self.task, {"ended": True})


class _Counting(hooks.Hook):
    """Tells the loop how many steps all workers together have made."""

    def __init__(self, global_step: tf.Tensor):
        self._global_step = global_step

    def fetches(self, step):
        """Asks for the number."""
        return {"global_step": self._global_step}


def _repeat(session, update: tf.Operation, step: int, feed) -> None:
    """Makes updates of the gradients that have come together, as long as the session lives."""
    with contextlib.suppress(tf.errors.OpError, RuntimeError):
        for number in itertools.count(step):
            session.run(update, feed(number))
