"""A task's files and its genome from BEND's share, or a mirror of it, into ROOT with the same layout.

ROOT/checksums.json remembers the SHA-256 of every file at its first download; later ones are compared with it.
"""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dnaspt.atomic import sha256_of_file, write_text_atomically
from dnaspt.bend.http import Web
from dnaspt.bend.share import HOST, SHARE, Remote, list_files
from dnaspt.bend.table import BEND_TASKS, GENOMES
from dnaspt.errors import ConfigError, DnasptError, InputError, NoSpaceError

log = logging.getLogger(__name__)

CHECKSUMS = "checksums.json"
_SPARE_BYTES = 100_000_000
Tell = Callable[[str, int, int], None]
"""Told a file's path, its bytes so far, and in all."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was done: files that were downloaded, and those that were there and are what they were."""

    downloaded: tuple[str, ...]
    verified: tuple[str, ...]


def download(
    task: str,
    root: Path,
    *,
    mirror: str = HOST,
    share: str = SHARE,
    web: Web | None = None,
    tell: Tell = lambda *_: None,
) -> Fetched:
    """Download what is missing of a task; broken-off files go on where they stopped.

    Raises:
        ConfigError: no such task. DnasptError: something cannot be had, or is not what it was. NoSpaceError: the files are
            larger than the space left.
    """
    if task not in BEND_TASKS:
        raise ConfigError(f"no task of BEND is called {task!r}; known: {', '.join(BEND_TASKS)}")
    web = web or Web()
    row = BEND_TASKS[task]
    files = list_files(web, row.folder, mirror, share)
    genomes = [one for one in list_files(web, GENOMES, mirror, share) if row.genome.lower() in one.path.name.lower()]
    if not genomes:
        raise DnasptError(f"{mirror}: no file in {GENOMES} is called {row.genome}")
    known = _read_checksums(root)
    verified: list[Remote] = []
    missing: list[Remote] = []
    for one in [*files, *genomes]:
        (verified if _is_known(root, one, known) else missing).append(one)
    sizes = {one: web.size(one.url) for one in missing}
    _check_space(root, missing, sizes)
    for one in missing:
        path = root / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        web.fetch(one.url, path, lambda so_far, total, name=str(one.path): tell(name, so_far, total))  # type: ignore[misc]
        if 0 <= sizes[one] != path.stat().st_size:
            path.unlink()
            raise DnasptError(f"{one.url}: sent another number of bytes than the {sizes[one]:,} it had announced")
        _remember(root, one, known)
    return Fetched(tuple(str(one.path) for one in missing), tuple(str(one.path) for one in verified))


def _is_known(root: Path, one: Remote, known: dict[str, Any]) -> bool:
    """Whether a file is there and what it was.

    Raises:
        InputError: it has changed since it was downloaded, or somebody else put it there.
    """
    path, before = root / one.path, known.get(str(one.path))
    if not path.is_file():
        return False
    if before is None:
        raise InputError(
            path,
            f"is there already, and {CHECKSUMS} knows nothing of it",
            do="move it elsewhere to download it, or remove it",
        )
    if sha256_of_file(path) != before["sha256"]:
        raise InputError(
            path,
            "has changed since it was downloaded",
            expected=f"SHA-256 {before['sha256'][:16]}...",
            do="remove it to download it again",
        )
    return True


def _remember(root: Path, one: Remote, known: dict[str, Any]) -> None:
    """Note the checksum of a file that was downloaded; the same path must give the same bytes again."""
    path, name = root / one.path, str(one.path)
    digest = sha256_of_file(path)
    if name in known and known[name]["sha256"] != digest:
        path.unlink()
        raise DnasptError(f"{one.url}: is not the file of {known[name]['date']} any more; see {root / CHECKSUMS}")
    today = datetime.now(UTC).date().isoformat()
    known.setdefault(name, {"sha256": digest, "n_bytes": path.stat().st_size, "url": one.url, "date": today})
    write_text_atomically(root / CHECKSUMS, json.dumps(known, indent=1, sort_keys=True) + "\n")


def _read_checksums(root: Path) -> dict[str, Any]:
    file = root / CHECKSUMS
    if not file.is_file():
        return {}
    try:
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(
            file, f"not JSON ({error})", do="remove it, and the files that are to be downloaded again"
        ) from error
    return known


def _check_space(root: Path, missing: list[Remote], sizes: dict[Remote, int]) -> None:
    """Refuse a download that cannot fit, before it begins."""
    root.mkdir(parents=True, exist_ok=True)
    parts = sum(
        part.stat().st_size
        for one in missing
        if (part := (root / one.path).with_name(f"{one.path.name}.part")).exists()
    )
    needed = sum(max(size, 0) for size in sizes.values()) - parts
    free = shutil.disk_usage(root).free
    if needed + _SPARE_BYTES > free:
        found = f"has {free / 1e9:.1f} GB left"
        raise NoSpaceError(
            root, found, expected=f"{(needed + _SPARE_BYTES) / 1e9:.1f} GB", do="make room, or write elsewhere"
        )
