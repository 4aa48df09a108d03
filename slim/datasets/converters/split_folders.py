"""Which of the folders in a folder of images are splits, and which are classes.

Folders named train, val, test, ... are splits. Folders that only look like splits are nobody's
guess: taken for classes, they would train a classifier that tells training images from test images.
"""

import collections
import itertools
import logging
import pathlib
import re
import shlex
import unicodedata
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
    **dict.fromkeys(("trn", "trainval", "entrainement", "entrenamiento", "treino"), "train"),
    **dict.fromkeys(("dev", "devel", "holdout", "validate"), "validation"),
    **dict.fromkeys(("validierung", "validacion", "validacao"), "validation"),
    **dict.fromkeys(("testing", "tests", "tst", "teste", "prueba", "eval", "evaluation"), "test"),
    **dict.fromkeys(("pred", "predict", "prediction", "inference", "submission"), "test"),
}
# What is written together with such a word: trainset, testdata, minival.
_JOINED = re.compile(
    r"(?:mini|sub)?(train|training|val|valid|validation|test|testing)"
    r"(?:sets?|datasets?|data|images?|imgs?|pics|photos|samples|files|split)?"
)
# Parts of a dataset that are nobody's classes.
_PART = re.compile(r"(?:k?fold|split|subset|partition)s?[ _.-]*\w\w?", re.IGNORECASE)

# Folder below the source, with forward slashes ("" for the source itself) -> its split, "" for one
# that is to be chosen. Below each stand the folders of the classes.
Roots = Mapping[str, str]

_LOG = logging.getLogger(__name__)


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
    _refuse_split_classes(images, config)
    _refuse_inner_splits(images, config)
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
    return _heard(name)[0]


def _heard(name: str) -> tuple[str, str]:
    """Returns the split that a name sounds like, or "", and the name without the word for it."""
    plain = unicodedata.normalize("NFKD", re.sub(r"([a-z])([A-Z])", r"\1 \2", name))
    words = re.findall("[a-z]+", plain.encode("ascii", "ignore").decode().lower())
    for start, count in itertools.product(range(len(words)), (1, 2)):  # hold-out has two.
        word = "".join(words[start : start + count])
        joined = _JOINED.fullmatch(word)
        split = _WORDS.get(word) or (joined and _WORDS[joined[1]])
        if split:
            return split, " ".join(words[:start] + words[start + count :])
    return "", " ".join(words)


def _how_to_say(guess: Mapping[str, str], inside: Iterable[str]) -> str:
    """Returns the flags that would help; those that name the splits may leave folders out."""
    flag = "--splits=" + ",".join(f"{split}:{folder}" for folder, split in guess.items())
    taken = {folder.split("/")[0] for folder in guess}
    others = [repr(top) for top in sorted(inside) if top not in taken]
    left_out = f", which leaves out {', '.join(others[:3])}{', ...' * bool(others[3:])}"
    return (
        f"Name the splits ({shlex.quote(flag)}{left_out if others else ''}), or say that these "
        "folders are classes with --folders_are_classes."
    )


def _refuse_split_classes(images: Iterable[str], config: Conversion) -> None:
    """Refuses flat folders that are all named for a split and something else: cat_train/1.jpg.

    Those that are named for a split alone are told of.
    """
    tops = {image.split("/")[0] for image in images if "/" in image}
    if any(image.count("/") > 1 for image in images):
        return
    heard = {top: _heard(top) for top in sorted(tops) if sounds_like(top)}
    splits: dict[str, set[str]] = {}
    for split, rest in heard.values():
        splits.setdefault(rest, set()).add(split)
    several = [rest for rest, names in splits.items() if len(names) > 1]
    if not several:
        return
    shown = ", ".join(map(repr, heard))
    if heard.keys() == tops and any(several):
        raise UserError(
            f"{config.source} holds folders that look like splits of classes by their names: "
            f"{shown}. Put the folder of each class into one of its split, such as train/cat, or "
            "say path, label and split in a --labels_csv, or say that these folders are classes "
            "with --folders_are_classes."
        )
    _LOG.warning(
        "The folders %s are named like splits, but are taken for classes: they hold the images "
        "themselves. Put a folder of each class into them, if they are splits.",
        shown,
    )


def _refuse_inner_splits(images: Iterable[str], config: Conversion) -> None:
    """Refuses folders that hold splits, with classes in them or not: data/train/cat/1.jpg."""
    tops = {image.split("/")[0] for image in images if "/" in image}
    splits: dict[str, dict[str, bool]] = {}  # Folder -> subfolder -> whether that has its own.
    for image in images:
        *folders, _ = image.split("/")
        for depth in range(1, len(folders)):
            inner = splits.setdefault("/".join(folders[:depth]), {})
            inner[folders[depth]] = inner.get(folders[depth], False) or len(folders) > depth + 1
    for folder, inner in sorted(splits.items()):
        named = {name: sounds_like(name) for name in sorted(inner)}
        several = len(set(named.values())) > 1 or len(tops) == 1  # One folder is not the classes.
        if not several or not all(named.values()) or sounds_like(folder.split("/")[0]):
            continue  # The last is told of by its own name.
        shown = ", ".join(repr(f"{folder}/{name}") for name in named)
        if any(inner.values()):
            guess = {f"{folder}/{name}": split for name, split in named.items()}
            raise UserError(
                f"{config.source} holds folders that look like splits by their names: {shown}. "
                f"{_how_to_say(guess, tops)}"
            )
        raise UserError(
            f"{config.source} holds splits within a class: {shown}. Put the folder of each class "
            f"into one of its split, such as train/{folder}, or take all images of {folder!r} for "
            "one class with --folders_are_classes."
        )


def _refuse_nested(inside: Mapping[str, set[str]], config: Conversion) -> None:
    """Refuses splits whose only class folders sound like splits: train/train/cat/1.jpg."""
    for top, names in inside.items():
        if names and all(map(sounds_like, names)):
            first = min(names)
            nested = {f"{top}/{first}": SPLITS[top.lower()]}
            raise UserError(
                f"In {config.source}, {top!r} holds {first!r}, which looks like a split, not a "
                f"class. {_how_to_say(nested, inside)}"
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
            f"{_how_to_say(_innermost(named, inside), inside)}"
        )
    parts = [top for top in sorted(holders) if _PART.fullmatch(top)]
    alike = parts if len(parts) > 1 else _alike(holders)
    if alike:
        first, second = alike[:2]
        shared = sorted(holders[first] & holders[second])
        what = f"{first!r} and {second!r}"
        if shared:
            what += f" hold the same folders ({', '.join(shared[:5])})"
        raise UserError(
            f"{config.source} looks as if its folders were splits: {what}. "
            f"{_how_to_say(_guessed(alike, images), inside)}"
        )


def _alike(holders: Mapping[str, set[str]]) -> list[str]:
    """Returns folders with the same folders inside, but for a few or for some that one lacks."""

    def same(one: set[str], other: set[str]) -> bool:
        shared = len(one & other)
        return shared > 1 and (
            shared == min(len(one), len(other)) or 4 * shared >= 3 * len(one | other)
        )

    for top, names in sorted(holders.items()):
        found = [other for other in sorted(holders) if same(names, holders[other])]
        if len(found) > 1:
            return [top, *(other for other in found if other != top)]
    return []


def _guessed(alike: Sequence[str], images: Iterable[str]) -> dict[str, str]:
    """Returns folder -> split: most images are for training, and the last part for validation."""
    sizes = collections.Counter(image.split("/")[0] for image in images)
    ordered = sorted(alike, key=lambda top: (-sizes[top], top))
    names = ("train", "validation", "test") if len(ordered) < 4 else ()
    if not names or all(map(_PART.fullmatch, alike)):
        return {**dict.fromkeys(ordered, "train"), ordered[-1]: "validation"}
    return dict(zip(ordered, names, strict=False))


def _innermost(named: Mapping[str, str], inside: Mapping[str, set[str]]) -> dict[str, str]:
    """Returns folder -> split, where a folder that holds only one of its kind stands for it."""
    found = {}
    for top, split in sorted(named.items()):
        (only, *others) = sorted(inside[top])
        folder = f"{top}/{only}" if not others and sounds_like(only) else top
        if split not in found.values():
            found[folder] = split
    return found
