"""Writes third_party/python/requirements.lock anew from requirements.in.

    tools/bazel run //tools:update_lock

One lock serves every Python and platform of the project: it names the files of all of them. Pins
that still fit stay as they are; `-- --upgrade` moves them to the newest versions, and
`-- --upgrade-package NAME` moves one.
"""

import os
import subprocess
import sys

_COMMAND = (
    "pip",
    "compile",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-build",
    "--no-emit-index-url",
    "--no-annotate",
    "--custom-compile-command=tools/bazel run //tools:update_lock",
    "--output-file=third_party/python/requirements.lock",
    "third_party/python/requirements.in",
)

if __name__ == "__main__":
    sys.exit(
        subprocess.run(
            [sys.executable, "-m", "uv", *_COMMAND, "--quiet", *sys.argv[1:]],
            cwd=os.environ["BUILD_WORKSPACE_DIRECTORY"],
            check=False,
        ).returncode
    )
