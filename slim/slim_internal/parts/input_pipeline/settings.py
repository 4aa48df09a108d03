"""How training reads its examples; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputSettings(Settings, subject="Input"):
    """Batches and the threads that make them."""

    batch_size: int = setting(32, "Images per step and clone.", at_least=1, common=True)
    num_readers: int = setting(
        4,
        "Data files to read in parallel. The order of the examples depends on it, so it does not"
        " follow the number of CPUs.",
        at_least=1,
    )
    num_preprocessing_threads: int | None = setting(
        None,
        "Images to decode and prepare in parallel; one per CPU unless given; 0 lets TensorFlow"
        " choose.",
        at_least=0,
    )
    fast_decoding: bool = setting(
        False,
        "Decode JPEG files at 1/2, 1/4 or 1/8 of their size where that is as large as the network"
        " needs, for the evaluation during training, too: faster for photographs of megapixels,"
        " whose pixels then differ a little.",
    )
    data_service: str | None = setting(
        None,
        "Address of a data service, grpc://host:port, whose processes make the batches; the order"
        " of the examples then differs from run to run, also where a run continues.",
    )
    cache: bool = setting(
        False,
        "Decode each image once and keep it in memory, for a small dataset; changes no result.",
    )
    cache_mb: int = setting(
        2000, "Maximum MB of a split that --cache keeps; larger ones are read as ever.", at_least=1
    )
    accumulate_steps: int = setting(
        1,
        "Batches whose gradients are added up before each update, as if they were one batch.",
        at_least=1,
        at_most=100_000,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BalanceSettings(Settings, subject="Classes of different sizes"):
    """What makes up for classes with few images."""

    class_weights: str | None = setting(
        None,
        "Weights of the classes in the loss: balanced (the fewer images, the more), a weight for"
        " each class separated by commas, or a file of lines CLASS,WEIGHT.",
    )
    balanced_sampling: bool = setting(
        False,
        "Show images of each class alike: those of small classes more than once an epoch, those of"
        " large ones not in every epoch.",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixingSettings(Settings, subject="Mixing of examples"):
    """How the examples of a batch are mixed with each other; `mixing.MIXINGS` reads it by name."""

    cutmix_alpha: float = setting(
        0.0,
        "Alpha of the beta distribution of the area that cutmix pastes from another image; 0"
        " switches it off.",
        at_least=0,
    )
    mixup_alpha: float = setting(
        0.0,
        "Alpha of the beta distribution by which mixup fades two images into each other; 0 switches"
        " it off.",
        at_least=0,
    )
