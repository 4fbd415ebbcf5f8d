"""Where published data sets come from, and getting them: download, checksum, unpack."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlparse
from urllib.request import urlopen

from taxo.language.errors import fail
from taxo.training.loaders import Raw

ROOT = "~/.cache/taxo"
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Archive:
    """A file to download, with the checksum that its publishers name; archives are unpacked."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return Path(urlparse(self.url).path).name


@dataclass(frozen=True, slots=True)
class Source:
    """How a published data set is read from a folder under the data root, and what it is made from.

    `key` is a file or folder that is there when the data are; `by_hand` says how to get what nobody may
    download for another.
    """

    folder: str
    key: str
    read: Callable[[Path], Raw]
    archives: tuple[Archive, ...] = ()
    by_hand: str = ""
    inside: bool = False  # whether the archives hold that folder, or its contents

    def place(self, root: Path) -> Path:
        """The folder that is read."""
        return root.expanduser() / self.folder

    def is_there(self, root: Path) -> bool:
        """Whether the data are."""
        return any(self.place(root).glob(f"{self.key}*"))

    def hint(self, name: str) -> str:
        """How to get the data."""
        return self.by_hand or f"`taxo data {name} --download` gets it"


def read(name: str, source: Source, root: Path) -> Raw:
    """The data; T501 with the way to get them where they are not there."""
    place = source.place(root)
    if not source.is_there(root):
        fail("T501", f"the data set `{name}` is not in `{place}`", help=source.hint(name))
    return source.read(place)


def fetch(name: str, source: Source, root: Path, say: Callable[[str], None]) -> None:
    """Download and unpack what is not there; whenever it is stopped, nothing half is left."""
    if source.is_there(root):
        return
    if not source.archives:
        fail("T501", f"the data set `{name}` cannot be downloaded by a program", help=source.by_hand)
    place = source.place(root)
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as side:
        whole = Path(side) / place.name
        whole.mkdir()
        for archive in source.archives:
            say(f"downloading {archive.url}")
            file = _download(archive, Path(side))
            _unpack(file, whole)
        found = whole / place.name if source.inside else whole
        if place.is_dir():  # of a user who put something else there
            for entry in found.iterdir():
                shutil.move(str(entry), place / entry.name)
        else:
            found.rename(place)


def _download(archive: Archive, folder: Path) -> Path:
    """The archive's file, whose checksum is right."""
    file, digest = folder / archive.name, hashlib.md5(usedforsecurity=False)
    try:
        with urlopen(archive.url, timeout=60) as answer, file.open("wb") as copy:
            while piece := answer.read(PIECE):
                digest.update(piece)
                copy.write(piece)
    except OSError as error:
        reason = str(getattr(error, "reason", "") or error.strerror or error).lower()
        hint = "see whether this machine reaches the network, and try again"
        fail("T502", f"`{archive.url}` cannot be downloaded: {reason}", help=hint)
    if digest.hexdigest() != archive.md5:
        message = f"`{archive.url}` has the checksum {digest.hexdigest()}, and not {archive.md5}"
        fail("T502", message, help="it was cut short or is another file; try again")
    return file


def _unpack(file: Path, place: Path) -> None:
    """Unpack an archive, whose members stay below the folder; keep any other file as it is."""
    try:
        if file.name.endswith((".tar.gz", ".tgz", ".tar")):
            with tarfile.open(file) as packed:
                packed.extractall(place, filter="data")
        elif file.suffix == ".zip":
            with zipfile.ZipFile(file) as packed:
                packed.extractall(place)
        else:
            file.rename(place / file.name)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        fail("T502", f"`{file.name}` cannot be unpacked: {error}", help="download it again")
