"""BEND's enhancer annotation (bed and HDF5) to windows with a label for each bin of 128 bp, split by cross-validation."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnaspt.bend.labels import LabelRows
from dnaspt.data.dataset import Window
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import LabeledRegions, Regions
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import read_fasta
from dnaspt.prepare.writer import DatasetWriter


class WrittenBins(NamedTuple):
    """What `write_bins` wrote: counts of sequences and bins, and the length of a window in bp."""

    counts: Counter[str]
    window_bp: int


def write_bins(
    writer: DatasetWriter,
    labeled: LabeledRegions,
    labels: LabelRows,
    genome: Path,
    bin_bp: int,
    fold: int,
    *,
    strict: bool = False,
) -> WrittenBins:
    """Write all rows of BEND's table, contig by contig.

    Args:
        writer: of the dataset.
        labeled: rows of the bed.
        labels: labels of the bins of each row.
        genome: FASTA.
        bin_bp: length of a bin in bp.
        fold: part that is the test split, from 1.
        strict: a contig that the genome does not have is an error.

    Raises:
        InputError: a row off its contig, no column of parts, or labels that do not fit.
        ConfigError: no such fold.
    """
    regions = labeled.regions
    window_bp = _window_bp(regions, bin_bp)
    split = fold_splits(labeled, fold)
    rows_by_contig, counts = regions.rows_by_contig(), Counter[str]()
    present = set()
    for contig in read_fasta(genome):
        present.add(contig.name)
        rows = rows_by_contig.get(contig.name, np.zeros(0, dtype=np.int64))
        regions.check_inside(contig.name, rows, len(contig))
        for row in rows.tolist():
            start, end = int(regions.start[row]), int(regions.end[row])
            of_bins = labels.row(row, (end - start) // bin_bp)
            writer.add(str(split[row]), Window(contig.name, start, end, ".", contig.codes[start:end].copy(), of_bins))
            counts["sequences"] += 1
            counts["bins"] += len(of_bins)
    check_contigs(regions.path, rows_by_contig, genome, present, strict=strict)
    return WrittenBins(counts, window_bp)


def _window_bp(regions: Regions, bin_bp: int) -> int:
    """The one length that all windows have.

    Raises:
        InputError: they have more than one, or it is no multiple of the bins' length.
    """
    lengths = np.unique(regions.end - regions.start)
    if len(lengths) > 1 or lengths[0] % bin_bp:
        found = f"windows of {lengths[0]} to {lengths[-1]} bp" if len(lengths) > 1 else f"windows of {lengths[0]} bp"
        raise InputError(regions.path, found, expected=f"one length, a multiple of the bins' {bin_bp} bp")
    return int(lengths[0])


def fold_splits(labeled: LabeledRegions, fold: int) -> np.ndarray:
    """Split of each row (n,): train, valid or test; see `splits_of_parts`.

    Raises:
        InputError: no split column, or fewer than three parts. ConfigError: no such part.
    """
    if labeled.split is None:
        raise InputError(labeled.regions.path, "no column 'split'", expected="the parts of a cross-validation", line=1)
    parts = set(labeled.split.tolist())
    if len(parts) < 3:
        raise InputError(labeled.regions.path, f"{len(parts)} parts in column 'split'", expected="three or more")
    split_of_part = splits_of_parts(labeled.regions.path, parts, fold)
    return np.array([split_of_part[part] for part in labeled.split.tolist()])


def splits_of_parts(path: Path, parts: Iterable[str], fold: int) -> dict[str, str]:
    """Split of each part of a cross-validation: test for part number `fold`, valid for the next one, train for the others.

    Args:
        path: file of the parts, for errors.
        parts: names of the parts, such as part1.
        fold: number of a part, from 1 in the order of the numbers.

    Raises:
        ConfigError: no such part.
    """
    ordered = sorted(parts, key=_part_number)
    if fold > len(ordered):
        raise ConfigError(f"fold {fold}; {path} has parts 1 to {len(ordered)}")
    test, valid = ordered[fold - 1], ordered[fold % len(ordered)]
    return {part: "test" if part == test else "valid" if part == valid else "train" for part in ordered}


def _part_number(part: str) -> tuple[int, str]:
    """Sorts part2 before part10, as BEND does."""
    digits = re.findall(r"[0-9]+", part)
    return int(digits[-1]) if digits else 0, part
