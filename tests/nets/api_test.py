"""Programs written against TF-Slim find every name, argument and default of the networks."""

import functools
import importlib
import inspect
import operator

import pytest

from nets.mobilenet import mobilenet_v3
from slim_internal.ground.compat import slim, tf
from tests import golden_files
from tests.nets import golden_calls

# Scripts, which are not part of the library.
SCRIPTS = (
    "nets.mobilenet_v1_eval",
    "nets.mobilenet_v1_train",
    "nets.post_training_quantization",
)
MODULES = {
    name: facts
    for name, facts in golden_files.load("api.json").items()
    if name.startswith("nets.") and name not in SCRIPTS
}
FUNCTIONS = [
    (module, name) for module, facts in MODULES.items() for name in facts.get("functions", {})
]
CLASSES = [(module, name) for module, facts in MODULES.items() for name in facts.get("classes", {})]


def is_described_by(value, text):
    """Returns whether a default or bound value is what the reference file writes as `text`."""
    if isinstance(text, str) and text.startswith(("nets.", "slim.", "tf.", "conv_defs:")):
        if "<" in text:  # What has no name of its own is compared where it is used.
            return value is not None
        if text.startswith("conv_defs:"):
            return value is getattr(mobilenet_v3, text.removeprefix("conv_defs:"))
        package, _, path = text.partition(".")
        if package == "nets":
            return value is golden_calls.resolve(text)
        return value is operator.attrgetter(path)({"slim": slim, "tf": tf}[package])
    return text in (value, repr(value))


def parameters(function):
    """Returns [name, parameter] of what a function takes, below the wrapper of its arg scope."""
    found = inspect.signature(inspect.unwrap(function)).parameters.values()
    return [(str(p.replace(default=p.empty, annotation=p.empty)), p) for p in found]


def check_partial(function, golden):
    """Requires a function with some of its arguments given."""
    assert isinstance(function, functools.partial)
    assert function.func is golden_calls.resolve(golden["partial_of"])
    bound = {**golden.get("changed_defaults", {}), **golden["bound_kwargs"]}
    assert function.keywords.keys() == bound.keys()
    for name, text in bound.items():
        assert is_described_by(function.keywords[name], text), name


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_function(module, name):
    golden = MODULES[module]["functions"][name]
    function = getattr(importlib.import_module(module), name)
    for attribute, value in golden.get("attributes", {}).items():
        assert getattr(function, attribute) == value
    if "partial_of" in golden:
        check_partial(function, golden)
        return
    ours = parameters(function)
    assert [text for text, _ in ours] == [row[0] for row in golden["signature"]]
    for (text, parameter), (_, *default) in zip(ours, golden["signature"], strict=True):
        assert (parameter.default is parameter.empty) == (not default), text
        assert not default or is_described_by(parameter.default, *default), text
        assert parameter.kind is not parameter.KEYWORD_ONLY, text
    assert hasattr(function, "_key_op") == golden.get("arg_scoped", False)


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_class(module, name):
    golden = MODULES[module]["classes"][name]
    cls = getattr(importlib.import_module(module), name)
    if "fields" in golden:
        assert list(cls._fields) == golden["fields"]
    for method, signature in golden["methods"].items():
        ours = inspect.signature(getattr(cls, method)).parameters.values()
        assert [
            [p.name] if p.default is p.empty else [p.name, repr(p.default)] for p in ours
        ] == signature


def settings(value):
    """Returns what an arg scope sets, with functions and initializers as what they hold."""
    if isinstance(value, dict):
        return sorted((str(key), str(settings(held))) for key, held in value.items())
    if hasattr(value, "get_config"):
        return type(value), settings(value.get_config())
    if inspect.isfunction(value):
        return value.__qualname__, [cell.cell_contents for cell in value.__closure__ or ()]
    return value


ARG_SCOPES = [
    (module, name, row[0])
    for module, name in FUNCTIONS
    if name.endswith("_arg_scope") and name != "safe_arg_scope"
    for row in MODULES[module]["functions"][name]["signature"]
]


@pytest.mark.parametrize(("module", "name", "argument"), ARG_SCOPES)
def test_every_argument_of_an_arg_scope_makes_a_difference(module, name, argument):
    arg_scope = getattr(importlib.import_module(module), name)
    default = inspect.signature(arg_scope).parameters[argument].default
    match default:
        case bool():
            other = not default
        case float():
            other = default / 2 + 0.1
        case str():
            other = None
        case _:
            other = tf.nn.sigmoid
    assert settings(arg_scope(**{argument: other})) != settings(arg_scope())
    assert settings(arg_scope(**{argument: default})) == settings(arg_scope())


def test_factory_maps():
    for table, golden in MODULES["nets.nets_factory"]["constants"].items():
        ours = getattr(importlib.import_module("nets.nets_factory"), table)
        published = golden["dict_of_functions"].items()
        published = {name: golden_calls.resolve(path) for name, path in published}
        assert {name: ours[name] for name in published} == published  # Others may have joined.


@pytest.mark.parametrize("name", sorted(MODULES["nets.nasnet.nasnet_utils"]["constants"]))
def test_constants_of_nasnet(name):
    golden = MODULES["nets.nasnet.nasnet_utils"]["constants"][name]
    assert getattr(golden_calls.resolve("nets.nasnet.nasnet_utils"), name) == golden


def test_layers_of_mobilenet_v1():
    golden = MODULES["nets.mobilenet_v1"]["constants"]["MOBILENETV1_CONV_DEFS"]
    ours = golden_calls.resolve("nets.mobilenet_v1").MOBILENETV1_CONV_DEFS
    assert [[type(row).__name__, *row] for row in ours] == golden["list_of_namedtuples"]


_REDUCED = "_reduced_kernel_size_for_small_input"


def test_names_below_the_public_ones_that_client_code_imports():
    resolve = golden_calls.resolve
    assert resolve("nets.vgg.vgg_d") is resolve("nets.vgg.vgg_16")
    assert resolve("nets.vgg.vgg_e") is resolve("nets.vgg.vgg_19")
    for module, alias, published in (
        ("mobilenet.conv_blocks", "_make_divisible", "mobilenet.conv_blocks.make_divisible"),
        ("mobilenet.mobilenet", "_make_divisible", "mobilenet.conv_blocks.make_divisible"),
        ("mobilenet.conv_blocks", "_fixed_padding", "mobilenet.common.fixed_padding"),
        ("mobilenet.mobilenet", "_fixed_padding", "mobilenet.common.fixed_padding"),
        ("mobilenet_v1", "_fixed_padding", "mobilenet.common.fixed_padding"),
        ("inception_v2", _REDUCED, "inception_utils.reduced_kernel_size"),
        ("inception_v3", _REDUCED, "inception_utils.reduced_kernel_size"),
    ):
        assert resolve(f"nets.{module}.{alias}") is resolve(f"nets.{published}")
    blocks = resolve("nets.pix2pix._default_generator_blocks")()
    assert [tuple(block) for block in blocks] == [
        *((filters, 0.5) for filters in (64, 128, 256)),
        *[(512, 0)] * 4,
    ]
    get_channel_dim = resolve("nets.nasnet.nasnet_utils.get_channel_dim")
    assert get_channel_dim([2, 5, 7, 3], data_format="NHWC") == 3
    assert get_channel_dim(tf.TensorShape([2, 5, 7, 3]), data_format="NCHW") == 5


def test_network_of_given_cells():
    """`_build_nasnet_base` builds what the network's own function builds."""
    nasnet, utils = (
        golden_calls.resolve(f"nets.nasnet.{name}") for name in ("nasnet", "nasnet_utils")
    )
    config = nasnet.cifar_config()
    config.set_hparam("num_cells", 3)
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [2, 32, 32, 3])
        nasnet.build_nasnet_cifar(images, 10, is_training=False, config=config)
        expected = [(v.op.name, v.shape.as_list()) for v in tf.global_variables()]
    with (
        tf.Graph().as_default(),
        slim.arg_scope([slim.batch_norm, slim.dropout], is_training=False),
    ):
        images = tf.placeholder(tf.float32, [2, 32, 32, 3])
        channels = [utils.get_channel_index, utils.get_channel_dim, utils.global_avg_pool]
        with slim.arg_scope([*channels, utils.factorized_reduction], data_format="NHWC"):
            logits, end_points = nasnet._build_nasnet_base(
                images,
                normal_cell=utils.NasNetANormalCell(32, 1.0, 5, 100),
                reduction_cell=utils.NasNetAReductionCell(32, 1.0, 5, 100),
                num_classes=10,
                hparams=config,
                is_training=False,
                stem_type="cifar",
                final_endpoint=None,
            )
        assert [(v.op.name, v.shape.as_list()) for v in tf.global_variables()] == expected
    assert logits is end_points["Logits"]
