"""What a user writes for a path."""

import os
import re
import urllib.parse

from slim_internal.ground.errors import UserError

# Storage that is reached by an address; what this library writes has to be local.
_REMOTE = re.compile(
    r"(?<![\w+.-])"
    r"(abfss?|adl|az|cns|cos|dbfs|gcs|gs|hdfs|oss|s3[an]?|swift|viewfs|wasbs?|webhdfs)://",
    re.IGNORECASE,
)
_FILE = re.compile("file://", re.IGNORECASE)
_THIS_MACHINE = ("", "localhost", "127.0.0.1")


def local(value: str, what: str) -> str:
    """Returns a value with `~` and `file://` turned into the path that they stand for.

    Args:
      value: What the user gave; need not be a path.
      what: Where it was given, for the message: "--train_dir".

    Raises:
      UserError: It holds an address in a bucket or in another file system that is not local.
    """
    remote = _REMOTE.search(value)
    if remote:
        raise UserError(
            f"{what}={value}: {remote[1].lower()}:// is not supported, only paths of this machine."
            " Mount it, or copy the files to a local folder and back."
        )
    if not _FILE.match(value):
        return os.path.expanduser(value)
    host, slash, rest = value[len("file://") :].partition("/")
    path = slash + urllib.parse.unquote(rest, errors="surrogateescape")
    if host.lower() not in _THIS_MACHINE or not slash or "\0" in path:
        raise UserError(
            f"{what}={value}: names no file of this machine; write file:///folder/file or a path."
        )
    return path
