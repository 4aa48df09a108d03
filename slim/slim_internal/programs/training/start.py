"""Where a training run starts from: its own checkpoint, given weights, or scratch."""

import dataclasses
import logging

from deployment import precision
from nets.network import Network
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import replaced
from slim_internal.parts.checkpoints import label_offset, latest, restore
from slim_internal.parts.quantization import ranges
from slim_internal.programs.training import settings as train_config
from slim_internal.programs.training.settings import TrainConfig

_LOG = logging.getLogger(__name__)

_MAX_NAMES = 8  # Of variables in an error message.


@dataclasses.dataclass(frozen=True)
class Start:
    """Where a run starts from.

    The first of these that exists:
    1. the newest whole checkpoint in `train_dir`: all variables and the step;
    2. `checkpoint_path`: the weights of the model, without the excluded scopes;
    3. random weights.

    Attributes:
      checkpoint: Checkpoint of `train_dir`, or None.
      step: Steps done before.
    """

    checkpoint: str | None
    step: int


def find(config: TrainConfig) -> Start:
    """Looks for a checkpoint in `train_dir`, or else whether `checkpoint_path` has one."""
    checkpoint = latest.newest_good(config.train_dir)
    if checkpoint is None:
        if config.checkpoint_path:  # A wrong name is told before the graph is built.
            latest.find(config.checkpoint_path)
        return Start(None, 0)
    reader = latest.reader(checkpoint)
    if not reader.has_tensor("global_step"):
        raise UserError(
            f"{checkpoint} has no global_step: it was not written by training. Name it with"
            " --checkpoint_path, and another --train_dir."
        )
    return Start(checkpoint, int(reader.get_tensor("global_step")))


def with_label_offset(
    start: Start, config: TrainConfig, network: Network, num_classes: int
) -> TrainConfig:
    """Returns the settings with the label offset that the classifier of the checkpoint needs."""
    exclude_scopes = train_config.scopes(config.checkpoint_exclude_scopes)
    is_restored = not all(
        restore.in_scopes(scope, exclude_scopes) for scope in network.classifier_scopes
    )
    checkpoint = start.checkpoint or (config.checkpoint_path if is_restored else None)
    offset = label_offset.choose(
        config, network, config.dataset_name, num_classes, checkpoint or None
    )
    return replaced(config, labels_offset=offset)


def plan(start: Start, config: TrainConfig, network: Network) -> restore.RestorePlan | None:
    """Plans the restoring, and says in one line what the run starts from.

    Raises:
      UserError: If the checkpoint does not fit the graph.
    """
    if start.checkpoint:
        try:
            planned = restore.plan(_state(start.checkpoint), start.checkpoint)
        except UserError as error:
            raise UserError(
                f"The run in --train_dir={config.train_dir} used other settings. Use the same, or"
                f" start from --checkpoint_path={start.checkpoint} in a new --train_dir."
                f" {_state_that_is_missing(start.checkpoint, config) or error}"
            ) from error
        given = f" (not {config.checkpoint_path})" if config.checkpoint_path else ""
        _LOG.info("Continuing from step %d: %s%s", start.step, start.checkpoint, given)
        return planned
    if not config.checkpoint_path:
        _LOG.info("Starting from random weights.")
        return None
    exclude_scopes = train_config.scopes(config.checkpoint_exclude_scopes)
    saved = restore.saved_shapes(latest.find(config.checkpoint_path))
    planned = restore.plan(
        [*slim.get_model_variables(), *ranges.saved_in(config.checkpoint_path)],
        config.checkpoint_path,
        exclude_scopes,
        config.ignore_missing_vars,
        classifier_scopes=(*network.classifier_scopes, *network.aux_scopes),
        first_conv=network.first_conv,
    )
    for scope in exclude_scopes:
        if not any(restore.in_scopes(name, [scope]) for name in planned.excluded):
            _LOG.warning("--checkpoint_exclude_scopes: the network has nothing in %r.", scope)
    _LOG.info(
        "Starting from the weights of %s; at random: %s",
        planned.checkpoint_path,
        ", ".join([*planned.excluded, *planned.missing]) or "none",
    )
    for name, variable in planned.adapted.items():
        was, is_ = (shape[-2] for shape in (saved[name], variable.shape.as_list()))
        how = "summed up" if is_ == 1 else f"repeated in turn, times {was}/{is_}"
        _LOG.info("Adapted %s from %d to %d channels: %s.", name, was, is_, how)
    return planned


def _state(checkpoint: str) -> list[tf.Variable]:
    """Returns what a run goes on with; a loss scale starts anew where there was none."""
    saved = restore.saved_shapes(checkpoint)
    return [
        variable
        for variable in tf.global_variables()
        if variable.op.name in saved or variable.op.name not in precision.STATE
    ]


def _state_that_is_missing(checkpoint: str, config: TrainConfig) -> str:
    """Returns what the optimizer lacks; nothing if the network itself does not fit."""
    saved = restore.saved_shapes(checkpoint)
    model = {variable.op.name for variable in slim.get_model_variables()}
    missing = []
    for variable in tf.global_variables():
        if saved.get(variable.op.name) != variable.shape.as_list():
            if variable.op.name in model:
                return ""
            missing.append(variable.op.name)
    more = len(missing) - _MAX_NAMES
    flags = [f"--optimizer={config.optimizer}"]
    flags += ["--moving_average_decay"] if config.moving_average_decay else []
    flags += ["--quantize_delay"] if config.quantize_delay >= 0 else []
    return (
        f"The checkpoint lacks what {' and '.join(flags)} adds to the weights:"
        f" {', '.join(missing[:_MAX_NAMES])}{f' and {more} more' if more > 0 else ''}."
    )
