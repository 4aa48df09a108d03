"""Reads the development kit of the challenge: which class each validation image shows.

The kit numbers the classes in its own way (ILSVRC ids); `meta.mat` translates them to WordNet ids.
"""

import io
import os
from collections.abc import Mapping

from datasets.converters.imagenet import compressed_tar
from slim_internal.ground import errors

_META = "meta.mat"
_GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"

# The two files are small; a kit that claims to hold more is not the kit.
_MAX_BYTES = 64 << 20


def validation_synsets(path: str | os.PathLike) -> list[str]:
    """Returns the WordNet id of each validation image, in the order of their numbers.

    Args:
      path: The kit, `ILSVRC2012_devkit_t12.tar.gz`.

    Raises:
      UserError: if the archive is damaged or lacks one of the two files, or they contradict
        each other.
    """
    files = {}
    for name, data in compressed_tar.read(path, _is_needed, max_bytes=_MAX_BYTES):
        files[name.rpartition("/data/")[2]] = data
    missing = [name for name in (_META, _GROUND_TRUTH) if name not in files]
    if missing:
        raise errors.UserError(f"{path} holds no {' and no '.join(missing)}.")
    try:
        wordnet_ids = _wordnet_ids(files[_META])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise errors.UserError(f"{_META} in {path} cannot be read: {error}.") from error
    try:
        ids = [int(line) for line in files[_GROUND_TRUTH].split()]
    except ValueError as error:
        raise errors.UserError(f"{_GROUND_TRUTH} in {path} cannot be read: {error}.") from error
    unknown = sorted(set(ids) - set(wordnet_ids))
    if unknown:
        raise errors.UserError(f"{path}: {_META} does not know the class numbers {unknown[:5]}.")
    return [wordnet_ids[number] for number in ids]


def _is_needed(name: str) -> bool:
    return name.endswith((f"/data/{_META}", f"/data/{_GROUND_TRUTH}"))


def _wordnet_ids(meta: bytes) -> Mapping[int, str]:
    """Returns {ILSVRC id: WordNet id} of the classes without children, those of the challenge."""
    import scipy.io  # Here, because it takes longer to load than everything else.

    synsets = scipy.io.loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"].ravel()
    return {
        int(synset["ILSVRC2012_ID"]): str(synset["WNID"])
        for synset in synsets
        if synset["num_children"] == 0
    }
