"""A trained network together with the preprocessing its images need."""

import contextlib
import dataclasses
import itertools
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from deployment import sessions
from preprocessing import channels, preprocessing_factory
from slim_internal.ground.compat import first_cause, tf
from slim_internal.ground.errors import UserError
from slim_internal.ground.images import prepare, reading
from slim_internal.ground.images.image import BadImageError
from slim_internal.parts.checkpoints import label_offset, run_record
from slim_internal.parts.inference import describe, description
from slim_internal.parts.inference import graph as inference_graph
from slim_internal.parts.inference.formats import table
from slim_internal.parts.inference.formats.format import Predictor
from slim_internal.programs.classification import settings as classification_config
from slim_internal.programs.classification.insight import Insight

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Guess:
    """One class and how sure the network is of it.

    Attributes:
      index: Place of the class in the predictions.
      name: Name of the class, or its index as text where names are not known.
      probability: 0 to 1.
    """

    index: int
    name: str
    probability: float


class Classifier:
    """Classifies image files; `open_classifier` makes one."""

    def __init__(self, session, predictor: Predictor, insight: Insight | None = None):
        """Adds the decoding of image files to the session's graph.

        Args:
          session: Session for decoding and preprocessing.
          predictor: The network.
          insight: What looks into the network, where that is asked for.
        """
        self._insight = insight
        self._session = session
        self._predictor = predictor
        self._model = predictor.model
        self._encoded = tf.placeholder(tf.string, name="encoded_image")
        image = channels.decode(self._encoded, self._model.channels)
        preprocess = preprocessing_factory.for_channels(
            self._model.preprocessing_name, self._model.channels
        )
        self._preprocessed = preprocess(image, self._model.image_size, self._model.image_size)

    def classify(
        self,
        images: Mapping[str, bytes | None] | Sequence[str],
        *,
        top_k: int = 5,
        batch_size: int = 32,
        on_error: Callable[[UserError], None] | None = None,
    ) -> Iterator[tuple[str, list[Guess]]]:
        """Yields each image with its most likely classes, the most likely first.

        Args:
          images: Image files: JPEG, PNG, GIF or WebP (the first frame) or BMP; or such paths ->
            contents, None where they are still to be read. Photographs are turned upright, as
            `image_folder` does when it converts them.
          top_k: How many classes to name.
          batch_size: How many images go through the network at once, unless the graph says it.
          on_error: Called for an image that cannot be used, which is left out then.

        Raises:
          UserError: If an image cannot be used and there is no `on_error`.
        """
        contents = images if isinstance(images, Mapping) else dict.fromkeys(images)
        inputs = self._inputs(contents, on_error)
        size = self._predictor.batch_size or batch_size
        while batch := list(itertools.islice(inputs, size)):
            rows = self._predictor.predict_all(np.stack([image for _, image in batch]))
            for (path, _), row in zip(batch, rows, strict=True):
                if np.isfinite(row).all():
                    yield path, self._guesses(row, top_k)
                    continue
                error = UserError(
                    f"{path} cannot be classified: the network's outputs are infinite or NaN, so"
                    " its weights are damaged or had diverged."
                )
                if on_error is None:
                    raise error
                on_error(error)

    def features(
        self,
        images: Mapping[str, bytes | None],
        end_point: str,
        on_error: Callable[[UserError], None],
    ) -> tuple[list[str], np.ndarray]:
        """Returns the images that can be used, and their features at a layer.

        Args:
          images: Paths of image files -> contents, None where they are still to be read.
          end_point: Name of an operation or scope of the network.
          on_error: Called for an image that cannot be used, which is left out then.

        Returns:
          Paths, and float32 [paths, ...].

        Raises:
          UserError: If there is no such layer, or no image can be used.
        """
        rows = [
            (path, self._insight.features(image[np.newaxis], end_point)[0])
            for path, image in self._inputs(images, on_error)
        ]
        if not rows:
            raise UserError(f"None of {len(images)} images can be used; there are no features.")
        return [path for path, _ in rows], np.stack([row for _, row in rows])

    def look(self, path: str, content: bytes | None) -> tuple[np.ndarray, np.ndarray]:
        """Returns what the network sees of an image, and how much each place speaks for its answer.

        Args:
          path: The image file.
          content: What it holds; None where it is still to be read.

        Returns:
          The preprocessed image, float32 [height, width, channels], and float32 [rows, columns],
          0 to 1.

        Raises:
          UserError: If the image or the network cannot be used so.
        """
        image = self._read(path, content)
        return image, self._insight.heat(image[np.newaxis])[0]

    @property
    def name(self) -> str:
        """Name of the network."""
        return self._model.model_name

    def _inputs(
        self,
        contents: Mapping[str, bytes | None],
        on_error: Callable[[UserError], None] | None,
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yields the preprocessed images that can be used."""
        for path, content in contents.items():
            try:
                yield path, self._read(path, content)
            except UserError as error:
                if on_error is None:
                    raise
                on_error(error)

    def _guesses(self, probabilities: np.ndarray, top_k: int) -> list[Guess]:
        most_likely = np.argsort(-probabilities, kind="stable")[:top_k]
        return [
            Guess(int(index), self._model.class_name(index), float(probabilities[index]))
            for index in most_likely
        ]

    def _read(self, path: str, content: bytes | None) -> np.ndarray:
        try:
            if os.path.isdir(path):
                raise UserError(f"{path} is a folder; name the images in it: {path}/*")
            image = prepare.prepare(reading.read(path) if content is None else content)
            if image.remark:
                _LOG.warning("%s: %s.", path, image.remark)
            return self._session.run(self._preprocessed, {self._encoded: image.encoded})
        except BadImageError as error:
            raise UserError(f"{path} cannot be used: {error}.") from error
        except tf.errors.InvalidArgumentError as error:
            raise UserError(f"{path} cannot be used: {first_cause(error)}.") from error


@contextlib.contextmanager
def open_classifier(config: classification_config.Classification) -> Iterator[Classifier]:
    """Opens the graph or the checkpoint that the configuration names.

    Raises:
      UserError: If it names neither or both, or what it names cannot be used.
    """
    if bool(config.graph) == bool(config.checkpoint_path):
        raise UserError(
            "Name what classifies: either --graph=model.pb, as export_inference_graph wrote it, "
            "or --checkpoint_path=...; not both."
        )
    if config.graph:
        opened = table.open_network(config.graph)
    else:
        config = run_record.complete_from_checkpoint(config)
        opened = inference_graph.open_checkpoint(
            _describe(config), config.checkpoint_path, config.moving_average_decay
        )
    with opened as predictor:
        sessions.announce()
        model = predictor.model
        if model.num_frames:
            raise UserError(f"{model.model_name} reads clips; images cannot be given to it.")
        if model.channels not in channels.OF_FILES:
            raise UserError(
                f"{model.model_name} reads images of {model.channels} channels; image files have 1,"
                " 3 or 4."
            )
        looks_inside = config.grad_cam or config.end_point
        insight = Insight(model) if looks_inside else None
        with tf.Graph().as_default(), tf.Session(config=sessions.config()) as session:
            yield Classifier(session, predictor, insight)


def _describe(config: classification_config.Classification) -> description.ModelDescription:
    if not config.model_name:
        raise UserError(
            "--model_name is missing: the network that the checkpoint belongs to. Only checkpoints"
            f" with a {run_record.FILENAME} beside them tell it."
        )
    return describe.from_settings(label_offset.settle(config, config.checkpoint_path))
