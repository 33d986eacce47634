"""What a person may ask of an export, and what is refused before anything slow is imported."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dnaspt.atomic import content_of
from dnaspt.checkpoint_config import DESCRIPTION, TENSORS
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.hub import check_push
from dnaspt.json_files import read_json
from dnaspt.optional_imports import import_optional
from dnaspt.sharing.paths import without_paths

CARD, TOKENIZER = "README.md", "tokenizer_config.json"
FILES = (DESCRIPTION, TENSORS, TOKENIZER, CARD)
"""What an exported folder may hold."""
UNKNOWN = "unknown"
"""Licence on the hub of what nobody has chosen one for."""
Format = Literal["hub", "bend"]
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_DATASET = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class CardOptions:
    """What a person says of an exported model.

    Attributes:
        name: name of the model.
        license: its licence, as the hub calls it; "unknown" where none was chosen.
        datasets: names on the hub of the data.
        hub_name: OWNER/NAME on the hub; "" where it is not pushed.
    """

    name: str
    license: str = UNKNOWN
    datasets: tuple[str, ...] = ()
    hub_name: str = ""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How a run is exported.

    Attributes:
        to: folder to write; None to push alone.
        push: name on the hub; "" for none.
        license: licence of the model.
        datasets: names on the hub of the data.
        data: dataset folder of the run; None looks where the run found it.
        public: let everybody see what is pushed.
        overwrite: replace an exported folder, and the files of a model on the hub.
        format: hub; or bend for the format of BEND's ConvNet.
    """

    to: Path | None = None
    push: str = ""
    license: str = UNKNOWN
    datasets: tuple[str, ...] = ()
    data: Path | None = None
    public: bool = False
    overwrite: bool = False
    format: Format = "hub"


def check_options(options: ExportOptions) -> None:
    """Refuse options that make no sense, before anything is read.

    Raises:
        ConfigError: says which.
    """
    if options.to is None and not options.push:
        raise ConfigError("nowhere to export to; say --to FOLDER, --push NAME, or both")
    if options.format == "bend":
        if options.push or options.to is None:
            raise ConfigError("format bend is a folder alone; say --to FOLDER, and leave --push out")
        if options.license != UNKNOWN or options.datasets or options.data or options.overwrite:
            raise ConfigError("format bend has no card; leave --license, --dataset, --data and --overwrite out")
        return
    if options.format != "hub":
        raise ConfigError(f"format {options.format!r}; expected hub or bend")
    if not _LICENSE.fullmatch(options.license):
        raise ConfigError(
            f"license {options.license!r}; expected a word of the hub, such as mit, apache-2.0 or cc-by-4.0"
        )
    if wrong := [name for name in options.datasets if not _DATASET.fullmatch(name)]:
        raise ConfigError(f"dataset {wrong[0]!r}; expected a name on the hub, OWNER/NAME")
    if options.public and not options.push:
        raise ConfigError("public is for --push; a folder is seen by whom you give it to")
    if options.push:
        check_push(options.push)
    import_optional("huggingface_hub", "model cards")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse to replace what is no exported model.

    Raises:
        CheckpointError: says what is there.
    """
    if folder.is_file():
        raise CheckpointError(f"{folder}: is a file; expected a folder to write")
    if not (there := content_of(folder)):
        return
    if not overwrite:
        raise CheckpointError(f"{folder}: already there; choose another --to, or say --overwrite")
    if not is_exported(folder) or {path.name for path in there} - set(FILES):
        raise CheckpointError(f"{folder}: is there and holds more than an exported model; choose another --to")


def is_exported(folder: Path) -> bool:
    """Whether a folder was written by `export`: a checkpoint of ours with a card, whose description holds no path."""
    if not all((folder / name).is_file() for name in (DESCRIPTION, TENSORS, CARD)):
        return False
    content = read_json(folder / DESCRIPTION)
    provenance = content.get("provenance")
    return "format_version" in content and isinstance(provenance, dict) and without_paths(provenance) == provenance


def name_of(folder: Path) -> str:
    """Name of a model that is written to a folder."""
    return folder.resolve().name
