"""Published weights by name: which there are, and how they get into the cache.

    published.fetch(published.get("inception_v3")).checkpoint_path

A name is that of a network, meaning its first set of weights, or that of one set, as
`download_checkpoint --list` prints them. What is in the cache was compared with the variables of
its network, and `<cache>/<weights>.json` says where it came from and which digests were seen.
"""

import contextlib
import dataclasses
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator

from nets import nets_factory
from nets.network import Checkpoint, Network
from slim_internal.ground import errors
from slim_internal.ground.downloads import download, receipts, unpacking
from slim_internal.ground.files import atomic, json_objects, locks, space
from slim_internal.ground.progress import reporting
from slim_internal.parts.checkpoints import contents
from slim_internal.parts.checkpoints.converters import keras, timm

_LOG = logging.getLogger(__name__)

CACHE_VARIABLE = "SLIM_CHECKPOINT_CACHE"

# The same files under another address. Google's login page stands before the last one.
_MIRRORS = {
    "http://download.tensorflow.org/": "https://storage.googleapis.com/download.tensorflow.org/",
    "https://storage.cloud.google.com/": "https://storage.googleapis.com/",
}
_LARGEST_ARCHIVE = 4 << 30  # Bytes when unpacked; nasnet_large has more than 1 GB.
_INDEX = ".index"
# There are two addresses to try, and a dead one should not be waited for long.
_POLICY = download.Policy(retries=3)


@dataclasses.dataclass(frozen=True)
class Weights:
    """One set of published weights and its network."""

    network: Network
    checkpoint: Checkpoint

    @property
    def name(self) -> str:
        """Its archive's name without the ending, which no other set has."""
        return self.checkpoint.archive.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz")

    @property
    def urls(self) -> tuple[str, ...]:
        """Addresses of the archive; those that nobody on the way can change come first."""
        url = self.checkpoint.url
        mirrors = [
            mirror + url.removeprefix(original)
            for original, mirror in _MIRRORS.items()
            if url.startswith(original)
        ]
        return (*mirrors, url)

    @property
    def labels_offset(self) -> int:
        """What to subtract from ImageNet labels to get the classes of these weights."""
        return 1 if self.checkpoint.num_classes == 1000 else 0

    @property
    def by_name_alone(self) -> bool:
        """Whether `--model_name` builds the network these weights need, without other widths."""
        return self.checkpoint.arguments == self.network.checkpoints[0].arguments


@dataclasses.dataclass(frozen=True)
class CachedWeights:
    """Weights in the cache, checked.

    Attributes:
      checkpoint_path: The checkpoint.
      origin: Address or path of what they were taken from.
      digests: File -> "sha256:<hex>" as seen: of the archive, or of the files of the checkpoint.
      variables: How many variables of the network it holds.
      moving_averages: Whether it holds moving averages, which `--moving_average_decay` restores.
      plain: Whether it holds the variables under their own names.
    """

    checkpoint_path: str
    origin: str
    digests: dict[str, str]
    variables: int
    moving_averages: bool
    plain: bool


def available() -> list[Weights]:
    """Returns every set of published weights, network by network, the first of each first."""
    return [
        Weights(network, checkpoint)
        for network in nets_factory.networks.values()
        for checkpoint in network.checkpoints
    ]


def names() -> dict[str, Weights]:
    """Returns what each name means: names of networks and of single sets."""
    every = available()
    first = {weights.network.name: weights for weights in reversed(every)}
    return {weights.name: weights for weights in every} | first


def get(name: str) -> Weights:
    """Returns the weights of a name.

    Raises:
      UserError: If there are none.
    """
    known = names()
    if name in known:
        return known[name]
    if name in nets_factory.networks:
        raise errors.UserError(
            f"No weights of {name} were ever published. Networks with published weights:"
            f" {', '.join(sorted({weights.network.name for weights in available()}))}."
        )
    raise errors.unknown(
        "network or set of weights",
        name,
        sorted({weights.network.name for weights in available()}),
        "download_checkpoint --list prints every set.",
    )


def cache_folder(folder: str | None = None) -> str:
    """Returns the folder of the cache: the one given, the environment's, or the usual place."""
    usual = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "slim", "checkpoints")
    return os.path.expanduser(folder or os.environ.get(CACHE_VARIABLE) or usual)


def in_cache(weights: Weights, cache: str | None = None) -> CachedWeights | None:
    """Returns weights that an earlier run found good in the cache, or None."""
    cache = cache_folder(cache)
    try:
        fields = json_objects.read(_record_path(weights, cache))
        cached = json_objects.build(CachedWeights, fields)
    except (FileNotFoundError, json_objects.DamageError):
        return None
    path = os.path.join(cache, cached.checkpoint_path)
    return dataclasses.replace(cached, checkpoint_path=path) if _files_of(path) else None


def offers(folder: str, weights: Weights) -> bool:
    """Returns whether a folder holds the archive or the checkpoint of some weights."""
    if os.path.isfile(os.path.join(folder, weights.checkpoint.archive)):
        return True
    return _placed(weights, folder) is not None


def fetch(
    weights: Weights,
    cache: str | None = None,
    *,
    source: str | None = None,
    progress: reporting.Progress | None = None,
    policy: download.Policy = _POLICY,
) -> CachedWeights:
    """Returns weights from the cache, getting and checking them first if need be.

    An archive, or a checkpoint under the name of the weights, that was put into the cache by hand
    is checked and used. Several processes may ask for the same weights at once.

    Args:
      weights: Which weights.
      cache: The folder of the cache; `cache_folder` says which unless given.
      source: Instead of the published addresses, a folder with the archive or the checkpoint, or
        the URL of a folder with the archive.
      progress: Called now and then with how far the download has come.
      policy: How patient to be with network and server.

    Raises:
      UserError: If they cannot be had, or what came does not hold the network's variables.
    """
    cache = cache_folder(cache)
    cached = in_cache(weights, cache)
    if cached:
        return cached
    placed = _placed(weights, cache)
    if placed:
        return _admit(weights, cache, placed, cache, _digests(placed))
    with _claim(weights, cache):
        cached = in_cache(weights, cache)  # The process that was waited for may have fetched it.
        if cached:
            return cached
        placed = _placed(weights, source) if source and "://" not in source else None
        if placed:
            return _copy(weights, cache, placed)
        return _download(weights, cache, source, progress, policy)


def locate(name: str) -> str:
    """Returns the checkpoint of a name, from the cache or after fetching it there.

    Raises:
      UserError: If the name means no weights, or they cannot be had.
    """
    weights = get(name)
    cached = in_cache(weights)
    if cached is None:
        _LOG.info(
            "Published weights %s: getting and checking them; cache: %s.",
            weights.name,
            cache_folder(),
        )
        cached = fetch(weights, progress=reporting.StatusLine())
    return cached.checkpoint_path


def _record_path(weights: Weights, cache: str) -> str:
    return os.path.join(cache, f"{weights.name}.json")


def _files_of(checkpoint_path: str) -> list[str]:
    """Returns a checkpoint's files: index and data, or the one file of early TensorFlow."""
    folder, prefix = os.path.split(checkpoint_path)
    present = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    if prefix + _INDEX in present:
        wanted = [name for name in present if name.startswith((prefix + _INDEX, prefix + ".data-"))]
    else:
        wanted = [name for name in present if name == prefix]
    return sorted(os.path.join(folder, name) for name in wanted)


def _placed(weights: Weights, folder: str) -> str | None:
    """Returns a checkpoint that lies in a folder under the name of the weights, or None."""
    own = os.path.join(folder, weights.name)
    if os.path.isdir(own):
        return _fitting(weights, own)
    first = weights.network.checkpoints[0] == weights.checkpoint
    stems = (weights.name, weights.network.name) if first else (weights.name,)
    for stem in stems:
        for path in (os.path.join(folder, f"{stem}.ckpt"), os.path.join(folder, stem)):
            if _files_of(path):
                return path
    return None


def _fitting(weights: Weights, folder: str) -> str:
    """Returns the one of a folder's checkpoints that has a fitting table of contents."""
    found = contents.checkpoints_below(folder)
    if not found:
        raise errors.UserError(f"{folder} holds no checkpoint; expected {weights.name}.")
    if len(found) == 1:
        return found[0]
    shapes = contents.expected_shapes(weights.network, weights.checkpoint)
    problems = []
    for path in found:
        try:
            contents.check(path, weights.name, shapes)
        except errors.UserError as error:
            problems.append(str(error))
        else:
            return path
    raise errors.UserError(" ".join(problems))


@contextlib.contextmanager
def _claim(weights: Weights, cache: str) -> Iterator[None]:
    """Lets one process at a time fetch the same weights."""
    path = os.path.join(cache, f"{weights.name}.lock")
    with locks.wait(path, lambda name: os.open(name, os.O_CREAT | os.O_RDWR, 0o666)):
        try:
            yield
        finally:
            os.unlink(path)


def _download(
    weights: Weights,
    cache: str,
    source: str | None,
    progress: reporting.Progress | None,
    policy: download.Policy,
) -> CachedWeights:
    remote = download.RemoteFile(name=weights.checkpoint.archive, urls=weights.urls)
    try:
        archive = download.fetch(remote, cache, source=source, progress=progress, policy=policy)
    except errors.UserError as error:
        raise errors.UserError(f"{error} {_other_ways(weights)}") from error
    receipt = receipts.read_receipt(archive)
    digest = receipt.digest if receipt else _digest(archive)
    unpacked = os.path.join(cache, weights.name)
    ours = os.path.dirname(archive) == cache
    try:
        unpacking.extract(archive, unpacked, max_bytes=_LARGEST_ARCHIVE)
        cached = _admit(
            weights,
            cache,
            _fitting(weights, unpacked),
            receipt.url if ours and receipt else archive,
            {weights.checkpoint.archive: digest},
        )
    except errors.UserError as error:
        shutil.rmtree(unpacked, ignore_errors=True)
        if ours:
            _discard(archive)
        raise errors.UserError(
            f"{error} It came from {receipt.url if receipt else archive}, {digest}, and was not"
            f" kept. {_other_ways(weights)}"
        ) from error
    if ours:
        _discard(archive)  # It would double the space.
    return cached


def _copy(weights: Weights, cache: str, placed: str) -> CachedWeights:
    """Takes a checkpoint from a folder into the cache."""
    files = _files_of(placed)
    folder = os.path.join(cache, weights.name)
    incomplete = f"{folder}.incomplete"
    shutil.rmtree(incomplete, ignore_errors=True)
    with space.write_errors_explained(incomplete):
        os.makedirs(incomplete)
        for path in files:
            shutil.copy(path, incomplete)
        os.rename(incomplete, folder)
    copied = os.path.join(folder, os.path.basename(placed))
    try:
        return _admit(weights, cache, copied, os.path.dirname(placed) or ".", _digests(copied))
    except errors.UserError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _admit(
    weights: Weights, cache: str, checkpoint_path: str, origin: str, digests: dict[str, str]
) -> CachedWeights:
    """Checks a checkpoint in the cache and records that it is good."""
    shapes = contents.expected_shapes(weights.network, weights.checkpoint)
    found = contents.check(checkpoint_path, weights.name, shapes)
    facts = dataclasses.asdict(found)
    cached = CachedWeights(checkpoint_path, origin, digests, **facts)
    inside = os.path.relpath(checkpoint_path, cache)
    record = dataclasses.asdict(dataclasses.replace(cached, checkpoint_path=inside))
    try:
        atomic.write_json(_record_path(weights, cache), record)
    except OSError as error:
        # Weights in a folder that cannot be written are good all the same, only checked each time.
        _LOG.info("No record of %s could be kept in %s: %s", weights.name, cache, error)
    for name, digest in digests.items():
        _LOG.info("%s: %s seen; %d variables fit.", name, digest, found.variables)
    return cached


def _discard(archive: str) -> None:
    for path in (archive, receipts.receipt_path(archive)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _digests(checkpoint_path: str) -> dict[str, str]:
    return {os.path.basename(path): _digest(path) for path in _files_of(checkpoint_path)}


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _other_ways(weights: Weights) -> str:
    """Returns a sentence on where else the weights of the network may come from."""
    network = weights.network.name
    here = [
        other.name
        for other in available()
        if other.network is weights.network and other != weights and in_cache(other)
    ]
    ways = ["--source=FOLDER_OR_URL names a folder or mirror that has it"]
    if here:
        ways.append(f"in the cache already: {', '.join(here)}")
    elsewhere = [
        *([f"timm's {timm.MODELS[network]}"] if network in timm.MODELS else []),
        *(["Keras applications"] if network in keras.NETWORKS else []),
    ]
    if elsewhere:
        ways.append(f"convert_checkpoint takes the weights of {' or '.join(elsewhere)}")
    return f"Other ways: {'; '.join(ways)}."
