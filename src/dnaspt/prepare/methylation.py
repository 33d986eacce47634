"""FASTA and methylation calls to a dataset of windows centered on CpGs, one label per sample (1 methylated, 0 not).

The C of the CpG stands at index window_bp // 2 - 1 and its G at window_bp // 2, so that the reverse complement of a
window is centered on the same CpG. Both strands of a CpG are one site: coverage summed, level weighted by coverage.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from dnaspt.data.manifest import Manifest
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.tracks import Calls, Sample, read_calls
from dnaspt.prepare.splits import check_written
from dnaspt.prepare.windows import (
    Chosen,
    Limits,
    WindowSettings,
    add_windows,
    check_contigs,
    check_split_contigs,
)
from dnaspt.prepare.writer import DatasetWriter
from dnaspt.tasks import MISSING

log = logging.getLogger(__name__)

_LEVEL_TOLERANCE = 1e-6
"""A level that is equal to the threshold but for float32's rounding reaches it."""


class PrepareMethylationConfig(WindowSettings):
    """Settings of `prepare methylation`.

    calls: one file per sample. names: of the samples; the files' stems where left out.
    coverage: for bigWig calls, one bigWig of coverage per sample; without it every call counts as covered.
    threshold: a site is methylated from this level on. min_coverage: reads a site needs, both strands together.
    """

    calls: tuple[Path, ...] = Field(min_length=1)
    names: tuple[str, ...] = ()
    coverage: tuple[Path, ...] = ()
    threshold: float = Field(0.5, gt=0, le=1)
    min_coverage: int = Field(5, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.window_bp % 2:
            raise ValueError(f"window_bp {self.window_bp} is odd; expected an even one, with the CpG in its middle")
        for name, values in (("names", self.names), ("coverage", self.coverage)):
            if values and len(values) != len(self.calls):
                raise ValueError(f"{len(values)} {name} for {len(self.calls)} files of calls; expected one each")
        labels = self.labels()
        if unfit := [label for label in labels if "/" in label]:
            raise ValueError(f"sample {unfit[0]!r}; expected a name that can stand in a file's name")
        if len(set(labels)) < len(labels):
            raise ValueError(f"samples {', '.join(labels)} do not have distinct names; give names")
        return self

    def labels(self) -> tuple[str, ...]:
        """Names of the samples."""
        return self.names or tuple(path.name.removesuffix(".gz").rsplit(".", 1)[0] for path in self.calls)


@dataclass(frozen=True, slots=True)
class Sites:
    """Both strands of m CpGs together in one sample: coverage (m,) and level (m,), 0 where coverage is 0."""

    coverage: np.ndarray
    level: np.ndarray
    n_not_cpg: int


def merge_strands(codes: np.ndarray, cpg: np.ndarray, calls: Calls) -> Sites:
    """Add up the calls on each CpG of a contig.

    Args:
        codes: the contig (L,).
        cpg: positions of the C of each CpG (m,), ascending.
        calls: calls on this contig, none beyond its end; one on another position than a CpG of its strand is counted.
    """
    base = alphabet.tokens(codes[calls.position])
    on_g = (calls.strand == ord("-")) | ((calls.strand == ord(".")) & (base == alphabet.G))
    site = calls.position - on_g
    index = np.searchsorted(cpg, site)
    is_cpg = np.append(cpg, -2)[index] == site
    index, depth = index[is_cpg], calls.coverage[is_cpg].astype(np.float64)
    coverage = np.bincount(index, depth, minlength=len(cpg))
    methylated = np.bincount(index, depth * calls.level[is_cpg], minlength=len(cpg))
    return Sites(coverage, methylated / np.maximum(coverage, 1), int((~is_cpg).sum()))


def prepare_methylation(config: PrepareMethylationConfig) -> Manifest:
    """Write the dataset folder `config.out`, one contig after the other; nothing is left behind where this fails.

    Dropped and counted: calls that lie on no CpG (`not_cpg`) or on a contig without a record (`contig_not_in_genome`),
    sites below `min_coverage` in every sample (`low_coverage`), and windows that run off their contig, across splits or
    over too many N. A site below `min_coverage` in some samples is missing in those.

    Raises:
        InputError: a file that cannot be used, no contig in common, calls of another genome, or no window left, in all or
            in a split that training needs.
        ConfigError: settings that contradict the genome.
        DatasetError: `config.out` is there already, or, with `strict`, splits share sequence.
    """
    counts, dropped = Counter[str](), Counter[str]()
    names: set[str] = set()
    with DatasetWriter(config.out, overwrite=config.overwrite) as writer:
        samples = _read_samples(config, dropped)
        plan = config.plan_of_genome(frozenset[str]().union(*(sample.contigs for sample in samples)))
        not_cpg = Counter[Path]()
        for contig in read_fasta(config.genome):
            names.add(contig.name)
            cpg = alphabet.cpg_positions(contig.codes)
            counts["cpg_in_genome"] += len(cpg)
            labels = _labels(config, contig, cpg, samples, not_cpg, counts)
            if labels is None:
                continue
            known = (labels != MISSING).any(axis=1)
            starts = cpg[known] - (config.window_bp // 2 - 1)
            limits = Limits(plan.pieces(contig.name, len(contig)), config.max_n_fraction)
            placed = limits.place(contig, starts, starts + config.window_bp, dropped)
            starts = starts[placed.rows]
            counts["cpg_labeled"] += int(known.sum())
            counts["windows"] += len(starts)
            add_windows(
                writer, contig, Chosen(starts, starts + config.window_bp, placed.split, labels[known][placed.rows])
            )
        check_split_contigs(config, plan, names)
        _check_samples(config, samples, names, not_cpg, dropped)
        dropped["low_coverage"] = counts["cpg_with_call"] - counts["cpg_labeled"]
        check_written(config.genome, writer.n_windows, plan.wanted, dropped)
        manifest = Manifest(
            task="methylation",
            labels=config.labels(),
            resolution_bp=0,
            window_bp=config.window_bp,
            sources=config.sources((*config.calls, *config.coverage)),
            settings=config.recorded(),
            counts=dict(counts),
            dropped={reason: count for reason, count in dropped.items() if count},
        )
        return writer.finish(manifest, strict=config.strict)


def _read_samples(config: PrepareMethylationConfig, dropped: Counter[str]) -> list[Sample]:
    coverage = config.coverage or (None,) * len(config.calls)
    samples = [read_calls(path, depth) for path, depth in zip(config.calls, coverage)]
    for sample in samples:
        dropped.update(sample.dropped)
        if not sample.has_coverage and config.min_coverage > 1:
            log.warning("%s: levels without coverage; min_coverage has no effect on them", sample.path)
    return samples


def _labels(
    config: PrepareMethylationConfig,
    contig: Contig,
    cpg: np.ndarray,
    samples: Sequence[Sample],
    not_cpg: Counter[Path],
    counts: Counter[str],
) -> np.ndarray | None:
    """Labels (m, K) int8 of all CpGs of a contig, or None where no sample has a call on it."""
    if not any(contig.name in sample.contigs for sample in samples):
        return None
    labels = np.full((len(cpg), len(samples)), MISSING, dtype=np.int8)
    called = np.zeros(len(cpg), dtype=bool)
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
        needed = config.min_coverage if sample.has_coverage else 1
        covered = sites.coverage >= max(needed, 1)
        methylated = sites.level >= config.threshold - _LEVEL_TOLERANCE
        labels[covered, column] = methylated[covered]
        called |= sites.coverage > 0
        counts["calls"] += len(calls)
        not_cpg[sample.path] += sites.n_not_cpg
    counts["cpg_with_call"] += int(called.sum())
    return labels


def _check_samples(
    config: PrepareMethylationConfig,
    samples: Sequence[Sample],
    names: set[str],
    not_cpg: Counter[Path],
    dropped: Counter[str],
) -> None:
    """Refuse calls of another genome; count those that lie on no CpG or on no contig."""
    for sample in samples:
        absent = check_contigs(sample.path, sample.contigs, config.genome, names, strict=config.strict)
        n_absent = sum(len(sample.contigs[name]) for name in absent)
        dropped["contig_not_in_genome"] += n_absent
        dropped["not_cpg"] += not_cpg[sample.path]
        n_calls = len(sample) - n_absent
        if not_cpg[sample.path] * 2 > n_calls:
            found = f"{not_cpg[sample.path]} of {n_calls} calls lie on no CpG of {config.genome}"
            do = (
                "is it another genome, are its positions shifted by one, or has it calls of other contexts (CHG, CHH)? "
                "Only CpGs are learned: leave the others out"
            )
            raise InputError(sample.path, found, expected="calls on CpGs", do=do)
