"""Every network with the size and tags of its tests.

Generated from the records of the networks: bazel run //tests/nets:network_list
"""

NETWORKS = [
    {"name": "cifarnet", "size": "medium", "tags": []},
    {"name": "lenet", "size": "medium", "tags": []},
]
