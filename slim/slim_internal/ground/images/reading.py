"""Reads the file of an image that somebody names, whatever that turns out to be."""

import os
import stat

from slim_internal.ground.images.image import BadImageError


def read(path: str | os.PathLike) -> bytes:
    """Returns the bytes of a file.

    Raises:
      BadImageError: if it cannot be read, or is no file: a FIFO or a socket would be waited for.
    """
    try:
        # Without O_NONBLOCK the call itself would wait for somebody to write into a FIFO.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError:
        raise BadImageError("its name has a null character") from None
    except OSError as error:
        raise BadImageError(f"it cannot be read: {error.strerror}") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise BadImageError("it is a folder")
        if not stat.S_ISREG(mode):
            raise BadImageError("it is not a regular file but a device or pipe")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise BadImageError(f"it cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
