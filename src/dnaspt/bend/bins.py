"""BEND's enhancer annotation (bed and HDF5) to a dataset of long windows with a label for each bin of 128 bp, in ten folds."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dnaspt.bend.labels import LabelRows
from dnaspt.data.dataset import Window
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import LabeledRegions
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import read_fasta
from dnaspt.prepare.writer import DatasetWriter


def write_bins(
    writer: DatasetWriter,
    labeled: LabeledRegions,
    labels: LabelRows,
    genome: Path,
    bin_bp: int,
    fold: int,
    *,
    strict: bool = False,
) -> tuple[Counter[str], int]:
    """Write all rows, contig by contig; the counts of what was seen, and the windows' length in bp.

    Raises:
        InputError: a row off its contig, no column of parts, or labels that do not fit.
        ConfigError: no such fold.
    """
    regions = labeled.regions
    lengths = np.unique(regions.end - regions.start)
    if len(lengths) > 1 or lengths[0] % bin_bp:
        found = f"windows of {lengths[0]} to {lengths[-1]} bp" if len(lengths) > 1 else f"windows of {lengths[0]} bp"
        raise InputError(regions.path, found, expected=f"one length, a multiple of the bins' {bin_bp} bp")
    split = fold_splits(labeled, fold)
    rows_by_contig, counts = regions.rows_by_contig(), Counter[str]()
    present = set()
    for contig in read_fasta(genome):
        present.add(contig.name)
        rows = rows_by_contig.get(contig.name, np.zeros(0, dtype=np.int64))
        regions.check_inside(contig.name, rows, len(contig))
        for row in rows.tolist():
            start, end = int(regions.start[row]), int(regions.end[row])
            own = labels.row(row, (end - start) // bin_bp)
            writer.add(str(split[row]), Window(contig.name, start, end, ".", contig.codes[start:end].copy(), own))
            counts["sequences"] += 1
            counts["bins"] += len(own)
    check_contigs(regions.path, rows_by_contig, genome, present, strict=strict)
    return counts, int(lengths[0])


def fold_splits(labeled: LabeledRegions, fold: int) -> np.ndarray:
    """train, valid or test for each row (n,): part `fold` (from 1) is for test, the next one for valid.

    Raises:
        InputError: no split column, or fewer than three parts. ConfigError: no such part.
    """
    if labeled.split is None:
        raise InputError(labeled.regions.path, "no column 'split'", expected="the parts of a cross-validation", line=1)
    parts = set(labeled.split.tolist())
    if len(parts) < 3:
        raise InputError(labeled.regions.path, f"{len(parts)} parts in column 'split'", expected="three or more")
    of_part = splits_of_parts(labeled.regions.path, parts, fold)
    return np.array([of_part[part] for part in labeled.split.tolist()])


def splits_of_parts(path: Path, parts: Iterable[str], fold: int) -> dict[str, str]:
    """Test for the part `fold` (from 1, by number), valid for the next one, train for the others.

    Raises:
        ConfigError: no such part.
    """
    order = sorted(parts, key=_number)
    if fold > len(order):
        raise ConfigError(f"fold {fold}; {path} has parts 1 to {len(order)}")
    test, valid = order[fold - 1], order[fold % len(order)]
    return {part: "test" if part == test else "valid" if part == valid else "train" for part in order}


def _number(part: str) -> tuple[int, str]:
    """part2 before part10, as BEND sorts its parts."""
    digits = re.findall(r"[0-9]+", part)
    return int(digits[-1]) if digits else 0, part
