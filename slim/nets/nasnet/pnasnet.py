"""PNASNet-5: one cell found by progressive architecture search (arXiv:1712.00559)."""

from nets.nasnet import nasnet_utils
from nets.nasnet.cell_network import (
    IMAGENET_MIN_IMAGE_SIZE,
    Config,
    build_network,
    cells_arg_scope,
)
from nets.network import Checkpoint, Network

_CELL = nasnet_utils.recipe(
    combinations=[
        ((1, "separable_5x5_2"), (1, "max_pool_3x3")),
        ((0, "separable_7x7_2"), (0, "max_pool_3x3")),
        ((0, "separable_5x5_2"), (0, "separable_3x3_2")),
        ((4, "separable_3x3_2"), (0, "max_pool_3x3")),
        ((1, "separable_3x3_2"), (0, "none")),
    ],
    concatenated=[2, 3, 4, 5, 6],
)


class PNasNetNormalCell(nasnet_utils.NasNetABaseCell):
    """The cell of PNASNet-5; with stride 2 it halves the feature map."""

    def __init__(
        self,
        num_conv_filters,
        drop_path_keep_prob,
        total_num_cells,
        total_training_steps,
        use_bounded_activation=False,
    ):
        super().__init__(
            num_conv_filters,
            drop_path_keep_prob=drop_path_keep_prob,
            total_num_cells=total_num_cells,
            total_training_steps=total_training_steps,
            use_bounded_activation=use_bounded_activation,
            **_CELL,
        )


def large_imagenet_config():
    """Returns the configuration of the large ImageNet network."""
    return Config(
        stem_multiplier=3.0,
        drop_path_keep_prob=0.6,
        num_cells=12,
        num_conv_filters=216,
        dense_dropout_keep_prob=0.5,
        skip_reduction_layer_input=1,
        total_training_steps=250000,
    )


def mobile_imagenet_config():
    """Returns the configuration of the ImageNet network for mobile devices."""
    return Config(
        stem_multiplier=1.0,
        drop_path_keep_prob=1.0,
        num_cells=9,
        num_conv_filters=54,
        dense_dropout_keep_prob=0.5,
        skip_reduction_layer_input=1,
        total_training_steps=250000,
    )


def pnasnet_large_arg_scope(weight_decay=4e-5, batch_norm_decay=0.9997, batch_norm_epsilon=0.001):
    """Returns the arg scope of `build_pnasnet_large`; see `cells_arg_scope`."""
    return cells_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def pnasnet_mobile_arg_scope(weight_decay=4e-5, batch_norm_decay=0.9997, batch_norm_epsilon=0.001):
    """Returns the arg scope of `build_pnasnet_mobile`; see `cells_arg_scope`."""
    return cells_arg_scope(weight_decay, batch_norm_decay, batch_norm_epsilon)


def build_pnasnet_large(images, num_classes, is_training=True, final_endpoint=None, config=None):
    """Builds PNASNet-5 (4 @ 4320), the large ImageNet network.

    Arguments and results are those of `build_pnasnet_mobile`, the configuration is
    `large_imagenet_config()`.
    """
    return build_network(
        images,
        num_classes,
        is_training,
        config or large_imagenet_config(),
        normal_cell=PNasNetNormalCell,
        final_endpoint=final_endpoint,
    )


def build_pnasnet_mobile(images, num_classes, is_training=True, final_endpoint=None, config=None):
    """Builds PNASNet-5 (3 @ 1080), the ImageNet network for mobile devices.

    Args:
      images: `[batch, height, width, channels]`; the published weights expect values in -1..1.
      num_classes: Number of classes; 0 or None leaves the classifiers out.
      is_training: Whether batch norm, dropout and drop path work as in training, and whether
        there is an auxiliary classifier.
      final_endpoint: Name of the last layer to build: `Stem`, `Cell_<i>` or `global_pool`; None
        builds all of them.
      config: What the network is made of; None means `mobile_imagenet_config()`.

    Returns:
      The logits `[batch, num_classes]` (the averaged features without a classifier), and a dict
      of end points.

    Raises:
      errors.UserError: for images or a `final_endpoint` that the network has no use for.
    """
    return build_network(
        images,
        num_classes,
        is_training,
        config or mobile_imagenet_config(),
        normal_cell=PNasNetNormalCell,
        final_endpoint=final_endpoint,
    )


build_pnasnet_large.default_image_size = 331
build_pnasnet_mobile.default_image_size = 224


def _network(name, builder, arg_scope, aux_scope, checkpoint):
    return Network(
        name=name,
        builder=builder,
        arg_scope=arg_scope,
        preprocessing="inception",
        paper="arXiv:1712.00559",
        classifier_scopes=("final_layer/FC", f"{aux_scope}/aux_logits/FC"),
        aux_scopes=(aux_scope,),
        first_conv="conv0/weights",
        min_image_size=IMAGENET_MIN_IMAGE_SIZE,
        checkpoints=(checkpoint,),
    )


_URL = (
    "https://storage.googleapis.com/download.tensorflow.org/models/pnasnet-5_{}_2017_12_13.tar.gz"
)

NETWORKS = (
    _network(
        "pnasnet_large",
        build_pnasnet_large,
        pnasnet_large_arg_scope,
        "aux_7",
        Checkpoint(
            url=_URL.format("large"), image_size=331, num_classes=1001, top1=82.9, top5=96.2
        ),
    ),
    _network(
        "pnasnet_mobile",
        build_pnasnet_mobile,
        pnasnet_mobile_arg_scope,
        "aux_5",
        Checkpoint(
            url=_URL.format("mobile"), image_size=224, num_classes=1001, top1=74.2, top5=91.9
        ),
    ),
)
