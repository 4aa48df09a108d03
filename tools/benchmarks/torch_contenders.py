"""What PyTorch lets compete: each a function that prepares it and returns the work.

PyTorch is not of the lock: whoever has it, with torchvision, compares. On a GPU it gets what makes
it fast there: images with channels last, TF32, cuDNN's search for the fastest kernels.
"""

import functools
import importlib
import os

from tools.benchmarks.contenders import NotHereError, Work, jpegs

_CLASSES = 1000

# Channels and stride of each pair of layers of MobileNet v1 (arXiv:1704.04861, table 1).
_MOBILENET_V1 = [
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *[(512, 1)] * 5,
    *((1024, 2), (1024, 1)),
]

# Without the second head, which the other libraries' steps leave out as well.
_OPTIONS = {"inception_v3": {"aux_logits": False, "init_weights": False}}


def torch_step(
    name: str, batch_size: int, image_size: int, *, on_gpu: bool = False, autocast: bool = False
) -> Work:
    """Makes a training step with momentum on images of noise, channels last.

    Args:
      name: Network, as torchvision names it, or mobilenet_v1.
      batch_size: Images of a step.
      image_size: Their height and width.
      on_gpu: Whether it needs a GPU.
      autocast: Whether to compute in float16 where PyTorch deems it safe, with a loss scale.
    """
    torch = importlib.import_module("torch")

    device = _device(on_gpu)
    step = _trainer(name, device, autocast)
    images = _images(batch_size, image_size, device)
    labels = torch.randint(0, _CLASSES, (batch_size,), device=device)

    def work() -> int:
        step(images, labels)
        return batch_size

    return work


def torch_program(
    name: str, batch_size: int, image_size: int, *, on_gpu: bool = False, autocast: bool = False
) -> Work:
    """Trains on JPEG files that one process for each CPU decodes, crops at random and flips.

    The arguments are those of `torch_step`; `image_size` is what the images are cropped to.
    """
    torch = importlib.import_module("torch")

    device = _device(on_gpu)
    step = _trainer(name, device, autocast)
    loader = torch.utils.data.DataLoader(
        _Photographs(image_size),
        batch_size=batch_size,
        num_workers=len(os.sched_getaffinity(0)),
        pin_memory=on_gpu,
    )
    batches = iter(loader)

    def work() -> int:
        images, labels = next(batches)
        images = images.to(device, non_blocking=True, memory_format=torch.channels_last)
        step(images.float().div_(127.5).sub_(1), labels.to(device, non_blocking=True))
        return batch_size

    return work


class _Photographs:
    """The photographs again and again, as a dataset of PyTorch."""

    def __init__(self, image_size: int):
        self._jpegs = jpegs()
        self._image_size = image_size

    def __len__(self) -> int:
        return 1 << 40  # More than anybody waits for.

    def __getitem__(self, index: int):
        torch, image_io, transforms = map(
            importlib.import_module, ("torch", "torchvision.io", "torchvision.transforms.v2")
        )
        label = index % len(self._jpegs)
        data = torch.frombuffer(bytearray(self._jpegs[label]), dtype=torch.uint8)
        image = image_io.decode_jpeg(data, mode=image_io.ImageReadMode.RGB)
        crop = transforms.RandomResizedCrop(self._image_size, antialias=True)
        return transforms.RandomHorizontalFlip()(crop(image)), label


def torch_inference(name: str, batch_size: int, image_size: int) -> Work:
    """Runs a network on images of noise, channels last."""
    torch = importlib.import_module("torch")

    device = _device(False)
    model = _model(name, device).eval()
    images = _images(batch_size, image_size, device)

    def work() -> int:
        with torch.inference_mode():
            model(images).cpu()
        return batch_size

    return work


def _device(on_gpu: bool) -> str:
    """Returns the device to compute on, the GPU if there is one."""
    torch = importlib.import_module("torch")

    if torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        return "cuda"
    if on_gpu:
        raise NotHereError("PyTorch finds no GPU")
    return "cpu"


def _model(name: str, device: str):
    torch, models = map(importlib.import_module, ("torch", "torchvision.models"))

    if name == "mobilenet_v1":  # torchvision has the later ones only.
        model = _mobilenet_v1(torch.nn)
    else:
        model = getattr(models, name)(weights=None, **_OPTIONS.get(name, {}))
    return model.to(device=device, memory_format=torch.channels_last)


def _mobilenet_v1(nn):
    """Returns MobileNet v1 (arXiv:1704.04861) as slim has it; `nn` is PyTorch's module."""

    def convolution(depth, channels, size, stride=1, groups=1):
        layer = nn.Conv2d(depth, channels, size, stride, size // 2, groups=groups, bias=False)
        return layer, nn.BatchNorm2d(channels), nn.ReLU6(inplace=True)

    depth = 32
    layers = [*convolution(3, depth, 3, stride=2)]
    for channels, stride in _MOBILENET_V1:
        layers += convolution(depth, depth, 3, stride, groups=depth)
        layers += convolution(depth, channels, 1)
        depth = channels
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.001), nn.Linear(depth, _CLASSES)
    return nn.Sequential(*layers, *head)


def _images(batch_size: int, image_size: int, device: str):
    torch = importlib.import_module("torch")

    images = torch.rand(batch_size, 3, image_size, image_size, device=device)
    return images.to(memory_format=torch.channels_last)


def _trainer(name: str, device: str, autocast: bool):
    """Returns a function of images and labels that makes a training step and waits for its end."""
    torch = importlib.import_module("torch")

    model = _model(name, device)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=4e-5)
    scaler = torch.amp.GradScaler(device, enabled=autocast)
    cast = functools.partial(torch.autocast, device, torch.float16, enabled=autocast)

    def step(images, labels) -> None:
        with cast():
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if device == "cuda":
            torch.cuda.synchronize()

    return step
