"""What becomes of an image that cannot be used: the three policies of --on_bad_image."""

import contextlib
from collections.abc import Callable, Iterator

from datasets.conversion.plan import Problem
from slim_internal.ground.errors import UserError
from slim_internal.ground.images import prepare
from slim_internal.ground.images.image import BadImageError, EncodedImage


def prepared(
    read: Callable[[], bytes],
    policy: prepare.Policy,
    on_bad_image: str,
    *,
    name: str,
    place: str,
    check: Callable[[EncodedImage], None] = lambda image: None,
) -> Iterator[EncodedImage | Problem]:
    """Yields the image for a record, unless it is left out, and before it what is to be reported.

    Args:
      read: Returns the bytes of the file.
      policy: What may stay as it is.
      on_bad_image: "error", "skip" or "repair".
      name: What the report calls the image.
      place: Where it is, for the message of an error.
      check: Raises `BadImageError` for what is wrong with this image in particular.

    Raises:
      UserError: if it is bad and that is an error.
    """
    data, image = b"", None
    try:
        data = read()
        image = prepare.prepare(data, policy)
        check(image)
        if image.remark:
            yield Problem(name, image.remark, "kept")
    except BadImageError as error:
        if on_bad_image == "error":
            raise UserError(
                f"{place!r} cannot be used: {error}. "
                "--on_bad_image=skip leaves such images out, repair keeps what can be read."
            ) from error
        image = None
        if on_bad_image == "repair":
            with contextlib.suppress(BadImageError):
                repaired = prepare.repair(data, policy)
                check(repaired)
                image = repaired
        yield Problem(name, str(error), "repaired" if image else "skipped")
    if image:
        yield image
