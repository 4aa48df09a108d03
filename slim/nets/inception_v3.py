"""Inception v3: convolutions factorized into smaller and asymmetric ones.

C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna: Rethinking the Inception architecture for
computer vision, arXiv:1512.00567.
"""

from compat import slim, tf
from nets import checks
from nets import inception_modules as modules
from nets.end_points import build
from nets.inception_modules import avg_pool, branch, conv, fork, max_pool, mixed


def _figure_5(name, *, pool_proj, names_5x5=("Conv2d_0a_1x1", "Conv2d_0b_5x5")):
    """Figure 5 of the paper: two 3x3 in place of a 5x5, in one of the branches."""
    return mixed(
        name,
        branch(conv("Conv2d_0a_1x1", depth=64, kernel=1)),
        branch(
            conv(names_5x5[0], depth=48, kernel=1),
            conv(names_5x5[1], depth=64, kernel=5),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=64, kernel=1),
            conv("Conv2d_0b_3x3", depth=96, kernel=3),
            conv("Conv2d_0c_3x3", depth=96, kernel=3),
        ),
        branch(
            avg_pool("AvgPool_0a_3x3", kernel=3),
            conv("Conv2d_0b_1x1", depth=pool_proj, kernel=1),
        ),
    )


def _figure_6(name, *, depth_7x7):
    """Figure 6 of the paper: 7x7 as 1x7 and 7x1."""
    return mixed(
        name,
        branch(conv("Conv2d_0a_1x1", depth=192, kernel=1)),
        branch(
            conv("Conv2d_0a_1x1", depth=depth_7x7, kernel=1),
            conv("Conv2d_0b_1x7", depth=depth_7x7, kernel=(1, 7)),
            conv("Conv2d_0c_7x1", depth=192, kernel=(7, 1)),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=depth_7x7, kernel=1),
            conv("Conv2d_0b_7x1", depth=depth_7x7, kernel=(7, 1)),
            conv("Conv2d_0c_1x7", depth=depth_7x7, kernel=(1, 7)),
            conv("Conv2d_0d_7x1", depth=depth_7x7, kernel=(7, 1)),
            conv("Conv2d_0e_1x7", depth=192, kernel=(1, 7)),
        ),
        branch(
            avg_pool("AvgPool_0a_3x3", kernel=3),
            conv("Conv2d_0b_1x1", depth=192, kernel=1),
        ),
    )


def _figure_7(name, *, name_3x1):
    """Figure 7 of the paper: the last 3x3 spread into 1x3 and 3x1 side by side."""
    return mixed(
        name,
        branch(conv("Conv2d_0a_1x1", depth=320, kernel=1)),
        branch(
            conv("Conv2d_0a_1x1", depth=384, kernel=1),
            fork(
                conv("Conv2d_0b_1x3", depth=384, kernel=(1, 3)),
                conv(name_3x1, depth=384, kernel=(3, 1)),
            ),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=448, kernel=1),
            conv("Conv2d_0b_3x3", depth=384, kernel=3),
            fork(
                conv("Conv2d_0c_1x3", depth=384, kernel=(1, 3)),
                conv("Conv2d_0d_3x1", depth=384, kernel=(3, 1)),
            ),
        ),
        branch(
            avg_pool("AvgPool_0a_3x3", kernel=3),
            conv("Conv2d_0b_1x1", depth=192, kernel=1),
        ),
    )


_LAYERS = (
    # Stem, from 299 x 299 x 3.
    conv("Conv2d_1a_3x3", depth=32, kernel=3, stride=2, padding="VALID"),  # 149 x 149 x 32
    conv("Conv2d_2a_3x3", depth=32, kernel=3, padding="VALID"),  # 147 x 147 x 32
    conv("Conv2d_2b_3x3", depth=64, kernel=3),  # 147 x 147 x 64
    max_pool("MaxPool_3a_3x3", kernel=3, stride=2, padding="VALID"),  # 73 x 73 x 64
    conv("Conv2d_3b_1x1", depth=80, kernel=1, padding="VALID"),  # 73 x 73 x 80
    conv("Conv2d_4a_3x3", depth=192, kernel=3, padding="VALID"),  # 71 x 71 x 192
    max_pool("MaxPool_5a_3x3", kernel=3, stride=2, padding="VALID"),  # 35 x 35 x 192
    # 35 x 35.
    _figure_5("Mixed_5b", pool_proj=32),  # 35 x 35 x 256
    _figure_5("Mixed_5c", pool_proj=64, names_5x5=("Conv2d_0b_1x1", "Conv_1_0c_5x5")),  # x 288
    _figure_5("Mixed_5d", pool_proj=64),  # 35 x 35 x 288
    mixed(  # 17 x 17 x 768
        "Mixed_6a",
        branch(conv("Conv2d_1a_1x1", depth=384, kernel=3, stride=2, padding="VALID")),
        branch(
            conv("Conv2d_0a_1x1", depth=64, kernel=1),
            conv("Conv2d_0b_3x3", depth=96, kernel=3),
            conv("Conv2d_1a_1x1", depth=96, kernel=3, stride=2, padding="VALID"),
        ),
        branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=2, padding="VALID")),
    ),
    # 17 x 17.
    _figure_6("Mixed_6b", depth_7x7=128),  # 17 x 17 x 768
    _figure_6("Mixed_6c", depth_7x7=160),  # 17 x 17 x 768
    _figure_6("Mixed_6d", depth_7x7=160),  # 17 x 17 x 768
    _figure_6("Mixed_6e", depth_7x7=192),  # 17 x 17 x 768
    mixed(  # 8 x 8 x 1280
        "Mixed_7a",
        branch(
            conv("Conv2d_0a_1x1", depth=192, kernel=1),
            conv("Conv2d_1a_3x3", depth=320, kernel=3, stride=2, padding="VALID"),
        ),
        branch(
            conv("Conv2d_0a_1x1", depth=192, kernel=1),
            conv("Conv2d_0b_1x7", depth=192, kernel=(1, 7)),
            conv("Conv2d_0c_7x1", depth=192, kernel=(7, 1)),
            conv("Conv2d_1a_3x3", depth=192, kernel=3, stride=2, padding="VALID"),
        ),
        branch(max_pool("MaxPool_1a_3x3", kernel=3, stride=2, padding="VALID")),
    ),
    # 8 x 8.
    _figure_7("Mixed_7b", name_3x1="Conv2d_0b_3x1"),  # 8 x 8 x 2048
    _figure_7("Mixed_7c", name_3x1="Conv2d_0c_3x1"),  # 8 x 8 x 2048
)


def inception_v3_base(
    inputs, final_endpoint="Mixed_7c", min_depth=16, depth_multiplier=1.0, scope=None
):
    """X."""
    depth = modules.widths(depth_multiplier, min_depth)
    checks.images(inputs, modules.smallest_input(_LAYERS, until=final_endpoint))
    with tf.variable_scope(scope, "InceptionV3", [inputs]):
        return build(inputs, modules.scaled(_LAYERS, depth), final_endpoint)
