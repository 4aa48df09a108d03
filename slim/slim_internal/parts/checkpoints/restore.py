"""Compares a checkpoint with a graph, and restores it when they fit."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from slim_internal.ground.compat import first_cause, paths, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import contents, latest, misfit


@dataclasses.dataclass(frozen=True)
class RestorePlan:
    """Which variables come from which checkpoint.

    Attributes:
      checkpoint_path: The checkpoint.
      variables: Name in the checkpoint -> variable of the graph.
      excluded: Variables left as they are because of `exclude_scopes`.
      missing: Variables left as they are because the checkpoint has none of that name and shape.
      saver: Reads them; None if there is nothing to read.
      adapted: Of these the kernels that the checkpoint has for another number of channels.
    """

    checkpoint_path: str
    variables: Mapping[str, tf.Variable]
    excluded: Sequence[str]
    missing: Sequence[str]
    saver: tf.train.Saver | None
    adapted: Mapping[str, tf.Variable] = dataclasses.field(default_factory=dict)

    def restore(self, session: tf.Session, *, require_finite: bool = True) -> None:
        """Assigns the checkpoint's values to the variables.

        Args:
          session: The session of the variables.
          require_finite: Whether to refuse numbers that are infinite or NaN.

        Raises:
          UserError: If the checkpoint turns out to be damaged, or holds numbers that are infinite
            or none: all that is computed with them is worthless.
        """
        try:
            if self.saver:
                self.saver.restore(session, paths.literal_checkpoint(self.checkpoint_path))
            for name, variable in self.adapted.items():
                kernel = latest.reader(self.checkpoint_path).get_tensor(name)
                variable.load(kernel_of(kernel, variable.shape.as_list()[-2]), session)
        except (
            tf.errors.DataLossError,
            tf.errors.NotFoundError,
            tf.errors.OutOfRangeError,
        ) as error:
            raise UserError(
                f"Checkpoint {self.checkpoint_path} is damaged: {first_cause(error)}"
            ) from error
        fault = self.not_finite() if require_finite else ""
        if fault:
            raise UserError(fault)

    def not_finite(self) -> str:
        """Returns which of the restored variables holds numbers that are not finite, or ""."""
        saved = latest.reader(self.checkpoint_path)
        for name, variable in {**self.variables, **self.adapted}.items():
            if not variable.dtype.is_floating:
                continue
            values = np.asarray(saved.get_tensor(name))
            wrong = values.size - np.count_nonzero(np.isfinite(values))
            if wrong:
                return (
                    f"Checkpoint {self.checkpoint_path} cannot be used: {wrong} of {values.size}"
                    f" numbers of {name} are infinite or NaN, which gives outputs that are not"
                    " finite. Use an earlier checkpoint."
                )
        return ""


def kernel_of(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Returns the kernel of a first convolution for images of another number of channels.

    For grayscale it is the sum, so that the network says what it says of the same image in color.
    For more channels the old ones are repeated in turn and scaled, so that the sum stays as large;
    both as in timm (R. Wightman, pytorch-image-models, `adapt_input_conv`). Of more channels than
    are wanted the first ones are taken, and scaled likewise.

    Args:
      kernel: Array [height, width, channels, outputs].
      channels: The number of channels that is wanted.
    """
    old = kernel.shape[-2]
    if channels == 1:
        return kernel.sum(axis=-2, keepdims=True)
    return kernel[..., np.arange(channels) % old, :] * np.asarray(old / channels, kernel.dtype)


def moving_averages(
    variables: Iterable[tf.Variable], saved: Collection[str] = ()
) -> dict[str, tf.Variable]:
    """Returns for `plan` the names under which training keeps the variables' moving averages.

    Args:
      variables: The variables to restore.
      saved: Names in the checkpoint. Where it holds averages of the trainable variables only, as
        `ema.apply()` of TensorFlow 1 leaves them, the others go by their own names.
    """
    names = {}
    for variable in variables:
        name, average = variable.op.name, variable.op.name + contents.AVERAGE_SUFFIX
        plain = not variable.trainable and average not in saved and name in saved
        names[name if plain else average] = variable
    return names


def in_scopes(name: str, scopes: Iterable[str]) -> bool:
    """Returns whether a variable's name starts with one of the scopes, path part by path part."""
    return any(f"{name}/".startswith(f"{scope.rstrip('/')}/") for scope in scopes)


def plan(
    variables: Iterable[tf.Variable] | Mapping[str, tf.Variable],
    checkpoint_path: str,
    exclude_scopes: Sequence[str] = (),
    ignore_missing: bool = False,
    *,
    classifier_scopes: Sequence[str] = (),
    all_needed: bool = False,
    first_conv: str = "",
) -> RestorePlan:
    """Plans how to restore variables, or says everything that stands in the way.

    Reads only the checkpoint's table of contents. Call it while the graph can still grow.

    Args:
      variables: The variables to restore, by their own names or as name in the checkpoint ->
        variable.
      checkpoint_path: A checkpoint, or a folder whose newest one is taken.
      exclude_scopes: Scopes whose variables are left as they are.
      ignore_missing: Whether to leave alone what the checkpoint lacks or has in another shape.
      classifier_scopes: Scopes whose shapes depend on the number of classes (`Network` has
        them); the error message proposes to exclude them.
      all_needed: Whether nothing may be left out, as in every program but training; the error
        message is one line then, and proposes no flag that leaves something out.
      first_conv: Name of the kernel that is adapted if the checkpoint has it for another number of
        channels; see `kernel_of`.

    Raises:
      UserError: If there is no such checkpoint, or if it does not fit; lists every variable that
        is missing, extra or of another shape, and the flag that would help.
    """
    checkpoint_path = latest.find(checkpoint_path)
    saved = saved_shapes(checkpoint_path)
    if not isinstance(variables, Mapping):
        variables = {variable.op.name: variable for variable in variables}
    excluded = [name for name in variables if in_scopes(name, exclude_scopes)]
    wanted = {name: variable for name, variable in variables.items() if name not in excluded}
    missing = [name for name in wanted if name not in saved]
    reshaped = {
        name: (saved[name], variable.shape.as_list())
        for name, variable in wanted.items()
        if name in saved and saved[name] != variable.shape.as_list()
    }
    adapted = {}
    if first_conv in reshaped and _differ_in_channels(first_conv, *reshaped[first_conv]):
        del reshaped[first_conv]
        adapted[first_conv] = wanted.pop(first_conv)
    if (missing or reshaped) and not ignore_missing:
        known = {*variables, *(variable.op.name for variable in variables.values())}
        extra = [
            name for name in saved if name not in known and not _is_slot(name, {*known, *saved})
        ]
        if all_needed:
            raise UserError(misfit.told(checkpoint_path, wanted, missing, reshaped, saved, extra))
        remedies = _remedies_of_training(missing, reshaped, tuple(classifier_scopes))
        raise UserError(_mismatch(checkpoint_path, missing, reshaped, extra, remedies))
    left_out = [*missing, *reshaped]
    restored = {name: variable for name, variable in wanted.items() if name not in left_out}
    if wanted and not restored and not adapted:
        raise UserError(_nothing_fits(checkpoint_path, list(wanted), list(saved)))
    saver = tf.train.Saver(restored, name="restore") if restored else None
    return RestorePlan(checkpoint_path, restored, excluded, left_out, saver, adapted)


def _differ_in_channels(name: str, was: Sequence[int], is_: Sequence[int]) -> bool:
    """Returns whether a kernel fits but for its channels; those of depthwise ones do not add up."""
    plain = name.rpartition("/")[2] == "weights"
    return plain and [*was[:-2], *was[-1:]] == [*is_[:-2], *is_[-1:]]


def _nothing_fits(checkpoint_path: str, wanted: Sequence[str], saved: Sequence[str]) -> str:
    return (
        f"Nothing in checkpoint {checkpoint_path} fits the network: it holds"
        f" {', '.join(sorted(saved)[:3]) or 'nothing'}, ..., the network {', '.join(wanted[:3])},"
        " ... Choose the --model_name that it was trained with, or leave out --checkpoint_path."
    )


def saved_shapes(checkpoint_path: str) -> dict[str, list[int]]:
    """Returns the shape of each variable in a checkpoint, by name.

    Raises:
      UserError: If it cannot be read.
    """
    try:
        return latest.reader(checkpoint_path).get_variable_to_shape_map()
    except latest.READ_ERRORS as error:
        problem = str(error).splitlines()[0]
        raise UserError(f"Checkpoint {checkpoint_path} cannot be read: {problem}") from error


def _is_slot(name: str, variables: Iterable[str]) -> bool:
    """Returns whether training keeps a saved variable for itself, whatever its optimizer.

    It names after a variable what it keeps beside it, and puts into no scope what belongs to none:
    its step, the powers of Adam, a scale of the loss.
    """
    scope = name.rpartition("/")[0]
    return not scope or scope in variables


def _mismatch(
    checkpoint_path: str,
    missing: Sequence[str],
    reshaped: Mapping[str, tuple[list[int], list[int]]],
    extra: Sequence[str],
    remedies: Sequence[str],
) -> str:
    lines = [f"Checkpoint {checkpoint_path} does not fit the network."]
    for title, entries in (
        ("Missing in the checkpoint", missing),
        ("Extra in the checkpoint", sorted(extra)),
        (
            "Shape mismatch",
            [
                f"{name}: {was} in the checkpoint, {is_} here"
                for name, (was, is_) in reshaped.items()
            ],
        ),
    ):
        if entries:
            lines += [f"{title} ({len(entries)}):", *(f"  {entry}" for entry in entries)]
    lines += [f"- {remedy}" for remedy in remedies]
    return "\n".join(lines)


def _background_class_remedies(
    reshaped: Mapping[str, tuple[list[int], list[int]]],
) -> list[str]:
    widths = {(was[-1], is_[-1]) for was, is_ in reshaped.values() if was and is_}
    changes = {is_ - was for was, is_ in widths} & {1, -1}
    return [
        f"The checkpoint has one class {'less' if change == 1 else 'more'} than the network here,"
        " as for ImageNet without or with a background class: change --labels_offset by"
        f" {change:+d}, to {change} if it was not given."
        for change in changes
    ]


def _remedies_of_training(
    missing: Sequence[str],
    reshaped: Mapping[str, tuple[list[int], list[int]]],
    classifier_scopes: tuple[str, ...],
) -> list[str]:
    """Returns which flags of the training program would help, the most likely first."""
    remedies = _background_class_remedies(reshaped)
    if reshaped:
        scopes = classifier_scopes
        if not scopes or not all(in_scopes(name, scopes) for name in reshaped):
            scopes = tuple(dict.fromkeys(name.rpartition("/")[0] or name for name in reshaped))
        remedies.append(
            "To initialize the layers whose shapes differ randomly:"
            f" --checkpoint_exclude_scopes={','.join(scopes)}"
        )
    if missing:
        remedies.append("To initialize missing variables randomly: --ignore_missing_vars")
    return remedies
