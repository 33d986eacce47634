"""FASTA and methylation calls to a dataset of windows centered on CpGs, with one label per sample: 1 methylated, 0 not.

The C of the CpG is at index window_bp // 2 - 1 and its G at window_bp // 2, so that the reverse complement of a window is
centered on the same CpG. The two strands of a CpG are one site: coverage is summed, the level is weighted by coverage.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from dnaspt.config import Names, Paths
from dnaspt.data.dataset import Dataset
from dnaspt.data.manifest import Manifest
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.text_files import unpacked_name
from dnaspt.genome.tracks import Calls, Sample, read_calls
from dnaspt.prepare.windows import (
    LABEL_NAME,
    LabeledWindows,
    WindowFilter,
    WindowSettings,
    add_windows,
    from_starts,
    unfit_names,
)
from dnaspt.prepare.writer import DatasetWriter, check_written
from dnaspt.tasks import TASKS
from dnaspt.words import words_of

log = logging.getLogger(__name__)

_LEVEL_TOLERANCE = 1e-6
"""A level that misses the threshold only by the rounding of float32 reaches it."""
_MANY_NOT_CPG = 0.05
"""Share of calls on no CpG from which there is a warning. A change of single bases between two genomes makes fewer."""
_SHIFTED = 0.9
"""Share of the calls on no CpG that must lie on one when they are moved by one base, to know that positions are shifted."""


class PrepareMethylationConfig(WindowSettings):
    """Settings of `prepare methylation`."""

    calls: Paths = Field(min_length=1)
    """Methylation calls of CpGs, one file per sample: bedMethyl, Bismark coverage or bigWig. Leave other contexts (CHG,
    CHH) out of them. Rows of other modifications than 5mC are left out and counted."""
    names: Names = ()
    """Names of the samples, in the order of `calls`. Give them if the names of the files are not what tables should
    show."""
    coverage: Paths = ()
    """bigWig files of read coverage, one for each bigWig of `calls`. Give them so that `min_coverage` has an effect:
    without them every call counts as covered."""
    threshold: float = Field(0.5, gt=0, le=1)
    """Methylated share of the reads, 0 to 1, from which a site is labeled 1. Change it if nearly all sites lie on one
    side of it."""
    min_coverage: int = Field(5, ge=0, le=1_000_000_000)
    """Number of reads, both strands together, below which a site is missing. Lower it for shallow sequencing, at the
    cost of more wrong labels."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.window_bp % 2:
            raise ValueError(f"window_bp {self.window_bp} is odd; expected an even one, with the CpG in its middle")
        for name, values in (("names", self.names), ("coverage", self.coverage)):
            if values and len(values) != len(self.calls):
                raise ValueError(f"{len(values)} {name} for {len(self.calls)} files of calls; expected one each")
        labels = self.labels()
        if unfit := unfit_names(labels):
            raise ValueError(f"sample {unfit[0]!r}; expected {LABEL_NAME}")
        if len(set(labels)) < len(labels):
            raise ValueError(f"samples {', '.join(labels)} do not have distinct names; give names")
        return self

    def label_files(self) -> tuple[Path, ...]:
        """The calls and their coverage."""
        return (*self.calls, *self.coverage)

    def labels(self) -> tuple[str, ...]:
        """Names of the samples."""
        return self.names or tuple(unpacked_name(path).rsplit(".", 1)[0] for path in self.calls)


@dataclass(frozen=True, slots=True)
class Sites:
    """The m CpGs of a contig in one sample, both strands together.

    Attributes:
        coverage: reads (m,).
        level: methylated share of the reads (m,); 0 where the coverage is 0.
        n_not_cpg: calls that lie on no CpG.
        n_shifted: how many of these would lie on one, were they one base to the left, and to the right.
        n_repeated: calls with reads on a base that another one lies on before them.
    """

    coverage: np.ndarray
    level: np.ndarray
    n_not_cpg: int
    n_shifted: tuple[int, int] = (0, 0)
    n_repeated: int = 0


@dataclass(slots=True)
class _OddCalls:
    """Calls of a sample that do not fit the genome or each other, on all contigs: see `Sites`."""

    n_not_cpg: int = 0
    n_left: int = 0
    n_right: int = 0
    n_repeated: int = 0

    def add(self, sites: Sites) -> None:
        self.n_not_cpg += sites.n_not_cpg
        self.n_left += sites.n_shifted[0]
        self.n_right += sites.n_shifted[1]
        self.n_repeated += sites.n_repeated


def prepare_methylation(config: PrepareMethylationConfig) -> Dataset:
    """Write the dataset folder `config.out`, one contig after the other. Where this fails, nothing is left behind.

    Dropped and counted: rows that are no levels of 5mC, or lack one (see `Sample`); calls on no CpG (`not_cpg`) or on a contig
    without a record (`contig_not_in_genome`); sites below `min_coverage` in every sample (`low_coverage`); windows that run off
    their contig, lie in two splits, or hold too many N. A site below `min_coverage` in some samples is missing in those.

    Raises:
        InputError: a file cannot be used, no contig is in both files, the calls are of another genome, or no window is left,
            in all or in a split that training needs. With `strict`, what else would be a warning about the calls.
        ConfigError: settings contradict the genome.
        DatasetError: `config.out` exists, or, with `strict`, splits share sequence.
    """
    counts, dropped = Counter[str](), Counter[str]()
    present: set[str] = set()
    with DatasetWriter(config.out, overwrite=config.overwrite, inputs=config.files()) as writer:
        config.check_files()
        samples = _read_samples(config, dropped)
        called = frozenset[str]().union(*(sample.contigs for sample in samples))
        plan, writer.folds = config.plan_in_folds(_positions(samples), called)
        odd_calls = {sample.path: _OddCalls() for sample in samples}
        for contig in read_fasta(config.genome):
            present.add(contig.name)
            cpg = alphabet.cpg_positions(contig.codes)
            counts["cpg_in_genome"] += len(cpg)
            labels = _label_sites(config, contig, cpg, samples, odd_calls, counts)
            if labels is None:
                continue
            is_known = (labels != MISSING).any(axis=1)
            windows = from_starts(cpg[is_known] - (config.window_bp // 2 - 1), config.window_bp)
            window_filter = WindowFilter(plan.intervals(contig.name, len(contig)), config.max_n_fraction)
            kept = window_filter.keep(contig, windows, dropped)
            counts["cpg_labeled"] += int(is_known.sum())
            counts["windows"] += len(kept.rows)
            labeled = LabeledWindows(windows[kept.rows], kept.split, labels[is_known][kept.rows])
            add_windows(writer, contig, labeled)
        plan.check_contigs(config.genome, present, strict=config.strict)
        _check_samples(config, samples, present, odd_calls, dropped)
        if n_repeated := sum(odd.n_repeated for odd in odd_calls.values()):
            counts["calls_repeated"] = n_repeated
        dropped["low_coverage"] = counts["cpg_with_call"] - counts["cpg_labeled"]
        check_written(config.genome, writer.n_windows, plan.wanted, dropped)
        task = TASKS["methylation"]
        manifest = Manifest(
            task=task.name,
            labels=config.labels(),
            resolution_bp=task.resolution_bp,
            window_bp=config.window_bp,
            sources=config.sources(),
            settings=config.recorded(writer.folds),
            counts=dict(counts),
            dropped={reason: number for reason, number in dropped.items() if number},
        )
        manifest = writer.finish(manifest, strict=config.strict)
    return Dataset(config.out, manifest)


def _read_samples(config: PrepareMethylationConfig, dropped: Counter[str]) -> list[Sample]:
    coverage = config.coverage or (None,) * len(config.calls)
    samples = [read_calls(path, coverage_path) for path, coverage_path in zip(config.calls, coverage)]
    for sample in samples:
        dropped.update(sample.dropped)
        if not any(calls.coverage.any() for calls in sample.contigs.values()):
            found = f"no reads in it: the coverage of its {len(sample):,} calls is 0"
            raise InputError(sample.path, found, expected="calls with a coverage of 1 or more")
        for doubt in sample.doubts:
            _doubt(sample, doubt, strict=config.strict)
        if left_out := "; ".join(
            f"{words_of(reason)}: {number:,}" for reason, number in sample.dropped.items() if number
        ):
            log.warning("%s: rows left out: %s", sample.path, left_out)
        if not sample.has_coverage and config.min_coverage > 1:
            log.warning(
                "%s: levels (read as %s) without coverage; min_coverage has no effect on them",
                sample.path,
                sample.scale,
            )
        else:
            log.info("%s: levels were read as %s", sample.path, sample.scale)
    return samples


def _positions(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Where calls lie on each contig, of all samples."""
    contigs = {name for sample in samples for name in sample.contigs}
    return {
        name: np.concatenate([sample.contigs[name].position for sample in samples if name in sample.contigs])
        for name in contigs
    }


def _doubt(sample: Sample, doubt: str, *, strict: bool) -> None:
    """Warn about calls, or with `strict` refuse them.

    Raises:
        InputError: with `strict`.
    """
    if strict:
        raise InputError(sample.path, doubt, do="refused with --strict")
    log.warning("%s: %s", sample.path, doubt)


def merge_strands(codes: np.ndarray, cpg: np.ndarray, calls: Calls) -> Sites:
    """Add up the calls on each CpG of a contig.

    A call of the plus strand belongs to the C, one of the minus strand to the G. A call without a strand belongs to the base
    it lies on. Calls on other bases are counted.

    Args:
        codes: the contig (L,).
        cpg: positions of the C of each CpG (m,), ascending.
        calls: calls on this contig, none beyond its end.
    """
    index, is_cpg = _cpg_of(codes, cpg, calls.position, calls.strand)
    others, strand = calls.position[~is_cpg], calls.strand[~is_cpg]
    n_shifted = [int(_cpg_of(codes, cpg, np.clip(others + by, 0, len(codes) - 1), strand)[1].sum()) for by in (-1, 1)]
    index, depth = index[is_cpg], calls.coverage[is_cpg].astype(np.float64)
    coverage = np.bincount(index, depth, minlength=len(cpg))
    methylated = np.bincount(index, depth * calls.level[is_cpg], minlength=len(cpg))
    is_on_second = calls.position[is_cpg] != cpg[index]
    n_on_base = np.bincount((2 * index + is_on_second)[depth > 0])
    n_repeated = int(n_on_base.sum() - np.count_nonzero(n_on_base))
    return Sites(coverage, methylated / np.maximum(coverage, 1), len(others), (n_shifted[0], n_shifted[1]), n_repeated)


def _cpg_of(
    codes: np.ndarray, cpg: np.ndarray, position: np.ndarray, strand: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Number of the CpG of each call (n,), and whether it has one (n,)."""
    base = alphabet.tokens(codes[position])
    is_on_g = (strand == ord("-")) | ((strand == ord(".")) & (base == alphabet.G))
    site = position - is_on_g
    index = np.searchsorted(cpg, site)
    return index, np.append(cpg, -2)[index] == site


def _label_sites(
    config: PrepareMethylationConfig,
    contig: Contig,
    cpg: np.ndarray,
    samples: Sequence[Sample],
    odd_calls: Mapping[Path, _OddCalls],
    counts: Counter[str],
) -> np.ndarray | None:
    """Labels (m, K) int8 of all CpGs of a contig, or None where no sample has a call on it."""
    if not any(contig.name in sample.contigs for sample in samples):
        return None
    labels = np.full((len(cpg), len(samples)), MISSING, dtype=np.int8)
    is_called = np.zeros(len(cpg), dtype=bool)
    for column, sample in enumerate(samples):
        calls = sample.contigs.get(contig.name)
        if calls is None:
            continue
        beyond = calls.position >= len(contig)
        if beyond.any():
            found = f"a call at {contig.name}:{calls.position[beyond][0]} (0-based), off the contig"
            do = "was it made for another genome?"
            raise InputError(sample.path, found, expected=f"positions below {len(contig)}", do=do)
        sites = merge_strands(contig.codes, cpg, calls)
        min_coverage = config.min_coverage if sample.has_coverage else 1
        is_covered = sites.coverage >= max(min_coverage, 1)
        is_methylated = sites.level >= config.threshold - _LEVEL_TOLERANCE
        labels[is_covered, column] = is_methylated[is_covered]
        is_called |= sites.coverage > 0
        counts["calls"] += len(calls)
        odd_calls[sample.path].add(sites)
    counts["cpg_with_call"] += int(is_called.sum())
    return labels


def _check_samples(
    config: PrepareMethylationConfig,
    samples: Sequence[Sample],
    present: set[str],
    odd_calls: Mapping[Path, _OddCalls],
    dropped: Counter[str],
) -> None:
    """Refuse calls of another genome; count those on no CpG and those on a contig that is not in the genome.

    Several calls on one base are a doubt.
    """
    for sample in samples:
        absent = check_contigs(sample.path, sample.contigs, config.genome, present, strict=config.strict)
        n_absent = sum(len(sample.contigs[name]) for name in absent)
        dropped["contig_not_in_genome"] += n_absent
        odd = odd_calls[sample.path]
        dropped["not_cpg"] += odd.n_not_cpg
        _check_not_cpg(config, sample, len(sample) - n_absent, odd)
        if odd.n_repeated:
            found = f"{odd.n_repeated:,} calls lie on a base that an earlier call lies on; their reads were added up"
            do = "if they are the same reads (under two names, by strand and by CpG, or a file joined to itself), leave one out"
            _doubt(sample, f"{found}; {do}", strict=config.strict)


def _check_not_cpg(config: PrepareMethylationConfig, sample: Sample, n_calls: int, odd: _OddCalls) -> None:
    """Refuse a sample of whose calls most lie on no CpG, or whose positions are shifted; warn where many lie on none."""
    found = f"{odd.n_not_cpg} of {n_calls} calls lie on no CpG of {config.genome}"
    n_moved, side = max((odd.n_left, "left"), (odd.n_right, "right"))
    is_many = odd.n_not_cpg > _MANY_NOT_CPG * n_calls
    is_shifted = is_many and n_moved >= _SHIFTED * odd.n_not_cpg
    do = (
        "is it another genome, are its positions shifted by one, or has it calls of other contexts (CHG, CHH)? "
        "Only CpGs are learned: leave the others out"
    )
    if is_shifted:
        base = "starts are 1-based where they should be 0-based" if side == "left" else "starts are one too small"
        do = f"are its positions shifted by one, or has it calls of other contexts? One base to the {side}, {n_moved} of "
        do += f"them lie on a CpG: it seems that {base}"
    if is_shifted or odd.n_not_cpg * 2 > n_calls:
        raise InputError(sample.path, found, expected="calls on CpGs", do=do)
    if is_many:
        _doubt(sample, f"{found}; {do}", strict=config.strict)
