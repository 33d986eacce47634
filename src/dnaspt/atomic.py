"""Files and folders that appear whole or not at all: they are written under another name, and renamed at the end."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dnaspt.errors import refuse_full_disk


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all.

    Raises:
        NoSpaceError: the disk is full.
    """
    with atomic_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a name to write a file to. When the block ends well, the file is renamed to `path`; otherwise it is removed.

    An older file of that name is replaced.

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

    An older folder of that name is replaced.

    Raises:
        NoSpaceError: the disk is full.
    """
    unfinished = _beside(path, "unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        _put_in_place(unfinished, path)
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
    return path.with_name(f".{path.name}.{what}-{os.getpid()}")
