"""The cells that NASNet-A and PNASNet-5 are stacked from (arXiv:1707.07012, arXiv:1712.00559).

A cell starts from two states, the output of the cell before and of the one before that. Five
times it picks two of its states, applies an operation to each, and adds the results to a new
state. Its output is the concatenation of some of them, most often those that nobody picked.
"""

import functools
import re

from slim_internal.ground import errors
from slim_internal.ground.compat import slim, tf

CLIP_BY_VALUE_CAP = 6
DATA_FORMAT_NHWC = "NHWC"
DATA_FORMAT_NCHW = "NCHW"
INVALID = "null"

_SEPARABLE = re.compile(r"separable_(?P<side>\d+)x\d+_(?P<repeats>\d+)$")
_POOLING = re.compile(r"(?P<kind>avg|max)_pool_(?P<side>\d+)x\d+$")


def calc_reduction_layers(num_cells, num_reduction_layers):
    """Returns the indices of the cells before which the feature map is halved."""
    parts = num_reduction_layers + 1
    return [num_cells * part // parts for part in range(1, parts)]


@slim.add_arg_scope
def get_channel_index(data_format=INVALID):
    """Returns the axis of the channels; the arg scope says which data format is in use."""
    return _axes(data_format)[0]


@slim.add_arg_scope
def get_channel_dim(shape, data_format=INVALID):
    """Returns the number of channels of a feature map of shape `shape`, which may be a list."""
    return tf.TensorShape(shape).as_list()[_axes(data_format)[0]]


@slim.add_arg_scope
def global_avg_pool(x, data_format=INVALID):
    """Averages a feature map over its height and width, giving `[batch, channels]`."""
    return tf.reduce_mean(x, _axes(data_format)[1])


def _axes(data_format: str) -> tuple[int, list[int]]:
    """Returns the axis of the channels, and those of height and width."""
    if data_format == DATA_FORMAT_NHWC:
        return 3, [1, 2]
    if data_format == DATA_FORMAT_NCHW:
        return 1, [2, 3]
    raise errors.unknown("data format", data_format, (DATA_FORMAT_NHWC, DATA_FORMAT_NCHW))


def spatial_size(net) -> list[int]:
    """Returns height and width of a feature map, whatever the data format."""
    shape = net.shape.as_list()
    del shape[get_channel_index()]
    return shape[1:]


def activation(net, use_bounded_activation: bool):
    """Applies ReLU; a bounded one, for arithmetic of few bits, ends at 6."""
    return tf.nn.relu6(net) if use_bounded_activation else tf.nn.relu(net)


@slim.add_arg_scope
def factorized_reduction(net, output_filters, stride, data_format=INVALID):
    """Shrinks a feature map without losing every other position.

    Half of the channels come from the even positions, the other half from the odd ones.

    Args:
      net: Feature map `[batch, h, w, c]`, or `[batch, c, h, w]`.
      output_filters: Channels of the result.
      stride: Factor by which height and width shrink; 1 is a plain 1x1 convolution.
      data_format: "NHWC" or "NCHW".

    Returns:
      The smaller feature map, sides rounded up.
    """
    channel_axis, (height, width) = _axes(data_format)
    if stride == 1:
        net = slim.conv2d(net, output_filters, 1, scope="path_conv")
        return slim.batch_norm(net, scope="path_bn")
    half = output_filters // 2
    even = slim.conv2d(net, half, 1, stride=stride, scope="path1_conv")
    # Shifts by one position; the row and column of zeros give an odd side its last window.
    paddings = [[0, 0] for _ in range(4)]
    paddings[height] = paddings[width] = [0, 1]
    start = [0] * 4
    start[height] = start[width] = 1
    shifted = tf.slice(tf.pad(net, paddings), start, [-1] * 4)
    odd = slim.conv2d(shifted, output_filters - half, 1, stride=stride, scope="path2_conv")
    net = tf.concat([even, odd], axis=channel_axis)
    return slim.batch_norm(net, scope="final_path_bn")


@slim.add_arg_scope
def drop_path(net, keep_prob, is_training=True):
    """Drops whole examples of a path, and scales the others so that the mean stays.

    Args:
      net: Feature map, the first axis the batch.
      keep_prob: Probability that an example is kept.
      is_training: Whether to drop at all.
    """
    if not is_training:
        return net
    noise = tf.random_uniform([tf.shape(net)[0], 1, 1, 1], dtype=net.dtype)
    keep_prob = tf.cast(keep_prob, net.dtype)
    return net * (tf.floor(keep_prob + noise) / keep_prob)


class NasNetABaseCell:
    """A cell: operations, and the states they work on.

    Args:
      num_conv_filters: Channels of the states at `filter_scaling` 1.
      operations: The operation on each side of each combination, left before right:
        `separable_<k>x<k>_<repeats>`, `avg_pool_<k>x<k>`, `max_pool_<k>x<k>` or `none`.
      used_hiddenstates: For each state, 1 to leave it out of the output and 0 to concatenate it.
      hiddenstate_indices: The state that each operation works on; 0 is the output of the cell
        before, 1 that of the one before that, 2 the first combination.
      drop_path_keep_prob: Probability that an example keeps the path through the last cell at the
        end of training; earlier cells and steps keep more.
      total_num_cells: Number of cells of the network.
      total_training_steps: Steps until `drop_path_keep_prob` is reached.
      use_bounded_activation: Whether activations end at 6.
    """

    def __init__(
        self,
        num_conv_filters,
        operations,
        used_hiddenstates,
        hiddenstate_indices,
        drop_path_keep_prob,
        total_num_cells,
        total_training_steps,
        use_bounded_activation=False,
    ):
        self._num_conv_filters = num_conv_filters
        self._operations = operations
        self._used_hiddenstates = used_hiddenstates
        self._hiddenstate_indices = hiddenstate_indices
        self._drop_path_keep_prob = drop_path_keep_prob
        self._total_num_cells = total_num_cells
        self._total_training_steps = total_training_steps
        self._use_bounded_activation = use_bounded_activation

    def __call__(
        self,
        net,
        scope=None,
        filter_scaling=1,
        stride=1,
        prev_layer=None,
        cell_num=-1,
        current_step=None,
    ):
        """Builds the cell.

        Args:
          net: Output of the cell before.
          scope: Scope of the variables.
          filter_scaling: Factor on the channels.
          stride: Stride of the operations that work on the two inputs.
          prev_layer: Output of the cell before the last; None means `net`.
          cell_num: Position in the network, for the schedule of drop path.
          current_step: Step of training, for the same; None means the global step.

        Returns:
          The feature map of the cell.
        """
        filters = int(self._num_conv_filters * filter_scaling)
        # One schedule for all paths of the cell, in the scope of the first that needs it.
        keep_prob = functools.cache(lambda: self._keep_prob(cell_num, current_step))
        picks = list(zip(self._hiddenstate_indices, self._operations, strict=True))
        with tf.variable_scope(scope):
            states = self._inputs(net, prev_layer, filters)
            for number, (left, right) in enumerate(zip(picks[::2], picks[1::2], strict=True)):
                with tf.variable_scope(f"comb_iter_{number}"):
                    with tf.variable_scope("left"):
                        left = self._path(states, *left, stride, filters, keep_prob)
                    with tf.variable_scope("right"):
                        right = self._path(states, *right, stride, filters, keep_prob)
                    with tf.variable_scope("combine"):
                        net = left + right
                        states.append(tf.nn.relu6(net) if self._use_bounded_activation else net)
            with tf.variable_scope("cell_output"):
                return self._concatenate(states)

    def _inputs(self, net, prev_layer, filters):
        """Returns the first two states, both `filters` wide and of one size."""
        prev_layer = self._match(prev_layer, net, filters)
        net = activation(net, self._use_bounded_activation)
        net = slim.conv2d(net, filters, 1, scope="1x1")
        return [slim.batch_norm(net, scope="beginning_bn"), prev_layer]

    def _match(self, prev_layer, net, filters):
        """Brings the output of the cell before the last to the shape of the first state."""
        if prev_layer is None:
            return net
        if spatial_size(prev_layer) != spatial_size(net):
            prev_layer = activation(prev_layer, self._use_bounded_activation)
            return factorized_reduction(prev_layer, filters, stride=2)
        if get_channel_dim(prev_layer.shape) != filters:
            prev_layer = activation(prev_layer, self._use_bounded_activation)
            prev_layer = slim.conv2d(prev_layer, filters, 1, scope="prev_1x1")
            return slim.batch_norm(prev_layer, scope="prev_bn")
        return prev_layer

    def _path(self, states, index, operation, stride, filters, keep_prob):
        """Applies an operation to a state, and drop path to what it gives."""
        is_input = index < 2
        net = self._operation(states[index], operation, stride if is_input else 1, filters)
        if self._use_bounded_activation:
            net = tf.clip_by_value(net, -CLIP_BY_VALUE_CAP, CLIP_BY_VALUE_CAP)
        if operation == "none" or self._drop_path_keep_prob >= 1.0:
            return net
        return drop_path(net, keep_prob())

    def _operation(self, net, operation, stride, filters):
        bounded = self._use_bounded_activation
        if match := _SEPARABLE.match(operation):
            return self._separable(net, int(match["side"]), int(match["repeats"]), stride, filters)
        if match := _POOLING.match(operation):
            if bounded:
                net = tf.nn.relu6(net)
            pool = slim.avg_pool2d if match["kind"] == "avg" else slim.max_pool2d
            net = pool(net, int(match["side"]), stride=stride, padding="SAME")
            return net if get_channel_dim(net.shape) == filters else _project(net, 1, filters)
        if operation != "none":
            raise errors.UserError(
                f"A cell has no operation {operation!r}; allowed: separable_<k>x<k>_<repeats>, "
                f"avg_pool_<k>x<k>, max_pool_<k>x<k>, none."
            )
        if stride == 1 and get_channel_dim(net.shape) == filters:
            return tf.nn.relu6(net) if bounded else net
        return _project(activation(net, bounded), stride, filters)

    def _separable(self, net, side, repeats, stride, filters):
        """Repeats activation, separable convolution and batch norm; the first one strides."""
        for number in range(1, repeats + 1):
            suffix = f"{side}x{side}_{number}"
            net = activation(net, self._use_bounded_activation)
            net = slim.separable_conv2d(
                net,
                filters,
                side,
                depth_multiplier=1,
                stride=stride if number == 1 else 1,
                scope=f"separable_{suffix}",
            )
            net = slim.batch_norm(net, scope=f"bn_sep_{suffix}")
        return net

    def _keep_prob(self, cell_num, current_step):
        """Returns the fraction of examples that keep a path: less in later cells and over time."""
        step = tf.train.get_or_create_global_step() if current_step is None else current_step
        drop = (1.0 - self._drop_path_keep_prob) * (cell_num + 1) / self._total_num_cells
        progress = tf.cast(step, tf.float32) / self._total_training_steps
        return 1.0 - drop * tf.minimum(1.0, progress)

    def _concatenate(self, states):
        """Returns the output: the states not left out, brought to the shape of the last."""
        last = states[-1]
        filters = get_channel_dim(last.shape)
        parts = []
        for index, (state, left_out) in enumerate(
            zip(states, self._used_hiddenstates, strict=True)
        ):
            if left_out:
                continue
            smaller = spatial_size(state) != spatial_size(last)
            if smaller or get_channel_dim(state.shape) != filters:
                with tf.variable_scope(f"reduction_{index}"):
                    state = factorized_reduction(state, filters, stride=2 if smaller else 1)
            parts.append(state)
        return tf.concat(parts, axis=get_channel_index())


def _project(net, stride, filters):
    net = slim.conv2d(net, filters, 1, stride=stride, scope="1x1")
    return slim.batch_norm(net, scope="bn_1")


def recipe(combinations, concatenated) -> dict:
    """Returns what a cell is made of as arguments of `NasNetABaseCell`.

    Args:
      combinations: Pairs of (state, operation), left and right.
      concatenated: The states whose concatenation is the output.
    """
    picks = [pick for pair in combinations for pick in pair]
    num_states = 2 + len(combinations)
    return {
        "operations": [operation for _, operation in picks],
        "hiddenstate_indices": [state for state, _ in picks],
        "used_hiddenstates": [int(state not in concatenated) for state in range(num_states)],
    }


_NORMAL_CELL = recipe(
    combinations=[
        ((0, "separable_5x5_2"), (1, "separable_3x3_2")),
        ((1, "separable_5x5_2"), (1, "separable_3x3_2")),
        ((0, "avg_pool_3x3"), (1, "none")),
        ((1, "avg_pool_3x3"), (1, "avg_pool_3x3")),
        ((0, "separable_3x3_2"), (0, "none")),
    ],
    concatenated=[1, 2, 3, 4, 5, 6],
)

_REDUCTION_CELL = recipe(
    combinations=[
        ((0, "separable_5x5_2"), (1, "separable_7x7_2")),
        ((0, "max_pool_3x3"), (1, "separable_7x7_2")),
        ((0, "avg_pool_3x3"), (1, "separable_5x5_2")),
        ((3, "none"), (2, "avg_pool_3x3")),
        ((2, "separable_3x3_2"), (0, "max_pool_3x3")),
    ],
    concatenated=[3, 4, 5, 6],
)


class NasNetANormalCell(NasNetABaseCell):
    """The cell of NASNet-A that keeps the size of the feature map."""

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
            **_NORMAL_CELL,
        )


class NasNetAReductionCell(NasNetABaseCell):
    """The cell of NASNet-A that halves the feature map, built with stride 2."""

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
            **_REDUCTION_CELL,
        )
