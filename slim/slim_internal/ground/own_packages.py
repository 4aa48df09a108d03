"""Whether the published packages are found where they belong, and no others of their names."""

import importlib.util
import os

_PUBLISHED = ("datasets", "deployment", "nets", "preprocessing")
_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


def require() -> None:
    """Requires that the published packages are those beside the private one.

    Raises:
      ImportError: If another package of the name comes before one of them on the path.
    """
    for name in _PUBLISHED:
        expected = os.path.join(_FOLDER, name, "__init__.py")
        spec = importlib.util.find_spec(name)
        if not os.path.exists(expected) or spec is None or spec.origin is None:
            continue
        if os.path.realpath(spec.origin) != os.path.realpath(expected):
            raise ImportError(
                f"slim needs its own package {name}, {expected}, but another one comes before it on"
                f" the path: {spec.origin}. Remove it, rename it, or give slim an environment of"
                " its own.",
                name=name,
            )


def require_for_program(main_file: str | None) -> None:
    """Does the same; where one of the scripts is run, the problem is one line.

    Args:
      main_file: The file that Python runs.
    """
    try:
        require()
    except ImportError as error:
        folder = os.path.dirname(os.path.realpath(main_file)) if main_file else None
        if folder == os.path.realpath(_FOLDER):
            raise SystemExit(f"error: {error}") from None
        raise
