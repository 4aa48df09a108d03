"""Where weights come from and how they are saved; imports no TensorFlow."""

import dataclasses

from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class StartSettings(Settings, subject="Fine-tuning"):
    """The weights that a training run starts from."""

    checkpoint_path: str | None = setting(
        None,
        "Checkpoint, or folder whose newest checkpoint is used, to start from when --train_dir has"
        " none. Network, image size and preprocessing are those of its run unless given.",
    )
    checkpoint_exclude_scopes: str | None = setting(
        None,
        "Comma-separated scopes that are not restored from it, usually the classifier.",
    )
    ignore_missing_vars: bool = setting(
        False,
        "Initialize variables randomly that the checkpoint lacks or has in another shape.",
    )
    trainable_scopes: str | None = setting(
        None,
        "Comma-separated scopes to train; everything else is frozen, the statistics of its batch"
        " normalization included. Everything is trained unless given.",
    )
    checkpoint_learning_rate_factor: float = setting(
        1.0,
        "Factor of the learning rate for what is restored from the checkpoint; what is new, that in"
        " --checkpoint_exclude_scopes, learns at the whole rate.",
        above=0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavingSettings(Settings, subject="Checkpoints"):
    """The checkpoints that a training run writes."""

    save_interval_secs: int = setting(600, "Seconds between two checkpoints.", at_least=0)
    save_every_epochs: float | None = setting(
        None,
        "Epochs between two checkpoints, beside --save_interval_secs.",
        above=0,
        at_most=1_000_000_000,
    )
    max_to_keep: int = setting(5, "Number of checkpoints to keep.", at_least=1)
    save_meta_graph: bool = setting(
        True,
        "Save the graph of the training step as well: as graph.pbtxt for freeze_graph, and beside"
        " each checkpoint as .meta for import_meta_graph.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DownloadSettings(Settings, subject="Weights"):
    """Which published weights to download, from where and where to."""

    model_name: str | None = setting(
        None,
        "Network, meaning its first set of weights, or a set that --list prints.",
        common=True,
    )
    list: bool = setting(
        False,
        "Print the published weights, those of --model_name or all, and download nothing.",
        common=True,
    )
    source: str | None = setting(
        None,
        "Folder with the archive or the checkpoint, or URL of a folder with the archive, instead of"
        " the published places.",
    )
    checkpoint_cache: str | None = setting(
        None,
        "Folder of the cache; programs find it there if SLIM_CHECKPOINT_CACHE names the same.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConverterSettings(Settings, subject="Weights"):
    """Which weights to convert, and the file to write."""

    model_name: str | None = setting(
        None,
        "Name of the network; list_networks prints all names. A checkpoint of a run tells it.",
        common=True,
    )
    weights_file: str | None = setting(
        None, "Weights of another library, to become a slim checkpoint.", common=True
    )
    checkpoint_path: str | None = setting(
        None,
        "Checkpoint, a folder of them or the name of published weights, to become weights of"
        " another library.",
        common=True,
    )
    output_file: str | None = setting(
        None,
        "File to write. From --weights_file NAME.ckpt; from --checkpoint_path NAME.safetensors for"
        " timm or NAME.weights.h5 for Keras 3.",
        required=True,
    )
