"""Files and folders that appear whole or not at all: they are written under another name, and renamed at the end.

The other name is `.NAME.unfinished-HOST-PID-START`: it says which process writes, so that what a killed one left can be told
from what is in use. `.NAME.replaced-HOST-PID-START` is an older folder in the moment in which a new one takes its place.
"""

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dnaspt.errors import refuse_full_disk
from dnaspt.owner import Owner

log = logging.getLogger(__name__)

_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<kind>unfinished|replaced)-(?P<tag>[^/]+)")


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all, in UTF-8 and with the line ends of Unix on every system.

    Raises:
        NoSpaceError: the disk is full.
    """
    with atomic_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a name to write a file to. When the block ends well, the file is renamed to `path`; otherwise it is removed.

    An older file of that name is replaced; a symbolic link too, and the file that it leads to stays as it is.

    Raises:
        NoSpaceError: the disk is full.
    """
    unfinished = _beside(path, "unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        refuse_full_disk(path, error)
        raise
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to write to. When the block ends well, it is renamed to `path`; otherwise it is removed.

    An older folder of that name is replaced; of a symbolic link, the folder that it leads to.

    Raises:
        NoSpaceError: the disk is full.
    """
    target = Path(os.path.realpath(path))
    unfinished = _beside(target, "unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        _put_in_place(unfinished, target)
    except OSError as error:
        refuse_full_disk(path, error)
        raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _put_in_place(unfinished: Path, path: Path) -> None:
    """Rename an older folder, rename the finished one, and only then remove the older one."""
    if not path.exists():
        unfinished.rename(path)
        return
    aside = _beside(path, "replaced")
    path.rename(aside)
    try:
        unfinished.rename(path)
    except OSError:
        aside.rename(path)
        raise
    shutil.rmtree(aside)


def _beside(path: Path, what: str) -> Path:
    """A hidden name in the same folder, which no other process uses."""
    return path.with_name(f".{path.name}.{what}-{Owner.this_process().tag}")


def content_of(folder: Path) -> list[Path]:
    """What lies in a folder but for unfinished files and folders; nothing where there is no folder."""
    return [path for path in folder.iterdir() if not _LEFTOVER.fullmatch(path.name)] if folder.is_dir() else []


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Remove what killed processes of this host left unfinished in a folder, and say so.

    An older folder whose successor was not put in its place is put back. What may still be in use, because its process runs, is
    on another host or not on record, stays; a warning names it with its age.

    Args:
        folder: where to look; it need not be there.
        name: only what was to become a file or folder of this name; left out, all.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        match = _LEFTOVER.fullmatch(path.name)
        if match and name in ("", match["name"]):
            try:
                _remove_leftover(path, match)
            except OSError as error:
                log.warning("%s: is left over, and could not be removed (%s)", path, error.strerror or error)


def _remove_leftover(path: Path, match: re.Match[str]) -> None:
    owner = Owner.from_tag(match["tag"])
    if owner == Owner.this_process():
        return  # another thread writes it
    if owner is None or not owner.is_gone:
        who = owner or f"process {match['tag']}"
        log.warning("%s: unfinished, of %s, last written %s ago; remove it if nobody writes it", path, who, _age(path))
        return
    target = path.with_name(match["name"])
    if match["kind"] == "replaced" and not target.exists():
        path.rename(target)
        log.warning("%s: put back; %s was killed when it was about to replace it", target, owner)
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    log.warning("%s: removed; %s left it unfinished and runs no more", path, owner)


def _age(path: Path) -> str:
    """How long ago a file or folder was last written: 5 minutes, 3 hours, 2 days."""
    seconds = max(0.0, time.time() - path.lstat().st_mtime)
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
