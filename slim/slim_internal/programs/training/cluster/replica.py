"""What a process does differently when others train with it; this one trains alone.

`train` asks a replica wherever that makes a difference: where to start from, which part of the data
to take, what becomes of the gradients, when to stop.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

from deployment import model_deploy
from slim_internal.ground.compat import tf
from slim_internal.ground.settings import described
from slim_internal.parts.checkpoints import latest
from slim_internal.programs.training import hooks
from slim_internal.programs.training.settings import TrainConfig
from slim_internal.programs.training.start import Start

_LOG = logging.getLogger(__name__)

# Far enough from each other for the seeds of neighboring runs.
_SEEDS_APART = 1_000_003

# What each process may have of its own; all else has to be the same everywhere.
_OWN_SETTINGS = {
    *("task", "job_name", "master", "cluster", "worker_replicas", "num_ps_tasks"),
    *("cluster_timeout_secs", "dataset_dir", "train_dir", "checkpoint_path", "cpu_threads"),
    *("num_preprocessing_threads", "log_every_n_steps", "save_interval_secs"),
    *("save_summaries_secs", "save_meta_graph", "max_to_keep", "data_service", "clone_on_cpu"),
}


class Replica:
    """A process that trains alone.

    Attributes:
      trains_alone: Whether there are no others.
      is_chief: Whether it initializes, saves and reports.
      task: Its number.
      num_input_parts: How many processes divide the batches of the run among themselves.
      batches_per_step: Batches that one global step takes, those of all processes together.
      begins_ready: Whether the variables have the right values already.
      counts_updates: Whether the optimizer counts the steps, and not each process its own.
    """

    trains_alone = True
    is_chief = True
    task = 0
    num_input_parts = 1
    batches_per_step = 1
    begins_ready = False
    counts_updates = False

    def meet(self, config: TrainConfig, find: Callable[[], Start]) -> Start:
        """Finds the other processes, and agrees with them where to start.

        Args:
          config: The settings.
          find: Looks for this process's own checkpoint.
        """
        return find()

    def saved_step(self, begin: Start) -> int:
        """Returns the step that is saved already when training begins; -1 if none is."""
        return latest.step_of(begin.checkpoint or "") if self.begins_ready else begin.step

    def placed(self) -> contextlib.AbstractContextManager:
        """Within it, what has no device of its own is put into this process."""
        return contextlib.nullcontext()

    def deployment(self, config: TrainConfig) -> model_deploy.DeploymentConfig | None:
        """Returns where clones and variables go; None for where they go in one process."""
        return None

    def seed(self, config: TrainConfig) -> int:
        """Returns the seed of what this process draws in a step: dropout, mixing."""
        return config.seed + _SEEDS_APART * self.task

    def input_seed(self, config: TrainConfig) -> int:
        """Returns the seed of the order of the examples."""
        return config.seed

    def first_batch(self, step: int) -> int:
        """Returns the number of the batch that this process begins with."""
        return step

    def wrapped(
        self, optimizer: tf.train.Optimizer, averages: tf.train.ExponentialMovingAverage | None
    ) -> tuple[tf.train.Optimizer, bool]:
        """Returns the optimizer to use, and whether it updates the moving averages itself."""
        return optimizer, False

    def combined(self, loss, gradients, updates, accuracy):
        """Returns loss, gradients, updates of statistics and accuracy over all processes.

        Args:
          loss: Total loss of this process.
          gradients: List of (gradient, variable).
          updates: Updates of the moving statistics.
          accuracy: Accuracy of this process's batch.
        """
        return loss, gradients, updates, accuracy

    def count(self, loss: tf.Tensor, global_step: tf.Variable) -> None:
        """Adds to the graph what counts the steps that other processes make.

        Args:
          loss: Fetching it makes an update.
          global_step: Counts the updates.
        """

    def session(self, config: tf.ConfigProto) -> contextlib.AbstractContextManager[tf.Session]:
        """Opens the session that trains."""
        return tf.Session(config=config)

    def initialize(self, session: tf.Session, restore: Callable[[], None]) -> None:
        """Gives the variables their first values.

        Args:
          session: The session.
          restore: Takes values from a checkpoint, if there is one to start from.
        """
        variables = tf.global_variables_initializer(), tf.local_variables_initializer()
        session.run(tf.group(*variables, tf.tables_initializer()))  # The last one for the input.
        restore()

    def hooks(
        self,
        session: tf.Session,
        save: Callable[[int], None],
        exit_code: Callable[[], int],
        feed: Callable[[int], dict[tf.Tensor, float]],
    ) -> Sequence[hooks.Hook]:
        """Returns what it does beside the steps on behalf of the other processes.

        Args:
          session: The session.
          save: Saves the step that it is told.
          exit_code: Returns the code to end with once a signal asks to stop, else 0.
          feed: Returns what an update after so many steps has to be fed.
        """
        return ()

    def must_stop(self, wants_to: bool) -> bool:
        """Returns whether to stop now, this process wanting to or not."""
        return wants_to

    def guarded(self, newest: Callable[[], str | None]) -> contextlib.AbstractContextManager:
        """Within it, losing other processes is told in one line, and they are told of the end.

        Args:
          newest: Returns the newest checkpoint.
        """
        return contextlib.nullcontext()

    def summary(self, config: TrainConfig) -> str:
        """Returns the size of the batches in words."""
        own = config.batch_size * config.num_clones
        words = f"{own} images ({config.batch_size} x {config.num_clones} clones)"
        if config.accumulate_steps > 1:
            return (
                f"{own * config.accumulate_steps} images ({config.batch_size} x {config.num_clones}"
                f" clones x {config.accumulate_steps} accumulated)"
            )
        if self.batches_per_step == 1:
            return words
        return f"{own * self.batches_per_step} images in all, per worker {words}"


@contextlib.contextmanager
def closed_at_a_good_end(session: tf.Session) -> Iterator[tf.Session]:
    """Within it, a session is the default one.

    After a failure it stays open: closing it waits for the processes that are gone, and this one
    ends the hard way.
    """
    with session.as_default():
        yield session
    session.close()


class OtherSaves(hooks.Saving):
    """Stands where a worker would save, which is the chief's business."""

    def __init__(self):
        self.checkpoint = None

    def after_step(self, step):
        """Does not save."""

    def on_error(self, error, step, learning_rate):
        """Does not save."""

    def at_end(self, step):
        """Does not save."""

    def _last_good(self) -> str:
        return "The chief knows the last good checkpoint."


def compared(config: TrainConfig) -> dict[str, object]:
    """Returns the settings that must be the same in all processes."""
    names = {field.name for field in described(type(config))} - _OWN_SETTINGS
    return {name: getattr(config, name) for name in sorted(names)}


def difference(mine: dict[str, object], chiefs: dict[str, object]) -> str | None:
    """Returns the first setting that differs from the chief's, in words; None if none does.

    What one of them leaves open is no difference: what a run began with may fill it in later.
    """
    for name, value in mine.items():
        if None not in (value, chiefs.get(name)) and chiefs[name] != value:
            return f"--{name} is {value!r} here and {chiefs.get(name)!r} at the chief"
    return None


def moving_statistics() -> list[tf.Variable]:
    """Returns the variables that follow the batches; call it before the optimizer adds its own."""
    trainable = {variable.op.name for variable in tf.trainable_variables()}
    return [
        variable
        for variable in tf.global_variables()
        if variable.op.name not in trainable and variable.dtype.base_dtype.is_floating
    ]
