"""What the Python of `//tools:python` does when it starts."""

import slim_internal.contrib  # noqa: F401
