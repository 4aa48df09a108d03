"""NASNet-A: networks of cells found by architecture search (arXiv:1707.07012)."""

from nets.nasnet import nasnet_utils
from nets.nasnet.cell_network import (
    CIFAR_MIN_IMAGE_SIZE,
    IMAGENET_MIN_IMAGE_SIZE,
    Config,
    build_from_cells,
    build_network,
    cells_arg_scope,
)
from nets.network import Checkpoint, Network


def cifar_config():
    """Returns the configuration for images of 32 x 32 pixels."""
    return Config(
        stem_multiplier=3.0,
        drop_path_keep_prob=0.6,
        num_cells=18,
        num_conv_filters=32,
        dense_dropout_keep_prob=1.0,
        skip_reduction_layer_input=0,
        total_training_steps=937500,
    )


def large_imagenet_config():
    """Returns the configuration of the large ImageNet network."""
    return Config(
        stem_multiplier=3.0,
        drop_path_keep_prob=0.7,
        num_cells=18,
        num_conv_filters=168,
        dense_dropout_keep_prob=0.5,
        skip_reduction_layer_input=1,
        total_training_steps=250000,
    )


def mobile_imagenet_config():
    """Returns the configuration of the ImageNet network for mobile devices."""
    return Config(
        stem_multiplier=1.0,
        drop_path_keep_prob=1.0,
        num_cells=12,
        num_conv_filters=44,
        dense_dropout_keep_prob=0.5,
        skip_reduction_layer_input=0,
        total_training_steps=250000,
    )


def nasnet_cifar_arg_scope(weight_decay=5e-4, batch_norm_decay=0.9, batch_norm_epsilon=1e-5):
    """Returns the arg scope of `build_nasnet_cifar`; see `cells_arg_scope`."""
    return cells_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def nasnet_mobile_arg_scope(weight_decay=4e-5, batch_norm_decay=0.9997, batch_norm_epsilon=1e-3):
    """Returns the arg scope of `build_nasnet_mobile`; see `cells_arg_scope`."""
    return cells_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def nasnet_large_arg_scope(weight_decay=5e-5, batch_norm_decay=0.9997, batch_norm_epsilon=1e-3):
    """Returns the arg scope of `build_nasnet_large`; see `cells_arg_scope`."""
    return cells_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


# Client code builds networks of its own cells with it.
_build_nasnet_base = build_from_cells


def _build(images, num_classes, is_training, config, current_step, **kwargs):
    return build_network(
        images,
        num_classes,
        is_training,
        config,
        normal_cell=nasnet_utils.NasNetANormalCell,
        reduction_cell=nasnet_utils.NasNetAReductionCell,
        current_step=current_step,
        **kwargs,
    )


def build_nasnet_cifar(images, num_classes, is_training=True, config=None, current_step=None):
    """Builds NASNet-A for images of 32 x 32 pixels.

    Args:
      images: `[batch, height, width, channels]`.
      num_classes: Number of classes; 0 or None leaves the classifiers out.
      is_training: Whether batch norm and drop path work as in training, and whether there is an
        auxiliary classifier.
      config: What the network is made of; None means `cifar_config()`.
      current_step: Step of training for the schedule of drop path; None means the global step.

    Returns:
      The logits `[batch, num_classes]` (the averaged features without a classifier), and a dict
      of end points.

    Raises:
      errors.UserError: for images that the network has no use for.
    """
    config = config or cifar_config()
    return _build(images, num_classes, is_training, config, current_step, stem="cifar")


def build_nasnet_mobile(
    images,
    num_classes,
    is_training=True,
    final_endpoint=None,
    config=None,
    current_step=None,
):
    """Builds NASNet-A (4 @ 1056), the ImageNet network for mobile devices.

    Args:
      images: `[batch, height, width, channels]`; the published weights expect values in -1..1.
      num_classes: Number of classes; 0 or None leaves the classifiers out.
      is_training: Whether batch norm, dropout and drop path work as in training, and whether
        there is an auxiliary classifier.
      final_endpoint: Name of the last layer to build: `Stem`, `Cell_<i>`, `Reduction_Cell_<i>` or
        `global_pool`; None builds all of them.
      config: What the network is made of; None means `mobile_imagenet_config()`.
      current_step: Step of training for the schedule of drop path; None means the global step.

    Returns:
      The logits `[batch, num_classes]` (the averaged features without a classifier), and a dict
      of end points.

    Raises:
      errors.UserError: for images or a `final_endpoint` that the network has no use for.
    """
    config = config or mobile_imagenet_config()
    return _build(
        images, num_classes, is_training, config, current_step, final_endpoint=final_endpoint
    )


def build_nasnet_large(
    images,
    num_classes,
    is_training=True,
    final_endpoint=None,
    config=None,
    current_step=None,
):
    """Builds NASNet-A (6 @ 4032), the large ImageNet network.

    Arguments and results are those of `build_nasnet_mobile`, the configuration is
    `large_imagenet_config()`.
    """
    config = config or large_imagenet_config()
    return _build(
        images, num_classes, is_training, config, current_step, final_endpoint=final_endpoint
    )


build_nasnet_cifar.default_image_size = 32
build_nasnet_mobile.default_image_size = 224
build_nasnet_large.default_image_size = 331


_PAPER = "arXiv:1707.07012"

NETWORKS = (
    Network(
        name="nasnet_cifar",
        builder=build_nasnet_cifar,
        arg_scope=nasnet_cifar_arg_scope,
        preprocessing="cifarnet",
        paper=_PAPER,
        classifier_scopes=("final_layer/FC", "aux_11/aux_logits/FC"),
        aux_scopes=("aux_11",),
        first_conv="l1_stem_3x3/weights",
        num_classes=10,
        min_image_size=CIFAR_MIN_IMAGE_SIZE,
    ),
    Network(
        name="nasnet_mobile",
        builder=build_nasnet_mobile,
        arg_scope=nasnet_mobile_arg_scope,
        preprocessing="inception",
        paper=_PAPER,
        classifier_scopes=("final_layer/FC", "aux_7/aux_logits/FC"),
        aux_scopes=("aux_7",),
        first_conv="conv0/weights",
        min_image_size=IMAGENET_MIN_IMAGE_SIZE,
        checkpoints=(
            Checkpoint(
                url="https://storage.googleapis.com/download.tensorflow.org/models/"
                "nasnet-a_mobile_04_10_2017.tar.gz",
                image_size=224,
                num_classes=1001,
                top1=74.0,
                top5=91.6,
            ),
        ),
    ),
    Network(
        name="nasnet_large",
        builder=build_nasnet_large,
        arg_scope=nasnet_large_arg_scope,
        preprocessing="inception",
        paper=_PAPER,
        classifier_scopes=("final_layer/FC", "aux_11/aux_logits/FC"),
        aux_scopes=("aux_11",),
        first_conv="conv0/weights",
        min_image_size=IMAGENET_MIN_IMAGE_SIZE,
        checkpoints=(
            Checkpoint(
                url="https://storage.googleapis.com/download.tensorflow.org/models/"
                "nasnet-a_large_04_10_2017.tar.gz",
                image_size=331,
                num_classes=1001,
                top1=82.7,
                top5=96.2,
            ),
        ),
    ),
)
