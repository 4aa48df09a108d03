"""The record that declares a network: everything the library knows of it, said once.

Each network file ends with its records (`NETWORKS`); the factory, the command line, the table in
docs/, the list of Bazel tests and the tests themselves read them. Numbers that follow from the
graph (parameters, multiply-adds) are computed from it and do not stand here.
"""

import dataclasses
from collections.abc import Callable

from slim_internal.ground import errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One published set of weights, with the accuracy its makers measured on ImageNet.

    Attributes:
      url: The archive that holds the checkpoint.
      image_size: Height and width in pixels of the images it was measured on.
      num_classes: Width of its last layer: 1001 with a background class, 1000 without.
      top1: Fraction of the validation images whose best guess was right, in percent, one crop.
      top5: The same for the best five guesses.
      depth_multiplier: Width multiplier the network has to be built with.
      finegrain_classification_mode: Whether it has to be built with this argument: its last layer
        keeps the width that it has in the network of multiplier 1.
      quantized: Whether it was trained with simulated 8-bit arithmetic.
    """

    url: str
    image_size: int
    num_classes: int
    top1: float | None = None
    top5: float | None = None
    depth_multiplier: float = 1.0
    finegrain_classification_mode: bool = False
    quantized: bool = False

    @property
    def archive(self) -> str:
        """File name of the archive."""
        return self.url.rpartition("/")[2]

    @property
    def arguments(self) -> dict:
        """Arguments of the network function that give its layers the widths of these weights."""
        arguments = {}
        if self.depth_multiplier != 1:
            arguments["depth_multiplier"] = self.depth_multiplier
        if self.finegrain_classification_mode:
            arguments["finegrain_classification_mode"] = True
        return arguments


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """One network that `nets_factory.get_network_fn` can build.

    Attributes:
      name: The name in the factory and on the command line.
      builder: Function of (images, num_classes, is_training, ...) -> (logits, end_points).
      arg_scope: Function of (weight_decay) -> arg scope the builder runs under.
      preprocessing: Name of the preprocessing the published weights were trained with.
      paper: Where the architecture was published: an arXiv id ("arXiv:1409.4842") or a citation.
      classifier_scopes: Scopes of the variables whose shape depends on the number of classes; a
        checkpoint restored into another number of classes must leave out exactly these.
      aux_scopes: Scopes of auxiliary heads, which only training needs.
      first_conv: Name of the kernel that reads the image, the one whose shape depends on the
        number of channels.
      num_classes: Classes of the published weights or of the usual dataset; 1000 means that they
        have no background class, see `labels_offset`.
      channels: Channels of the images that the published weights expect.
      min_image_size: Smallest height and width in pixels that the network accepts with a
        classifier on top.
      fixed_image_size: Whether the classifier accepts only the default size (a fully connected
        layer follows the feature map directly).
      num_frames: Frames of a clip for a network that reads [batch, frames, height, width,
        channels]; None for a network that reads images.
      checkpoints: The published weights.
    """

    name: str
    builder: Callable
    arg_scope: Callable
    preprocessing: str
    paper: str
    classifier_scopes: tuple[str, ...]
    first_conv: str
    min_image_size: int
    aux_scopes: tuple[str, ...] = ()
    num_classes: int = 1001
    channels: int = 3
    fixed_image_size: bool = False
    num_frames: int | None = None
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def default_image_size(self) -> int:
        """Height and width in pixels of the images that the network was designed for."""
        size = getattr(self.builder, "default_image_size", None)
        if size is None:
            raise errors.UserError(
                f"The network {self.name!r} does not say its image size: set the attribute"
                " default_image_size of its function, or give the image size by its flag."
            )
        return size

    @classmethod
    def of_function(cls, name: str, **facts) -> "Network":
        """Returns the record of a network of which only function and arg scope are known.

        Its preprocessing is the one of its own name, as in the original's scripts.
        """
        return cls(
            name=name,
            preprocessing=name,
            paper="",
            classifier_scopes=(),
            first_conv="",
            min_image_size=1,
            **facts,
        )

    @property
    def labels_offset(self) -> int:
        """What to subtract from ImageNet labels (1 to 1000) to get class numbers of the network."""
        return 1 if self.num_classes == 1000 else 0
