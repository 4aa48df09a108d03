"""The one body of NASNet and PNASNet: a stem, a stack of cells, a classifier.

The two families differ in their cells, and in what halves the feature map: NASNet has a cell of
its own for that, PNASNet builds its only cell with stride 2.
"""

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator

from nets import checks
from nets.end_points import Layer, build, hidden, layer
from nets.nasnet import nasnet_utils
from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf

# Smaller images would give two neighbouring feature maps of one size, and other variables.
CIFAR_MIN_IMAGE_SIZE = 3
IMAGENET_MIN_IMAGE_SIZE = 19

# Counted for drop path however many there are, as in the original.
_NUM_REDUCTION_CELLS = 2
_NUM_STEM_CELLS = 2


@dataclasses.dataclass
class Config:
    """What makes a network of a pair of cells; stands in for the HParams of TensorFlow 1.

    Attributes:
      stem_multiplier: Factor on the channels of the first convolution.
      drop_path_keep_prob: Probability that an example keeps a path of the last cell at the end of
        training; 1 switches drop path off.
      num_cells: Number of cells that keep the size of the feature map (NASNet), or of all cells
        after the stem (PNASNet).
      use_aux_head: Whether training gets an auxiliary classifier, two thirds up the network.
      num_conv_filters: Channels of the states of the first cell.
      dense_dropout_keep_prob: Fraction of the features that dropout keeps before the classifier.
      filter_scaling_rate: Factor on the channels where the feature map is halved.
      num_reduction_layers: How often it is halved after the stem.
      data_format: "NHWC" or "NCHW"; images are given as "NHWC" in either case.
      skip_reduction_layer_input: Where cells take their second input around a reduction. NASNet:
        whether the cell after it passes over the reduction cell. PNASNet: whether the cell that
        reduces takes the output of the last cell but one, as all others do; otherwise it takes the
        second input of the cell before it once more.
      total_training_steps: Steps until drop path has its full effect.
      use_bounded_activation: Whether activations end at 6, for arithmetic of few bits.
    """

    stem_multiplier: float
    drop_path_keep_prob: float
    num_cells: int
    num_conv_filters: int
    dense_dropout_keep_prob: float
    skip_reduction_layer_input: int
    total_training_steps: int
    use_aux_head: int = 1
    filter_scaling_rate: float = 2.0
    num_reduction_layers: int = 2
    data_format: str = "NHWC"
    use_bounded_activation: bool = False

    def set_hparam(self, name, value):
        """Sets the attribute `name`.

        Raises:
          errors.UserError: if there is no such attribute.
        """
        if name not in self.values():
            raise errors.unknown("setting of the network", name, self.values())
        setattr(self, name, value)

    def values(self) -> dict:
        """Returns the attributes by name."""
        return dataclasses.asdict(self)


def cells_arg_scope(
    weight_decay: float, batch_norm_decay: float, batch_norm_epsilon: float
) -> dict:
    """Returns the arg scope of every network of cells.

    Args:
      weight_decay: Factor of the L2 loss on weights, depthwise ones included.
      batch_norm_decay: Fraction of the old moving average that an update keeps.
      batch_norm_epsilon: Added to variances before dividing.
    """
    with (
        slim.arg_scope(
            [slim.fully_connected, slim.conv2d, slim.separable_conv2d],
            weights_regularizer=slim.l2_regularizer(weight_decay),
            weights_initializer=slim.variance_scaling_initializer(mode="FAN_OUT"),
            activation_fn=None,
        ),
        slim.arg_scope([slim.fully_connected], scope="FC"),
        slim.arg_scope([slim.conv2d, slim.separable_conv2d], biases_initializer=None),
        slim.arg_scope(
            [slim.batch_norm],
            decay=batch_norm_decay,
            epsilon=batch_norm_epsilon,
            scale=True,
            fused=True,
        ) as scope,
    ):
        return scope


def build_network(
    images,
    num_classes,
    is_training,
    config: Config,
    *,
    normal_cell: Callable,
    reduction_cell: Callable | None = None,
    stem: str = "imagenet",
    final_endpoint: str | None = None,
    current_step=None,
):
    """Builds a network of cells.

    Args:
      images: `[batch, height, width, channels]`, height and width known.
      num_classes: Number of classes; 0 or None leaves the classifiers out.
      is_training: Whether batch norm, dropout and drop path work as in training, and whether
        there is an auxiliary classifier.
      config: What the network is made of; it is not changed.
      normal_cell: Class of the cell that keeps the size of the feature map.
      reduction_cell: Class of the cell that halves it; None means `normal_cell` with stride 2.
      stem: What comes first: for "imagenet" a strided convolution and two cells that halve the
        feature map, for "cifar" a convolution.
      final_endpoint: Name of the last layer to build; None builds all of them.
      current_step: Step of training for the schedule of drop path; None means the global step.

    Returns:
      The logits `[batch, num_classes]` (or the output of `final_endpoint`; the averaged features
      without classifier), and a dict of end points.

    Raises:
      errors.UserError: for images or a `final_endpoint` that the network has no use for.
    """
    is_imagenet = stem == "imagenet"
    checks.images(images, IMAGENET_MIN_IMAGE_SIZE if is_imagenet else CIFAR_MIN_IMAGE_SIZE)
    checks.known_size(images)
    if not is_training:
        config = copy.copy(config)  # Callers may bring a configuration of a class of their own.
        config.drop_path_keep_prob = 1.0
    if config.data_format == nasnet_utils.DATA_FORMAT_NCHW:
        images = tf.transpose(images, [0, 3, 1, 2])
    num_cells = (
        config.num_cells
        + (_NUM_REDUCTION_CELLS if reduction_cell else 0)
        + (_NUM_STEM_CELLS if is_imagenet else 0)
    )
    cells = (
        cell
        and cell(
            config.num_conv_filters,
            config.drop_path_keep_prob,
            num_cells,
            config.total_training_steps,
            config.use_bounded_activation,
        )
        for cell in (normal_cell, reduction_cell)
    )
    with _scopes(config, is_training):
        return build_from_cells(
            images, *cells, num_classes, config, is_training, stem, final_endpoint, current_step
        )


def build_from_cells(
    images,
    normal_cell,
    reduction_cell,
    num_classes,
    hparams,
    is_training,
    stem_type,
    final_endpoint=None,
    current_step=None,
):
    """Builds a network of given cells, within the arg scopes of the caller.

    Arguments and results are those of `build_network`, but for the cells, which are functions of
    (net, scope, filter_scaling, stride, prev_layer, cell_num, current_step), and for the images,
    which are in the data format of `hparams`, the configuration.
    """
    trunk = _Trunk(hparams, normal_cell, reduction_cell, stem_type == "imagenet", current_step)
    aux_classes = num_classes if is_training and hparams.use_aux_head else None
    layers = [*trunk.layers(aux_classes), layer("global_pool", _pool, hparams)]
    net, end_points = build(images, layers, final_endpoint)
    end_points |= trunk.aux_end_points
    if num_classes and final_endpoint is None:
        net = _classify(net, num_classes, hparams, end_points)
    return net, end_points


def _reductions(config) -> list[int]:
    return nasnet_utils.calc_reduction_layers(config.num_cells, config.num_reduction_layers)


@contextlib.contextmanager
def _scopes(config: Config, is_training: bool):
    """Enters the arg scopes that make layers work as in training, and in the data format."""
    with (
        slim.arg_scope(
            [slim.dropout, nasnet_utils.drop_path, slim.batch_norm], is_training=is_training
        ),
        slim.arg_scope(
            [
                slim.avg_pool2d,
                slim.max_pool2d,
                slim.conv2d,
                slim.batch_norm,
                slim.separable_conv2d,
                nasnet_utils.factorized_reduction,
                nasnet_utils.global_avg_pool,
                nasnet_utils.get_channel_index,
                nasnet_utils.get_channel_dim,
            ],
            data_format=config.data_format,
        ),
    ):
        yield


class _Trunk:
    """The layers up to the last cell; each cell sees the outputs of the two before it."""

    def __init__(self, config, normal_cell, reduction_cell, is_imagenet, current_step):
        self.aux_end_points = {}
        self._outputs = [None]  # There is nothing before the first convolution.
        self._second = None  # The second input of the last cell.
        self._config = config
        self._is_imagenet = is_imagenet
        self._current_step = current_step
        self._reductions = _reductions(config)
        self._normal_cell, self._reduction_cell = normal_cell, reduction_cell

    def layers(self, aux_classes: int | None) -> Iterator[Layer]:
        """Yields the layers, and the auxiliary classifier before the second reduction."""
        config = self._config
        yield from self._stem()
        aux_cell = self._reductions[1] - 1 if aux_classes and len(self._reductions) > 1 else None
        scaling = 1.0
        for number in range(config.num_cells):
            how = {"stride": 1}
            if number in self._reductions:
                scaling *= config.filter_scaling_rate
                if self._reduction_cell:
                    name = f"Reduction_Cell_{self._reductions.index(number)}"
                    yield layer(name, self._build, self._reduction_cell, scaling, stride=2)
                    how["skip"] = config.skip_reduction_layer_input
                else:
                    how["stride"] = 2
                    how["keep_second"] = not config.skip_reduction_layer_input
            yield layer(f"Cell_{number}", self._build, self._normal_cell, scaling, **how)
            if number == aux_cell:
                yield hidden(f"aux_{number}", self._aux_head, aux_classes)

    def _stem(self) -> Iterator[Layer]:
        config = self._config
        if self._is_imagenet:
            filters = int(32 * config.stem_multiplier)
            yield hidden("conv0", self._first, filters, "conv0_bn", stride=2, padding="VALID")
            cell = self._reduction_cell or self._normal_cell
            for number in range(_NUM_STEM_CELLS):
                scaling = config.filter_scaling_rate ** (number - _NUM_STEM_CELLS)
                yield hidden(f"cell_stem_{number}", self._build, cell, scaling, stride=2)
        else:
            filters = int(config.num_conv_filters * config.stem_multiplier)
            yield hidden("l1_stem_3x3", self._first, filters, "l1_stem_bn")
        yield layer("Stem", lambda net, scope: net)

    def _first(self, net, filters, batch_norm_scope, scope, **kwargs):
        net = slim.conv2d(net, filters, 3, scope=scope, **kwargs)
        net = slim.batch_norm(net, scope=batch_norm_scope)
        self._outputs.append(net)
        return net

    def _build(self, net, cell, filter_scaling, scope, stride, *, skip=False, keep_second=False):
        """Adds a cell; `skip` and `keep_second` move its second input, see `Config`."""
        if not keep_second:
            self._second = self._outputs[-3 if skip else -2]
        net = cell(
            net,
            scope=scope.lower(),
            filter_scaling=filter_scaling,
            stride=stride,
            prev_layer=self._second,
            cell_num=len(self._outputs) - 2,
            current_step=self._current_step,
        )
        self._outputs.append(net)
        return net

    def _aux_head(self, net, num_classes, scope):
        bounded = self._config.use_bounded_activation
        with tf.variable_scope(scope), tf.variable_scope("aux_logits"):
            aux = nasnet_utils.activation(net, bounded)
            window = [min(side, 5) for side in nasnet_utils.spatial_size(aux)]
            aux = slim.avg_pool2d(aux, window, stride=3, padding="VALID")
            aux = slim.conv2d(aux, 128, 1, scope="proj")
            aux = slim.batch_norm(aux, scope="aux_bn0")
            aux = nasnet_utils.activation(aux, bounded)
            aux = slim.conv2d(aux, 768, nasnet_utils.spatial_size(aux), padding="VALID")
            aux = slim.batch_norm(aux, scope="aux_bn1")
            aux = slim.flatten(nasnet_utils.activation(aux, bounded))
            self.aux_end_points["AuxLogits"] = slim.fully_connected(aux, num_classes)
        return net


def _pool(net, config, scope):
    del scope  # It shares that of the classifier.
    with tf.name_scope("final_layer"):
        net = nasnet_utils.activation(net, config.use_bounded_activation)
        return nasnet_utils.global_avg_pool(net)


def _classify(net, num_classes, config, end_points):
    name_scope = net.op.name.rpartition("/")[0]  # Goes on where the pooling stopped.
    with (
        tf.variable_scope("final_layer", auxiliary_name_scope=False),
        tf.name_scope(f"{name_scope}/"),
    ):
        net = slim.dropout(net, config.dense_dropout_keep_prob, scope="dropout")
        logits = end_points["Logits"] = slim.fully_connected(net, num_classes)
        end_points["Predictions"] = tf.nn.softmax(logits, name="predictions")
    return logits
