"""Trains copies ("clones") of one model side by side, on several GPUs or on parameter servers.

All clones share their variables; each has its own batch. The loss is the mean over the clones, so
that its gradient is the one that a single clone would get for all the batches together.

    config = model_deploy.DeploymentConfig(num_clones=2)
    with tf.device(config.variables_device()):
        global_step = tf.train.create_global_step()
    with tf.device(config.inputs_device()):
        images, labels = ...
    with tf.device(config.optimizer_device()):
        optimizer = tf.train.MomentumOptimizer(0.01, momentum=0.9)
    model = model_deploy.deploy(config, model_fn, [images, labels], optimizer=optimizer)
    slim.learning.train(model.train_op, train_dir, summary_op=model.summary_op)
"""

import collections
import dataclasses
import itertools

from slim_internal.ground.compat import slim, tf

__all__ = [
    "Clone",
    "DeployedModel",
    "DeploymentConfig",
    "create_clones",
    "deploy",
    "optimize_clones",
]

# outputs: what model_fn returned; scope: name scope of its ops; device: where they are.
Clone = collections.namedtuple("Clone", ["outputs", "scope", "device"])

# train_op: None without an optimizer; summary_op and total_loss: None if there is nothing to show.
DeployedModel = collections.namedtuple(
    "DeployedModel", ["train_op", "summary_op", "total_loss", "clones"]
)

_VARIABLE_OPS = ("Variable", "VariableV2", "VarHandleOp")


@dataclasses.dataclass(frozen=True)
class DeploymentConfig:
    """Where clones, variables, input and optimizer go.

    A replica is a process ("worker") with clones of its own; replicas share their variables
    through parameter servers ("ps").

    Attributes:
      num_clones: Clones in each replica.
      clone_on_cpu: Whether the clones run on the CPU instead of one GPU each.
      replica_id: Number of this replica.
      num_replicas: Number of replicas.
      num_ps_tasks: Number of parameter servers; 0 keeps the variables in this process.
      worker_job_name: Name of the replicas' job.
      ps_job_name: Name of the parameter servers' job.
    """

    num_clones: int = 1
    clone_on_cpu: bool = False
    replica_id: int = 0
    num_replicas: int = 1
    num_ps_tasks: int = 0
    worker_job_name: str = "worker"
    ps_job_name: str = "ps"

    def __post_init__(self):
        if self.num_replicas > 1 and self.num_ps_tasks < 1:
            raise ValueError("More than one replica needs a parameter server: num_ps_tasks >= 1.")
        if self.num_replicas > 1 and self.replica_id >= self.num_replicas:
            raise ValueError(
                f"replica_id {self.replica_id} is not below num_replicas {self.num_replicas}."
            )

    @property
    def worker_device(self):
        """Device of the replicas' job, "" for a single process."""
        return f"/job:{self.worker_job_name}" if self.num_ps_tasks > 0 else ""

    @property
    def ps_device(self):
        """Device of the parameter servers' job, "" without any."""
        return f"/job:{self.ps_job_name}" if self.num_ps_tasks > 0 else ""

    def caching_device(self):
        """Returns where variables are copied to: beside the op that reads them, with servers."""
        return (lambda op: op.device) if self.num_ps_tasks > 0 else None

    def clone_device(self, clone_index):
        """Returns the device of a clone.

        Raises:
          ValueError: If there is no clone of that number.
        """
        self._check(clone_index)
        processor = "CPU:0" if self.clone_on_cpu else f"GPU:{clone_index}"
        return f"{self.worker_device}/device:{processor}"

    def clone_scope(self, clone_index):
        """Returns the name scope of a clone; a single clone has none.

        Raises:
          ValueError: If there is no clone of that number.
        """
        self._check(clone_index)
        return f"clone_{clone_index}" if self.num_clones > 1 else ""

    def optimizer_device(self):
        """Returns the device on which gradients are added up and applied."""
        return f"{self.worker_device}/device:CPU:0"

    def inputs_device(self):
        """Returns the device on which input is prepared."""
        return f"{self.worker_device}/device:CPU:0"

    def variables_device(self):
        """Returns the device of variables, or a function of the op that takes servers in turn."""
        device = f"{self.ps_device}/device:CPU:0"
        if not self.num_ps_tasks:
            return device
        tasks = itertools.cycle(range(self.num_ps_tasks))

        def choose(op):
            if op.device or op.type not in _VARIABLE_OPS:
                return op.device
            return f"{self.ps_device}/task:{next(tasks)}/device:CPU:0"

        return choose

    def _check(self, clone_index):
        if not 0 <= clone_index < self.num_clones:
            raise ValueError(f"Clone {clone_index} is not one of {self.num_clones}.")


def create_clones(config, model_fn, args=None, kwargs=None):
    """Builds the model once for each clone; all but the first reuse its variables.

    Args:
      config: A DeploymentConfig.
      model_fn: Function that builds the model, adds its losses to the collection of losses and
        creates its variables through slim or `tf.get_variable`.
      args: Its positional arguments.
      kwargs: Its named arguments.

    Returns:
      A list of `Clone`.
    """
    clones = []
    placed = slim.arg_scope([slim.model_variable, slim.variable], device=config.variables_device())
    with placed:
        for index in range(config.num_clones):
            device = config.clone_device(index)
            with tf.name_scope(config.clone_scope(index)) as scope, tf.device(device):
                with tf.variable_scope(tf.get_variable_scope(), reuse=index > 0 or None):
                    outputs = model_fn(*(args or ()), **(kwargs or {}))
            clones.append(Clone(outputs, scope, device))
    return clones


def optimize_clones(clones, optimizer, regularization_losses=None, **kwargs):
    """Computes the loss over all clones and its gradients.

    Args:
      clones: What `create_clones` returned.
      optimizer: A tf.train.Optimizer.
      regularization_losses: Losses to count once; by default those of the collection.
      **kwargs: For `optimizer.compute_gradients`, such as `var_list`.

    Returns:
      The total loss, and a list of (gradient, variable): the mean over the clones. None and []
      if no clone has a loss.
    """
    if regularization_losses is None:
        regularization_losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    losses, gradients = [], []
    for clone in clones:
        with tf.name_scope(clone.scope), tf.device(clone.device):
            loss = _clone_loss(clone, len(clones), None if losses else regularization_losses)
            if loss is None:
                continue
            losses.append(loss)
            gradients.append(optimizer.compute_gradients(loss, **kwargs))
    if not losses:
        return None, []
    return tf.add_n(losses, name="total_loss"), _sum_clones_gradients(gradients)


def deploy(config, model_fn, args=None, kwargs=None, optimizer=None, summarize_gradients=False):
    """Builds the clones and, with an optimizer, the op that trains them.

    Args:
      config: A DeploymentConfig.
      model_fn: See `create_clones`.
      args: Its positional arguments.
      kwargs: Its named arguments.
      optimizer: A tf.train.Optimizer; None only adds up the losses.
      summarize_gradients: Whether to add summaries of the gradients.

    Returns:
      A `DeployedModel`.
    """
    summaries_before = set(tf.get_collection(tf.GraphKeys.SUMMARIES))
    clones = create_clones(config, model_fn, args, kwargs)
    first = clones[0]
    update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS, first.scope)
    summaries = set(tf.get_collection(tf.GraphKeys.SUMMARIES, first.scope)) - summaries_before
    with tf.device(config.optimizer_device()):
        if optimizer is None:
            train_op, total_loss = None, _mean_loss(clones)
        else:
            total_loss, gradients = optimize_clones(clones, optimizer)
            train_op = None
            if total_loss is not None:
                if summarize_gradients:
                    summaries |= set(slim.learning.add_gradients_summaries(gradients))
                train_op = _train_op(optimizer, total_loss, gradients, update_ops)
        if total_loss is not None:
            summaries.add(loss_summary(total_loss))
        ordered = sorted(summaries, key=lambda summary: summary.name)
        summary_op = tf.summary.merge(ordered, name="summary_op") if ordered else None
    return DeployedModel(train_op, summary_op, total_loss, clones)


def _clone_loss(clone, num_clones, regularization_losses):
    """Returns the share of one clone in the total loss, None if it has no loss."""
    losses = tf.get_collection(tf.GraphKeys.LOSSES, clone.scope)
    parts = []
    if losses:
        mean = tf.add_n(losses, name="clone_loss") / num_clones
        tf.summary.scalar("clone_loss", mean)
        parts.append(mean)
    if regularization_losses:
        penalty = tf.add_n(regularization_losses, name="regularization_loss")
        tf.summary.scalar("regularization_loss", penalty)
        parts.append(penalty)
    return tf.add_n(parts) if parts else None


def _mean_loss(clones):
    regularization_losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    shares = [
        _clone_loss(clone, len(clones), None if index else regularization_losses)
        for index, clone in enumerate(clones)
    ]
    shares = [share for share in shares if share is not None]
    return tf.add_n(shares, name="total_loss") if shares else None


def loss_summary(total_loss):
    """Returns a summary tagged "total_loss"; tf.summary adds a number to a name that is taken."""
    summary = tf.raw_ops.ScalarSummary(tags="total_loss", values=total_loss)
    tf.add_to_collection(tf.GraphKeys.SUMMARIES, summary)
    return summary


def _sum_clones_gradients(gradients):
    """Returns (sum of the gradients, variable) for lists of (gradient, variable), one per clone."""
    sums = []
    for pairs in zip(*gradients, strict=True):
        variable = pairs[0][1]
        present = [gradient for gradient, _ in pairs if gradient is not None]
        if present:
            name = f"{variable.op.name}/sum_grads"
            sums.append((tf.add_n(present, name=name) if present[1:] else present[0], variable))
    return sums


def _train_op(optimizer, total_loss, gradients, update_ops):
    """Returns the loss as it was before the update that fetching it makes."""
    global_step = tf.train.get_or_create_global_step()
    apply = optimizer.apply_gradients(gradients, global_step=global_step)
    with tf.control_dependencies([apply, *update_ops]):
        return tf.identity(total_loss, name="train_op")
