"""What the benchmarks let compete: each a function that prepares it and returns the work.

The work is a function that does some of it and returns how many images that were. Every contender
runs in a process of its own and imports its own library, for they do not bear each other.
"""

import functools
import importlib
import io
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

Work = Callable[[], int]

_PHOTOGRAPHS = 64  # Of 500 x 375 pixels, as those of ImageNet are on average.
_INPUT_BATCH = 32


@functools.cache
def _photographs() -> str:
    """Writes JPEGs of about 60 kB with edges and smooth parts; returns a file of TFRecords."""
    import numpy as np
    from PIL import Image

    from datasets.storage import example, tfrecords

    random = np.random.default_rng(0)
    path = pathlib.Path(tempfile.mkdtemp()) / "photographs"
    with tfrecords.ShardWriter(path) as writer:
        for number in range(_PHOTOGRAPHS):
            image = Image.new("RGB", (500, 375))
            for cells, weight in ((6, 1.0), (40, 0.5), (250, 0.2)):
                noise = random.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8)
                layer = Image.fromarray(noise).resize(image.size, Image.Resampling.BICUBIC)
                image = Image.blend(image, layer, weight)
            data = io.BytesIO()
            image.save(data, "jpeg", quality=92)
            writer.write(example.image_example(data.getvalue(), b"jpg", 375, 500, number))
    return str(path)


class NotHereError(Exception):
    """What this machine lacks for a contender, in words."""


def _dataset():
    """Returns a descriptor of the photographs."""
    from datasets import descriptor
    from slim_internal.ground.compat import slim, tf

    handlers = {
        "image": slim.tfexample_decoder.Image(),
        "label": slim.tfexample_decoder.Tensor("image/class/label"),
    }
    decoder = slim.tfexample_decoder.TFExampleDecoder(
        descriptor.image_features(image_format="jpg"), handlers
    )
    return slim.dataset.Dataset(
        _photographs(), tf.TFRecordReader, decoder, _PHOTOGRAPHS, {}, num_classes=_PHOTOGRAPHS
    )


def read_images(preprocessing: str | None, is_training: bool) -> Work:
    """Reads, decodes and prepares photographs at 224 pixels; None stands for decoding alone."""
    from preprocessing import preprocessing_factory
    from slim_internal.ground.compat import tf
    from slim_internal.parts.input_pipeline import batches as input_pipeline

    dataset = _dataset()
    if preprocessing is None:
        prepare = lambda image: tf.cast(image[0, 0], tf.float32)  # noqa: E731
    else:
        preprocess = preprocessing_factory.get_preprocessing(preprocessing, is_training)
        prepare = preprocessing_factory.sized(preprocess, 224, 224)
    if is_training:
        batches = input_pipeline.training_batches(dataset, prepare, batch_size=_INPUT_BATCH, seed=0)
    else:
        batches = input_pipeline.evaluation_batches(dataset, prepare, batch_size=_INPUT_BATCH)
        batches = batches.repeat()
    batch = tf.data.make_one_shot_iterator(batches).get_next()
    session = tf.Session(config=_session_config())

    def work() -> int:
        session.run(batch["image"].op)
        return _INPUT_BATCH

    return work


def _session_config():
    from deployment import sessions

    return sessions.config()


def evaluate_images(model_name: str, batch_size: int) -> Work:
    """Reads photographs and runs a network on them, as `eval_image_classifier` does."""
    from nets import nets_factory
    from preprocessing import preprocessing_factory
    from slim_internal.ground.compat import tf
    from slim_internal.parts.input_pipeline import batches as input_pipeline

    network = nets_factory.get_network(model_name)
    preprocess = preprocessing_factory.get_preprocessing(network.preprocessing)
    size = network.default_image_size
    batches = input_pipeline.evaluation_batches(
        _dataset(), preprocessing_factory.sized(preprocess, size, size), batch_size=batch_size
    )
    images = tf.data.make_one_shot_iterator(batches.repeat()).get_next()["image"]
    logits, _ = nets_factory.get_network_fn(model_name, 1000)(images)
    session = tf.Session(config=_session_config())
    session.run(tf.global_variables_initializer())
    return lambda: len(session.run(logits))


def train_on_digits(cache: bool) -> Work:
    """Makes steps of LeNet on the handwritten digits, as `train_image_classifier` does."""
    from datasets import dataset_factory
    from datasets.conversion import convert
    from datasets.conversion.settings import Conversion
    from nets import nets_factory
    from slim_internal.ground.compat import tf
    from slim_internal.programs.training import graph
    from slim_internal.programs.training.settings import TrainConfig

    folder = tempfile.mkdtemp()
    convert.convert(Conversion(dataset_name="digits", dataset_dir=folder))
    config = TrainConfig(
        dataset_name="digits",
        dataset_dir=folder,
        model_name="lenet",
        optimizer="momentum",
        cache=cache,
    )
    network = nets_factory.get_network(config.model_name)
    training = graph.build(config, network, dataset_factory.open_split(config, "train"), 0)
    session = tf.Session(config=_session_config())
    session.run([tf.global_variables_initializer(), tf.tables_initializer()])

    def work() -> int:
        session.run(training.loss, {training.learning_rate: 0.01})
        return config.batch_size

    return work


def start_tensorflow() -> Work:
    """Starts Python and imports TensorFlow."""
    return _command("-c", "import tensorflow")


def start_classifying() -> Work:
    """Classifies one photograph by an exported network, in a process of its own."""
    from nets import nets_factory
    from slim_internal.ground.compat import tf

    slim_folder = pathlib.Path(nets_factory.__file__).parents[1]
    folder = pathlib.Path(tempfile.mkdtemp())
    with tf.Graph().as_default(), tf.Session(config=_session_config()) as session:
        images = tf.placeholder(tf.float32, [None, 224, 224, 3])
        nets_factory.get_network_fn("mobilenet_v1", 1001)(images)
        session.run(tf.global_variables_initializer())
        checkpoint = tf.train.Saver().save(session, str(folder / "model.ckpt"))
    exported, image = folder / "mobilenet.pb", folder / "image.png"
    _command(
        slim_folder / "export_inference_graph.py",
        *("--model_name=mobilenet_v1", f"--checkpoint_path={checkpoint}"),
        f"--output_file={exported}",
    )()
    _write_image(image)
    return _command(slim_folder / "classify_image.py", f"--graph={exported}", image)


def _write_image(path: pathlib.Path) -> None:
    import numpy as np
    from PIL import Image

    pixels = np.random.RandomState(0).randint(0, 256, (375, 500, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def _command(*arguments: str | pathlib.Path) -> Work:
    """Runs Python with arguments, and counts it as one image."""

    def work() -> int:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, check=True
        )
        return 1

    return work


def slim_step(
    model_name: str, batch_size: int, image_size: int, num_classes: int, on_gpu: bool = False
) -> Work:
    """Makes a training step with momentum on images of noise.

    Args:
      model_name: The network.
      batch_size: Images of a step.
      image_size: Their height and width.
      num_classes: Number of classes.
      on_gpu: Whether to compute in mixed precision, compiled by XLA, on a GPU.
    """
    import numpy as np

    from deployment import precision, sessions
    from deployment.settings import PrecisionSettings
    from nets import nets_factory
    from slim_internal.ground.compat import tf

    if on_gpu and not sessions.gpus():
        raise NotHereError("TensorFlow finds no GPU")
    chosen = precision.choose(PrecisionSettings(mixed_precision=on_gpu, xla=on_gpu))
    network = nets_factory.get_network(model_name)
    network_fn = nets_factory.get_network_fn(model_name, num_classes, 4e-5, is_training=True)
    shape = (batch_size, image_size, image_size, network.channels)
    random = np.random.RandomState(0)
    logits, _ = network_fn(tf.constant(random.rand(*shape).astype(np.float32)))
    labels = tf.constant(random.randint(0, num_classes, batch_size))
    tf.losses.sparse_softmax_cross_entropy(labels, logits)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        optimizer = chosen.scaled(tf.train.MomentumOptimizer(0.01, 0.9))
        step = optimizer.minimize(tf.losses.get_total_loss())
    session = tf.Session(config=chosen.configure(_session_config()))
    session.run(tf.global_variables_initializer())

    def work() -> int:
        session.run(step)
        return batch_size

    return work


def slim_inference(model_name: str, batch_size: int, image_size: int) -> Work:
    """Runs a frozen network of random weights on images of noise."""
    import numpy as np

    from nets import nets_factory
    from slim_internal.ground.compat import tf

    with tf.Graph().as_default(), tf.Session(config=_session_config()) as session:
        images = tf.placeholder(tf.float32, [None, image_size, image_size, 3], name="input")
        logits, _ = nets_factory.get_network_fn(model_name, 1000)(images)
        session.run(tf.global_variables_initializer())
        frozen = tf.graph_util.convert_variables_to_constants(
            session, session.graph_def, [logits.op.name]
        )
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(frozen, name="")
    session = tf.Session(graph=graph, config=_session_config())
    values = np.random.RandomState(0).rand(batch_size, image_size, image_size, 3)
    values = values.astype(np.float32)

    def work() -> int:
        session.run(logits.name, {"input:0": values})
        return batch_size

    return work


def _keras_model(application: str | None, image_size: int, num_classes: int):
    import keras

    if application:
        return getattr(keras.applications, application)(
            weights=None,
            input_shape=(image_size, image_size, 3),
            classes=num_classes,
            classifier_activation=None,
        )
    layers = keras.layers  # LeNet as slim has it.
    return keras.Sequential(
        [
            keras.Input((image_size, image_size, 1)),
            layers.Conv2D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2, 2),
            layers.Conv2D(64, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2, 2),
            layers.Flatten(),
            layers.Dense(1024, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(num_classes),
        ]
    )


def keras_step(application: str | None, batch_size: int, image_size: int, num_classes: int) -> Work:
    """Makes a training step of Keras' network of the same name, its data on the device."""
    import keras
    import numpy as np
    import tensorflow as tf

    model = _keras_model(application, image_size, num_classes)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss)
    random = np.random.RandomState(0)
    images = tf.constant(random.rand(batch_size, *model.input_shape[1:]).astype(np.float32))
    labels = tf.constant(random.randint(0, num_classes, batch_size))

    def work() -> int:
        model.train_on_batch(images, labels)
        return batch_size

    return work


def keras_inference(application: str, batch_size: int, image_size: int) -> Work:
    """Runs Keras' network of the same name."""
    import numpy as np

    model = _keras_model(application, image_size, 1000)
    images = np.random.RandomState(0).rand(batch_size, image_size, image_size, 3)
    images = images.astype(np.float32)

    def work() -> int:
        model.predict_on_batch(images)
        return batch_size

    return work


def _torch_model(name: str):
    torch, torchvision = map(importlib.import_module, ("torch", "torchvision"))

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = getattr(torchvision.models, name)(weights=None)
    return model.to(device=device, memory_format=torch.channels_last), device


def _torch_images(batch_size: int, image_size: int, device: str):
    torch = importlib.import_module("torch")  # Not of the lock: whoever has it compares.

    images = torch.rand(batch_size, 3, image_size, image_size, device=device)
    return images.to(memory_format=torch.channels_last)


def torch_step(name: str, batch_size: int, image_size: int, on_gpu: bool = False) -> Work:
    """Makes a training step of torchvision's network, channels last; autocast on a GPU."""
    torch = importlib.import_module("torch")

    if on_gpu and not torch.cuda.is_available():
        raise NotHereError("PyTorch finds no GPU")
    model, device = _torch_model(name)
    images = _torch_images(batch_size, image_size, device)
    labels = torch.randint(0, 1000, (batch_size,), device=device)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=4e-5)
    scaler = torch.amp.GradScaler(device, enabled=device == "cuda")

    def work() -> int:
        with torch.autocast(device, torch.float16, enabled=device == "cuda"):
            outputs = model(images)
            outputs = getattr(outputs, "logits", outputs)
            loss = torch.nn.functional.cross_entropy(outputs, labels)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if device == "cuda":
            torch.cuda.synchronize()
        return batch_size

    return work


def torch_inference(name: str, batch_size: int, image_size: int) -> Work:
    """Runs torchvision's network, channels last."""
    torch = importlib.import_module("torch")

    model, device = _torch_model(name)
    model.eval()
    images = _torch_images(batch_size, image_size, device)

    def work() -> int:
        with torch.inference_mode():
            model(images).cpu()
        return batch_size

    return work


def copy_bytes(size: int = 64 << 20) -> Work:
    """Copies memory: how fast the machine is at the time."""
    import numpy as np

    source = np.zeros(size, np.uint8)
    target = np.empty_like(source)
    counter = itertools.count()

    def work() -> int:
        source[next(counter) % size] = 1
        np.copyto(target, source)
        return 1

    return work
