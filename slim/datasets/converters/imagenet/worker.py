"""What the worker processes do; imports no more than that takes, for each of them loads it."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from datasets.conversion.plan import Problem
from datasets.converters.imagenet import example
from datasets.converters.imagenet.source import Source
from slim_internal.ground import errors
from slim_internal.ground.images import prepare
from slim_internal.ground.images.image import BadImageError, EncodedImage

# Nearly all images go in as they are. The few that a reader of RGB JPEG images would stumble over,
# CMYK and YCCK JPEG and PNG whatever their name, are rewritten as RGB JPEG. The quality is that of
# the original converter.
HEADER_ONLY = prepare.Policy(
    upright=False,
    accepted=("JPEG", "PNG"),
    kept=("JPEG",),
    quality=100,
    subsampling=-1,
    decode=False,
)
DECODED = dataclasses.replace(HEADER_ONLY, decode=True)


def records(
    sources: Sequence[Source], on_bad_image: str, decode: bool
) -> Iterator[bytes | Problem]:
    """Yields the record of each image, or what became of it; runs in a worker process.

    Args:
      sources: The images of a shard, in order.
      on_bad_image: What to do with a bad one: "error", "skip" or "repair".
      decode: Whether to decode each as a check.

    Raises:
      UserError: if an image cannot be read, or is bad and that is an error.
    """
    policy = DECODED if decode else HEADER_ONLY
    for source in sources:
        try:
            data = b""
            try:
                data = source.read()
                image, problem = prepare.prepare(data, policy), None
            except BadImageError as error:
                image, problem = _treat(source, data, error, on_bad_image)
            if problem:
                yield problem
            if image:
                yield example.serialize(source, image)
        except errors.UserError:
            raise
        except OSError as error:
            raise errors.UserError(f"{_shown(source)} cannot be read: {error.strerror}.") from error
        except Exception as error:  # Whatever it is, it is about this image.
            raise RuntimeError(f"{_shown(source)}: {type(error).__name__}: {error}") from error


def _shown(source: Source) -> str:
    """Returns the place of an image for a message of one line, whatever its name holds."""
    place = str(source)
    return place if place.isprintable() else repr(place)


def _treat(
    source: Source, data: bytes, error: BadImageError, on_bad_image: str
) -> tuple[EncodedImage | None, Problem]:
    """Returns what can be saved of a bad image, and the note for the report."""
    if on_bad_image == "error":
        raise errors.UserError(
            f"{_shown(source)}: {error}. --on_bad_image=skip leaves such images out, "
            "--on_bad_image=repair keeps what can be read of them."
        ) from error
    if on_bad_image == "repair":
        with contextlib.suppress(BadImageError):
            repaired = prepare.repair(data, HEADER_ONLY)
            return repaired, Problem(str(source), str(error), "repaired")
    return None, Problem(str(source), str(error), "skipped")
