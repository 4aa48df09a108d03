"""What the worker processes do; imports no more than that takes, for each of them loads it."""

import contextlib
from collections.abc import Iterator, Sequence

from datasets.conversion import builder
from datasets.converters.imagenet import example, pictures
from datasets.converters.imagenet.source import Source
from slim_internal.ground import errors
from slim_internal.ground.images.header import BadPictureError


def records(
    sources: Sequence[Source], on_bad_image: str, decode: bool
) -> Iterator[bytes | builder.Problem]:
    """Yields the record of each picture, or what became of it; runs in a worker process.

    Args:
      sources: The pictures of a shard, in order.
      on_bad_image: What to do with a bad one: "error", "skip" or "repair".
      decode: Whether to decode each as a check.

    Raises:
      UserError: if a picture cannot be read, or is bad and that is an error.
    """
    for source in sources:
        try:
            data = source.read()
            try:
                picture, problem = pictures.prepare(data, decode=decode), None
            except BadPictureError as error:
                picture, problem = _treat(source, data, error, on_bad_image)
            if problem:
                yield problem
            if picture:
                yield example.serialize(source, picture)
        except errors.UserError:
            raise
        except OSError as error:
            raise errors.UserError(f"{_shown(source)} cannot be read: {error.strerror}.") from error
        except Exception as error:  # Whatever it is, it is about this picture.
            raise RuntimeError(f"{_shown(source)}: {type(error).__name__}: {error}") from error


def _shown(source: Source) -> str:
    """Returns the place of a picture for a message of one line, whatever its name holds."""
    place = str(source)
    return place if place.isprintable() else repr(place)


def _treat(
    source: Source, data: bytes, error: BadPictureError, on_bad_image: str
) -> tuple[pictures.Picture | None, builder.Problem]:
    """Returns what can be saved of a bad picture, and the note for the report."""
    if on_bad_image == "error":
        raise errors.UserError(
            f"{_shown(source)}: {error}. --on_bad_image=skip leaves such pictures out, "
            "--on_bad_image=repair keeps what can be read of them."
        ) from error
    if on_bad_image == "repair":
        with contextlib.suppress(BadPictureError):
            return pictures.repair(data), builder.Problem(str(source), str(error), "repaired")
    return None, builder.Problem(str(source), str(error), "skipped")
