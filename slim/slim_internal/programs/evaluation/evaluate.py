"""Runs every example of a split through a network once and measures what it says."""

import dataclasses
import itertools
import logging
import pathlib
import time
from collections.abc import Collection, Iterator, Sequence

from datasets import dataset_factory
from deployment import sessions
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError, require_writable_folder
from slim_internal.ground.files import atomic
from slim_internal.ground.progress import eta
from slim_internal.ground.settings import missing, replaced
from slim_internal.parts.checkpoints import latest, run_record
from slim_internal.parts.inference import describe, description
from slim_internal.parts.inference import graph as inference_graph
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.parts.input_pipeline import damage
from slim_internal.parts.metrics.csv_tables import CsvTables
from slim_internal.parts.metrics.json_files import JsonFile
from slim_internal.parts.metrics.measurement import Measurement
from slim_internal.parts.metrics.metric import Value
from slim_internal.parts.metrics.tensorboard import TensorBoard
from slim_internal.parts.metrics.writers import Several
from slim_internal.programs.evaluation import evaluation_page
from slim_internal.programs.evaluation import settings as evaluation_config
from slim_internal.programs.evaluation.predictions import Predictions
from slim_internal.programs.evaluation.telling_examples import TellingExamples

_LOG = logging.getLogger(__name__)

_SECONDS_BETWEEN_REPORTS = 5.0

# What else an example may tell: type and default.
_DETAILS = {
    "filename": (tf.string, ""),
    "height": (tf.int64, 0),
    "source": (tf.string, ""),
    "width": (tf.int64, 0),
}

PAGE = "report.html"
# Mistakes and hits on the page.
_NUM_SHOWN = 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metrics:
    """What an evaluation found.

    Attributes:
      checkpoint_path: The checkpoint.
      step: The training step in its name, or -1.
      num_examples: How many examples were counted, each once.
      accuracy: Fraction of examples whose most likely class was right, 0 to 1.
      recall_at_5: Fraction whose right class was among the five most likely, 0 to 1.
      loss: Mean cross entropy in nats.
      values: All results in the order in which they are shown, these included.
    """

    checkpoint_path: str
    step: int
    num_examples: int
    accuracy: float
    recall_at_5: float
    loss: float
    values: Sequence[Value] = dataclasses.field(repr=False)


def evaluate(config: evaluation_config.Evaluation) -> Metrics:
    """Evaluates a checkpoint and writes what it found to `eval_dir`.

    `metrics.json` holds all numbers, `confusion.csv` the confusion matrix, `predictions.csv` what
    was said of each example; `report.html` shows them with the most telling images. TensorBoard
    gets the published ones.

    Raises:
      UserError: If a name is unknown, the data cannot be read, the checkpoint does not fit, or
        the split does not hold as many examples as its manifest says.
    """
    record = run_record.find(config.checkpoint_path)
    config = _completed(config, record)
    dataset = dataset_factory.open_split(config, config.dataset_split_name)
    require_writable_folder("eval_dir", config.eval_dir)
    with tf.Graph().as_default():
        model = describe.describe(
            config.model_name,
            config.dataset_name,
            labels_offset=config.labels_offset,
            image_size=config.eval_image_size,
            preprocessing_name=config.preprocessing_name,
            use_grayscale=config.use_grayscale,
            dataset=dataset,
            dataset_dir=config.dataset_dir,
            record=record,
        )
        outputs = _outputs(config, dataset, model)
        checkpoint_path = latest.find(config.checkpoint_path)
        plan = inference_graph.plan(outputs["logits"], checkpoint_path, config.moving_average_decay)
        sessions.announce()
        _LOG.info("Evaluating %s", checkpoint_path)
        session = tf.Session(config=sessions.config())
        with session, damage.damage_named(dataset):
            plan.restore(session)
            measured, telling = _run(session, outputs, config, model, dataset)
    metrics = _metrics(checkpoint_path, measured)
    with Several(
        JsonFile(pathlib.Path(config.eval_dir, "metrics.json")),
        CsvTables(config.eval_dir),
        TensorBoard(config.eval_dir),
    ) as writer:
        writer.write(metrics.step, metrics.values)
    _write_page(config, model, metrics, telling)
    return metrics


def _completed(
    config: evaluation_config.Evaluation, record: run_record.RunRecord | None
) -> evaluation_config.Evaluation:
    """Returns the settings completed by what the weights were trained with."""
    config = run_record.complete(config, record, remedy=run_record.OTHER_WEIGHTS)
    if not config.dataset_dir and config.tfrecord_pattern is None:
        raise missing(config, "dataset_dir")
    split = record.values.get("eval_split_name") if record else None
    if split and "dataset_split_name" not in config.given:
        wanted = config.dataset_split_name
        if not dataset_factory.has_split(config, wanted) and dataset_factory.has_split(
            config, split
        ):
            _LOG.info("From %s: --dataset_split_name=%s", record.origin, split)
            config = replaced(config, dataset_split_name=split)
    return config


def _write_page(
    config: evaluation_config.Evaluation,
    model: description.ModelDescription,
    metrics: Metrics,
    telling: TellingExamples,
) -> None:
    names = _class_names(model)
    text = evaluation_page.render(
        f"{model.model_name} on {config.dataset_name}, {config.dataset_split_name}",
        metrics.values,
        telling.mistakes(names),
        telling.hits(names),
    )
    atomic.write(pathlib.Path(config.eval_dir, PAGE), text)


def _class_names(model: description.ModelDescription) -> list[str]:
    return [model.class_name(index) for index in range(model.num_classes)]


def _metrics(checkpoint_path: str, measured: Measurement) -> Metrics:
    values = [
        Value("checkpoint_path", checkpoint_path, "Checkpoint"),
        Value("step", latest.step_of(checkpoint_path)),
        Value("num_examples", measured.num_examples, "Examples"),
        *measured.values(),
    ]
    by_name = {value.name: value.value for value in values}
    published = [field.name for field in dataclasses.fields(Metrics) if field.name != "values"]
    return Metrics(**{name: by_name[name] for name in published}, values=values)


def _outputs(
    config: evaluation_config.Evaluation, dataset, model: description.ModelDescription
) -> dict[str, tf.Tensor]:
    """Builds input and network; returns logits, labels and records of one batch after another."""
    preprocess = preprocessing_factory.get_preprocessing(
        model.preprocessing_name, use_grayscale=config.use_grayscale
    )
    batches = input_pipeline.evaluation_batches(
        dataset,
        lambda image: preprocess(image, model.image_size, model.image_size),
        batch_size=config.batch_size,
        num_threads=config.num_preprocessing_threads,
        with_records=True,
    )
    batch = tf.data.make_one_shot_iterator(batches).get_next()
    return {
        "logits": inference_graph.logits(model, batch["image"]),
        "labels": batch["label"] - config.labels_offset,
        "records": batch["record"],
        **_details(batch["record"], getattr(dataset, "odd_details", ())),
    }


def _details(records: tf.Tensor, odd: Collection[str]) -> dict[str, tf.Tensor]:
    """Returns what serialized examples [batch] tell beside image and label.

    Args:
      records: The examples.
      odd: Features that mean something else in these; they are taken to be absent.
    """
    keys = {name: f"{'absent/' if f'image/{name}' in odd else ''}image/{name}" for name in _DETAILS}
    features = {
        keys[name]: tf.io.FixedLenFeature([], dtype, default)
        for name, (dtype, default) in _DETAILS.items()
    }
    parsed = tf.io.parse_example(records, features)
    return {name: parsed[keys[name]] for name in _DETAILS}


def _run(
    session,
    outputs: dict[str, tf.Tensor],
    config: evaluation_config.Evaluation,
    model: description.ModelDescription,
    dataset: slim.dataset.Dataset,
) -> tuple[Measurement, TellingExamples]:
    """Measures all batches, and keeps the examples that tell most.

    Raises:
      UserError: If there are fewer or more examples than the manifest of the dataset says, labels
        that the network has no class for, or outputs that are not finite.
    """
    num_samples = dataset.num_samples
    names = _class_names(model)
    measured = Measurement(names)
    telling = TellingExamples(_NUM_SHOWN, getattr(dataset, "layout", None))
    start = reported = time.monotonic()
    with Predictions(config.eval_dir, names) as predictions:
        for batch in _batches(session, outputs, config.max_num_batches):
            details = {name: batch.pop(name) for name in _DETAILS}
            said = measured.add(batch["logits"], batch["labels"], details)
            if not (measured.unknown_labels or measured.not_finite):
                predictions.add(said, details)
                telling.add(**batch)
            now = time.monotonic()
            if now - reported > _SECONDS_BETWEEN_REPORTS:
                reported = now
                done = measured.num_examples
                _LOG.info(
                    "%d of %d examples, %.0f images/s, ETA %s",
                    *(done, num_samples, done / (now - start)),
                    eta(done, num_samples, now - start),
                )
        _require_usable(measured, config)
        if config.max_num_batches is None and measured.num_examples != num_samples:
            _note_another_size(measured.num_examples, config, dataset)
    return measured, telling


def _batches(session, outputs: dict[str, tf.Tensor], count: int | None) -> Iterator[dict]:
    """Yields the values of all batches, or of the first ones."""
    for _ in itertools.count() if count is None else range(count):
        try:
            yield session.run(outputs)
        except tf.errors.OutOfRangeError:
            return


def _require_usable(measured: Measurement, config: evaluation_config.Evaluation) -> None:
    examples = measured.num_examples
    if measured.unknown_labels:
        raise UserError(
            f"With --labels_offset={config.labels_offset}, {measured.unknown_labels} of "
            f"{examples} labels are outside the classes of the network."
        )
    if measured.not_finite:
        raise UserError(
            f"Of {examples} images {measured.not_finite} get outputs that are not finite "
            f"numbers. The weights of {config.checkpoint_path} cannot be used."
        )


def _note_another_size(
    examples: int, config: evaluation_config.Evaluation, dataset: slim.dataset.Dataset
) -> None:
    """Says that there were more or fewer examples than expected; an error if a manifest says so."""
    text = (
        f"The split {config.dataset_split_name} of {config.dataset_name} should hold "
        f"{dataset.num_samples} examples, the files hold {examples}."
    )
    if getattr(dataset, "has_manifest", False):
        raise UserError(f"{text} Convert the dataset in {config.dataset_dir} again.")
    _LOG.warning("%s", text)
