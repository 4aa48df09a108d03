"""The four official archives: which they are, where they are, and how to come by them."""

import dataclasses
import getpass
import os
import pathlib
import sys
from collections.abc import Iterable

from datasets import imagenet_classes
from datasets.conversion.plan import Fetch
from datasets.record import ConvertibleDataset
from slim_internal.ground import errors
from slim_internal.ground.downloads import download, part_file, receipts
from slim_internal.ground.downloads.remote_file import RemoteFile
from slim_internal.ground.files import space
from slim_internal.ground.progress.reporting import Progress

BASE_URL = "https://image-net.org/data/ILSVRC/2012/"

# Where the archives are looked for and put, below the folder of the dataset.
RAW_DATA = "raw-data"


def _archive(name: str, size: int | None = None, md5: str | None = None) -> RemoteFile:
    digest = f"md5:{md5}" if md5 else None
    return RemoteFile(name=name, urls=(BASE_URL + name,), size=size, digest=digest)


# The publisher gives no sizes; these are the ones that others have seen. They bind all the same:
# a file cut short is refused at once, before its digest is computed for minutes.
SOURCES = {
    "devkit": _archive(
        "ILSVRC2012_devkit_t12.tar.gz", 2_568_145, "fa75699e90414af021442c21a62c3abf"
    ),
    # Nobody has published its size or digest.
    "boxes": _archive("ILSVRC2012_bbox_train_v2.tar.gz"),
    "validation": _archive(
        "ILSVRC2012_img_val.tar", 6_744_924_160, "29b22e2961454d5413ddabcf34fc5622"
    ),
    "train": _archive(
        "ILSVRC2012_img_train.tar", 147_897_477_120, "1d675b47d978889d74fa0da5fadfb00e"
    ),
}

# What the dataset is without the way to read it, which needs TensorFlow.
DATASET = ConvertibleDataset(
    name="imagenet",
    file_pattern="%s-*",
    splits={"train": 1_281_167, "validation": 50_000},
    class_names=tuple(imagenet_classes.labels_to_names().values()),
    sources=tuple(SOURCES.values()),
    # Those that shape the bytes.
    options=("train_shards", "validation_shards", "seed", "on_bad_image", "verify_images"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archives:
    """Paths of the archives; `boxes` is None where boxes are not wanted."""

    devkit: str
    validation: str
    train: str
    boxes: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """Where to get the archives.

    Attributes:
      data_dir: Folder of the dataset; `raw-data` in it is the first place to look.
      source: Folder, or base URL, that has all archives; no other place counts then.
      base_url: Where to download what is missing, with a login.
      checksums: Whether size and digest must be the official ones.
      boxes: Whether the archive of bounding boxes is wanted.
    """

    data_dir: str
    source: str | None = None
    base_url: str = BASE_URL
    checksums: bool = True
    boxes: bool = True

    @property
    def raw_data(self) -> pathlib.Path:
        """Where archives are looked for and put."""
        return pathlib.Path(self.data_dir, RAW_DATA)

    @property
    def from_folder(self) -> bool:
        """Whether `source` is a folder."""
        return self.source is not None and "://" not in self.source

    @property
    def folder(self) -> pathlib.Path:
        """Where archives that are there already lie."""
        return pathlib.Path(self.source) if self.from_folder else self.raw_data

    def missing(self) -> list[RemoteFile]:
        """Returns the wanted archives that are not there yet."""
        wanted = self.remotes().values()
        return [remote for remote in wanted if not (self.folder / remote.name).is_file()]

    def remotes(self) -> dict[str, RemoteFile]:
        """Returns the wanted archives by their role, with what is to be asked of them."""
        unchecked = {} if self.checksums else {"size": None, "digest": None}
        return {
            role: dataclasses.replace(
                remote, urls=(f"{self.base_url.rstrip('/')}/{remote.name}",), **unchecked
            )
            for role, remote in SOURCES.items()
            if self.boxes or role != "boxes"
        }


def obtain(request: Request, progress: Progress | None = None) -> Archives:
    """Returns the paths of the archives, after fetching those that are missing.

    Args:
      request: Where to get them.
      progress: Called as a download or the computing of a checksum advances.

    Raises:
      UserError: as the function that `fetcher` returns.
    """
    fetch = fetcher(request, progress)
    return Archives(**{role: fetch(SOURCES[role]) for role in request.remotes()})


def fetcher(request: Request, progress: Progress | None = None) -> Fetch:
    """Returns the function that returns the path of one archive, after fetching it if need be.

    Args:
      request: Where to get them.
      progress: Called as a download or the computing of a checksum advances.

    Raises:
      UserError: if an archive is not the official one or cannot be had; then the message says
        which files to fetch by hand and where to put them. What can be known before the first is
        fetched is said at once.
    """
    remotes = {remote.name: remote for remote in request.remotes().values()}
    missing = request.missing()
    if missing and request.from_folder:
        raise errors.UserError(f"The folder {request.folder} lacks {_names(missing)}.")
    credentials = None
    if missing:
        if request.source is None:
            credentials = _credentials(request, missing)
        _check_disk(request, missing)

    def fetch(source: RemoteFile) -> str:
        remote = remotes[source.name]
        if request.checksums or remote in missing:
            return _fetch(request, remote, credentials, progress)
        return os.fspath(request.folder / remote.name)

    return fetch


def _fetch(
    request: Request,
    remote: RemoteFile,
    credentials: download.Credentials | None,
    progress: Progress | None,
) -> str:
    try:
        return download.fetch(
            remote,
            request.raw_data,
            source=request.source,
            credentials=credentials,
            progress=progress,
        )
    except receipts.MismatchError as error:
        raise errors.UserError(
            f"{error} If a subset is meant, say --archive_checksums=off."
        ) from error
    except errors.UserError as error:
        if request.source is not None or (request.raw_data / remote.name).exists():
            raise
        raise errors.UserError(f"{error} {_by_hand(request, request.missing())}") from error


def _credentials(request: Request, missing: list[RemoteFile]) -> download.Credentials:
    """Returns the user's login, from the environment or typed in."""
    user = os.environ.get("IMAGENET_USERNAME")
    key = os.environ.get("IMAGENET_ACCESS_KEY")
    if user and key:
        return download.Credentials(user, key)
    if not sys.stdin.isatty():
        raise errors.UserError(
            f"{request.raw_data} lacks {_names(missing)}. To download, set IMAGENET_USERNAME and "
            f"IMAGENET_ACCESS_KEY. {_by_hand(request, missing)}"
        )
    print(f"Downloading {_names(missing)} needs a login of image-net.org.", file=sys.stderr)
    try:
        user = user or input("User name: ")
        key = key or getpass.getpass("Access key (not shown): ")
    except EOFError:
        raise errors.UserError(f"There was no answer. {_by_hand(request, missing)}") from None
    return download.Credentials(user, key)


def _by_hand(request: Request, missing: list[RemoteFile]) -> str:
    files = "; ".join(
        f"{remote.name} ({remote.size or 'unknown'} bytes, {remote.digest or 'no known checksum'})"
        for remote in missing
    )
    return (
        "To fetch them by hand, log in at https://image-net.org/download-images, put these files "
        f"into {request.raw_data.absolute()} and run again: {files}."
    )


def _names(remotes: Iterable[RemoteFile]) -> str:
    return ", ".join(remote.name for remote in remotes)


def _check_disk(request: Request, missing: list[RemoteFile]) -> None:
    """Compares the disk with what is to come: archives, and shards, which are as large again."""
    request.raw_data.mkdir(parents=True, exist_ok=True)
    sizes = {role: remote.size or 0 for role, remote in request.remotes().items()}
    needed = sum(remote.size or 0 for remote in missing) + sizes["train"] + sizes["validation"]
    # What an earlier run has downloaded or converted takes no room any more.
    there = [part_file.part_path(os.fspath(request.raw_data / remote.name)) for remote in missing]
    there += map(os.fspath, pathlib.Path(request.data_dir).glob("*-of-*"))
    needed -= sum(map(os.path.getsize, filter(os.path.isfile, there)))
    what = "the archives to be downloaded and the converted dataset"
    space.require_free(request.raw_data, needed, what)
