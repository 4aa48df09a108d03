"""Optional distributions: imported where they are needed; missed with the command that adds them.

The extra NAME is third_party/python/extras/NAME.lock, and `--config=NAME` for Bazel.
"""

import importlib
import types

from slim_internal.ground.errors import UserError


def how_to_install(name: str) -> str:
    """Returns the sentence with the commands that install an extra."""
    return (
        f"To install: pip install --require-hashes -r third_party/python/extras/{name}.lock, or run"
        f" Bazel with --config={name}."
    )


def load(name: str, module: str, purpose: str) -> types.ModuleType:
    """Imports a module of an extra.

    Args:
      name: The extra ("onnx").
      module: The module ("tf2onnx.convert").
      purpose: What needs it, for the message ("--format=onnx").

    Raises:
      UserError: If it is not installed or does not load.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and module.startswith(error.name or "-")
        problem = "is not installed" if missing else f"does not load ({error})"
        distribution = module.partition(".")[0]
        raise UserError(
            f"{purpose} needs {distribution}, which {problem}. {how_to_install(name)}"
        ) from error
