"""Names on the Hugging Face hub: a model's files from there, and the files of an exported model to there.

Only config.json and model.safetensors are downloaded, so no code and no pickle comes along. Sizes and digests are compared with
what the hub says of them. huggingface_hub, which is not installed with this package, does the transfers and knows the token of
the person who is logged in.
"""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from dnaspt.atomic import sha256_of_file
from dnaspt.checkpoint_config import DESCRIPTION, TENSORS
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.optional_imports import import_optional
from dnaspt.security import is_offline

log = logging.getLogger(__name__)

FILES = (DESCRIPTION, TENSORS)
"""What is downloaded."""
_MOST_BYTES = {DESCRIPTION: 1 << 26, TENSORS: 1 << 36}
"""A larger file is refused before it is downloaded: 64 MB of settings, 64 GB of weights."""
_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NAME = re.compile(rf"(?P<name>{_WORD}/{_WORD})(@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]*))?")
_TO_PUSH = re.compile(rf"{_WORD}/{_WORD}")
_TOKEN = re.compile(r"hf_\w+")


@dataclass(frozen=True, slots=True)
class Pushed:
    """An exported model on the hub.

    Attributes:
        name: OWNER/NAME.
        commit: the 40 digits of the commit.
        url: address of the page.
    """

    name: str
    commit: str
    url: str


def local_folder(path: Path, revision: str = "") -> Path:
    """A folder itself; for a name on the hub, the folder of its copy on this machine, downloaded where that is allowed.

    A path is a name on the hub if it is OWNER/NAME or OWNER/NAME@REVISION, nothing lies at that path, and no folder here is
    called OWNER: what is misspelt in a folder of runs never goes to the network.

    Args:
        path: folder of a run or a checkpoint, or a name on the hub.
        revision: commit, tag or branch on the hub; empty for the newest commit.

    Raises:
        ConfigError: a revision of what is no name on the hub, or two of them.
        CheckpointError: there is no such model on the hub, it cannot be reached, or it is no checkpoint of dnaspt.
    """
    match = None if os.path.lexists(path) else _NAME.fullmatch(path.as_posix())
    if match is None or Path(path.parts[0]).is_dir():
        if revision:
            raise ConfigError(f"{path}: is no name on the Hugging Face hub, so it has no revision {revision!r}")
        return path
    if revision and match["revision"]:
        raise ConfigError(f"{path}: names a revision, and {revision!r} is another one; say one of them")
    return _download(match["name"], revision or match["revision"] or "")


def _download(name: str, revision: str) -> Path:
    """The folder of a model's copy on this machine."""
    try:
        hub = import_optional("huggingface_hub", "models on the Hugging Face hub")
    except ConfigError as error:
        raise CheckpointError(f"{name}: no such folder; {error}") from error
    options: dict[str, Any] = {"revision": revision or None, "allow_patterns": list(FILES)}
    if is_offline() or import_module("huggingface_hub.constants").HF_HUB_OFFLINE:
        with _told(
            name, "no such folder, and no copy of a model of that name on the hub is here; leave --offline out once"
        ):
            folder = Path(hub.snapshot_download(name, local_files_only=True, **options))
        _check_there(name, folder)
        return folder
    with _told(name, "no such folder, and it could not be had from the Hugging Face hub"):
        about = hub.HfApi().model_info(name, revision=revision or None, files_metadata=True)
    known = {file.rfilename: file for file in about.siblings or ()}
    _check_files(name, {file: getattr(known[file], "size", None) for file in FILES if file in known})
    with _told(name, "could not be downloaded from the Hugging Face hub"):
        folder = Path(hub.snapshot_download(name, **options))
    if folder.name != about.sha:
        raise CheckpointError(f"{name}: was changed on the hub while it was downloaded; try again")
    _check_there(name, folder)
    for file in FILES:
        _check_content(name, folder / file, known[file])
    if not revision:  # a folder that is misspelt could be somebody's name: never in silence
        log.warning("%s: no folder here; taken from the Hugging Face hub, pin it as %s@%s", name, name, about.sha)
    return folder


def _check_files(name: str, sizes: dict[str, int | None]) -> None:
    """Refuse what is no checkpoint, or too large, before it is downloaded.

    Raises:
        CheckpointError: says why.
    """
    for file, most in _MOST_BYTES.items():
        if file not in sizes:
            raise CheckpointError(f"{name}: has no {file} on the hub; expected a model of 'dnaspt export'")
        if (size := sizes[file] or 0) > most:
            raise CheckpointError(f"{name}: {file} has {size:,} bytes on the hub; expected {most:,} at most")


def _check_there(name: str, folder: Path) -> None:
    if missing := [file for file in FILES if not (folder / file).is_file()]:
        raise CheckpointError(f"{name}: its copy in {folder} has no {missing[0]}; load it without --offline once")


def _check_content(name: str, file: Path, known: Any) -> None:
    """Compare a file with its size and, where the hub knows it, its sha256.

    Raises:
        CheckpointError: it is another one.
    """
    size, sha256 = getattr(known, "size", None), getattr(getattr(known, "lfs", None), "sha256", None)
    if size is not None and file.stat().st_size != size:
        raise CheckpointError(
            f"{name}: {file.resolve()} has {file.stat().st_size:,} bytes; expected {size:,}; remove it, and try again"
        )
    if sha256 and sha256_of_file(file) != sha256:
        do = "remove it, and try again"
        raise CheckpointError(f"{name}: {file.resolve()} does not have the sha256 that the hub says; {do}")


def check_push(name: str) -> None:
    """Refuse what cannot be pushed before anything is computed.

    Raises:
        ConfigError: no name that the hub could have, network is forbidden, or huggingface_hub is not installed.
    """
    if not _TO_PUSH.fullmatch(name):
        raise ConfigError(f"push = {name!r}; expected OWNER/NAME, of letters, digits and . _ -")
    if is_offline():
        raise ConfigError(f"{name}: cannot be pushed, since --offline (DNASPT_OFFLINE) forbids network access")
    import_optional("huggingface_hub", "models on the Hugging Face hub")


def push(folder: Path, name: str, files: Sequence[str], *, public: bool = False, overwrite: bool = False) -> Pushed:
    """Put the files of an exported model on the hub, in one commit.

    The token is that of the person who is logged in (`hf auth login`), or of the environment (HF_TOKEN).

    Args:
        folder: the exported model.
        name: OWNER/NAME; it is made where it is not there.
        files: names of the files.
        public: let everybody see it; else only the owner does.
        overwrite: replace all files of a model that is there; its older commits stay.

    Raises:
        ConfigError: as `check_push`; the hub refuses it or cannot be reached; a model is there, or it is public.
    """
    check_push(name)
    hub = import_optional("huggingface_hub", "models on the Hugging Face hub")
    api = hub.HfApi()
    with _told(name, "could not be pushed to the Hugging Face hub", kind=ConfigError):
        made = api.create_repo(name, private=not public, exist_ok=True)
        there = api.model_info(made.repo_id)
        if not public and there.private is False:
            raise ConfigError(f"{made.repo_id}: is there and is public; say --public, or choose another name")
        if public and there.private:
            log.warning("%s: is there and stays private; its page on the hub has the switch", made.repo_id)
        others = [file.rfilename for file in there.siblings or () if file.rfilename != ".gitattributes"]
        if others and not overwrite:
            raise ConfigError(
                f"{made.repo_id}: has {len(others)} files on the hub; choose another name, or say --overwrite"
            )
        commit = api.upload_folder(
            repo_id=made.repo_id,
            folder_path=folder,
            allow_patterns=list(files),
            delete_patterns="*" if others else None,
            commit_message="Model of dnaspt",
        )
    return Pushed(made.repo_id, commit.oid, str(made))


@contextmanager
def _told(
    name: str, problem: str, *, kind: type[CheckpointError] | type[ConfigError] = CheckpointError
) -> Iterator[None]:
    """A block in which an error of the hub's library is one line that names the model. No token stands in it.

    Raises:
        CheckpointError, ConfigError: as `kind` says.
    """
    try:
        yield
    except (CheckpointError, ConfigError):
        raise
    except Exception as error:  # errors of the hub and of its HTTP library have no common ancestor
        raise kind(f"{name}: {problem} ({_reason(error)}){_remedy(error)}") from error


def _reason(error: Exception) -> str:
    """What the hub's library says, in one line: where nothing answered the kind of error alone, whose text is long."""
    if "Connect" in repr(error):
        return type(error).__name__
    text = str(error) if error.__cause__ is None else f"{error} {error.__cause__}"
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return _TOKEN.sub("hf_...", " ".join(lines)[:240]).rstrip(".")


def _remedy(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return "; if it is there, log in with 'hf auth login', or set HF_TOKEN" if status in (401, 403) else ""
