"""What `explain` writes: attributions of windows as npz, their contributions as a bigWig, and logos."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dnaspt.checkpoint_config import TENSORS, find_checkpoint
from dnaspt.errors import ConfigError
from dnaspt.inference.attribution_file import onehot_file, write_attributions, write_contributions
from dnaspt.inference.explain_options import ExplainOptions, ExplainSource
from dnaspt.inference.model import Model, load_unless_loaded
from dnaspt.inference.predict import checked_outputs

if TYPE_CHECKING:
    from dnaspt.inference.explain_file import ExplanationSummary
    from dnaspt.training.loop import Reporter

SUFFIXES = (".npz", ".bw", ".bigwig")
LOGO_SUFFIXES = (".svg", ".png", ".pdf")


def kept_in_run(run: Path, split: str) -> Path:
    """Where a run keeps the attributions of a split."""
    return run / f"attributions-{split}.npz"


def explain_files(
    model: Path | Model,
    source: ExplainSource,
    options: ExplainOptions,
    *,
    label: str | None = None,
    out: Sequence[Path] = (),
    logo: Path | None = None,
    loci: Sequence[str] = (),
    accelerator: Literal["auto", "cpu", "gpu"] = "auto",
    overwrite: bool = False,
    reporter: "Reporter | None" = None,
) -> "ExplanationSummary":
    """Explain windows, and write the files; each appears whole or not at all.

    Args:
        model: fine-tuned run, checkpoint, or loaded model.
        source: where the windows come from.
        options: how they are explained.
        label: the label that is explained; None where the model has one label only.
        out: the files, .npz or .bw; none, with a dataset: one in the run.
        logo: figure of logos to write, too.
        loci: what is drawn in it, see `find_loci`; none: some windows of the highest prediction.
        accelerator: auto takes a GPU where there is one; of no effect on a model that is loaded already.
        overwrite: replace files that are there.
        reporter: is told how many windows are done.

    Raises:
        ConfigError, InputError, CheckpointError, DatasetError, BusyError: see `dnaspt.explain`.
    """
    run = model.path if isinstance(model, Model) else model
    written = _checked(run, source, tuple(out), logo, loci)
    files = [file for first in written for file in _files_of(first)] + ([logo] if logo is not None else [])
    inputs = source.inputs() | {"run": None if isinstance(model, Model) else run}
    names = {str(number): file for number, file in enumerate(files[1:])}
    with checked_outputs(files[0], names, inputs, overwrite=overwrite):
        from dnaspt.inference.explain_file import explain_windows, label_number, source_windows

        loaded = load_unless_loaded(model, accelerator=accelerator)
        from dnaspt.reports.logos import find_loci, top_loci, write_logos  # with PyTorch

        number = label_number(loaded, label)
        resolved = replace(options, average_strands=loaded.averages(asked=options.average_strands))
        windows = source_windows(loaded, source, loaded.labels[number], seed=options.seed)
        drawn = find_loci(windows.windows, loci)
        if reporter is not None:
            reporter.start(len(windows.windows), 0)
        try:
            found, summary = explain_windows(
                loaded, windows, number, resolved, None if reporter is None else lambda n: reporter.update(n, {})
            )
        finally:
            if reporter is not None:
                reporter.stop()
        n_shared = 0
        for file in written:
            if file.suffix.lower() == ".npz":
                write_attributions(file, found)
            else:
                n_shared = write_contributions(file, found, windows.lengths)
        if logo is not None:
            write_logos(logo, found, drawn or top_loci(found))
    return replace(summary, n_shared_bp=n_shared, files=tuple(map(str, files)))


def _checked(
    run: Path, source: ExplainSource, out: tuple[Path, ...], logo: Path | None, loci: Sequence[str]
) -> tuple[Path, ...]:
    """The files of attributions to write.

    Raises:
        ConfigError: none, one with another suffix, or a bigWig of what is no genome. CheckpointError: no run to write into.
    """
    if not out and source.data is not None:
        find_checkpoint(run)  # a run that is not there is told as such
        out = (kept_in_run(run, source.split),)
        if (run / TENSORS).is_file():
            raise ConfigError(f"{run}: is a checkpoint, which stays as it is; name the file to write: --out FILE.npz")
    if not out and logo is None:
        raise ConfigError("nothing to write; name a file: --out FILE.npz, --out FILE.bw, or --logo FILE.svg")
    for file in out:
        if file.suffix.lower() not in SUFFIXES:
            raise ConfigError(f"{file}: unknown suffix; expected {', '.join(SUFFIXES)}")
        if file.suffix.lower() != ".npz" and source.genome is None:
            raise ConfigError(f"{file}: a bigWig needs a genome; give genome and regions, or write .npz")
    if logo is not None and logo.suffix.lower() not in LOGO_SUFFIXES:
        raise ConfigError(f"{logo}: unknown suffix; expected {', '.join(LOGO_SUFFIXES)}")
    if loci and logo is None:
        raise ConfigError("loci are drawn in a logo; name its file: --logo FILE.svg")
    return out


def _files_of(file: Path) -> tuple[Path, ...]:
    """A file, and that of the letters beside attributions."""
    return (file, onehot_file(file)) if file.suffix.lower() == ".npz" else (file,)
