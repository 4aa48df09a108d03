"""Runs every example of a split through a network once and measures what it says."""

import contextlib
import dataclasses
import logging
import os
import pathlib
import time
from collections.abc import Collection, Iterator, Sequence

from datasets.storage.layout import Layout
from deployment import sessions
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError, require_writable_folder
from slim_internal.ground.files import atomic
from slim_internal.ground.progress import eta, start_up
from slim_internal.parts.checkpoints import latest, run_record
from slim_internal.parts.inference import description
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.parts.input_pipeline import damage, decoding
from slim_internal.parts.metrics.csv_tables import CsvTables
from slim_internal.parts.metrics.json_files import JsonFile
from slim_internal.parts.metrics.measurement import Measurement
from slim_internal.parts.metrics.metric import Value
from slim_internal.parts.metrics.tensorboard import TensorBoard
from slim_internal.parts.metrics.writers import Several
from slim_internal.parts.reports import run_page
from slim_internal.parts.reports.telling_examples import TellingExamples
from slim_internal.programs.evaluation import (
    evaluation_page,
    inputs,
    networks,
    other_splits,
    predictions,
    statistics_check,
    views,
)
from slim_internal.programs.evaluation import settings as evaluation_config
from slim_internal.programs.evaluation.comparison import Comparison
from slim_internal.programs.evaluation.label_errors import LabelErrors

_LOG = logging.getLogger(__name__)

_SECONDS_BETWEEN_REPORTS = 5.0

# What else an example may tell: type and default.
_DETAILS = {
    "filename": (tf.string, ""),
    "height": (tf.int64, 0),
    "source": (tf.string, ""),
    "width": (tf.int64, 0),
}

PAGE = run_page.FILENAME
# Mistakes and hits on the page.
_NUM_SHOWN = 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metrics:
    """What an evaluation found.

    Attributes:
      checkpoint_path: The checkpoint or exported network; several are separated by commas.
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


class _Found:
    """What is collected batch by batch.

    Attributes:
      names: Name of each class of the network.
      measured: The metrics.
      telling: The most certain mistakes and the least certain hits.
      label_errors: Labels that are likely to be wrong.
      comparison: What changed since an earlier evaluation, if one is named.
      warnings: What makes the numbers doubtful.
      statistics: Whether those of batch normalization fit the weights, where these have any.
    """

    def __init__(
        self,
        config: evaluation_config.Evaluation,
        names: Sequence[str],
        layout: Layout | None,
    ):
        self.names = names
        self.measured = Measurement(names, top_k=config.top_k)
        self.telling = TellingExamples(_NUM_SHOWN, layout)
        self.label_errors = LabelErrors(names, _NUM_SHOWN, layout)
        self.warnings: list[str] = []
        self.statistics: statistics_check.StatisticsCheck | None = None
        self.comparison = (
            Comparison(config.compare, names, _NUM_SHOWN, layout) if config.compare else None
        )


def evaluate(config: evaluation_config.Evaluation, history: Sequence[Metrics] = ()) -> Metrics:
    """Evaluates a network and writes what it found to `eval_dir`.

    `metrics.json` holds all numbers, `confusion.csv` the confusion matrix, `predictions.csv` what
    was said of each example, `label_errors.csv` the labels that are likely to be wrong;
    `report.html` shows them with the most telling images. TensorBoard gets the published ones.

    Args:
      config: What to evaluate; `following` has what `all_checkpoints` and `watch` ask for.
      history: Evaluations of earlier checkpoints, for the curve on the page.

    Raises:
      UserError: If a name is unknown, the data cannot be read, the checkpoint does not fit, or
        the split does not hold as many examples as its manifest says.
    """
    flags, record = config, networks.record(config)
    config = inputs.completed(flags, record)
    dataset = inputs.split(config)
    require_writable_folder("eval_dir", config.eval_dir)
    with networks.opened(config, dataset, record, flags) as opened:
        config = networks.with_label_offset(config, dataset, opened)
        model = opened[0].model
        decoding.read_channels(dataset, model.channels)
        names = [model.class_name(index) for index in range(model.num_classes)]
        _require_top_k(config, model)
        found = _Found(config, names, getattr(dataset, "layout", None))
        with tf.Graph().as_default():
            with start_up.measured("graph"):
                seen = views.of(config, model)
                if config.fast_decoding:
                    seen = dataclasses.replace(seen, make=decoding.fast(dataset, seen.make))
                outputs = _outputs(config, dataset, opened, seen)
            num_views = seen.count
            if len(opened) == num_views == 1 and isinstance(opened[0], networks.Checkpoint):
                found.statistics = statistics_check.StatisticsCheck(
                    opened[0].normalized,
                    opened[0].normalized_by_batch,
                    lambda record: decoding.prepared(dataset.decoder, record, seen.make, ())[0],
                )
            sessions.announce()
            paths = ",".join(network.path for network in opened)
            shown = f", {num_views} views of each image" if num_views > 1 else ""
            _LOG.info("Evaluating %s%s", paths, shown)
            session = tf.Session(config=sessions.config())
            with session, damage.damage_named(dataset), _odd_weights_named(opened):
                with start_up.measured("weights"):
                    for network in opened:
                        network.restore(session)
                _run(session, outputs, config, model, dataset, found)
                if found.statistics:
                    found.warnings += found.statistics.warnings(session, opened[0].path)
    for warning in found.warnings:
        _LOG.warning("%s", warning)
    metrics = _metrics(opened, num_views, found)
    with Several(
        JsonFile(pathlib.Path(config.eval_dir, "metrics.json")),
        CsvTables(config.eval_dir),
        TensorBoard(config.eval_dir),
    ) as writer:
        writer.write(metrics.step, metrics.values)
    _write_page(config, model, [*history, metrics], found, names)
    return metrics


def _write_page(
    config: evaluation_config.Evaluation,
    model: description.ModelDescription,
    history: Sequence[Metrics],
    found: _Found,
    names: Sequence[str],
) -> None:
    became = {}
    if found.comparison:
        became = {kind: found.comparison.thumbnails(kind) for kind in ("wrong", "right")}
    run = _run_with_page(history[-1].checkpoint_path)
    text = evaluation_page.render(
        f"{model.model_name} on {config.dataset_name}, {config.dataset_split_name}",
        history[-1].values,
        found.telling.mistakes(names),
        found.telling.hits(names),
        label_errors=found.label_errors.thumbnails(),
        became=became,
        overlap=other_splits.find(config, names, _NUM_SHOWN) if config.near_duplicates else None,
        history=[(each.step, each.accuracy, each.loss) for each in history],
        training=os.path.relpath(os.path.join(run, PAGE), config.eval_dir) if run else "",
        warnings=found.warnings,
    )
    atomic.write(page_path(config.eval_dir), text)
    try:
        run_page.refresh(run)
    except OSError as error:  # It may be somebody else's.
        _LOG.info("%s does not show this evaluation: %s", os.path.join(run, PAGE), error)


def page_path(eval_dir: str) -> pathlib.Path:
    """Returns the page about an evaluation, which does not replace that of a run."""
    in_run = os.path.exists(os.path.join(eval_dir, run_record.FILENAME))
    return pathlib.Path(eval_dir, run_page.EVALUATION if in_run else PAGE)


def _run_with_page(checkpoint_path: str) -> str:
    """Returns the folder of the run of a checkpoint, or of one in its best/, if it has a page."""
    folder = os.path.dirname(checkpoint_path.split(",")[0])
    for run in (folder, os.path.dirname(folder)):
        names = (run_record.FILENAME, PAGE)
        if all(os.path.isfile(os.path.join(run, name)) for name in names):
            return run
    return ""


def _metrics(opened: Sequence[networks.Network], num_views: int, found: _Found) -> Metrics:
    values = [
        Value("checkpoint_path", ",".join(each.path for each in opened), "Checkpoint"),
        Value("step", max(latest.step_of(each.path) for each in opened)),
        Value("num_examples", found.measured.num_examples, "Examples"),
        Value("views_per_image", num_views),
        *found.measured.values(),
        *found.label_errors.values(),
        *(found.comparison.values() if found.comparison else ()),
    ]
    by_name = {value.name: value.value for value in values}
    published = [field.name for field in dataclasses.fields(Metrics) if field.name != "values"]
    return Metrics(**{name: by_name[name] for name in published}, values=values)


def _outputs(
    config: evaluation_config.Evaluation,
    dataset: slim.dataset.Dataset,
    opened: Sequence[networks.Network],
    seen: views.Views,
) -> dict[str, tf.Tensor]:
    """Builds input and networks; returns scores, labels and records of one batch after another."""
    batches = input_pipeline.evaluation_batches(
        dataset,
        seen.make,
        batch_size=max(1, config.batch_size // seen.count),
        num_threads=input_pipeline.threads(config.num_preprocessing_threads),
        with_records=True,
    )
    batch = tf.data.make_one_shot_iterator(batches).get_next()
    images = tf.reshape(batch["image"], (-1, *batch["image"].shape.as_list()[-3:]))
    return {
        "logits": _vote([network.scores(images) for network in opened], seen.count),
        "labels": batch["label"] - config.labels_offset,
        "records": batch["record"],
        **_details(batch["record"], getattr(dataset, "odd_details", ())),
    }


def _vote(scores: Sequence[tf.Tensor], num_views: int) -> tf.Tensor:
    """Returns the logarithms of the mean probabilities over networks and views.

    Args:
      scores: For each network, float32 [batch * num_views, classes].
      num_views: Views of each image, one after the other.

    Returns:
      float32 [batch, classes]; the scores themselves if one network sees one view.
    """
    if len(scores) == num_views == 1:
        return scores[0]
    num_classes = scores[0].shape[1].value
    logarithms = tf.concat(
        [tf.reshape(tf.nn.log_softmax(each), [-1, num_views, num_classes]) for each in scores],
        axis=1,
    )
    return tf.reduce_logsumexp(logarithms, axis=1) - tf.log(float(len(scores) * num_views))


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


@contextlib.contextmanager
def _odd_weights_named(opened: Sequence[networks.Network]) -> Iterator[None]:
    """Ends an evaluation by the name of a variable that is not finite, whatever it came to.

    Raises:
      UserError: There is one.
    """
    found = list(filter(None, (network.not_finite() for network in opened)))
    try:
        yield
    except UserError as error:
        if not found:
            raise
        raise UserError(" ".join([str(error), *found])) from error
    if found:
        raise UserError(found[0])


def _run(
    session,
    outputs: dict[str, tf.Tensor],
    config: evaluation_config.Evaluation,
    model: description.ModelDescription,
    dataset: slim.dataset.Dataset,
    found: _Found,
) -> None:
    """Measures all batches, and keeps the examples that tell most.

    Raises:
      UserError: If there are fewer or more examples than the manifest of the dataset says, labels
        that the network has no class for, or outputs that are not finite.
    """
    num_samples = dataset.num_samples
    measured = found.measured
    limit = config.max_num_batches and config.max_num_batches * config.batch_size
    start = reported = time.monotonic()
    with predictions.Predictions(config.eval_dir, found.names, config.top_k) as rows:
        for batch in _batches(session, outputs, limit, found.statistics):
            details = {name: batch.pop(name) for name in _DETAILS}
            said = measured.add(batch["logits"], batch["labels"], details)
            if not (measured.unknown_labels or measured.not_finite):
                rows.add(said, details)
                found.telling.add(**batch)
                found.label_errors.add(said, batch["records"])
                if found.comparison:
                    found.comparison.add(said, batch["records"])
            now = time.monotonic()
            if now - reported > _SECONDS_BETWEEN_REPORTS:
                reported = now
                done, total = measured.num_examples, min(num_samples, limit or num_samples)
                _LOG.info(
                    "%d of %d examples, %.0f images/s, ETA %s",
                    *(done, total, done / (now - start)),
                    eta(done, total, now - start),
                )
        _require_usable(measured, config, model)
        if config.max_num_batches is None and measured.num_examples != num_samples:
            _note_another_size(measured.num_examples, config, dataset)
        if found.comparison:
            found.comparison.values()  # Complains before older files are replaced.


def _batches(
    session,
    outputs: dict[str, tf.Tensor],
    limit: int | None,
    statistics: statistics_check.StatisticsCheck | None,
) -> Iterator[dict]:
    """Yields the values of all batches, or of so many examples."""
    done = 0
    while limit is None or done < limit:
        try:
            with contextlib.nullcontext() if done else start_up.measured("first batch"):
                batch = session.run(outputs | (statistics.fetches() if statistics else {}))
        except tf.errors.OutOfRangeError:
            return
        if not done:
            _LOG.info("Start: %s", start_up.told())
        if statistics:
            statistics.add(batch)
        if limit is not None and done + len(batch["labels"]) > limit:
            batch = {name: value[: limit - done] for name, value in batch.items()}
        done += len(batch["labels"])
        yield batch


def _require_top_k(
    config: evaluation_config.Evaluation, model: description.ModelDescription
) -> None:
    if config.top_k and config.top_k > model.num_classes:
        raise UserError(
            f"--top_k must be at most {model.num_classes}, the number of classes; got"
            f" {config.top_k}."
        )


def _require_usable(
    measured: Measurement,
    config: evaluation_config.Evaluation,
    model: description.ModelDescription,
) -> None:
    examples = measured.num_examples
    if measured.unknown_labels:
        low, high = measured.labels
        raise damage.LabelsOutsideError(
            f"With --labels_offset={config.labels_offset}, {measured.unknown_labels} of "
            f"{examples} labels are outside the {model.num_classes} classes of the network: they "
            f"go from {low} to {high}, its classes from 0 to {model.num_classes - 1}. Give the"
            " dataset and the --labels_offset that the network was trained with.",
            model.num_classes,
            config.labels_offset,
        )
    if measured.not_finite:
        raise UserError(
            f"Of {examples} images {measured.not_finite} get outputs that are not finite "
            f"numbers. The weights of {config.graph or config.checkpoint_path} cannot be used."
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
