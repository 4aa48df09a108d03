"""Says where a text uses another word than the field's for a thing: one term per meaning."""

import pathlib
import re
from collections.abc import Iterator, Sequence

# Word to avoid -> the term to use. Plurals, compounds and capitals of it are found as well.
_TERMS = {
    "colour": "color",
    "data set": "dataset",
    "grey": "grayscale",
    "likeliest": "most likely",
    "picture": "image",
    "replayable": "stateless random",
    "trace-back": "traceback",
}
_SUFFIXES = {".css", ".in", ".md", ".py", ".toml", ".yaml", ".bzl", ""}
# Tests speak of what they make; the list above names what it looks for.
_EXEMPT = ("tests/", "tools/words.py")
# The last line of the original's conversion of ImageNet, which programs may look for.
_QUOTED = "images in data set"
# The line before an identifier counts as text, too: `_picture_size` is found.
_PATTERN = re.compile(
    "|".join(rf"(?<![a-z]){word}s?(?![a-z])".replace(" ", r"\s+") for word in _TERMS),
    re.IGNORECASE,
)


def _term(found: str) -> str:
    words = " ".join(found.lower().split())
    return next(term for word, term in _TERMS.items() if words.startswith(word))


def problems(root: pathlib.Path, files: Sequence[pathlib.Path]) -> Iterator[str]:
    """Yields a line for each word to avoid.

    Args:
      root: Top of the repository.
      files: Files relative to it; those without text for people are passed over.
    """
    for file in sorted(files):
        if file.suffix not in _SUFFIXES or file.as_posix().startswith(_EXEMPT):
            continue
        text = (root / file).read_text(encoding="utf-8")
        for match in _PATTERN.finditer(text.replace(_QUOTED, " " * len(_QUOTED))):
            line = text.count("\n", 0, match.start()) + 1
            found = " ".join(match[0].split())
            yield f"{file}:{line}: {found!r}: the term is {_term(found)!r}"
