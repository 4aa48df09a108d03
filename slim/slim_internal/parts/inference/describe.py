"""Puts together what has to be known to use a network, from its record and its dataset."""

from datasets import dataset_factory
from nets import nets_factory
from nets.network import Network
from slim_internal.ground.compat import slim
from slim_internal.ground.errors import UserError
from slim_internal.parts.checkpoints import latest, restore, run_record
from slim_internal.parts.inference.description import ModelDescription
from slim_internal.parts.inference.settings import GraphSettings


def from_settings(config: GraphSettings, num_frames: int | None = None) -> ModelDescription:
    """Describes the network that the settings of a program name; see `describe`.

    Args:
      config: The settings, completed by the record of the run that the weights are from.
      num_frames: Frames of a clip, for networks that read clips.
    """
    record = run_record.find(config.checkpoint_path) if config.checkpoint_path else None
    if record and record.is_of(config):
        classes = record.num_classes, record.class_names
    else:
        classes = dataset_factory.known_classes(config)
    return describe(
        config.model_name,
        config.dataset_name,
        config.dataset_dir,
        checkpoint_path=config.checkpoint_path,
        labels_offset=config.labels_offset,
        image_size=config.image_size,
        preprocessing_name=config.preprocessing_name,
        channels=config.channels,
        num_frames=num_frames,
        classes=classes,
        record=record,
    )


def describe(
    model_name: str,
    dataset_name: str,
    dataset_dir: str = "",
    *,
    checkpoint_path: str | None = None,
    labels_offset: int = 0,
    image_size: int | None = None,
    preprocessing_name: str | None = None,
    channels: int | None = None,
    num_frames: int | None = None,
    dataset: slim.dataset.Dataset | None = None,
    classes: tuple[int, tuple[str, ...]] | None = None,
    record: run_record.RunRecord | None = None,
) -> ModelDescription:
    """Describes a network as it classifies a dataset.

    Args:
      model_name: Name of the network.
      dataset_name: Dataset that tells the number of classes and their names.
      dataset_dir: Folder with the converted dataset; may be empty where the classes are fixed.
      checkpoint_path: The weights, if there are any; they tell how many channels it reads.
      labels_offset: Number of classes that the network leaves out at the beginning.
      image_size: Height and width in pixels; the network's own unless given.
      preprocessing_name: Name of the preprocessing; that of the network unless given.
      channels: Channels of the images; those of the weights, or the network's own, unless given.
      num_frames: Frames of a clip, for networks that read clips.
      dataset: A split of the dataset, where it is open already.
      classes: Number of its classes and their names, where they are known already.
      record: What the weights were trained with, if that is known.

    Raises:
      UserError: If a name is unknown, the classes cannot be known without `dataset_dir`, or they
        are others than those of the record.
    """
    network = nets_factory.get_network(model_name)
    if classes is None and dataset is None and dataset_dir:
        dataset = dataset_factory.get_dataset(dataset_name, "train", dataset_dir)
    if classes is None:
        classes = classes_of(dataset) if dataset else _published_classes(dataset_name)
    num_classes, names = classes
    if record:
        source = f"--dataset_dir={dataset_dir}" if dataset_dir else f"dataset {dataset_name}"
        record.require_classes(num_classes, names, source)
    return ModelDescription(
        model_name=model_name,
        preprocessing_name=preprocessing_name or network.preprocessing,
        image_size=image_size or network.default_image_size,
        channels=_channels(network, checkpoint_path, channels),
        num_classes=nets_factory.classes_after_offset(num_classes, labels_offset),
        class_names=nets_factory.names_after_offset(names, labels_offset),
        num_frames=_num_frames(network, num_frames),
    )


def classes_of(dataset: slim.dataset.Dataset) -> tuple[int, tuple[str, ...]]:
    """Returns how many classes a dataset has, and their names by label if they are known."""
    names = getattr(dataset, "labels_to_names", None) or {}  # tf_slim sets it only if given.
    labels = range(dataset.num_classes if names else 0)
    return dataset.num_classes, tuple(names.get(label, str(label)) for label in labels)


def _published_classes(dataset_name: str) -> tuple[int, tuple[str, ...]]:
    """Returns the same of a dataset whose classes are fixed, without its files."""
    record = dataset_factory.get_record(dataset_name)
    if record.num_classes is None:
        raise UserError(
            f"The number of classes of {dataset_name} is stored with its files: give --dataset_dir."
        )
    return record.num_classes, record.class_names


def _channels(network: Network, checkpoint_path: str | None, given: int | None) -> int:
    """Returns how many channels the weights were trained on, or what else is known."""
    if checkpoint_path:
        checkpoint = latest.find(checkpoint_path)
        kernel = restore.saved_shapes(checkpoint).get(network.first_conv)
        if kernel and given not in (None, kernel[-2]):
            raise UserError(
                f"--channels={given} contradicts {checkpoint}, whose {network.first_conv} reads"
                f" images of {kernel[-2]} channels: leave out the flag, or name other weights with"
                " --checkpoint_path."
            )
        given = kernel[-2] if kernel else given
    return given or network.channels


def _num_frames(network: Network, num_frames: int | None) -> int | None:
    if num_frames and not network.num_frames:
        raise UserError(f"{network.name} reads images, not clips; leave out --num_frames.")
    return num_frames or network.num_frames
