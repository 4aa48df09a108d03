"""Which of the folders in a folder of images are splits, and which are classes.

Folders named train, val, test, ... are splits. Folders that only look like splits are nobody's
guess: taken for classes, they would train a classifier that tells training images from test images.
"""

import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence

from datasets.conversion.settings import Conversion
from slim_internal.ground.errors import UserError, unknown

# Names that people give their splits -> the names they get.
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
# Words by which a name sounds like that of a split, and the split it would be.
_WORDS = {
    **SPLITS,
    **dict.fromkeys(("trainset", "trn"), "train"),
    **dict.fromkeys(("dev", "devel", "holdout", "valset"), "validation"),
    **dict.fromkeys(("testing", "tests", "testset", "tst", "eval", "evaluation"), "test"),
    **dict.fromkeys(("pred", "predict", "prediction"), "test"),
}
_HOW_TO_SAY = (
    "Name the splits (--splits={}), or say that these folders are classes with "
    "--folders_are_classes."
)

# Folder below the source, with forward slashes ("" for the source itself) -> its split, "" for one
# that is to be chosen. Below each stand the folders of the classes.
Roots = Mapping[str, str]


def roots(images: Sequence[str], config: Conversion) -> Roots:
    """Returns the folders that class folders stand in.

    Args:
      images: Paths of the images below the source.
      config: May say it: `splits`, `folders_are_classes`.

    Raises:
      UserError: What it says is not so, or says nothing and the folders look like splits.
    """
    if config.splits and config.folders_are_classes:
        raise UserError("--splits and --folders_are_classes contradict each other.")
    if config.splits:
        return _given(images, config)
    if config.folders_are_classes:
        return {"": ""}
    inside = _subfolders(images)
    tops = {top.lower() for top in inside}
    if tops and tops <= SPLITS.keys() and any(inside.values()):
        found = {top: SPLITS[top.lower()] for top in inside}
        _refuse_nested(inside, config)
        return found
    _refuse_look_alikes(inside, images, config)
    return {"": ""}


def _given(images: Sequence[str], config: Conversion) -> Roots:
    """Returns what `--splits=train:FOLDER,test:FOLDER` says."""
    found: dict[str, str] = {}
    for part in config.splits.split(","):
        name, colon, folder = part.strip().partition(":")
        folder = pathlib.PurePosixPath(folder.strip()).as_posix()
        if not colon or folder == ".":
            raise UserError(f"--splits must be like train:FOLDER,test:FOLDER; got {part!r}.")
        if name.strip().lower() not in SPLITS:
            raise unknown("split in --splits", name.strip(), SPLITS)
        if any(_is_below(folder, other) or _is_below(other, folder) for other in found):
            raise UserError(f"--splits names {folder!r} twice, or a folder within it.")
        if not any(_is_below(image, folder) for image in images):
            raise UserError(f"--splits: {config.source} has no folder {folder!r} with images.")
        found[folder] = SPLITS[name.strip().lower()]
    return found


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _subfolders(images: Iterable[str]) -> dict[str, set[str]]:
    """Returns top folder -> those folders in it that images stand in, however deep."""
    inside: dict[str, set[str]] = {}
    for image in images:
        names = image.split("/")[:-1]
        if names:
            inside.setdefault(names[0], set()).update(names[1:2])
    return inside


def sounds_like(name: str) -> str:
    """Returns the split that the name of a folder sounds like, or ""."""
    words = re.findall("[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return next((_WORDS[word] for word in words if word in _WORDS), "")


def _refuse_nested(inside: Mapping[str, set[str]], config: Conversion) -> None:
    """Refuses splits whose only class folders sound like splits: train/train/cat/1.jpg."""
    for top, names in inside.items():
        if names and all(map(sounds_like, names)):
            first = min(names)
            nested = {f"{top}/{first}": SPLITS[top.lower()]}
            raise UserError(
                f"In {config.source}, {top!r} holds {first!r}, which looks like a split, not a "
                f"class. {_HOW_TO_SAY.format(_as_flag(nested))}"
            )


def _refuse_look_alikes(
    inside: Mapping[str, set[str]], images: Sequence[str], config: Conversion
) -> None:
    """Refuses folders that are splits by their names, or by what they hold."""
    loose = {image.split("/")[0] for image in images if image.count("/") == 1}
    holders = {top: names for top, names in inside.items() if names and top not in loose}
    named = {top: sounds_like(top) for top in holders if sounds_like(top)}
    if named:
        first = next(iter(sorted(named)))
        shown = ", ".join(map(repr, sorted(named)))
        raise UserError(
            f"{config.source} holds folders that look like splits by their names: {shown}, with "
            f"{sorted(inside[first])[0]!r} and the like inside. "
            f"{_HOW_TO_SAY.format(_as_flag(_innermost(named, inside)))}"
        )
    by_content: dict[frozenset[str], list[str]] = {}
    for top, names in sorted(holders.items()):
        if len(names) > 1:
            by_content.setdefault(frozenset(names), []).append(top)
    for names, alike in by_content.items():
        if len(alike) > 1:
            guess = dict(zip(alike, ("train", "validation", "test"), strict=False))
            raise UserError(
                f"{config.source} looks as if its folders were splits: {alike[0]!r} and "
                f"{alike[1]!r} hold the same folders ({', '.join(sorted(names)[:5])}). "
                f"{_HOW_TO_SAY.format(_as_flag(guess))}"
            )


def _innermost(named: Mapping[str, str], inside: Mapping[str, set[str]]) -> dict[str, str]:
    """Returns folder -> split, where a folder that holds only one of its kind stands for it."""
    found = {}
    for top, split in sorted(named.items()):
        (only, *others) = sorted(inside[top])
        folder = f"{top}/{only}" if not others and sounds_like(only) else top
        if split not in found.values():
            found[folder] = split
    return found


def _as_flag(splits: Mapping[str, str]) -> str:
    return ",".join(f"{split}:{folder}" for folder, split in splits.items())
