"""What is evaluated: a checkpoint, an exported network, or several that vote."""

import abc
import contextlib
import logging
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from deployment import sessions
from nets import nets_factory
from slim_internal.ground.compat import batch_norm, slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.progress import start_up
from slim_internal.ground.settings import replaced
from slim_internal.parts.checkpoints import label_offset, latest, run_record
from slim_internal.parts.inference import describe, folding, rounding
from slim_internal.parts.inference import graph as inference_graph
from slim_internal.parts.inference.description import ModelDescription
from slim_internal.parts.inference.formats import table as formats
from slim_internal.parts.inference.formats.format import Predictor
from slim_internal.parts.reports.phrases import count
from slim_internal.programs.evaluation import statistics_check
from slim_internal.programs.evaluation.settings import Evaluation

_LOG = logging.getLogger(__name__)

# Below it a probability of float32 is zero; its logarithm stays finite.
_SMALLEST = np.finfo(np.float32).tiny

# Settings that each of several networks has for itself; the others are about the evaluation.
_OF_A_NETWORK = (
    *(name for name in run_record.NETWORK if name != "image_size"),
    *("eval_image_size", "labels_offset", "moving_average_decay"),
)


class Network(abc.ABC):
    """A network with its weights.

    Attributes:
      model: What it reads and says.
      path: Its checkpoint or file.
    """

    def __init__(self, model: ModelDescription, path: str):
        self.model = model
        self.path = path

    @abc.abstractmethod
    def scores(self, images: tf.Tensor) -> tf.Tensor:
        """Adds the network to the current graph.

        Args:
          images: Preprocessed, float32 [batch, *model.example_shape].

        Returns:
          Logarithms of its probabilities up to a constant for each row, float32 [batch, classes].
        """

    def restore(self, session: tf.Session) -> None:
        """Restores the weights once the graph is complete."""
        del session  # Most have their weights with them.

    def not_finite(self) -> str:
        """Returns which variable holds numbers that are not finite, once restored; or ""."""
        return ""


class Checkpoint(Network):
    """A network of which a checkpoint has the weights.

    They become variables of the graph, batch normalization folded into them as export does it:
    `mobilenet_v1` is a sixth faster so.

    Attributes:
      normalized: Some of its layers, once it is in the graph: what they give, and what they know
        about it.
    """

    def __init__(self, model: ModelDescription, path: str, config: Evaluation):
        super().__init__(model, path)
        self.normalized: list[tuple[tf.Tensor, statistics_check.Layer]] = []
        self._decay, self._quantize = config.moving_average_decay, config.quantize

    def scores(self, images: tf.Tensor) -> tf.Tensor:
        """Adds the network and its variables."""
        rounder = rounding.to_ranges_of(self.path) if self._quantize else None
        with self._built(rounder) as (session, inputs, logits):
            layers = statistics_check.layers(session, logits)
            graph_def, weights = folding.taken(session, logits.op.name)
        graph_def = folding.fold(graph_def, weights, logits.op.name)
        names = [logits.name, *(layer.name for layer in layers)]
        outputs, self._initialize = folding.add(graph_def, weights, {inputs.name: images}, names)
        self.normalized = list(zip(outputs[1:], layers, strict=True))
        return outputs[0]

    def restore(self, session: tf.Session) -> None:
        """Gives the variables their values."""
        self._initialize(session)

    def not_finite(self) -> str:
        """Returns which variable holds numbers that are not finite."""
        return self._plan.not_finite()

    @contextlib.contextmanager
    def normalized_by_batch(self) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        """Opens it in a session of its own, all layers normalizing by the statistics of a batch.

        Yields:
          Function of images, float32 [batch, *model.example_shape], that returns the logits.
        """
        with batch_norm.training_everywhere(), self._built() as (session, images, logits):
            yield session.make_callable(logits, [images])

    @contextlib.contextmanager
    def _built(
        self, rounder: inference_graph.Rounding | None = None
    ) -> Iterator[tuple[tf.Session, tf.Tensor, tf.Tensor]]:
        """Builds it in a graph of its own; yields a session with the weights, images and logits."""
        with tf.Graph().as_default(), tf.Session(config=sessions.config()) as session:
            images = tf.placeholder(tf.float32, (None, *self.model.example_shape))
            logits = inference_graph.logits(self.model, images, rounding=rounder)
            self._plan = inference_graph.plan(logits, self.path, self._decay)
            with start_up.measured("weights"):
                self._plan.restore(session, require_finite=False)  # The outputs will tell.
            yield session, images, logits


class _Exported(Network):
    """A network that was exported: its own session, or whatever runs its format, is called."""

    def __init__(self, predictor: Predictor, path: str):
        super().__init__(predictor.model, path)
        self._predictor = predictor

    def scores(self, images: tf.Tensor) -> tf.Tensor:
        """Adds a call of the network."""
        images = tf.ensure_shape(images, (None, *self.model.example_shape))
        probabilities = tf.numpy_function(self._predictor.predict_all, [images], tf.float32)
        probabilities.set_shape([None, self.model.num_classes])
        return tf.log(tf.maximum(probabilities, _SMALLEST))


@contextlib.contextmanager
def opened(
    config: Evaluation,
    dataset: slim.dataset.Dataset,
    record: run_record.RunRecord | None = None,
    flags: Evaluation | None = None,
) -> Iterator[list[Network]]:
    """Opens all networks that the settings name; they read the same images.

    Args:
      config: The settings, completed by what the first network was trained with.
      dataset: The split that they are evaluated on.
      record: What the first of them was trained with, if that is known.
      flags: The settings before that, which the records of the others complete.

    Raises:
      UserError: If one is missing or cannot be used, or they do not fit the dataset or each other.
    """
    with contextlib.ExitStack() as stack:
        first, *others = paths(config)
        networks = [_open(first, config, dataset, record, stack)]
        for path in others:
            own, own_record = _of_another(path, config, flags or config)
            networks.append(_open(path, own, dataset, own_record, stack))
        if len(networks) > 1:
            _require_alike(networks)
        yield networks


def paths(config: Evaluation) -> list[str]:
    """Returns what the settings say is evaluated, each a checkpoint, a folder or a file.

    Raises:
      UserError: If they say it twice, or not at all.
    """
    if config.graph and config.checkpoint_path not in (None, "", Evaluation.checkpoint_path):
        raise UserError(
            f"--graph={config.graph} and --checkpoint_path={config.checkpoint_path} both say what"
            " to evaluate; leave out one of them."
        )
    given = config.graph or config.checkpoint_path
    if not given:
        raise UserError("Say what to evaluate: --checkpoint_path=... or --graph=...")
    if os.path.exists(given):  # A comma may be part of a name.
        return [given]
    found = [os.path.expanduser(path.strip()) for path in given.split(",") if path.strip()]
    if not found:
        raise UserError(f"--checkpoint_path={given} names no checkpoint.")
    return found


def is_exported(path: str) -> bool:
    """Returns whether a path is a network that was exported."""
    return any(each.recognizes(pathlib.Path(path)) for each in formats.FORMATS.values())


def record(config: Evaluation) -> run_record.RunRecord | None:
    """Returns what the weights were trained with, if that is known.

    Raises:
      UserError: If the settings name nothing to evaluate, or the record is damaged.
    """
    first = paths(config)[0]
    return None if config.graph or is_exported(first) else run_record.find(first)


def _of_another(
    path: str, config: Evaluation, flags: Evaluation
) -> tuple[Evaluation, run_record.RunRecord | None]:
    """Returns the settings of a network beside the first, and what it was trained with."""
    record = None if is_exported(path) else run_record.find(path)
    own = run_record.complete(flags, record, remedy=run_record.OTHER_WEIGHTS)
    of_network = {name: getattr(own if record else config, name) for name in _OF_A_NETWORK}
    if not record:  # Its first kernel tells how many channels it reads.
        of_network |= {name: getattr(flags, name) for name in ("use_grayscale", "channels")}
    return replaced(config, **of_network), record


def _open(
    path: str,
    config: Evaluation,
    dataset: slim.dataset.Dataset,
    record: run_record.RunRecord | None,
    stack: contextlib.ExitStack,
) -> Network:
    if config.graph or is_exported(path):
        if config.quantize:
            raise UserError(
                f"--quantize does not apply to {path}, which is exported: leave it out."
            )
        predictor = stack.enter_context(formats.open_network(path))
        _require_size(predictor.model, path, config)
        return _Exported(predictor, path)
    if config.best_checkpoint:
        path = os.path.join(path, latest.BEST_FOLDER)
    path = latest.find(path)
    model = describe.describe(
        config.model_name,
        config.dataset_name,
        checkpoint_path=path,
        labels_offset=config.labels_offset,
        image_size=config.eval_image_size,
        preprocessing_name=config.preprocessing_name,
        channels=config.channels,
        dataset=dataset,
        dataset_dir=config.dataset_dir,
        record=record,
    )
    found = label_offset.num_classes_of(nets_factory.get_network(config.model_name), path)
    if found not in (None, model.num_classes):
        offset = dataset.num_classes - found
        _, names = describe.classes_of(dataset)
        # A class before those of the dataset is a background, too.
        allowed = (-1, *label_offset.possible(config.dataset_name, names))
        fitting = offset if offset in allowed else None
        raise _other_classes(path, found, model.num_classes, config, fitting)
    return Checkpoint(model, path, config)


def with_label_offset(
    config: Evaluation, dataset: slim.dataset.Dataset, opened: Sequence[Network]
) -> Evaluation:
    """Returns the settings with the number of classes that exported networks leave out.

    Unless it is given, that is the one which leaves the classes that the first of them describes.

    Raises:
      UserError: If an exported network has other classes than the dataset.
    """
    exported = [network for network in opened if isinstance(network, _Exported)]
    if exported and "labels_offset" not in config.given:
        offset = _fitting_offset(exported[0].model, config, dataset)
        if offset is not None and offset != config.labels_offset:
            _LOG.info("From %s: --labels_offset=%d", exported[0].path, offset)
            config = replaced(config, labels_offset=offset)
    for network in exported:
        _require_classes(network.model, network.path, config, dataset)
    return config


def _fitting_offset(
    model: ModelDescription, config: Evaluation, dataset: slim.dataset.Dataset
) -> int | None:
    """Returns how many classes of a dataset an exported network leaves out; None if others."""
    offset = dataset.num_classes - model.num_classes
    _, names = describe.classes_of(dataset)
    if names and model.class_names:
        left = nets_factory.names_after_offset(names, offset)
        return offset if left == model.class_names else None
    return offset if offset in label_offset.possible(config.dataset_name, names) else None


def _require_classes(
    model: ModelDescription, path: str, config: Evaluation, dataset: slim.dataset.Dataset
) -> None:
    """Requires that an exported network has the classes of the dataset."""
    expected = dataset.num_classes - config.labels_offset
    if model.num_classes != expected:
        fitting = _fitting_offset(model, config, dataset)
        raise _other_classes(path, model.num_classes, expected, config, fitting)
    _, names = describe.classes_of(dataset)
    known = {"class_names": model.class_names, "num_classes": model.num_classes}
    expected_names = nets_factory.names_after_offset(names, config.labels_offset)
    run_record.RunRecord(path, known).require_classes(expected, expected_names, config.dataset_name)


def _other_classes(
    path: str, found: int, expected: int, config: Evaluation, fitting: int | None
) -> UserError:
    """Returns the error of a network with another number of classes; `fitting`: an offset."""
    remedy = "Give the dataset and the --labels_offset that the network was trained with."
    if fitting is not None:
        leave_out = "Leave out the flag or use" if "labels_offset" in config.given else "Use"
        remedy = f"{leave_out} --labels_offset={fitting}."
    return UserError(
        f"{path} has {count(found, 'class', 'classes')}; {config.dataset_name} with"
        f" --labels_offset={config.labels_offset} has {expected:,}. {remedy}"
    )


def _require_size(model: ModelDescription, path: str, config: Evaluation) -> None:
    """Requires that nobody asks for other images than an exported network reads."""
    if config.eval_image_size not in (None, model.image_size):
        raise UserError(
            f"--eval_image_size={config.eval_image_size} does not fit {path}, which reads images of"
            f" {model.image_size} pixels; leave the flag out."
        )


def _require_alike(networks: Sequence[Network]) -> None:
    """Requires that networks that vote read the same images and know the same classes."""

    def said(network: Network) -> str:
        model = network.model
        return (
            f"{network.path} reads images of {'x'.join(map(str, model.example_shape))} by"
            f" {model.preprocessing_name} and has {model.num_classes} classes"
        )

    def needs(network: Network) -> tuple:
        model = network.model
        return model.example_shape, model.preprocessing_name, model.num_classes

    first = networks[0]
    for other in networks[1:]:
        if needs(other) != needs(first):
            raise UserError(
                f"Networks that are evaluated together must read the same: {said(first)}; "
                f"{said(other)}."
            )
