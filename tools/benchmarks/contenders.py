"""What the benchmarks let compete: each a function that prepares it and returns the work.

The work is a function that does some of it and returns how many images that were. Every contender
runs in a process of its own and imports its own library, for they do not bear each other. Here are
those of TensorFlow; PyTorch's are in `torch_contenders`.
"""

import contextlib
import functools
import io
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

Work = Callable[[], int]

_PHOTOGRAPHS = 64
_PHOTOGRAPH_SIZE = (500, 375)  # As those of ImageNet are on average.
_INPUT_BATCH = 32


@functools.cache
def jpegs() -> tuple[bytes, ...]:
    """Returns JPEGs of about 76 kB with edges and smooth parts."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    files = []
    for _ in range(_PHOTOGRAPHS):
        image = Image.new("RGB", _PHOTOGRAPH_SIZE)
        for cells, weight in ((6, 1.0), (40, 0.5), (250, 0.2)):
            noise = random.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8)
            layer = Image.fromarray(noise).resize(image.size, Image.Resampling.BICUBIC)
            image = Image.blend(image, layer, weight)
        data = io.BytesIO()
        image.save(data, "jpeg", quality=92)
        files.append(data.getvalue())
    return tuple(files)


@functools.cache
def _photographs() -> str:
    """Writes the JPEGs into a file of TFRecords and returns its path."""
    from datasets.storage import example, tfrecords

    width, height = _PHOTOGRAPH_SIZE
    path = pathlib.Path(tempfile.mkdtemp()) / "photographs"
    with tfrecords.ShardWriter(path) as writer:
        for label, data in enumerate(jpegs()):
            writer.write(example.image_example(data, b"jpg", height, width, label))
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


def read_images(
    preprocessing: str | None,
    is_training: bool,
    *,
    num_threads: int | None = None,
    cache: bool = False,
    keep_memory: bool = True,
) -> Work:
    """Reads, decodes and prepares photographs at 224 pixels.

    Args:
      preprocessing: Its name; None stands for decoding alone.
      is_training: Whether to prepare them at random.
      num_threads: Threads that prepare them; None takes one for each CPU, as the programs do.
      cache: Whether training keeps decoded images.
      keep_memory: As in `slim_step`.
    """
    from preprocessing import preprocessing_factory
    from slim_internal.ground.compat import tf
    from slim_internal.parts.input_pipeline import batches as input_pipeline
    from slim_internal.parts.input_pipeline import in_memory

    dataset = _dataset()
    if preprocessing is None:
        prepare = lambda image: tf.cast(image[0, 0], tf.float32)  # noqa: E731
    else:
        preprocess = preprocessing_factory.get_preprocessing(preprocessing, is_training)
        prepare = preprocessing_factory.sized(preprocess, 224, 224)
    threads = input_pipeline.threads(num_threads)
    if is_training:
        kept = None
        if cache:
            kept = in_memory.load(dataset, prepare, max_mb=2000, num_threads=threads)
        batches = input_pipeline.training_batches(
            dataset, prepare, batch_size=_INPUT_BATCH, seed=0, kept=kept, num_threads=threads
        )
    else:
        batches = input_pipeline.evaluation_batches(
            dataset, prepare, batch_size=_INPUT_BATCH, num_threads=threads
        ).repeat()
    batch = tf.data.make_one_shot_iterator(batches).get_next()
    session = tf.Session(config=_session_config(keep_memory))

    def work() -> int:
        session.run(batch["image"].op)
        return _INPUT_BATCH

    return work


def _session_config(keep_memory: bool = True):
    from deployment import sessions

    # The other one leaves the allocator as it is, and GPUs alone.
    return sessions.config() if keep_memory else sessions.cpu_config()


def _precision(on_gpu: bool = False, mixed_precision: bool = False, xla: bool = False):
    """Returns the precision that is asked for, if this machine has what it needs."""
    from deployment import precision, sessions
    from deployment.settings import PrecisionSettings

    if on_gpu and not sessions.gpus():
        raise NotHereError("TensorFlow finds no GPU")
    return precision.choose(PrecisionSettings(mixed_precision=mixed_precision, xla=xla))


def evaluate_images(model_name: str, batch_size: int) -> Work:
    """Reads photographs and runs a network on them, as `eval_image_classifier` does."""
    from nets import nets_factory
    from preprocessing import preprocessing_factory
    from slim_internal.ground.compat import tf
    from slim_internal.parts.inference import folding
    from slim_internal.parts.input_pipeline import batches as input_pipeline

    network = nets_factory.get_network(model_name)
    preprocess = preprocessing_factory.get_preprocessing(network.preprocessing)
    size = network.default_image_size
    batches = input_pipeline.evaluation_batches(
        _dataset(),
        preprocessing_factory.sized(preprocess, size, size),
        batch_size=batch_size,
        num_threads=input_pipeline.threads(None),
    )
    images = tf.data.make_one_shot_iterator(batches.repeat()).get_next()["image"]
    graph_def, weights, logits = _folded(model_name, size)
    outputs, initialize = folding.add(graph_def, weights, {"input:0": images}, [logits])
    session = tf.Session(config=_session_config())
    initialize(session)
    return lambda: len(session.run(outputs)[0])


def train_on_digits(cache: bool) -> Work:
    """Makes steps of LeNet on the handwritten digits, as `train_image_classifier` does."""
    from datasets import dataset_factory
    from datasets.conversion import convert
    from datasets.conversion.settings import Conversion
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
    return _train(config, dataset_factory.open_split(config, "train"), _precision())


def train_on_photographs(
    model_name: str,
    batch_size: int,
    *,
    on_gpu: bool = False,
    mixed_precision: bool = False,
    xla: bool = False,
) -> Work:
    """Makes steps on JPEGs, as `train_image_classifier` does; arguments as in `slim_step`."""
    from slim_internal.programs.training.settings import TrainConfig

    chosen = _precision(on_gpu, mixed_precision, xla)
    config = TrainConfig(
        dataset_dir=os.path.dirname(_photographs()),
        model_name=model_name,
        batch_size=batch_size,
        optimizer="momentum",
    )
    return _train(config, _dataset(), chosen)


def _train(config, dataset, chosen) -> Work:
    """Returns the work of a training program: its step with its input."""
    from nets import nets_factory
    from slim_internal.ground.compat import tf
    from slim_internal.programs.training import graph

    network = nets_factory.get_network(config.model_name)
    training = graph.build(config, network, dataset, 0, chosen)
    session = tf.Session(config=chosen.configure(_session_config()))
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
    model_name: str,
    batch_size: int,
    image_size: int,
    num_classes: int,
    *,
    on_gpu: bool = False,
    mixed_precision: bool = False,
    xla: bool = False,
    keep_memory: bool = True,
) -> Work:
    """Makes a training step with momentum on images of noise.

    Args:
      model_name: The network.
      batch_size: Images of a step.
      image_size: Their height and width.
      num_classes: Number of classes.
      on_gpu: Whether it needs a GPU.
      mixed_precision: Whether to compute in mixed precision.
      xla: Whether XLA compiles it.
      keep_memory: Whether the allocator keeps what a step frees, as in the programs.
    """
    import numpy as np

    from nets import nets_factory
    from slim_internal.ground.compat import gpu_operations, tf

    chosen = _precision(on_gpu, mixed_precision, xla)
    network = nets_factory.get_network(model_name)
    network_fn = nets_factory.get_network_fn(model_name, num_classes, 4e-5, is_training=True)
    shape = (batch_size, image_size, image_size, network.channels)
    random = np.random.RandomState(0)
    with gpu_operations.fast() if on_gpu else contextlib.nullcontext():  # As training does.
        logits, _ = network_fn(tf.constant(random.rand(*shape).astype(np.float32)))
    labels = tf.constant(random.randint(0, num_classes, batch_size))
    tf.losses.sparse_softmax_cross_entropy(labels, logits)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        optimizer = chosen.scaled(tf.train.MomentumOptimizer(0.01, 0.9))
        step = optimizer.minimize(tf.losses.get_total_loss())
    session = tf.Session(config=chosen.configure(_session_config(keep_memory)))
    session.run(tf.global_variables_initializer())

    def work() -> int:
        session.run(step)
        return batch_size

    return work


def _folded(model_name: str, image_size: int):
    """Returns a graph, its random weights as `folding` has them, and the name of its logits.

    The tensor of its images is called "input:0".
    """
    from nets import nets_factory
    from slim_internal.ground.compat import tf
    from slim_internal.parts.inference import folding

    with tf.Graph().as_default(), tf.Session(config=_session_config()) as session:
        images = tf.placeholder(tf.float32, [None, image_size, image_size, 3], name="input")
        logits, _ = nets_factory.get_network_fn(model_name, 1000)(images)
        session.run(tf.global_variables_initializer())
        graph_def, weights = folding.taken(session, logits.op.name)
    return folding.fold(graph_def, weights, logits.op.name), weights, logits.name


def slim_inference(model_name: str, batch_size: int, image_size: int) -> Work:
    """Runs a network of random weights on images of noise, as it is exported and opened."""
    import numpy as np

    from deployment import sessions
    from slim_internal.ground.compat import tf
    from slim_internal.parts.inference import folding

    graph_def, weights, logits = _folded(model_name, image_size)
    folding.insert(graph_def, weights)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    session = tf.Session(graph=graph, config=sessions.constants_config())
    values = np.random.RandomState(0).rand(batch_size, image_size, image_size, 3)
    values = values.astype(np.float32)

    def work() -> int:
        session.run(logits, {"input:0": values})
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
