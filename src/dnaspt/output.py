"""Where a command writes: never where it reads, and never where another process writes at the same time."""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from dnaspt.atomic import remove_leftovers
from dnaspt.errors import BusyError, ConfigError, DnasptError, InputError, refuse_full_disk
from dnaspt.owner import Owner

log = logging.getLogger(__name__)

_WAIT_S = 0.3
"""A lock that its owner is just giving up is waited for so long."""
_MADE_AGAIN = (
    ".gff3",
    ".gff",
    ".gtf",
    ".fa",
    ".faa",
    ".fna",
    ".fasta",
    ".csv",
    ".bed",
    ".bw",
    ".vcf",
    ".gz",
    ".bgz",
    ".html",
    ".htm",
    *(".svg", ".png", ".pdf"),
    *(f"attributions-{split}{suffix}" for split in ("train", "valid", "test") for suffix in (".npz", ".onehot.npz")),
)
"""Ends of names that predictions, attributions and reports write: such a file in a run may be replaced, the run's own may not."""

Inputs = Mapping[str, "Path | Iterable[Path] | None"]
"""Paths that are read, by what they are: genome, encoder and so on."""


def refuse_inputs(out: Path, inputs: Inputs, *, is_file: bool = False, keeps_content: bool = False) -> None:
    """Refuse to write where something is read: there would be nothing left to read, or something else.

    Paths are compared by what they lead to: symbolic links, `..` and other names of the same file or folder are seen.

    Args:
        out: what will be written.
        inputs: what is read. None, and what is not there, is left out.
        is_file: whether a single file will be written. It may lie in a folder that is read, but not replace a file of it.
        keeps_content: whether a folder is written that keeps what it holds, as that of a study. An input may lie in it.

    Raises:
        ConfigError: `out` is an input, lies in one, or one lies in it; names both. InputError: nothing can have this path.
    """
    _check_path(out)
    here = Path(os.path.realpath(out))
    for name, given in inputs.items():
        for path in (given,) if isinstance(given, Path) else given or ():
            there = Path(os.path.realpath(path))
            if not there.exists():
                continue
            how = ""
            if _is_same(here, there):
                how = "is"
            elif _lies_in(here, there) and not (is_file and (not here.exists() or here.name.endswith(_MADE_AGAIN))):
                how = "lies in"
            elif _lies_in(there, here) and not keeps_content:
                how = "holds"
            if how:
                raise ConfigError(f"{out}: {how} the {name} {path}, which is read; choose another --out")


def check_file_to_write(file: Path) -> None:
    """Refuse a path that no file can be written to, before anything is computed.

    Raises:
        InputError: it is a folder, or lies in none.
    """
    if file.is_dir():
        raise InputError(file, "is a folder", expected="a file to write")
    if not file.parent.is_dir():
        raise InputError(file.parent, "no such folder", do="make it first")


def refuse_existing(
    path: Path, *, overwrite: bool, option: str = "--out", error: type[DnasptError] = ConfigError
) -> None:
    """Refuse to write where something is already, unless it may be replaced.

    Args:
        path: file or folder that will be written.
        overwrite: whether it may be replaced.
        option: how the path was given.
        error: what is raised.

    Raises:
        DnasptError: of the kind of `error`: it is there.
    """
    if path.exists() and not overwrite:
        raise error(f"{path}: already there; choose another {option}, or say --overwrite")


def _check_path(path: Path) -> None:
    """Refuse a path that nothing can have: below a file, too long, or in a folder that may not be entered.

    Raises:
        InputError: says why.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _not_made(path, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are not there yet.

    Raises:
        InputError: it cannot be made; says why. NoSpaceError: the disk is full.
    """
    try:
        Path(os.path.realpath(folder)).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refuse_full_disk(folder, error)
        raise _not_made(folder, error) from error


def _not_made(path: Path, error: OSError) -> InputError:
    return InputError(path, f"cannot be made ({error.strerror or error})", do="choose another --out")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return one == other


def _lies_in(path: Path, folder: Path) -> bool:
    return any(_is_same(parent, folder) for parent in path.parents)


@contextmanager
def locked_output(out: Path, *, hint: str = "") -> Iterator[None]:
    """A block in which no other process of dnaspt writes to `out`; it begins with removing what killed ones left there.

    The lock is a file `.NAME.lock` beside `out`, which ends with its process, however that ends. `.NAME.owner` says who holds it.
    Both are removed at the end. Where the file system locks nothing, a warning says so.

    Args:
        out: the file or folder that will be written.
        hint: what else to say where another process holds the lock.

    Raises:
        BusyError: another process writes there; names it. InputError: the folder that `out` is to lie in cannot be made.
    """
    from filelock import FileLock, Timeout, UnixFileLock

    target = Path(os.path.realpath(out))
    file, owner_file = (target.with_name(f".{target.name}.{what}") for what in ("lock", "owner"))
    lock = FileLock(file)
    make_folder(file.parent)
    try:
        lock.acquire(timeout=_WAIT_S)
    except Timeout:
        raise BusyError(f"{out}: {_holder(owner_file)}; wait for it, or choose another --out{hint}") from None
    except OSError as error:
        reason = error.strerror or error
        log.warning("%s: could not be locked (%s); see that no other process writes there", out, reason)
    try:
        if lock.is_locked:
            _write_owner(owner_file)
            remove_leftovers(target.parent, target.name)
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):
                owner_file.unlink(missing_ok=True)
                if isinstance(lock, UnixFileLock):  # on other systems, releasing it removes the file
                    file.unlink(missing_ok=True)
            lock.release()


def _write_owner(file: Path) -> None:
    """Say who holds a lock and since when. It is for people: what cannot be written is left out."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    with suppress(OSError):
        content = json.dumps(asdict(Owner.this_process()) | {"since": since}) + "\n"
        file.write_text(content, encoding="utf-8", newline="\n")


def _holder(file: Path) -> str:
    """Who holds a lock, in words."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return f"PID {content['pid']} on {content['host']} has been writing there since {content['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process writes there"
