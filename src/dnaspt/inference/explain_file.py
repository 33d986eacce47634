"""Sequences, intervals of a genome, or windows of a dataset to attributions of one label of a model."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.bed import read_bed
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.sequence_tables import read_sequence_table, sequences_of
from dnaspt.inference.attribution_file import Attributions
from dnaspt.inference.explain_options import N_WINDOWS, ExplainOptions, ExplainSource
from dnaspt.inference.model import Model, naming_model
from dnaspt.inference.sequences import NamedSequence
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)

_MOST_NUMBERS = 1 << 28
"""Attributions that are held in memory (1 GB)."""
_LARGE_GAP = 0.01
"""Share of the differences from which DeepLIFT's contributions do not add up."""


class ExplainedWindow(NamedTuple):
    """A window that is explained: where it comes from, and its codes (L,).

    Attributes:
        name: name of the sequence, or CONTIG:START-END of the window, with 1-based START.
        chrom: contig; of a table or FASTA of sequences, the name of the sequence.
        start: first position, 0-based.
        end: end, half-open.
        strand: "+" or "-", or "." where it is not known.
        codes: codes of the window (L,) uint8.
    """

    name: str
    chrom: str
    start: int
    end: int
    strand: str
    codes: np.ndarray


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows to explain, what was left out, and why.

    Attributes:
        windows: the windows.
        source: the file or folder they come from.
        lengths: contigs of a genome and their lengths in bp; none of other sources.
        n_empty: rows without a sequence.
        n_unknown: windows that are more than half N.
        n_off_contig: windows that reach beyond their contig.
        n_longer: intervals longer than a window, of which the middle is explained.
        n_not_drawn: windows of a split that have the label, and were not drawn.
        data_digest: digest of the dataset they are from; empty for other sources.
    """

    windows: tuple[ExplainedWindow, ...]
    source: Path
    lengths: tuple[tuple[str, int], ...] = ()
    n_empty: int = 0
    n_unknown: int = 0
    n_off_contig: int = 0
    n_longer: int = 0
    n_not_drawn: int = 0
    data_digest: str = ""


@dataclass(frozen=True, slots=True)
class ExplanationSummary:
    """What was explained and written.

    Attributes:
        label: the label that is explained.
        method: ism, gradient or deeplift.
        average_strands: whether the mean of both strands was explained.
        n_windows: windows explained.
        n_empty: rows without a sequence, which are left out.
        n_unknown: windows left out, because more than half of their bases are N.
        n_off_contig: windows left out, because they reach beyond their contig.
        n_longer: intervals longer than a window, of which the middle is explained.
        n_not_drawn: windows of the split that have the label, and were not drawn.
        n_shared_bp: bases in more than one window, of which a bigWig has the mean.
        gap: of deeplift: how far contributions are from adding up to the differences from shuffled sequences, as a share of
            these; nan for other methods.
        files: the files written.

    Example:
        >>> summary = dnaspt.explain("runs/peaks", "two.npz", data="data/peaks", n_windows=2, method="gradient")
        >>> summary.label, summary.n_windows
        ('peaks_A', 2)
    """

    label: str
    method: str
    average_strands: bool
    n_windows: int
    n_empty: int = 0
    n_unknown: int = 0
    n_off_contig: int = 0
    n_longer: int = 0
    n_not_drawn: int = 0
    n_shared_bp: int = 0
    gap: float = math.nan
    files: tuple[str, ...] = field(default=())


def label_number(model: Model, label: str | None) -> int:
    """Number of the label that is explained: the one that is asked for, or the only one.

    Raises:
        CheckpointError: a pretrained model. ConfigError: a model of bases or bins; no such label, or several and none asked for.
    """
    model.task_model()
    if (resolution_bp := TASKS[model.task].resolution_bp) > 0:
        what = "bases" if resolution_bp == 1 else f"bins of {resolution_bp} bp"
        raise ConfigError(f"{model.path}: labels {what}; only models of windows or sequences can be explained")
    listed = ", ".join(model.labels[:20]) + (", ..." if len(model.labels) > 20 else "")
    if label is None:
        if len(model.labels) > 1:
            raise ConfigError(f"{model.path}: has {len(model.labels)} labels; say which to explain: label = {listed}")
        return 0
    if label not in model.labels:
        near = get_close_matches(str(label), model.labels, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {listed}"
        raise ConfigError(f"{model.path}: no label {label!r}; {hint}")
    return model.labels.index(label)


def source_windows(model: Model, source: ExplainSource, label: str, *, seed: int) -> Windows:
    """The windows of a source.

    Args:
        model: a model of windows.
        source: where they come from.
        label: the label that is explained: windows of a dataset have it.
        seed: of windows that are drawn.

    Raises:
        InputError, ConfigError, DatasetError: see `sequence_windows`, `genome_windows`, `split_windows`.
    """
    if source.sequences is not None:
        return sequence_windows(model, source.sequences, source.sequence_column, source.name_column)
    if source.genome is not None and source.regions is not None:
        return genome_windows(model, source.genome, source.regions)
    assert source.data is not None
    n_windows = source.n_windows or N_WINDOWS
    return split_windows(model, source.data, source.split, label, n_windows, fold=source.fold, seed=seed)


def sequence_windows(
    model: Model, path: Path, sequence_column: str | None = None, name_column: str | None = None
) -> Windows:
    """Each sequence of a table or FASTA file as a window.

    Args:
        model: a model of windows.
        path: the table or FASTA file.
        sequence_column: column of the sequences; None for the one with a usual name (docs/files.md), such as sequence.
        name_column: column of the names; None for the one with a usual name, such as name or id.

    Raises:
        InputError: the file cannot be used, or a sequence is none that the model can read: see `Model.check_windows`.
    """
    table = read_sequence_table(path)
    names, rows = sequences_of(table, sequence_column, name_column)
    windows = [
        ExplainedWindow(name, name, 0, len(codes), ".", codes)
        for name, codes in zip(names, rows, strict=True)
        if len(codes)
    ]
    model.check_windows([NamedSequence(window.name, window.codes) for window in windows])
    return _known(Windows(tuple(windows), path, n_empty=len(rows) - len(windows)))


def genome_windows(model: Model, genome: Path, regions: Path) -> Windows:
    """A window of the model's length around the middle of each interval (its summit, in a narrowPeak), on the forward strand.

    For models of sequences of any length each interval is a window as it is. Windows come contig by contig, as in the genome.

    Args:
        model: a model of windows.
        genome: FASTA of the genome.
        regions: BED or narrowPeak of the intervals.

    Raises:
        ConfigError: an interval on a contig that is not in the genome. InputError: one that lies off its contig, one that gives a
        model of methylation a window without a CpG in its middle, or a file that cannot be used.
    """
    as_it_is = TASKS[model.task].any_length
    rows = read_bed(regions)
    by_contig = rows.rows_by_contig()
    windows, lengths, n_off, n_longer = list[ExplainedWindow](), list[tuple[str, int]](), 0, 0
    for contig in read_fasta(genome):
        lengths.append((contig.name, len(contig)))
        own = by_contig.get(contig.name)
        if own is None:
            continue
        rows.check_inside(contig.name, own, len(contig))
        center = rows.center[own]
        if TASKS[model.task].on_cpgs:
            # of the C alone, as bedMethyl has it: its CpG is to be in the middle
            center = center + np.isin(center, alphabet.cpg_positions(contig.codes))
        starts = rows.start[own] if as_it_is else center - model.window_bp // 2
        ends = rows.end[own] if as_it_is else starts + model.window_bp
        n_longer += 0 if as_it_is else int((rows.end[own] - rows.start[own] > model.window_bp).sum())
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if start < 0 or end > len(contig):
                n_off += 1
                continue
            name = f"{contig.name}:{start + 1}-{end}"
            windows.append(ExplainedWindow(name, contig.name, start, end, "+", contig.codes[start:end].copy()))
    if absent := [name for name in by_contig if name not in dict(lengths)]:
        raise ConfigError(f"{regions}: contig {absent[0]!r} is not in {genome}; are its names those of the FASTA?")
    model.check_windows([NamedSequence(window.name, window.codes) for window in windows])
    if n_longer:
        log.warning(
            "%s: %d intervals are longer than the model's windows of %d bp; of these the middle is explained",
            *(regions, n_longer, model.window_bp),
        )
    return _known(Windows(tuple(windows), regions, tuple(lengths), n_off_contig=n_off, n_longer=n_longer))


def split_windows(model: Model, data: Path, split: str, label: str, n_windows: int, *, fold: int, seed: int) -> Windows:
    """Windows of a split that have the label, or a number for it; of more than `n_windows` so many are drawn, in their order.

    Args:
        model: a model of windows.
        data: folder of the dataset.
        split: name of the split.
        label: the label that is explained.
        n_windows: most windows to take.
        fold: the fold whose split it is, from 1; 0 for the split of the whole dataset.
        seed: of windows that are drawn.

    Raises:
        DatasetError: no dataset, or without that split. ConfigError: a dataset without the label.
    """
    manifest = read_manifest(data, fold)
    if manifest.per_base or manifest.resolution_bp or label not in manifest.labels:
        raise ConfigError(f"{data}: has no label {label!r} of windows; is it the dataset of {model.path}?")
    if model.config.data_digest != manifest.digest:
        log.warning(
            "%s: was trained on other data than %s, or on another fold: it may have learned from these windows",
            *(model.path, data),
        )
    rows = read_split(data, split, fold)
    column = rows.labels.reshape(len(rows), len(manifest.labels))[:, manifest.labels.index(label)]
    chosen = np.flatnonzero(~np.isnan(column) if TASKS[manifest.task].numbers else column == 1)
    n_positive = len(chosen)
    if n_positive > n_windows:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, n_windows, replace=False))
    windows = tuple(_window_of(rows, int(row)) for row in chosen)
    model.check_windows([NamedSequence(window.name, window.codes) for window in windows])
    return _known(Windows(windows, data, n_not_drawn=n_positive - len(chosen), data_digest=manifest.digest))


def _window_of(rows: Split, row: int) -> ExplainedWindow:
    window = rows.window(row)
    name = f"{window.chrom}:{window.start + 1}-{window.end}"
    return ExplainedWindow(name, window.chrom, window.start, window.end, window.strand, window.codes)


def _known(found: Windows) -> Windows:
    """Without windows that are mostly N."""
    known = tuple(window for window in found.windows if not alphabet.is_mostly_unknown(window.codes))
    values = {name: getattr(found, name) for name in Windows.__dataclass_fields__}
    return Windows(**values | {"windows": known, "n_unknown": len(found.windows) - len(known)})


def explain_windows(
    model: Model,
    found: Windows,
    label: int,
    options: ExplainOptions,
    done: Callable[[int], None] | None = None,
) -> tuple[Attributions, ExplanationSummary]:
    """Attributions of windows, and counts of what was explained.

    Args:
        model: a model of windows.
        found: the windows.
        label: number of the label.
        options: how.
        done: called with the number of windows that are done, now and then.

    Raises:
        InputError: no window. ConfigError: more windows than fit into memory; tangermeme is not installed; see `check_method`.
    """
    from dnaspt.inference.explain import attributions, onehot  # with PyTorch: a mistake is told before

    windows = found.windows
    if not windows:
        raise InputError(found.source, _why_nothing(found))
    longest_bp = max(len(window.codes) for window in windows)
    if len(windows) * 4 * longest_bp > _MOST_NUMBERS:
        n_most = _MOST_NUMBERS // (4 * longest_bp)
        raise ConfigError(
            f"{len(windows):,} windows of up to {longest_bp:,} bp do not fit into memory; give {n_most:,} at most at a time"
        )
    letters = np.zeros((len(windows), 4, longest_bp), np.uint8)
    scores = np.zeros((len(windows), 4, longest_bp), np.float32)
    predicted, gaps, differences = (np.full(len(windows), math.nan, np.float32) for _ in range(3))
    with naming_model(model):
        rows = attributions(model.task_model(), [window.codes for window in windows], label, options, done)
        for row, (window, own) in enumerate(zip(windows, rows, strict=True)):
            letters[row, :, : len(window.codes)] = onehot(window.codes)
            scores[row, :, : len(window.codes)] = own.scores
            predicted[row], gaps[row], differences[row] = own.predicted, own.gap, own.difference
    gap = _gap(gaps, differences)
    if gap > _LARGE_GAP:
        log.warning(
            "DeepLIFT's contributions do not add up to the differences from shuffled sequences: they are off by %.1f %% of them; "
            "do not trust them, and explain by ism",
            100 * gap,
        )
    found_attributions = Attributions(
        names=np.array([window.name for window in windows], np.str_),
        chrom=np.array([window.chrom for window in windows], np.str_),
        start=np.array([window.start for window in windows], np.int64),
        end=np.array([window.end for window in windows], np.int64),
        strand=np.array([window.strand for window in windows], np.str_),
        letters=letters,
        scores=scores,
        predicted=predicted,
        label=model.labels[label],
        is_number=TASKS[model.task].numbers,
        method=options.method,
        average_strands=bool(options.average_strands),
        weights=model.digests[0],
        data_digest=found.data_digest,
    )
    counts = {name: getattr(found, name) for name in Windows.__dataclass_fields__ if name.startswith("n_")}
    summary = ExplanationSummary(
        model.labels[label], options.method, bool(options.average_strands), len(windows), gap=gap, **counts
    )
    return found_attributions, summary


def _gap(gaps: np.ndarray, differences: np.ndarray) -> float:
    """Mean distance of sums of contributions from what they should be, as a share of the mean difference; nan where not known."""
    known = ~np.isnan(gaps)
    if not known.any():
        return math.nan
    return float(np.abs(gaps[known]).mean() / max(float(np.abs(differences[known]).mean()), 1e-12))


def _why_nothing(found: Windows) -> str:
    """Why there is no window, in words."""
    reasons = {
        "rows without a sequence": found.n_empty,
        "windows are more than half N": found.n_unknown,
        "windows reach beyond their contig": found.n_off_contig,
    }
    listed = ", ".join(f"{n:,} {reason}" for reason, n in reasons.items() if n)
    return f"nothing to explain in it{': ' + listed if listed else ''}"
