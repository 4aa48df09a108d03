"""The graph of a training step: input, clones of the network, losses, gradients, update."""

import contextlib
import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence

from datasets import descriptor
from deployment import model_deploy, precision, sessions
from nets import nets_factory
from nets.network import Network
from preprocessing import augmentations, preprocessing_factory
from slim_internal.ground.compat import batch_norm, gpu_operations, slim, tf
from slim_internal.ground.progress import start_up
from slim_internal.parts.checkpoints.restore import in_scopes
from slim_internal.parts.inference import describe
from slim_internal.parts.input_pipeline import batches as input_pipeline
from slim_internal.parts.input_pipeline import (
    class_balance,
    decoding,
    in_memory,
    mixing,
    service,
    stateless_random,
)
from slim_internal.parts.quantization import ranges, simulation
from slim_internal.programs.training import accumulation as accumulations
from slim_internal.programs.training import features as frozen_features
from slim_internal.programs.training import freezing, optimizers, reporting, statistics
from slim_internal.programs.training import settings as train_config
from slim_internal.programs.training.cluster.replica import Replica
from slim_internal.programs.training.settings import TrainConfig

_LOG = logging.getLogger(__name__)

_AUX_LOSS_WEIGHT = 0.4
_IMAGES_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class _CloneOutputs:
    end_points: Mapping[str, tf.Tensor]
    accuracy: tf.Tensor


@dataclasses.dataclass(frozen=True)
class TrainingGraph:
    """The tensors that the loop runs.

    Attributes:
      loss: Total loss before the update that fetching it makes.
      accuracy: Fraction of the batch that was classified right, before the update; of the larger
        part of each label where labels are mixed.
      learning_rate: Learning rate of that update, to be fed.
      input_seconds: How long the step waited for its batch.
      label_range: The smallest and the largest label of the batch, after the offset.
      num_classes: Number of classes of the network.
      class_names: Their names; empty if not known.
      finite: Whether all variables of the model are finite numbers.
      statistics_updates: Updates of the statistics of the layers that are trained, as the network
        makes them.
      images: The first images of a batch as the network gets them, and their labels; None where
        their features are kept.
      summaries: Activations, weights and losses for TensorBoard, merged; None if not asked for.
      features: What frozen layers compute, where it is kept.
      accumulate: Adds the gradients of a batch to those of the next update.
      accumulate_steps: Batches of an update; the last one is that of the loss.
    """

    loss: tf.Tensor
    accuracy: tf.Tensor
    learning_rate: tf.Tensor
    input_seconds: tf.Tensor
    label_range: tf.Tensor
    num_classes: int
    class_names: tuple[str, ...]
    finite: tf.Tensor
    statistics_updates: Sequence[tf.Operation]
    images: tuple[tf.Tensor, tf.Tensor] | None
    summaries: tf.Tensor | None
    features: frozen_features.Features | None = None
    accumulate: tf.Operation | None = None
    accumulate_steps: int = 1


def build(
    config: TrainConfig,
    network: Network,
    dataset: slim.dataset.Dataset,
    first_step: int,
    chosen: precision.Precision = precision.FLOAT32,
    replica: Replica | None = None,
) -> TrainingGraph:
    """Builds the graph of a training step in the default graph.

    Args:
      config: The settings.
      network: Record of the network.
      dataset: What to train on.
      first_step: Number of steps done before, which decides the first batch.
      chosen: In which type to compute.
      replica: What is different when other processes train with this one.
    """
    replica = replica or Replica()
    tf.set_random_seed(config.seed)
    num_classes = nets_factory.classes_after_offset(dataset.num_classes, config.labels_offset)
    deployment = replica.deployment(config) or _deployment(config)
    with tf.device("/device:CPU:0"), tf.device(deployment.variables_device()):
        global_step = tf.train.get_or_create_global_step()
    prepare = _preparation(config, network, dataset)
    first_batch = first_step * config.accumulate_steps
    accumulation, position = None, global_step
    if config.accumulate_steps > 1:
        accumulation = accumulations.begin(config.accumulate_steps)
        position = global_step * config.accumulate_steps + accumulation.batch
    weights = None
    if config.class_weights:
        weights = class_balance.weights(config.class_weights, dataset, config.labels_offset)
    with tf.device(deployment.inputs_device()):
        batches = _batches(config, dataset, prepare, first_batch, replica)
    on_gpu = isinstance(deployment, _OneGpu) and replica.trains_alone
    device = deployment.clone_device(0) if on_gpu else deployment.inputs_device()
    with tf.device(device):
        images, labels, input_seconds = _inputs(config, batches, device if on_gpu else None)
    seed = replica.seed(config)
    with stateless_random.draws(seed, position):
        clones = _clones(
            *(config, network, deployment, images, labels, num_classes, position, weights, seed)
        )
    with tf.device(deployment.inputs_device()):
        outputs = [
            *tf.losses.get_losses(),
            clones[0].outputs.accuracy,
            *_statistics(config, clones),
        ]
        batch = (images[0], labels[0])
        features = None
        if replica.trains_alone:
            features = frozen_features.plan(config, dataset, prepare, batch, outputs, first_batch)
        if features:
            labels, input_seconds = [features.labels], features.input_seconds
    with tf.device(deployment.optimizer_device()):
        learning_rate = tf.placeholder(tf.float32, [], name="fed_learning_rate")
        new_scopes = train_config.scopes(config.checkpoint_exclude_scopes)
        optimizer = chosen.scaled(optimizers.build(config, learning_rate, new_scopes))
        accuracy = tf.reduce_mean([clone.outputs.accuracy for clone in clones])
        label_range = tf.stack([tf.reduce_min(labels), tf.reduce_max(labels)])
        loss, accumulate, accuracy, label_range = _update(
            *(config, clones, optimizer, global_step, accumulation),
            *(accuracy, label_range, replica),
        )
        replica.count(loss, global_step)
        if config.histograms:
            _add_summaries(clones[0], features)
        return TrainingGraph(
            loss=loss,
            accuracy=accuracy,
            learning_rate=learning_rate,
            input_seconds=input_seconds,
            label_range=label_range,
            num_classes=num_classes,
            class_names=nets_factory.names_after_offset(
                describe.classes_of(dataset)[1], config.labels_offset
            ),
            finite=_all_finite(slim.get_model_variables()),
            statistics_updates=_statistics(config, clones),
            images=None if features else tuple(part[:_IMAGES_SHOWN] for part in batch),
            summaries=tf.summary.merge_all() if config.histograms else None,
            features=features,
            accumulate=accumulate,
            accumulate_steps=config.accumulate_steps,
        )


class _OneGpu(model_deploy.DeploymentConfig):
    """One clone with everything that belongs to it on its GPU: nothing is copied in a step."""

    def variables_device(self):
        """Returns the device of the clone."""
        return self.clone_device(0)

    def optimizer_device(self):
        """Returns the device of the clone."""
        return self.clone_device(0)


def _deployment(config):
    one_gpu = config.num_clones == 1 and not config.clone_on_cpu and sessions.gpus()
    kind = _OneGpu if one_gpu else model_deploy.DeploymentConfig
    return kind(num_clones=config.num_clones, clone_on_cpu=config.clone_on_cpu)


def _preparation(config, network, dataset):
    """Returns the function that makes an input of the network of an image."""
    size = config.train_image_size or network.default_image_size
    prepare = preprocessing_factory.for_channels(
        config.preprocessing_name or network.preprocessing,
        config.channels,
        is_training=config.random_preprocessing,
    )
    prepare = preprocessing_factory.with_min_crop_area(prepare, config.min_crop_area)
    prepare = augmentations.augmented(prepare, augmentations.parse(config.augment))
    prepare = preprocessing_factory.sized(prepare, size, size)
    return decoding.fast(dataset, prepare) if config.fast_decoding else prepare


def _statistics(config, clones):
    """Returns the updates of the statistics of the layers that are trained."""
    return freezing.update_ops(train_config.scopes(config.trainable_scopes), clones[0].scope)


def _batches(config, dataset, prepare, first_batch, replica):
    """Returns the batches of all clones together."""
    if config.data_service:
        return service.batches(
            dataset,
            prepare,
            [os.path.abspath(path) for path in descriptor.data_files(dataset)],
            service=config.data_service,
            batch_size=config.batch_size * config.num_clones,
            num_readers=config.num_readers,
            num_threads=config.num_preprocessing_threads or input_pipeline.AUTOTUNE,
        )
    return input_pipeline.training_batches(
        dataset,
        prepare,
        batch_size=config.batch_size * config.num_clones,
        seed=replica.input_seed(config),
        first_batch=replica.first_batch(first_batch),
        part=(replica.task, replica.num_input_parts),
        num_readers=config.num_readers,
        num_threads=input_pipeline.threads(config.num_preprocessing_threads),
        class_counts=(
            class_balance.counts(dataset, "--balanced_sampling")
            if config.balanced_sampling
            else None
        ),
        kept=_kept(config, dataset, prepare) if config.cache else None,
    )


def _kept(config, dataset, prepare):
    """Returns the images in memory, or None if they are not read in each epoch or too large."""
    if frozen_features.are_possible(config, dataset, prepare):
        _LOG.info("--cache keeps no training images: features of frozen layers take their place.")
        return None
    what = f"Decoding {dataset.num_samples} images to keep them in memory"
    with reporting.announced(what, at_once=False), start_up.measured("images into memory"):
        return in_memory.load(
            dataset,
            prepare,
            max_mb=config.cache_mb,
            num_threads=input_pipeline.threads(config.num_preprocessing_threads),
        )


def _inputs(config, batches, device):
    """Returns the images and labels of each clone, and how long it took to get them.

    Where a device is given, batches are copied to it before they are asked for.
    """
    if device is None:
        iterator = tf.data.make_one_shot_iterator(batches)
    else:
        # One batch, so that it takes little memory there. A one-shot iterator stays on the CPU.
        batches = batches.apply(tf.data.experimental.prefetch_to_device(device, buffer_size=1))
        iterator = tf.data.make_initializable_iterator(batches)
        tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
    asked = tf.timestamp()
    with tf.control_dependencies([asked]):
        batch = iterator.get_next()
    with tf.control_dependencies(batch.values()):
        input_seconds = tf.timestamp() - asked
    images = tf.split(batch["image"], config.num_clones)
    labels = tf.split(batch["label"] - config.labels_offset, config.num_clones)
    return images, labels, input_seconds


def _clones(
    config, network, deployment, images, labels, num_classes, position, class_weights, seed
):
    network_fn = nets_factory.get_network_fn(
        network.name, num_classes, weight_decay=optimizers.l2_weight(config), is_training=True
    )
    batches = iter(zip(images, labels, strict=True))
    alphas = {name: getattr(config, f"{name}_alpha") for name in mixing.MIXINGS}

    def model_fn():
        clone_images, clone_labels = next(batches)
        clone_images, mix_labels = mixing.mix(clone_images, alphas, seed, position)
        logits, end_points = network_fn(clone_images)
        if config.quantize_delay >= 0:
            logits = simulation.train(
                clone_images, logits, config.quantize_delay, tf.train.get_global_step()
            )
        targets = mix_labels(tf.one_hot(clone_labels, num_classes))
        heads = [(logits, 1.0, "loss")]
        if "AuxLogits" in end_points:
            heads.append((end_points["AuxLogits"], _AUX_LOSS_WEIGHT, "aux_loss"))
        for head, weight, scope in heads:
            if class_weights:
                weight *= tf.linalg.matvec(targets, class_weights)
            tf.losses.softmax_cross_entropy(
                targets, head, weights=weight, label_smoothing=config.label_smoothing, scope=scope
            )
        right = tf.equal(tf.argmax(logits, axis=-1), tf.argmax(targets, axis=-1))
        return _CloneOutputs(end_points, tf.reduce_mean(tf.cast(right, tf.float32)))

    # Simulated 8 bits look for the operations as TensorFlow builds them.
    for_gpu = sessions.gpus() and not config.clone_on_cpu and config.quantize_delay < 0
    with (
        batch_norm.inference_where(_keeps_statistics(config)),
        gpu_operations.fast() if for_gpu else contextlib.nullcontext(),
    ):
        return model_deploy.create_clones(deployment, model_fn)


def _keeps_statistics(config):
    """Returns a function of a variable's name: whether its layer normalizes as evaluation does."""
    if config.keep_batch_norm_statistics and not config.checkpoint_path:
        _LOG.warning("--keep_batch_norm_statistics changes nothing without --checkpoint_path.")
    trained = train_config.scopes(config.trainable_scopes)
    new = train_config.scopes(config.checkpoint_exclude_scopes)

    def keeps(name):
        is_frozen = bool(trained) and not in_scopes(name, trained)
        is_given = bool(config.checkpoint_path) and not in_scopes(name, new)
        return (config.keep_batch_norm_statistics and is_given) or (
            config.freeze_batch_norm and is_frozen
        )

    return keeps


def _update(config, clones, optimizer, global_step, accumulation, accuracy, label_range, replica):
    """Returns the loss, fetching which makes the update; what adds to it; accuracy; label range."""
    scopes = train_config.scopes(config.trainable_scopes)
    loss, gradients = model_deploy.optimize_clones(
        clones,
        optimizer,
        freezing.of_kernels() if config.weight_decay_kernels_only else None,
        var_list=freezing.trainable_variables(scopes),
    )
    rate = statistics.rising_rate(global_step)
    updates = statistics.follow(
        _statistics(config, clones),
        rate,
        None if config.batch_norm_decay is None else 1 - config.batch_norm_decay,
    )
    updates += tf.get_collection(ranges.UPDATES)
    accumulate, sums = None, []
    if accumulation:
        label_range, keep, kept = accumulation.widen(label_range)
        batch_updates = [*updates, keep]
        loss, gradients, accumulate, sums = accumulation.add(loss, gradients, batch_updates)
        sums.append(kept)
    loss, gradients, updates, accuracy = replica.combined(loss, gradients, updates, accuracy)
    if config.clip_gradient_norm:
        values, variables = zip(*gradients, strict=True)
        values, _ = tf.clip_by_global_norm(values, config.clip_gradient_norm)
        gradients = list(zip(values, variables, strict=True))
    averages = None
    if config.moving_average_decay:
        averages = tf.train.ExponentialMovingAverage(config.moving_average_decay, global_step)
    optimizer, averages_itself = replica.wrapped(optimizer, averages)
    with tf.control_dependencies([rate]):  # It is of the step before this one is counted.
        counter = global_step if replica.counts_updates else None
        updates.append(optimizer.apply_gradients(gradients, global_step=counter))
        if counter is None:
            # Not counted by the optimizer: with a loss scale it leaves out steps that overflow.
            with tf.control_dependencies(updates[-1:]):
                updates.append(tf.assign_add(global_step, 1))
    if averages and not averages_itself:
        with tf.control_dependencies(updates):
            updates = [averages.apply(slim.get_model_variables())]
    with tf.control_dependencies(updates):
        loss = tf.identity(loss, name="train_op")
    with tf.control_dependencies([loss, label_range]):
        emptied = [accumulations.emptied(sums)] if sums else []
    with tf.control_dependencies(emptied):
        return tf.identity(loss), accumulate, accuracy, label_range


def _all_finite(variables):
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(variable)) for variable in variables])


def _add_summaries(clone, features):
    kept = freezing.ancestors(features.tensors) if features else ()
    for name, activation in clone.outputs.end_points.items():
        if activation.op in kept:  # They are not computed any more.
            continue
        tf.summary.histogram(f"activations/{name}", activation)
        tf.summary.scalar(f"sparsity/{name}", tf.nn.zero_fraction(activation))
    for variable in slim.get_model_variables():
        tf.summary.histogram(f"variables/{variable.op.name}", variable)
    for part in tf.get_collection(tf.GraphKeys.LOSSES, clone.scope):
        tf.summary.scalar(f"losses/{part.op.name}", part)
