"""A task's files and its genome from BEND's share, or a mirror of it, into ROOT with the same layout.

ROOT/checksums.json keeps the SHA-256 of every file at its first download; later ones are compared with it.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dnaspt.atomic import sha256_of_file
from dnaspt.bend.http import Web
from dnaspt.bend.share import HOST, SHARE, RemoteFile, list_files
from dnaspt.bend.table import GENOMES, find_task
from dnaspt.errors import DnasptError, InputError, NoSpaceError
from dnaspt.json_files import read_json, write_json

CHECKSUMS = "checksums.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPARE_BYTES = 100_000_000
"""Space that a download leaves free."""
Tell = Callable[[str, int, int], None]
"""Told the path of a file, its bytes so far, and in all (-1 where the server does not say)."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a download did.

    Attributes:
        downloaded: paths of the files that were downloaded.
        verified: paths of the files that were there and have not changed.
    """

    downloaded: tuple[str, ...]
    verified: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Checksum:
    """What checksums.json holds of a file: its digest, its size, and where and when it was downloaded."""

    sha256: str
    n_bytes: int
    url: str
    date: str


_ANEW = "remove it, and the files that are to be downloaded again"


class Checksums:
    """Checksums of the files below a root at their first download, kept in checksums.json.

    Args:
        root: folder with the layout of BEND's share.

    Raises:
        InputError: checksums.json is broken.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._file = root, root / CHECKSUMS
        self._by_path: dict[str, _Checksum] = {}
        if self._file.exists():
            content = read_json(self._file, do=_ANEW)
            self._by_path = {path: self._checksum(path, values) for path, values in content.items()}

    def _checksum(self, path: str, values: Any) -> _Checksum:
        kinds = {name: type(value) for name, value in values.items()} if isinstance(values, dict) else {}
        if kinds != {"sha256": str, "n_bytes": int, "url": str, "date": str} or not _SHA256.fullmatch(values["sha256"]):
            found = f"not the checksums of a download ({path[:60]!r} has not sha256, n_bytes, url and date)"
            raise InputError(self._file, found, expected="a whole file", do=_ANEW)
        return _Checksum(**values)

    def verify(self, remote: RemoteFile) -> bool:
        """Whether a file is there, and is what was downloaded.

        Raises:
            InputError: it has changed since it was downloaded, or somebody else put it there.
        """
        path, known = self._root / remote.path, self._by_path.get(str(remote.path))
        if path.exists() and not path.is_file():
            raise InputError(path, "is a folder", expected="a file, or nothing", do="move it elsewhere")
        if not path.exists():
            return False
        if known is None:
            raise InputError(
                path,
                f"is there already, and {CHECKSUMS} knows nothing of it",
                do="move it elsewhere to download it, or remove it",
            )
        if _digest_of(path) != known.sha256:
            raise InputError(
                path,
                "has changed since it was downloaded",
                expected=f"SHA-256 {known.sha256[:16]}...",
                do="remove it to download it again",
            )
        return True

    def add(self, remote: RemoteFile) -> None:
        """Keep the checksum of a file that was just downloaded.

        Raises:
            DnasptError: it is not the file that this path gave before; it is removed.
        """
        path, name = self._root / remote.path, str(remote.path)
        digest, known = _digest_of(path), self._by_path.get(name)
        if known is not None and known.sha256 != digest:
            path.unlink()
            raise DnasptError(f"{remote.url}: is not the file of {known.date} any more; see {self._file}")
        today = datetime.now(UTC).date().isoformat()
        self._by_path.setdefault(name, _Checksum(digest, path.stat().st_size, remote.url, today))
        write_json(self._file, {path: asdict(checksum) for path, checksum in self._by_path.items()}, sort_keys=True)


def _digest_of(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise InputError(path, error.strerror or str(error), expected="a readable file") from error


def download(
    task: str,
    root: Path,
    *,
    mirror: str = HOST,
    share: str = SHARE,
    web: Web | None = None,
    tell: Tell = lambda *_: None,
) -> Fetched:
    """Download what is missing of a task; a file that broke off goes on where it stopped.

    Args:
        task: name of the task.
        root: folder to write to.
        mirror: address of the share, or of a copy of it.
        share: name of the share on that host.
        web: how to ask.
        tell: told the progress of each file.

    Raises:
        ConfigError: no such task. DnasptError: something cannot be had, or is not what it was.
        NoSpaceError: the files are larger than the space left.
    """
    row = find_task(task)
    web = web or Web()
    remotes = [*list_files(web, row.folder, mirror, share), *_genomes(web, row.genome, mirror, share)]
    checksums = Checksums(root)
    verified: list[RemoteFile] = []
    missing: list[RemoteFile] = []
    for remote in remotes:
        (verified if checksums.verify(remote) else missing).append(remote)
    sizes = {remote: web.size(remote.url) for remote in missing}
    _check_space(root, sizes)
    for remote, size in sizes.items():
        _fetch(web, remote, root, size, tell)
        checksums.add(remote)
    return Fetched(tuple(str(remote.path) for remote in missing), tuple(str(remote.path) for remote in verified))


def _genomes(web: Web, assembly: str, mirror: str, share: str) -> list[RemoteFile]:
    """The files of the share whose names have the assembly.

    Raises:
        DnasptError: there is none.
    """
    files = list_files(web, GENOMES, mirror, share)
    genomes = [remote for remote in files if assembly.lower() in remote.path.name.lower()]
    if not genomes:
        raise DnasptError(f"{mirror}: no file in {GENOMES} is called {assembly}")
    return genomes


def _fetch(web: Web, remote: RemoteFile, root: Path, size: int, tell: Tell) -> None:
    """Download a file to its path below the root.

    Raises:
        DnasptError: it cannot be had, or has another size than the server announced.
    """
    path = root / remote.path
    _make_folder(path.parent)
    web.fetch(remote.url, path, lambda so_far, total: tell(str(remote.path), so_far, total))
    if 0 <= size != path.stat().st_size:
        path.unlink()
        raise DnasptError(f"{remote.url}: sent another number of bytes than the {size:,} it had announced")


def _make_folder(folder: Path) -> None:
    """Make a folder, unless it is there.

    Raises:
        InputError: a file is in its way, or nothing may be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, f"no folder ({error.strerror or error})", expected="a folder to write to") from error


def _check_space(root: Path, sizes: Mapping[RemoteFile, int]) -> None:
    """Refuse a download that cannot fit, before it begins.

    Raises:
        NoSpaceError: too little space is left.
    """
    _make_folder(root)
    parts = [(root / remote.path).with_name(f"{remote.path.name}.part") for remote in sizes]
    have = sum(part.stat().st_size for part in parts if part.exists())
    needed = sum(max(size, 0) for size in sizes.values()) - have + _SPARE_BYTES
    free = shutil.disk_usage(root).free
    if needed > free:
        found = f"has {free / 1e9:.1f} GB left"
        raise NoSpaceError(root, found, expected=f"{needed / 1e9:.1f} GB", do="make room, or write elsewhere")
