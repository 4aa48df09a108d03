"""The table of what is measured: groups of rows, and the ratios that are aimed at."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

from tools.benchmarks import contenders, torch_contenders

_NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}

# Names of rows.
_TORCH = "PyTorch channels_last"
_AUTOCAST = "PyTorch autocast channels_last"
_DECODING = "decoding alone"


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What was once measured beside a row of the same group, where it could be run.

    Attributes:
      ratio: Rate as a fraction of that row's.
      row: Its name.
    """

    ratio: float
    row: str


@dataclasses.dataclass(frozen=True)
class Contender:
    """A row: its name, how its rate is found, and the ratio to another row that is aimed at.

    Attributes:
      name: Its name.
      source: What prepares it and returns the work to measure, or its recorded ratio.
      bar: Smallest ratio that is aimed at; the largest one for another library.
      is_rival: Whether it is another library.
      against: Name of the row that the bar is about; the yardstick if empty.
      environment: Variables of its process beside those of this one.
      warm_up: Seconds of each round before what is measured, in which it uses up the input that it
        has gathered while the others were measured.
    """

    name: str
    source: Callable[[], contenders.Work] | Recorded
    bar: float | None = None
    is_rival: bool = False
    against: str = ""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    warm_up: float = 0


_Group = tuple[str, list[Contender]]


def _row(
    name: str, prepare, *arguments, options: Mapping[str, object] | None = None, **fields
) -> Contender:
    """Returns a row; a GPU is hidden from those that are not to use it."""
    options = options or {}
    environment = {} if options.get("on_gpu") else _NO_GPU
    environment = {**environment, **fields.pop("environment", {})}
    source = functools.partial(prepare, *arguments, **options)
    return Contender(name, source, environment=environment, **fields)


# The original cannot be installed beside this library. Its ratios to other rows were measured at
# release ecf962c on two cores of an AMD EPYC (Zen 3); another processor may have others.
_ORIGINAL = "original (recorded)"


def _original(ratio: float, of: str, bar: float | None = None, against: str = "") -> Contender:
    name = f"{against}, {_ORIGINAL}" if against else _ORIGINAL
    return Contender(name, Recorded(ratio, of), bar, is_rival=True, against=against)


def _step_group(
    model: str,
    batch: int,
    size: int,
    *,
    keras: str | None = None,
    torch: str | None = None,
    original: Contender | None = None,
) -> _Group:
    classes = 1000 if torch else 10
    rows = [_row("slim", contenders.slim_step, model, batch, size, classes)]
    if keras or not torch:
        keras_step = contenders.keras_step
        rows.append(_row("Keras", keras_step, keras, batch, size, classes, is_rival=True))
    if torch:
        step = torch_contenders.torch_step
        rows.append(_row(_TORCH, step, torch, batch, size, bar=1.0, is_rival=True))
    if original:
        rows.append(original)
    return f"training step, {model}, batch {batch}, {size} px", rows


def _inference_group(
    model: str, batch: int, size: int, keras: str, torch: str, original: Contender
) -> _Group:
    run = torch_contenders.torch_inference
    rows = [
        _row("slim, frozen", contenders.slim_inference, model, batch, size),
        _row("Keras", contenders.keras_inference, keras, batch, size, is_rival=True),
        _row(_TORCH, run, torch, batch, size, bar=1 / 1.5, is_rival=True),
        original,
    ]
    return f"inference, {model}, batch {batch}, {size} px", rows


def _lever_group(
    name: str, prepare, *arguments, levers: Sequence[tuple[str, dict[str, Mapping]]]
) -> _Group:
    """Returns rows of the same work: as it is, and with one thing changed in each.

    A lever is its name and the field of the row that it changes: `options` or `environment`.
    """
    rows = [_row("as shipped", prepare, *arguments)]
    rows += [_row(lever, prepare, *arguments, **change) for lever, change in levers]
    return f"levers, {name}", rows


# Network, batch, size, torchvision's name, and the bar of mixed precision: at most 1 / 0.9 for
# VGG, whose first fully connected layer PyTorch computes faster.
_ON_GPU = [
    ("resnet_v1_50", 128, 224, "resnet50", 1.0),
    ("inception_v3", 128, 299, "inception_v3", 1.0),
    ("mobilenet_v2", 256, 224, "mobilenet_v2", 1.0),
    ("vgg_16", 64, 224, "vgg16", 1 / 0.9),
]


def _gpu_groups(model: str, batch: int, size: int, torch: str, bar: float) -> list[_Group]:
    """Returns the groups of a network on a GPU: with mixed precision and without."""
    slim, torch_step = contenders.slim_step, torch_contenders.torch_step
    gpu, arguments = {"on_gpu": True}, (model, batch, size, 1000)
    xla = {**gpu, "xla": True}
    mixed, autocast = {**xla, "mixed_precision": True}, {**gpu, "autocast": True}
    rival = {"is_rival": True}
    title = f"training step, {model}, batch {batch}, {size} px"
    return [
        (
            f"GPU, mixed precision, {title}",
            [
                _row("mixed precision, XLA", slim, *arguments, options=mixed),
                _row(_AUTOCAST, torch_step, torch, batch, size, options=autocast, bar=bar, **rival),
            ],
        ),
        (
            f"GPU, float32, {title}",
            [
                _row("float32, XLA", slim, *arguments, options=xla),
                _row("float32", slim, *arguments, options=gpu),
                _row(_TORCH, torch_step, torch, batch, size, options=gpu, bar=1.0, **rival),
            ],
        ),
    ]


def _program_group(
    model: str, batch: int, torch: str, options: Mapping, torch_options: Mapping
) -> _Group:
    """Returns rows that train on JPEG files, input included."""
    on_gpu = options.get("on_gpu", False)
    warm_up = 3 if on_gpu else 0  # A CPU has used up what was gathered after few steps.
    train, torch_train = contenders.train_on_photographs, torch_contenders.torch_program
    rows = [
        _row("slim", train, model, batch, options=options, warm_up=warm_up),
        _row(
            *(_AUTOCAST if torch_options else _TORCH, torch_train, torch, batch, 224),
            options=torch_options,
            bar=1.0,
            is_rival=True,
            warm_up=warm_up,
        ),
    ]
    where = "GPU, " if on_gpu else ""
    return f"{where}whole training on JPEGs of 76 kB, {model}, batch {batch}", rows


_MOBILENET = ("mobilenet_v1", 1, 224)
_READ = contenders.read_images
_STEP_LEVERS: list[tuple[str, dict[str, Mapping]]] = [
    ("memory given back", {"options": {"keep_memory": False}}),
    ("TF_ENABLE_ONEDNN_OPTS=0", {"environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}}),
    ("--mixed_precision (bfloat16)", {"options": {"mixed_precision": True}}),
]

# Name of a group -> its rows; the first one is the yardstick.
GROUPS: dict[str, list[Contender]] = dict(
    [
        (
            "input, JPEGs of 500 x 375, 224 px",
            [
                _row(_DECODING, _READ, None, False),
                _row("Inception training", _READ, "inception", True, bar=0.9),
                _row("VGG training", _READ, "vgg", True),
                _row("Inception evaluation", _READ, "inception", False),
                _row("VGG evaluation", _READ, "vgg", False),
                _original(0.35, _DECODING, 1 / 2, "Inception training"),
                # Of these the ratio to decoding is reckoned from the times of single threads.
                _original(0.28, _DECODING, 1 / 1.8, "VGG training"),
                _original(0.35, _DECODING, 1 / 2, "Inception evaluation"),
                _original(0.31, _DECODING, 1 / 2, "VGG evaluation"),
            ],
        ),
        _lever_group(
            "Inception training input",
            *(_READ, "inception", True),
            levers=[
                ("one thread", {"options": {"num_threads": 1}}),
                ("memory given back", {"options": {"keep_memory": False}}),
                ("--cache", {"options": {"cache": True}}),
            ],
        ),
        (
            "evaluation, mobilenet_v1, JPEGs, 224 px",
            [
                _row("frozen, one image at a time", contenders.slim_inference, *_MOBILENET),
                _row("batches of 64", contenders.evaluate_images, "mobilenet_v1", 64, bar=2.0),
                _row("its input alone", _READ, "inception", False),
            ],
        ),
        (
            "LeNet on digits, batch 32",
            [
                _row("step alone", contenders.slim_step, "lenet", 32, 28, 10),
                _row("from files", contenders.train_on_digits, False),
                _row("--cache", contenders.train_on_digits, True),
            ],
        ),
        (
            "start, one image (images/s: starts a second)",
            [
                _row("import of TensorFlow", contenders.start_tensorflow),
                _row("classify_image", contenders.start_classifying, bar=1 / 1.3),
            ],
        ),
        _step_group("lenet", 32, 28),
        _step_group(
            *("mobilenet_v1", 32, 224),
            keras="MobileNet",
            torch="mobilenet_v1",
            original=_original(1.03, "Keras", 1 / 1.2),
        ),
        _step_group("mobilenet_v2", 32, 224, torch="mobilenet_v2"),
        _step_group(
            *("resnet_v1_50", 16, 224),
            keras="ResNet50",
            torch="resnet50",
            original=_original(1.21, "Keras", 1 / 1.05),
        ),
        _step_group(
            *("inception_v3", 8, 299),
            keras="InceptionV3",
            torch="inception_v3",
            original=_original(1.05, _TORCH, 1 / 1.05),
        ),
        *(
            _lever_group(
                f"training step, {model}",
                *(contenders.slim_step, model, 32, size, classes),
                levers=_STEP_LEVERS,
            )
            for model, size, classes in (("lenet", 28, 10), ("mobilenet_v1", 224, 1000))
        ),
        _program_group("mobilenet_v1", 16, "mobilenet_v1", {}, {}),
        _inference_group(*_MOBILENET, "MobileNet", "mobilenet_v1", _original(1.35, "Keras")),
        _inference_group(
            *("resnet_v1_50", 32, 224), "ResNet50", "resnet50", _original(1.26, "Keras")
        ),
        *(group for network in _ON_GPU for group in _gpu_groups(*network)),
        _program_group(
            *("resnet_v1_50", 128, "resnet50"),
            {"on_gpu": True, "mixed_precision": True, "xla": True},
            {"on_gpu": True, "autocast": True},
        ),
        (
            "machine",
            [_row("copies of 64 MiB", contenders.copy_bytes)],
        ),
    ]
)
