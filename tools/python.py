"""A Python with everything of slim/ and its dependencies importable.

    bazel run //tools:python -- script.py --flag
    bazel run //tools:python -- -m json.tool data.json
    bazel run //tools:python -- -c "from nets import cifarnet"
    bazel run //tools:python

Relative paths mean the folder the command was typed in.
"""

import os
import sys

if __name__ == "__main__":
    # Bazel's launcher has put the import paths into PYTHONPATH, which the new process inherits. The
    # folder in front of them holds what it does first: it lets tensorflow.contrib.slim be found.
    site = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
    paths = [site, os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.chdir(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
