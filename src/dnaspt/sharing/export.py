"""A run to a folder for others, and to the Hugging Face hub: tensors, description, tokenizer, and the model card.

The folder is a checkpoint like any other, so every command that takes a run takes it, too.
"""

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from dnaspt.atomic import content_of
from dnaspt.checkpoint_config import DESCRIPTION, MODEL_TYPE, TENSORS, find_checkpoint, has_hidden_states
from dnaspt.errors import CheckpointError, ConfigError, InputError
from dnaspt.hub import Pushed, check_push, push
from dnaspt.json_files import read_json
from dnaspt.optional_imports import import_optional
from dnaspt.output import locked_output, refuse_inputs
from dnaspt.sharing.card import CARD, name_of, write_card
from dnaspt.sharing.card_text import UNKNOWN, CardOptions
from dnaspt.sharing.source import read_shareable

log = logging.getLogger(__name__)

TOKENIZER = "tokenizer_config.json"
FILES = (DESCRIPTION, TENSORS, TOKENIZER, CARD)
"""What an exported folder may hold."""
Format = Literal["hub", "bend"]
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_DATASET = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        folder: the folder; "" where it was only pushed.
        files: names of its files.
        n_bytes: their size in all.
        for_transformers: whether AutoModel and AutoTokenizer load it.
        pushed: name, commit and address on the hub; None where it was not pushed.

    Example:
        >>> dnaspt.export("runs/genes", to="shared/my_genes").for_transformers
        True
    """

    folder: str
    files: tuple[str, ...]
    n_bytes: int
    for_transformers: bool
    pushed: Pushed | None = None

    def summary(self) -> dict[str, str | int | bool]:
        """Names and values for a table."""
        values: dict[str, str | int | bool] = {"files": ", ".join(self.files), "bytes": self.n_bytes}
        values["for transformers"] = self.for_transformers
        if self.pushed is not None:
            values |= {"hub": self.pushed.name, "commit": self.pushed.commit, "address": self.pushed.url}
        return values


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


def export_run(run: Path, options: ExportOptions) -> Exported:
    """Write a run to a folder, push it to the hub, or both.

    Raises:
        ConfigError: options that contradict each other, a dataset that is not the run's, or the hub refuses it.
        CheckpointError: no checkpoint, one that cannot be shared, or the folder is there already.
        BusyError: another process writes the folder.
    """
    _check(options)
    find_checkpoint(run)
    if options.format == "bend":
        return _export_bend(run, options)
    if options.to is not None:
        _check_folder(options.to, overwrite=options.overwrite)
        refuse_inputs(options.to, {"run": run, "data": options.data})
    if _is_exported(run):
        return _push_as_it_is(run, options)
    if options.to is None:
        with TemporaryDirectory() as folder:
            own = Path(folder) / options.push.rsplit("/", 1)[-1]
            _write(run, own, options)
            pushed = push(own, options.push, _files_of(own), public=options.public, overwrite=options.overwrite)
            return _summary(own, pushed, named="")
    with locked_output(options.to):
        _check_folder(options.to, overwrite=options.overwrite)
        _write(run, options.to, options)
    return _summary(options.to, _pushed(options.to, options))


def _check(options: ExportOptions) -> None:
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


def _check_folder(folder: Path, *, overwrite: bool) -> None:
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
    if not _is_exported(folder) or {path.name for path in there} - set(FILES):
        raise CheckpointError(f"{folder}: is there and holds more than an exported model; choose another --to")


def _is_exported(folder: Path) -> bool:
    """Whether a folder was written by `export`: a checkpoint with a card."""
    return all((folder / name).is_file() for name in (DESCRIPTION, TENSORS, CARD))


def _push_as_it_is(folder: Path, options: ExportOptions) -> Exported:
    """Push an exported folder, with what its author has changed in the card.

    Raises:
        ConfigError: it is to be exported again, or the options are for its card.
    """
    if options.to is not None:
        raise ConfigError(f"{folder}: is exported already; copy it, or push it with --push alone")
    if options.license != UNKNOWN or options.datasets or options.data:
        raise ConfigError(
            f"{folder}: is exported already; change its {CARD}, and leave --license, --dataset and --data out"
        )
    pushed = push(folder, options.push, _files_of(folder), public=options.public, overwrite=options.overwrite)
    return _summary(folder, pushed)


def _write(run: Path, folder: Path, options: ExportOptions) -> None:
    """Write the folder, whole or not at all."""
    shareable = read_shareable(run, options.data)
    from dnaspt.checkpoint import load_model, save_checkpoint  # torch: seconds

    model, _ = load_model(run)
    n_parameters = sum(tensor.numel() for tensor in model.state_dict().values())
    name = options.push.rsplit("/", 1)[-1] if options.push else name_of(folder)
    about = CardOptions(name, options.license, options.datasets, options.push)
    extra = {CARD: write_card(shareable, about, n_parameters)}
    architectures: tuple[str, ...] = ()
    if has_hidden_states(shareable.config):
        architectures = ("DnasptForMaskedLM",) if shareable.config.kind == "language" else ("DnasptModel",)
        extra[TOKENIZER] = json.dumps({"tokenizer_class": "DnasptTokenizer"}, indent=1) + "\n"
    save_checkpoint(folder, model, shareable.config, extra, architectures)


def _pushed(folder: Path, options: ExportOptions) -> Pushed | None:
    """Push a folder that was just written.

    Raises:
        ConfigError: the hub refuses it; the folder stays.
    """
    if not options.push:
        return None
    try:
        return push(folder, options.push, _files_of(folder), public=options.public, overwrite=options.overwrite)
    except ConfigError as error:
        raise ConfigError(
            f"{error}; {folder} is written: push it with 'dnaspt export {folder} --push {options.push}'"
        ) from error


def _export_bend(run: Path, options: ExportOptions) -> Exported:
    """Write a pretrained model in the format of BEND's ConvNet."""
    from dnaspt.checkpoint import export_bend  # torch: seconds

    assert options.to is not None
    export_bend(run, options.to)
    return _summary(options.to)


def _files_of(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in FILES if (folder / name).is_file())


def _summary(folder: Path, pushed: Pushed | None = None, *, named: str | None = None) -> Exported:
    """What lies in an exported folder."""
    files = _files_of(folder)
    n_bytes = sum((folder / name).stat().st_size for name in files)
    try:
        for_transformers = read_json(folder / DESCRIPTION).get("model_type") == MODEL_TYPE
    except InputError:
        for_transformers = False
    return Exported(str(folder) if named is None else named, files, n_bytes, for_transformers, pushed)
