"""The settings of a training run."""

import dataclasses

from slim_internal.ground.errors import UserError, require_at_least, require_at_most

# Settings of distributed and of quantized training, which old command lines may carry.
_UNSUPPORTED = (
    "master",
    "num_ps_tasks",
    "quantize_delay",
    "replicas_to_aggregate",
    "sync_replicas",
    "task",
    "worker_replicas",
)
_MINIMUMS = {
    "adadelta_rho": 0,
    "adam_beta1": 0,
    "adam_beta2": 0,
    "batch_size": 1,
    "clip_gradient_norm": 0,
    "cpu_threads": 0,
    "label_smoothing": 0,
    "learning_rate": 0,
    "log_every_n_steps": 1,
    "max_number_of_steps": 1,
    "max_to_keep": 1,
    "moving_average_decay": 0,
    "num_clones": 1,
    "num_epochs_per_decay": 0,
    "num_preprocessing_threads": 0,
    "num_readers": 1,
    "rmsprop_decay": 0,
    "seed": -(2**31),
    "train_image_size": 1,
    "warmup_epochs": 0,
    "weight_decay": 0,
}
_MAXIMUMS = {
    "adadelta_rho": 1,
    "adam_beta1": 1,
    "adam_beta2": 1,
    "label_smoothing": 1,
    "moving_average_decay": 1,
    "num_epochs_per_decay": 1e9,
    "rmsprop_decay": 1,
    "seed": 2**32 - 1,
    "warmup_epochs": 1e9,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that a training run depends on; the fields are the flags of the script.

    Attributes:
      train_dir: Folder for checkpoints, summaries and metrics. A run continues from the newest
        checkpoint in it.
      dataset_name: Name of the data set.
      dataset_split_name: Split to train on.
      dataset_dir: Folder with the converted data set.
      labels_offset: Subtracted from the labels, and from the number of classes: 1 for networks
        without the background class of ImageNet (VGG, ResNet v1).
      model_name: Name of the network.
      preprocessing_name: Name of the preprocessing; by default the network's own.
      train_image_size: Height and width of the pictures in pixels; by default the network's own.
      use_grayscale: Whether to turn colour into grey.
      batch_size: Pictures per step and clone.
      max_number_of_steps: Where to stop, counted from the very first step; without it the
        training goes on until it is stopped.
      learning_rate: Learning rate at the start.
      learning_rate_decay_type: How it falls: exponential (in steps), polynomial (along a
        line), fixed.
      learning_rate_decay_factor: Factor of one exponential step.
      num_epochs_per_decay: Epochs after which the learning rate falls by that factor, or in
        which it reaches its end.
      end_learning_rate: Where the polynomial decay ends.
      warmup_epochs: Epochs in which the learning rate rises from 0.
      optimizer: adadelta, adagrad, adam, ftrl, momentum, rmsprop or sgd.
      opt_epsilon: Epsilon of adadelta, adam and rmsprop.
      momentum: Momentum of the momentum optimizer.
      rmsprop_momentum: Momentum of rmsprop.
      rmsprop_decay: Decay of rmsprop's mean of squares.
      adam_beta1: Decay of adam's first moment.
      adam_beta2: Decay of adam's second moment.
      adadelta_rho: Decay of adadelta.
      adagrad_initial_accumulator_value: Start of adagrad's accumulators.
      ftrl_learning_rate_power: Power of the learning rate in ftrl.
      ftrl_initial_accumulator_value: Start of ftrl's accumulators.
      ftrl_l1: L1 penalty of ftrl.
      ftrl_l2: L2 penalty of ftrl.
      weight_decay: Factor of the l2 penalty on the weights.
      label_smoothing: Share of each label that is spread over all classes.
      moving_average_decay: Decay of the moving averages that are kept of all model variables
        for evaluation; none by default.
      clip_gradient_norm: Largest norm of all gradients together; larger ones are scaled down.
        0 leaves them as they are.
      checkpoint_path: Checkpoint, or folder with checkpoints, to take the weights from when
        train_dir has none.
      checkpoint_exclude_scopes: Comma-separated scopes that are not taken from it, usually the
        classifier.
      ignore_missing_vars: Whether to train afresh what the checkpoint lacks or has in another
        shape.
      trainable_scopes: Comma-separated scopes to train; all else is frozen, the statistics of
        its batch normalization included. By default everything is trained.
      num_clones: Copies of the network that train side by side, one per GPU.
      clone_on_cpu: Whether the copies run on the CPU.
      num_readers: Data files to read at the same time.
      num_preprocessing_threads: Pictures to decode and prepare at the same time; 0 lets
        TensorFlow choose.
      log_every_n_steps: Steps between two progress lines.
      save_summaries_secs: Seconds between two summaries of activations and weights.
      save_interval_secs: Seconds between two checkpoints.
      max_to_keep: How many checkpoints to keep.
      seed: Number on which initial weights, order and variation of the pictures and dropout
        depend.
      cpu_threads: Threads of TensorFlow; 1 makes two runs equal to the last bit, 0 takes all.
      master: Not supported yet, for distributed training.
      worker_replicas: Not supported yet, for distributed training.
      num_ps_tasks: Not supported yet, for distributed training.
      task: Not supported yet, for distributed training.
      sync_replicas: Not supported yet, for distributed training.
      replicas_to_aggregate: Not supported yet, for distributed training.
      quantize_delay: Not supported yet, for training with simulated 8-bit arithmetic.
    """

    train_dir: str = "/tmp/tfmodel/"
    dataset_name: str = "imagenet"
    dataset_split_name: str = "train"
    dataset_dir: str | None = None
    labels_offset: int = 0
    model_name: str = "inception_v3"
    preprocessing_name: str | None = None
    train_image_size: int | None = None
    use_grayscale: bool = False
    batch_size: int = 32
    max_number_of_steps: int | None = None
    learning_rate: float = 0.01
    learning_rate_decay_type: str = "exponential"
    learning_rate_decay_factor: float = 0.94
    num_epochs_per_decay: float = 2.0
    end_learning_rate: float = 0.0001
    warmup_epochs: float = 0.0
    optimizer: str = "rmsprop"
    opt_epsilon: float = 1.0
    momentum: float = 0.9
    rmsprop_momentum: float = 0.9
    rmsprop_decay: float = 0.9
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adadelta_rho: float = 0.95
    adagrad_initial_accumulator_value: float = 0.1
    ftrl_learning_rate_power: float = -0.5
    ftrl_initial_accumulator_value: float = 0.1
    ftrl_l1: float = 0.0
    ftrl_l2: float = 0.0
    weight_decay: float = 0.00004
    label_smoothing: float = 0.0
    moving_average_decay: float | None = None
    clip_gradient_norm: float = 0.0
    checkpoint_path: str | None = None
    checkpoint_exclude_scopes: str | None = None
    ignore_missing_vars: bool = False
    trainable_scopes: str | None = None
    num_clones: int = 1
    clone_on_cpu: bool = False
    num_readers: int = 4
    num_preprocessing_threads: int = 4
    log_every_n_steps: int = 10
    save_summaries_secs: int = 600
    save_interval_secs: int = 600
    max_to_keep: int = 5
    seed: int = 0
    cpu_threads: int = 0
    master: str = ""
    worker_replicas: int = 1
    num_ps_tasks: int = 0
    task: int = 0
    sync_replicas: bool = False
    replicas_to_aggregate: int = 1
    quantize_delay: int = -1

    def __post_init__(self):
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name in _UNSUPPORTED:
            if getattr(self, name) != defaults[name]:
                raise UserError(
                    f"--{name}={getattr(self, name)} is not supported yet: training runs in one"
                    " process, on all its GPUs with --num_clones, and without quantization."
                )
        require_at_least(self, _MINIMUMS)
        require_at_most(self, _MAXIMUMS)
        if not self.dataset_dir:
            raise UserError("Name the folder of the converted data set: --dataset_dir=...")


def scopes(text: str | None) -> tuple[str, ...]:
    """Returns the scopes in the comma-separated text of a flag."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
