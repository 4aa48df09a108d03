"""Runs every example of a split through a network once and counts what it gets right."""

import dataclasses
import itertools
import json
import logging
import os
import pathlib
import time

from datasets import dataset_factory
from deployment import sessions
from nets import nets_factory
from preprocessing import preprocessing_factory
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError, require_at_least, require_writable_folder
from slim_internal.ground.progress import eta
from slim_internal.parts.checkpoints import latest, restore
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.programs.evaluation import settings as evaluation_config

_LOG = logging.getLogger(__name__)

_MINIMUMS = {
    "batch_size": 1,
    "eval_image_size": 1,
    "max_num_batches": 1,
    "num_preprocessing_threads": 1,
}
_TOP_K = 5
_SECONDS_BETWEEN_REPORTS = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metrics:
    """What an evaluation found.

    Attributes:
      checkpoint_path: The checkpoint.
      step: The training step in its name, or -1.
      num_examples: How many examples were counted, each once.
      accuracy: Share of examples whose likeliest class was right, 0 to 1.
      recall_at_5: Share whose right class was among the five likeliest, 0 to 1.
      loss: Mean cross entropy in nats.
    """

    checkpoint_path: str
    step: int
    num_examples: int
    accuracy: float
    recall_at_5: float
    loss: float


def evaluate(config: evaluation_config.Evaluation) -> Metrics:
    """Evaluates a checkpoint and writes `metrics.json` and TensorBoard summaries to `eval_dir`.

    Raises:
      UserError: If a name is unknown, the data cannot be read, the checkpoint does not fit, or
        the split does not hold as many examples as it should.
    """
    _require_supported(config)
    dataset = dataset_factory.get_dataset(
        config.dataset_name, config.dataset_split_name, config.dataset_dir
    )
    require_writable_folder("eval_dir", config.eval_dir)
    with tf.Graph().as_default():
        counts = _counts(config, dataset)
        checkpoint_path = latest.find(config.checkpoint_path)
        plan = restore.plan(
            _variables(config),
            checkpoint_path,
            all_needed=True,
        )
        _LOG.info("Evaluating %s", checkpoint_path)
        session = tf.Session(config=sessions.config())
        with session, input_pipeline.damage_named(dataset):
            plan.restore(session)
            totals = _run(session, counts, config, dataset.num_samples)
    num_examples = totals.pop("num_examples")
    metrics = Metrics(
        checkpoint_path=checkpoint_path,
        step=latest.step_of(checkpoint_path),
        num_examples=num_examples,
        **{name: total / num_examples for name, total in totals.items()},
    )
    _write(metrics, config.eval_dir)
    return metrics


def _require_supported(config: evaluation_config.Evaluation) -> None:
    if config.dataset_dir is None:
        raise UserError("--dataset_dir is missing: name the folder with the converted data set.")
    if config.master:
        raise UserError(
            f"--master={config.master}: an evaluation runs in one process; leave it out."
        )
    if config.quantize:
        raise UserError("--quantize is not supported yet; leave it out.")
    require_at_least(config, _MINIMUMS)


def _counts(config: evaluation_config.Evaluation, dataset) -> dict[str, tf.Tensor]:
    """Builds input and network; returns what one batch adds to each total."""
    num_classes = nets_factory.classes_after_offset(dataset.num_classes, config.labels_offset)
    network_fn = nets_factory.get_network_fn(config.model_name, num_classes)
    size = config.eval_image_size or network_fn.default_image_size
    preprocess = preprocessing_factory.get_preprocessing(
        config.preprocessing_name or nets_factory.get_network(config.model_name).preprocessing,
        use_grayscale=config.use_grayscale,
    )
    batches = input_pipeline.evaluation_batches(
        dataset,
        lambda image: preprocess(image, size, size),
        batch_size=config.batch_size,
        num_threads=config.num_preprocessing_threads,
    )
    batch = tf.data.make_one_shot_iterator(batches).get_next()
    logits, _ = network_fn(batch["image"])
    labels = batch["label"] - config.labels_offset
    last_class = tf.cast(logits.shape[-1] - 1, labels.dtype)
    known = tf.clip_by_value(labels, 0, last_class)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=known, logits=logits)
    # Of classes that are equally likely the first counts. `tf.nn.in_top_k` counts all of them: a
    # network that always says the same of every class would be right every time.
    likeliest = tf.math.top_k(logits, min(_TOP_K, logits.shape[-1])).indices
    right = tf.equal(tf.cast(likeliest, labels.dtype), labels[:, tf.newaxis])

    def count(events):
        return tf.reduce_sum(tf.cast(events, tf.int64))

    return {
        "num_examples": tf.size(labels),
        "unknown_labels": count(tf.not_equal(labels, known)),
        "not_finite": count(tf.logical_not(tf.math.is_finite(losses))),
        "accuracy": count(right[:, :1]),
        "recall_at_5": count(right),
        "loss": tf.reduce_sum(tf.cast(losses, tf.float64)),
    }


def _variables(config: evaluation_config.Evaluation):
    if config.moving_average_decay:
        return restore.moving_averages(slim.get_model_variables())
    return tf.global_variables()


def _run(session, counts, config: evaluation_config.Evaluation, num_samples: int) -> dict:
    """Adds up the counts of all batches.

    Raises:
      UserError: If there are fewer or more examples than the split is said to hold, labels that
        the network has no class for, or outputs that are not finite.
    """
    totals = dict.fromkeys(counts, 0)
    start = reported = time.monotonic()
    batches = (
        itertools.count(1) if config.max_num_batches is None else range(config.max_num_batches)
    )
    for _ in batches:
        try:
            batch = session.run(counts)
        except tf.errors.OutOfRangeError:
            break
        totals = {name: total + batch[name].item() for name, total in totals.items()}
        now = time.monotonic()
        if now - reported > _SECONDS_BETWEEN_REPORTS:
            reported = now
            done = totals["num_examples"]
            _LOG.info(
                "%d of %d examples, %.0f images/s, ETA %s",
                *(done, num_samples, done / (now - start)),
                eta(done, num_samples, now - start),
            )
    unknown_labels = totals.pop("unknown_labels")
    if unknown_labels:
        raise UserError(
            f"With --labels_offset={config.labels_offset}, {unknown_labels} of "
            f"{totals['num_examples']} labels are outside the classes of the network."
        )
    not_finite = totals.pop("not_finite")
    if not_finite:
        raise UserError(
            f"Of {totals['num_examples']} pictures {not_finite} get outputs that are not finite "
            f"numbers. The weights of {config.checkpoint_path} cannot be used."
        )
    if config.max_num_batches is None and totals["num_examples"] != num_samples:
        raise UserError(
            f"The split {config.dataset_split_name} of {config.dataset_name} should hold "
            f"{num_samples} examples, the files hold {totals['num_examples']}. "
            f"Convert the data set in {config.dataset_dir} again."
        )
    return totals


def _write(metrics: Metrics, eval_dir: str) -> None:
    """Writes the metrics as JSON, replacing older ones as a whole, and as summaries."""
    path = pathlib.Path(eval_dir, "metrics.json")
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(dataclasses.asdict(metrics), indent=1) + "\n")
    os.replace(unfinished, path)
    values = {
        "eval/Accuracy": metrics.accuracy,
        "eval/Recall_5": metrics.recall_at_5,
        "eval/Loss": metrics.loss,
    }
    summary = tf.Summary(
        value=[tf.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    )
    with tf.summary.FileWriter(eval_dir) as writer:
        writer.add_summary(summary, max(metrics.step, 0))
