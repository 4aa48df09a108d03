"""The two test targets that every network has."""

load("//tools/build_defs:python.bzl", "py_test")

def network_tests(networks):
    """Declares `<network>_shape_test` and `<network>_restore_test` of each network.

    Args:
      networks: Dicts of the name of a network and the size and tags of its tests.
    """
    for network in networks:
        for kind, data in [
            ("shape", ["//tests/golden:variables"]),
            ("restore", [
                "//tests/golden:logits",
                "//tests/golden:logits_variants",
                "//tests/golden:train_mode",
                "//tests/golden:variables",
            ]),
        ]:
            py_test(
                name = "%s_%s_test" % (network["name"], kind),
                size = network["size"],
                srcs = ["network_%s_test.py" % kind],
                args = ["--network=" + network["name"]],
                data = data,
                tags = network["tags"],
                deps = [":network_testing"],
            )
