"""What every format of exported networks has in common."""

import abc
import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from slim_internal.ground.compat import extras, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.inference.description import ModelDescription, read_description


@dataclasses.dataclass(frozen=True)
class Probe:
    """Images and what a checkpoint says of them, to compare files with.

    Attributes:
      images: Preprocessed, float32 [images, *model.example_shape].
      probabilities: float32 [images, num_classes].
      labels: int64 [images], their classes; None if they are of no dataset.
      rounded: Whether the checkpoint was rounded to 8 bits, where a step more or less is no error.
      calibration: Images of the dataset that choose the ranges of 8 bits, like `images`; None if
        there is no dataset.
    """

    images: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray | None = None
    rounded: bool = False
    calibration: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frozen:
    """A network that is ready to be written.

    Attributes:
      model: What it reads and says.
      graph_def: The graph from `model.input_name` to `model.predictions_name`; the weights are
        constants, if there are any.
      checkpoint_path: The checkpoint whose weights are inside, or None.
      batch_size: Fixed batch size; None if it takes any number of images.
      as_text: Whether to write it as text, in a format that has one.
      probe: What the checkpoint says of a few images; None without a checkpoint.
      quantized: Whether the graph rounds as 8-bit arithmetic does.
    """

    model: ModelDescription
    graph_def: tf.GraphDef
    checkpoint_path: str | None
    batch_size: int | None = None
    as_text: bool = False
    probe: Probe | None = None
    quantized: bool = False

    @property
    def logits_name(self) -> str:
        """Operation whose softmax are the predictions, float32 [batch, num_classes]."""
        nodes = {node.name: node for node in self.graph_def.node}
        return nodes[self.model.predictions_name].input[0]


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A network that was opened.

    Attributes:
      model: What it reads and says.
      batch_size: How many images it takes at once; None if any number.
      predict: Function of preprocessed images, float32 [batch, *model.example_shape], that returns
        their probabilities, float32 [batch, num_classes].
    """

    model: ModelDescription
    batch_size: int | None
    predict: Callable[[np.ndarray], np.ndarray]

    def predict_all(self, images: np.ndarray) -> np.ndarray:
        """Returns the probabilities of any number of images, in batches as it takes them."""
        size = self.batch_size or len(images)
        rows = []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            # Black images fill the last batch; what is said of them is dropped.
            missing = size - len(batch) if self.batch_size else 0
            filled = np.pad(batch, [(0, missing)] + [(0, 0)] * (batch.ndim - 1))
            rows.append(self.predict(filled)[: len(batch)])
        return np.concatenate(rows)


def first_line(error: Exception) -> str:
    """Returns the first line of what a library says of a failure, of at most 300 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def require_fit(
    model: ModelDescription, images: Sequence[int | None], predictions: Sequence[int | None]
) -> None:
    """Requires that a description tells the shapes of a network's input and output.

    Args:
      model: The description.
      images: Shape of the input with the batch; None or -1 for what is open.
      predictions: Shape of the output with the batch, likewise.

    Raises:
      UserError: If it does not.
    """
    for kind, shape, expected in (
        ("images of shape", images, model.example_shape),
        ("predictions of shape", predictions, (model.num_classes,)),
    ):
        sizes = tf.TensorShape([None if size in (None, -1) else size for size in shape])
        if not sizes.is_compatible_with([None, *expected]):
            raise UserError(
                f"The description of {model.model_name} does not fit it: {kind}"
                f" {list(expected)} are described, the file has {sizes.as_list()[1:]}."
            )


class Format(abc.ABC):
    """One kind of file, or of folder.

    Attributes:
      name: Value of `--format`.
      suffix: End of the file's name.
      is_folder: Whether it is a folder of files.
      needs_weights: Whether it cannot be written without a checkpoint.
      needs_examples: Whether it cannot be written without examples of a dataset.
      takes_quantized: Whether a graph can be written that rounds as 8-bit arithmetic does.
      tolerance: How far probabilities may be from those of the checkpoint; None if only most
        likely classes are compared.
      agreement: Fraction of images that must have the same most likely class, 0 to 1.
      extra: The optional extra that it needs; none if empty.
      modules: What it imports of that extra.
    """

    name: str
    suffix: str
    is_folder: bool = False
    needs_weights: bool = True
    needs_examples: bool = False
    takes_quantized: bool = False
    tolerance: float | None = 1e-4
    agreement: float = 0.0
    extra: str = ""
    modules: tuple[str, ...] = ()

    def require_libraries(self) -> None:
        """Requires what it needs beyond the locked distributions.

        Raises:
          UserError: If a library is missing, with the command that adds it.
        """
        for module in self.modules:
            extras.load(self.extra, module, f"--format={self.name}")

    @abc.abstractmethod
    def write(self, network: Frozen, folder: pathlib.Path, name: str) -> None:
        """Writes the network, with its description.

        Args:
          network: The network.
          folder: Empty folder; all that is written to it belongs to the export.
          name: Name of the file or folder in it that the user asked for.
        """

    @abc.abstractmethod
    def recognizes(self, path: pathlib.Path) -> bool:
        """Returns whether a file or folder that exists is of this format."""

    def describe(self, path: pathlib.Path) -> ModelDescription:
        """Returns the description of a file or folder, which stands beside it or within.

        Raises:
          UserError: If it has none: no export wrote it, or it is damaged.
        """
        return read_description(path)

    def is_export(self, path: pathlib.Path) -> bool:
        """Returns whether an export wrote a file or folder, so that the next one may replace it."""
        try:
            self.describe(path)
        except UserError:
            return False
        return True

    @abc.abstractmethod
    def open(self, path: pathlib.Path) -> contextlib.AbstractContextManager[Predictor]:
        """Opens a network of this format.

        Raises:
          UserError: If it is damaged, or its description does not fit.
        """
