"""The settings of a training run; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from datasets.settings import DatasetSettings
from deployment.settings import ClusterSettings, DeviceSettings, PrecisionSettings
from nets.settings import NetworkSettings
from preprocessing.settings import AugmentationSettings
from slim_internal.ground.errors import UserError
from slim_internal.ground.settings import Settings, setting, take_over
from slim_internal.parts.checkpoints.settings import SavingSettings, StartSettings
from slim_internal.parts.input_pipeline.settings import (
    BalanceSettings,
    InputSettings,
    MixingSettings,
)
from slim_internal.programs.training.optimizers import OptimizerSettings
from slim_internal.programs.training.schedules import ScheduleSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpdateSettings(Settings, subject="Loss and update"):
    """What is added to the loss, and what becomes of the gradients and the weights."""

    weight_decay: float = setting(
        0.00004, "Weight of the L2 regularization loss on the weights.", at_least=0
    )
    weight_decay_kernels_only: bool = setting(
        False, "Leave biases and batch normalization out of the L2 regularization loss."
    )
    label_smoothing: float = setting(
        0.0, "Fraction of each label that is spread over all classes.", at_least=0, at_most=1
    )
    moving_average_decay: float | None = setting(
        None,
        "Decay rate of the moving averages of all model variables, kept for evaluation; none are"
        " kept unless given.",
        at_least=0,
        at_most=1,
    )
    clip_gradient_norm: float = setting(
        0.0,
        "Maximum norm of all gradients together; larger gradients are scaled down. 0 does not"
        " clip.",
        at_least=0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchNormSettings(Settings, subject="Batch normalization"):
    """The moving statistics that evaluation will use."""

    batch_norm_decay: float | None = setting(
        None,
        "Decay rate of the moving statistics, which rises to it in the first steps of a run; the"
        " network's own unless given.",
        at_least=0,
        at_most=1,
    )
    final_statistics_batches: int = setting(
        20,
        "Batches on which the moving statistics are estimated once more at the end of a run, for"
        " the moving averages of the weights too, where they are kept; 0 keeps those of the last"
        " steps.",
        at_least=0,
    )
    reestimate_batch_norm: int = setting(
        0,
        "Does not train: estimates the moving statistics of --checkpoint_path anew on so many"
        " batches, and saves the result in --train_dir.",
        at_least=0,
    )
    freeze_batch_norm: bool = setting(
        True,
        "Normalize frozen layers by their moving statistics, as evaluation does; otherwise by each"
        " batch.",
    )
    keep_batch_norm_statistics: bool = setting(
        False,
        "Normalize all layers that --checkpoint_path gives by its moving statistics, as evaluation"
        " does, and keep these: for few images, which give worse ones.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureSettings(Settings, subject="Fine-tuning"):
    """What is kept of frozen layers."""

    cache_features: str = setting(
        "auto",
        "Compute the features of frozen layers once and keep them in --train_dir: auto (where the"
        " images are not varied at random), off, or the number of variations of each image to"
        " keep.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValidationSettings(Settings, subject="Validation during training"):
    """When a run evaluates itself, and what follows from it."""

    eval_every_steps: int | None = setting(
        None, "Steps between two evaluations during training.", at_least=1
    )
    eval_every_secs: float | None = setting(
        None, "Seconds between two evaluations during training.", above=0
    )
    eval_every_epochs: float | None = setting(
        None,
        "Epochs between two evaluations during training; 0 for none. Unless one of these three is"
        " given, a run evaluates itself once per epoch where the dataset has such a split, and"
        " spends a tenth of its time on it at most.",
        at_least=0,
        at_most=1_000_000_000,
    )
    eval_split_name: str = setting("validation", "Split that a run evaluates itself on.")
    best_metric: str = setting(
        "accuracy",
        "Metric by which the best checkpoint is chosen, which is kept in best/ of --train_dir.",
        choices=("accuracy", "recall_at_5", "loss"),
    )
    early_stopping_patience: int = setting(
        0, "Evaluations without a better one after which training stops; 0 never.", at_least=0
    )


# Number of steps -> what takes its place. (Others are both in use: the first to come counts.)
_IN_EPOCHS = {"log_every_n_steps": "log_every_epochs", "quantize_delay": "quantize_delay_epochs"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig(
    ClusterSettings,
    PrecisionSettings,
    DeviceSettings,
    SavingSettings,
    StartSettings,
    FeatureSettings,
    ValidationSettings,
    BatchNormSettings,
    UpdateSettings,
    OptimizerSettings,
    ScheduleSettings,
    MixingSettings,
    AugmentationSettings,
    BalanceSettings,
    InputSettings,
    NetworkSettings,
    DatasetSettings,
    subject="Run",
):
    """Everything that a training run depends on; the bases say the rest, the last one first."""

    train_dir: str = setting(
        "/tmp/tfmodel/",
        "Folder for checkpoints, summaries and metrics. A run continues from the newest checkpoint"
        " in it.",
        common=True,
    )
    dataset_split_name: str = setting("train", "Split to train on.", subject="Dataset")
    train_image_size: int | None = setting(
        None,
        "Height and width of the images in pixels; the network's own unless given.",
        at_least=1,
        subject="Network",
    )
    image_size: int | None = setting(
        None, "Another name of --train_image_size.", at_least=1, subject="Network"
    )
    max_number_of_steps: int | None = setting(
        None,
        "Global step at which to stop; earlier runs count. Training goes on until it is stopped"
        " unless this or --num_epochs is given.",
        at_least=1,
        common=True,
    )
    num_epochs: float | None = setting(
        None,
        "Epochs after which to stop, those of earlier runs included; --max_number_of_steps may stop"
        " it before.",
        above=0,
        at_most=1_000_000_000,
        common=True,
    )
    seed: int = setting(
        0,
        "Seed of the initial weights, the order and augmentation of the images and dropout.",
        at_least=-(2**31),
        at_most=2**32 - 1,
    )
    log_every_n_steps: int = setting(10, "Steps between two progress lines.", at_least=1)
    log_every_epochs: float | None = setting(
        None,
        "Epochs between two progress lines, instead of --log_every_n_steps.",
        above=0,
        at_most=1_000_000_000,
    )
    save_summaries_secs: int = setting(
        600,
        "Seconds between two summaries for TensorBoard: images that the network gets, and"
        " --histograms.",
        at_least=0,
    )
    histograms: bool = setting(
        False, "Show histograms of all activations and weights in TensorBoard."
    )
    quantize_delay: int = setting(
        -1,
        "Global step from which on 8-bit arithmetic is simulated, so that the network gets used to"
        " it; -1 never.",
        at_least=-1,
    )
    quantize_delay_epochs: float | None = setting(
        None,
        "Epochs after which 8-bit arithmetic is simulated, instead of --quantize_delay.",
        at_least=0,
        at_most=1_000_000_000,
    )

    def __post_init__(self):
        super().__post_init__()
        _require_one_unit(self)
        _require_place_for_augmentation(self)
        _require_one_purpose(self)
        take_over(self, "train_image_size", "image_size")


def _require_one_unit(config: TrainConfig) -> None:
    """Requires that what takes the place of a number of steps is not given beside it.

    Raises:
      UserError: If both are given.
    """
    for name, in_epochs in _IN_EPOCHS.items():
        steps, epochs = getattr(config, name), getattr(config, in_epochs)
        if epochs is not None and steps != getattr(TrainConfig, name):
            raise UserError(
                f"--{name}={steps} and --{in_epochs}={epochs} say the same in steps and in epochs:"
                " give one."
            )


def _require_place_for_augmentation(config: TrainConfig) -> None:
    """Requires that what --augment names varies single images, and that images are varied at all.

    Raises:
      UserError: If it mixes the images of a batch, or if they are prepared as for evaluation.
    """
    names = scopes(config.augment)
    for name in names:
        if hasattr(config, f"{name}_alpha"):
            raise UserError(
                f"--augment: {name} mixes the images of a batch; --{name}_alpha=0.2 switches it on."
            )
    if config.random_preprocessing:
        return
    for name in ("augment", "min_crop_area"):
        if getattr(config, name):
            raise UserError(
                f"--{name}={getattr(config, name)} varies images at random,"
                " --norandom_preprocessing prepares them as for evaluation: leave"
                f" --{name} out, or add --random_preprocessing."
            )


def _require_one_purpose(config: TrainConfig) -> None:
    """Requires that not two settings are given each of which does without the other.

    Raises:
      UserError: If both are given.
    """
    if config.find_learning_rate and config.reestimate_batch_norm:
        raise UserError(
            "--find_learning_rate and --reestimate_batch_norm both take the place of training: give"
            " one."
        )
    if config.keep_batch_norm_statistics and config.reestimate_batch_norm:
        raise UserError(
            "--keep_batch_norm_statistics keeps the moving statistics and --reestimate_batch_norm"
            " estimates them anew: give one."
        )
    if config.cache and config.fast_decoding:
        raise UserError(
            "--cache decodes each image once, as a whole, and --fast_decoding again each time, no"
            " larger than needed: give one."
        )
    if config.balanced_sampling and config.class_weights == "balanced":
        raise UserError(
            "--balanced_sampling and --class_weights=balanced both make up for classes of different"
            " sizes, which would be too much: give one."
        )


def scopes(text: str | None) -> tuple[str, ...]:
    """Returns the scopes in the comma-separated text of a flag."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
