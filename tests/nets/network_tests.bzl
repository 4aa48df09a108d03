"""The two test targets that every network has."""

load("//tools/build_defs:python.bzl", "py_test")

# What the tests of each kind read.
_DATA = {
    "shape": ["//tests/golden:variables"],
    "restore": [
        "//tests/golden:logits",
        "//tests/golden:logits_variants",
        "//tests/golden:train_mode",
        "//tests/golden:variables",
    ],
}

def network_tests(networks, srcs):
    """Declares `<network>_shape_test` and `<network>_restore_test` of each network.

    Args:
      networks: Dicts of the name of a network and the size and tags of its tests.
      srcs: network_shape_test.py and network_restore_test.py.
    """
    for src in srcs:
        kind = src[len("network_"):-len("_test.py")]
        for network in networks:
            py_test(
                name = "%s_%s_test" % (network["name"], kind),
                size = network["size"],
                srcs = [src],
                args = ["--network=" + network["name"]],
                data = _DATA[kind],
                tags = network["tags"],
                deps = [":network_testing"],
            )
