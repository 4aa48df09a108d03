"""Reads the development kit of the challenge: which class each validation picture shows.

The kit numbers the classes in its own way (ILSVRC ids); `meta.mat` translates them to WordNet ids.
"""

import os
import tarfile
from collections.abc import Mapping

import scipy.io

import errors

_META = "data/meta.mat"
_GROUND_TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"

# The two files are small; a kit that claims to hold more is not the kit.
_MAX_BYTES = 64 << 20


def validation_synsets(path: str | os.PathLike) -> list[str]:
    """Returns the WordNet id of each validation picture, in the order of their numbers.

    Args:
      path: The kit, `ILSVRC2012_devkit_t12.tar.gz`.

    Raises:
      UserError: if the archive is damaged or lacks one of the two files, or they contradict
        each other.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            files = {}
            for member in archive:
                for suffix in (_META, _GROUND_TRUTH):
                    if member.isreg() and member.name.endswith(suffix):
                        if member.size > _MAX_BYTES:
                            raise errors.UserError(f"{member.name} in {path} is too large.")
                        files[suffix] = archive.extractfile(member)
            missing = [name for name in (_META, _GROUND_TRUTH) if name not in files]
            if missing:
                raise errors.UserError(f"{path} holds no {' and no '.join(missing)}.")
            wordnet_ids = _wordnet_ids(files[_META])
            ids = [int(line) for line in files[_GROUND_TRUTH].read().split()]
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError, IndexError) as error:
        if isinstance(error, errors.UserError):
            raise
        raise errors.UserError(f"{path} cannot be read: {error}.") from error
    unknown = sorted(set(ids) - set(wordnet_ids))
    if unknown:
        raise errors.UserError(f"{path}: {_META} does not know the class numbers {unknown[:5]}.")
    return [wordnet_ids[number] for number in ids]


def _wordnet_ids(meta_file) -> Mapping[int, str]:
    """Returns {ILSVRC id: WordNet id} of the classes without children, those of the challenge."""
    synsets = scipy.io.loadmat(meta_file, squeeze_me=True)["synsets"].ravel()
    return {
        int(synset["ILSVRC2012_ID"]): str(synset["WNID"])
        for synset in synsets
        if synset["num_children"] == 0
    }
