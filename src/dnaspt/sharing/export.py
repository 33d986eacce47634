"""A run to a folder for others, and to the Hugging Face hub: tensors, description, tokenizer, and the model card.

The folder is a checkpoint like any other, so every command that takes a run takes it, too.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dnaspt.checkpoint_config import DESCRIPTION, MODEL_TYPE, find_checkpoint, has_hidden_states
from dnaspt.errors import ConfigError
from dnaspt.hub import Pushed, push
from dnaspt.json_files import read_json
from dnaspt.output import locked_output, refuse_inputs
from dnaspt.sharing.options import (
    CARD,
    FILES,
    TOKENIZER,
    UNKNOWN,
    CardOptions,
    ExportOptions,
    check_folder,
    check_options,
    is_exported,
    name_of,
)


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

    def summary(self) -> dict[str, Any]:
        """Names and values for a table, or JSON."""
        values: dict[str, Any] = {"out": self.folder} if self.folder else {}
        values |= {"files": self.files, "n_file_bytes": self.n_bytes}
        values["for_transformers"] = self.for_transformers
        if self.pushed is not None:
            values |= {"hub": self.pushed.name, "commit": self.pushed.commit, "address": self.pushed.url}
        return values


def export_run(run: Path, options: ExportOptions) -> Exported:
    """Write a run to a folder, push it to the hub, or both.

    Raises:
        ConfigError: options that contradict each other, a dataset that is not the run's, or the hub refuses it.
        CheckpointError: no checkpoint, one that cannot be shared, or the folder is there already.
        BusyError: another process writes the folder.
    """
    check_options(options)
    find_checkpoint(run)
    if options.format == "bend":
        return _export_bend(run, options)
    if options.to is not None:
        refuse_inputs(options.to, {"run": run, "data": options.data})
        check_folder(options.to, overwrite=options.overwrite)
    if is_exported(run):
        return _push_as_it_is(run, options)
    if options.to is None:
        with TemporaryDirectory() as folder:
            own = Path(folder) / options.push.rsplit("/", 1)[-1]
            _write(run, own, options)
            pushed = push(own, options.push, _files_of(own), public=options.public, overwrite=options.overwrite)
            return _summary(own, pushed, named="")
    with locked_output(options.to):
        check_folder(options.to, overwrite=options.overwrite)
        _write(run, options.to, options)
    return _summary(options.to, _pushed(options.to, options))


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
    from dnaspt.checkpoint import load_model, save_checkpoint  # torch: seconds
    from dnaspt.sharing.card import write_card
    from dnaspt.sharing.source import read_shareable

    shareable = read_shareable(run, options.data)
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
    export_bend(run, options.to, overwrite=options.overwrite)
    return _summary(options.to)


def _files_of(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in FILES if (folder / name).is_file())


def _summary(folder: Path, pushed: Pushed | None = None, *, named: str | None = None) -> Exported:
    """What lies in an exported folder."""
    files = _files_of(folder)
    n_bytes = sum((folder / name).stat().st_size for name in files)
    for_transformers = read_json(folder / DESCRIPTION).get("model_type") == MODEL_TYPE
    return Exported(str(folder) if named is None else named, files, n_bytes, for_transformers, pushed)
