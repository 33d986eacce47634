"""FASTA and GFF3 or GTF to a dataset of windows with one of nine gene-structure classes for each base.

One contig is in memory at a time. The classes are those of `genome.gene_states`. A base whose class cannot be known is missing.
What is left out is counted.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from dnaspt.config import MOST_BP, Paths
from dnaspt.data.dataset import Dataset, Window
from dnaspt.data.manifest import SPLITS, UNLABELED, Manifest
from dnaspt.data.transcript_table import TRANSCRIPTS, ReferenceTranscript, transcript_table
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.bed import Regions, read_bed
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import Contig, contig_lengths, contig_names, read_fasta
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.genetic_code import genetic_code
from dnaspt.genome.gff3 import AnnotatedTranscript, Annotation, read_annotation
from dnaspt.genome.intervals import cluster
from dnaspt.genome.transcripts import Transcript
from dnaspt.prepare.folds import FoldPlan, loci_of, plan_in_folds
from dnaspt.prepare.gene_labels import INTRON_MOTIFS, LabeledContig, label_genes
from dnaspt.prepare.splits import SplitInterval, SplitPlan, SplitSettings
from dnaspt.prepare.windows import FlankedWindow, around_genes, tile_with_flanks
from dnaspt.prepare.writer import DatasetWriter, check_written
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)

GENE_FLANK_BP = 1000
_MIN_INTRONS, _MIN_USUAL_SHARE = 20, 0.9
"""Of this many introns or more, at least this share begins and ends as introns do, if annotation and genome belong together."""


class PrepareGenesConfig(SplitSettings):
    """Settings of `prepare genes`."""

    split: str | None = None
    """How contigs are divided: `position` (parts of each contig, by `fractions`; the default), `contig` (whole
    contigs), `train` (all for train, but a tenth for valid; the default beside a test genome), `train-only`, `valid` or
    `test` (all for one split), or the path of a table with the columns chromosome, start, end, split. Take `contig` to
    test on whole chromosomes, a table to repeat a published split."""
    out: Path
    """Dataset folder to write."""
    genome: Paths = Field(min_length=1)
    """FASTA of the genome, plain, gzip or bgzip. Of more than one file the contigs must have different names."""
    annotation: Paths = Field(min_length=1)
    """GFF3 or GTF of the genome. As many files as genomes belong to the genomes in their order; else the contigs are
    matched by name with those of all genome files."""
    valid_genome: Paths = ()
    """FASTA of a genome for valid alone. Give it, with `valid_annotation`, to choose weights on another species or
    assembly."""
    valid_annotation: Paths = ()
    """GFF3 or GTF of `valid_genome`."""
    test_genome: Paths = ()
    """FASTA of a genome for test alone. Give it, with `test_annotation`, to test on another species or assembly."""
    test_annotation: Paths = ()
    """GFF3 or GTF of `test_genome`."""
    windows: Literal["tile", "gene"] = "tile"
    """`tile` cuts whole contigs into windows; `gene` gives each gene a window of its own length. Take `gene` to compare
    with gene finders that are trained on single genes."""
    window_bp: int = Field(4096, ge=16, le=MOST_BP)
    """Length of a window in bp, and the length at which pretraining cuts longer windows. Make it longer for genes with
    long introns, as far as memory allows."""
    flank_bp: int | None = Field(None, ge=0, le=MOST_BP)
    """Bases on both sides of a window, in bp: context without labels for `tile` (0 if left out), labeled bases around
    the CDS for `gene` (1000 if left out). Make it longer if the edges of windows are predicted worse than their
    middle."""
    genetic_code: int = 1
    """Number of the genetic code at NCBI: 1, 4, 6, 10 or 12. It says which codons stop a gene, where the annotation leaves the
    stop codon out of the CDS. `finetune --head gene-model` takes it over. Give 6 for Tetrahymena, 12 for Candida."""
    unknown: Paths = ()
    """BED of regions whose labels are missing. Give it for regions that nobody annotated, so that they do not count as
    non-coding."""
    unlabeled: Paths = ()
    """FASTA of extra sequence for pretraining only. Give it if you have more sequence than annotation, such as related
    genomes."""
    strict: bool = False
    """Make it an error that splits share sequence, that an annotated contig has no sequence, that the annotation seems
    to belong to another assembly, or that rows of it are left out because they are odd; else these are only counted
    and logged. Turn it on for results that you publish."""
    overwrite: bool = False
    """Whether to replace the dataset folder `out` if it exists. Turn it on to prepare again with other settings."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("valid", "test"):
            if bool(getattr(self, f"{name}_genome")) != bool(getattr(self, f"{name}_annotation")):
                raise ValueError(f"{name}_genome and {name}_annotation belong together; give both or none")
        if self.split and self.is_separate:
            raise ValueError(f"split {self.split!r} beside a separate valid or test input; choose one")
        genetic_code(self.genetic_code)
        return self

    @property
    def is_separate(self) -> bool:
        """Whether valid or test has a genome of its own."""
        return bool(self.valid_genome or self.test_genome)

    @property
    def flanks_bp(self) -> int:
        """Bases on both sides, with the default for the kind of window."""
        if self.flank_bp is not None:
            return self.flank_bp
        return GENE_FLANK_BP if self.windows == "gene" else 0

    def plan(self) -> SplitPlan:
        """How the contigs of `genome` are divided."""
        if self.split is None and self.is_separate:
            is_all = self.valid_genome or self.folds is not None
            return SplitPlan("train-only" if is_all else "train", self.fractions)
        return super().plan()

    def files(self) -> tuple[Path, ...]:
        """Every file that is read, each once, in the order in which the manifest lists them."""
        train = (*self.genome, *self.annotation)
        separate = (*self.valid_genome, *self.valid_annotation, *self.test_genome, *self.test_annotation)
        return tuple(dict.fromkeys((*train, *separate, *self.unknown, *self.unlabeled, *super().files())))


@dataclass(frozen=True, slots=True)
class _AnnotatedGenome:
    """FASTA and annotation files that belong together, and how their contigs are divided; is_folded: into folds, too."""

    genomes: tuple[Path, ...]
    annotations: tuple[Path, ...]
    plan: SplitPlan
    is_folded: bool = False

    def belonging(self) -> list[tuple[tuple[Path, ...], tuple[Path, ...]]]:
        """Genome files with their annotation files: pairs if there are as many of both, else all with all."""
        if len(self.genomes) == len(self.annotations):
            return [((genome,), (annotation,)) for genome, annotation in zip(self.genomes, self.annotations)]
        return [(self.genomes, self.annotations)]


@dataclass(slots=True)
class _Totals:
    """What all contigs add up to.

    Attributes:
        counts: what was found.
        dropped: what was left out, by reason.
        references: transcripts to score predictions by.
        contigs: names of all contigs.
        lengths: length in bp of each contig whose genes are labeled.
        loci: start, end and coding bases of the genes of each contig, those that overlap as one.
        unannotated: length in bp of each contig that no annotation names.
    """

    counts: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    references: list[ReferenceTranscript] = field(default_factory=list)
    contigs: set[str] = field(default_factory=set)
    lengths: dict[str, int] = field(default_factory=dict)
    loci: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    unannotated: dict[str, int] = field(default_factory=dict)

    def splits_without_genes(self, splits: Iterable[str]) -> list[str]:
        """Those splits in which no gene lies wholly."""
        with_genes = {reference.split for reference in self.references}
        return [split for split in splits if split not in with_genes]


class _EachOnce(logging.Filter):
    """Logs each message once: where other cuts are taken, the annotation is read a second time."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is a new one."""
        message = record.getMessage()
        is_new = message not in self._logged
        self._logged.add(message)
        return is_new


class _SplitWithoutGenes(Exception):
    """A split by position in which no gene lies wholly, and the plan with other cuts to take instead."""

    def __init__(self, splits: Sequence[str], plan: SplitPlan):
        super().__init__()
        self.splits, self.plan = splits, plan


def prepare_genes(config: PrepareGenesConfig) -> Dataset:
    """Write the dataset folder `config.out`, one contig after the other. Where this fails, nothing is left behind.

    Dropped and counted: contigs without annotation, annotated contigs and unknown regions without a sequence, and windows
    without a known label or a known base. A gene that is not wholly in one split is missing.

    A split by position cuts every contig alike. Where this leaves a split without a gene, the genome is cut at two places
    between genes instead, and the manifest has these cuts.

    Raises:
        InputError: a file cannot be used, a CDS or an unknown region ends off its contig, no contig is in both files, or
            no window is left, in all or in a split that training needs.
        ConfigError: settings contradict the genome.
        DatasetError: `config.out` exists, or, with `strict`, splits share sequence.
    """
    plan = config.plan()
    once = _EachOnce()
    log.addFilter(once)
    try:
        return _prepare(config, plan)
    except _SplitWithoutGenes as error:
        log.warning(
            "cut by position, %s would have no whole gene: the genome is cut between genes instead, by coding bases",
            " and ".join(error.splits),
        )
        return _prepare(config, error.plan, are_moved=True)
    finally:
        log.removeFilter(once)


def _prepare(config: PrepareGenesConfig, plan: SplitPlan, *, are_moved: bool = False) -> Dataset:
    """Write the dataset folder with this plan of the splits; are_moved: whether it is another one than the settings say.

    Raises:
        _SplitWithoutGenes: a split by position has no gene.
    """
    same_genome = not config.is_separate and not config.unlabeled
    with DatasetWriter(
        config.out, overwrite=config.overwrite, same_genome=same_genome, inputs=config.files()
    ) as writer:
        config.check_files()
        totals = _Totals()
        unknown = tuple(read_bed(path) for path in config.unknown)
        inputs = [_AnnotatedGenome(config.genome, config.annotation, plan, is_folded=config.folds is not None)]
        if config.valid_genome:
            inputs.append(_AnnotatedGenome(config.valid_genome, config.valid_annotation, SplitPlan("valid")))
        if config.test_genome:
            inputs.append(_AnnotatedGenome(config.test_genome, config.test_annotation, SplitPlan("test")))
        for files in inputs:
            _add_genome(config, files, unknown, writer, totals)
        _check_genes_of_splits(plan, writer.n_windows, totals)
        _warn_of_unannotated(totals)
        _check_unknown(config, unknown, totals)
        wanted = frozenset[str]().union(*(files.plan.wanted for files in inputs))
        check_written(config.genome[0], writer.n_windows, wanted, totals.dropped)
        _add_unlabeled(config, writer, totals)
        writer.add_table(TRANSCRIPTS, transcript_table(totals.references, _folds_of(totals.references, writer.folds)))
        task = TASKS["genes"]
        cuts: dict[str, Any] = dict(plan.cuts()) if are_moved else {}
        if writer.folds is not None:
            cuts["fold_intervals"] = writer.folds.cuts()
        manifest = Manifest(
            task=task.name,
            labels=task.labels,
            resolution_bp=task.resolution_bp,
            window_bp=config.window_bp,
            sources=config.sources(),
            settings=config.model_dump(mode="json", exclude=config.not_recorded) | cuts,
            counts={name: number for name, number in totals.counts.items() if number},
            dropped={reason: number for reason, number in totals.dropped.items() if number},
            stop_in_cds=True,
        )
        manifest = writer.finish(manifest, strict=config.strict)
    return Dataset(config.out, manifest)


@dataclass(frozen=True, slots=True)
class _GenesByContig:
    """The annotation of all contigs of one genome.

    Attributes:
        contigs: contigs with a row of any kind.
        unknown_regions: BED files of regions whose annotation is unknown.
        transcripts: coding transcripts of each contig.
        unknown: intervals of each contig whose genes are not wholly in the annotation.
        coding: intervals of each contig that are coding in transcripts which are left out.
        circular: contigs that an annotation calls circular.
    """

    contigs: frozenset[str]
    unknown_regions: tuple[Regions, ...]
    transcripts: dict[str, list[AnnotatedTranscript]] = field(default_factory=dict)
    unknown: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    coding: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    circular: set[str] = field(default_factory=set)

    def unknown_on(self, contig: Contig) -> list[tuple[int, int]]:
        """Intervals of a contig whose annotation is unknown; refuses one that ends off the contig."""
        unknown = list(self.unknown.get(contig.name, ()))
        for regions in self.unknown_regions:
            rows = np.flatnonzero(regions.chrom == contig.name)
            regions.check_inside(contig.name, rows, len(contig))
            unknown.extend(zip(regions.start[rows].tolist(), regions.end[rows].tolist(), strict=True))
        return unknown


def _add_genome(
    config: PrepareGenesConfig,
    files: _AnnotatedGenome,
    unknown: tuple[Regions, ...],
    writer: DatasetWriter,
    totals: _Totals,
) -> None:
    """Write the windows of one genome."""
    annotations = {path: read_annotation(path) for path in files.annotations}
    check_oddities(annotations, strict=config.strict)
    by_genome = {
        genome: genes
        for genomes, own in files.belonging()
        for genes in [_by_contig({path: annotations[path] for path in own}, unknown, totals)]
        for genome in genomes
    }
    plan = files.plan
    if plan.needs_contigs:
        annotated_names = ((genes.contigs, contig_names(path)) for path, genes in by_genome.items())
        plan = plan.among([name for annotated, names in annotated_names for name in names if name in annotated])
    if files.is_folded:
        plan, writer.folds = _in_folds(config, plan, by_genome)
    present: dict[str, Path] = {}
    lengths: dict[str, int] = {}
    counts_before = totals.counts.copy()
    for path, contig in _contigs(files.genomes, present):
        genes = by_genome[path]
        lengths[contig.name] = len(contig)
        unknown_intervals = genes.unknown_on(contig)
        if contig.name not in genes.contigs:
            totals.dropped["contigs_without_annotation"] += 1
            totals.dropped["bp_on_contigs_without_annotation"] += len(contig)
            totals.unannotated[contig.name] = len(contig)
            continue
        totals.counts["contigs"] += 1
        totals.counts["ambiguous_letters"] += contig.n_ambiguous
        annotated = genes.transcripts.get(contig.name, ())
        intervals = plan.intervals(contig.name, len(contig))
        labeled = label_genes(
            contig,
            annotated,
            intervals,
            unknown=unknown_intervals,
            coding=genes.coding.get(contig.name, ()),
            is_circular=contig.name in genes.circular,
            genetic_code=genetic_code(config.genetic_code),
        )
        _check_off_contig(files.annotations[0], contig, labeled, strict=config.strict)
        _add_contig(config, contig, labeled, writer, totals)
        totals.lengths[contig.name] = len(contig)
        totals.loci[contig.name] = _loci(labeled.longest)
    totals.contigs |= present.keys()
    files.plan.check_contigs(files.genomes[0], present.keys(), strict=config.strict)
    for genomes, own in files.belonging():
        genes = by_genome[genomes[0]]
        names = {name for name, path in present.items() if path in genomes}
        for path in own:
            check_contigs(path, annotations[path].contigs, genomes[0], names, strict=config.strict)
        absent = genes.contigs - names
        totals.dropped["annotated_contigs_without_sequence"] += len(absent)
        totals.dropped["transcripts_on_contigs_without_sequence"] += sum(
            len(genes.transcripts.get(name, ())) for name in absent
        )
    check_assembly(annotations, lengths, totals.counts - counts_before, strict=config.strict)


def _in_folds(
    config: PrepareGenesConfig, plan: SplitPlan, by_genome: Mapping[Path, _GenesByContig]
) -> tuple[SplitPlan, FoldPlan]:
    """The plan with cuts between genes at the ends of folds and blocks, and the folds."""
    lengths: dict[str, int] = {}
    loci: dict[str, np.ndarray] = {}
    for path, genes in by_genome.items():
        for name, length_bp in contig_lengths(path).items():
            if name in genes.contigs:
                lengths[name] = length_bp
                loci[name] = loci_of(_not_to_cut(genes, name, length_bp))
    assert config.folds is not None
    return plan_in_folds(plan, lengths, loci, config.folds, frozenset(config.always_train))


def _not_to_cut(genes: _GenesByContig, contig: str, length_bp: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and coding bases of what no cut may divide: transcripts with their UTRs, and what is left out of the labels.

    The coding bases of a gene are those of its longest transcript. A gene across the origin of a circular contig is cut there.
    """
    own = genes.transcripts.get(contig, ())
    longest: dict[str, int] = {}
    for row in own:
        gene = row.transcript.gene_id
        longest[gene] = max(longest.get(gene, 0), row.transcript.cds_bp)
    for row in own:
        parts = (*row.transcript.cds, *row.exons, *row.stop_codon)
        start, end = min(start for start, _ in parts), max(end for _, end in parts)
        if end <= length_bp:
            yield start, end, longest.pop(row.transcript.gene_id, 0)
        else:  # its labels are missing
            yield from ((start, length_bp, 0), (0, min(end - length_bp, length_bp), 0))
    for start, end in (*genes.unknown.get(contig, ()), *genes.coding.get(contig, ())):
        if 0 <= start < min(end, length_bp):
            yield start, min(end, length_bp), 0


def _folds_of(references: Sequence[ReferenceTranscript], folds: FoldPlan | None) -> list[tuple[int, int]] | None:
    """Fold and block of each transcript; 0 and 0 outside the train split. None where there are no folds."""
    if folds is None:
        return None
    rows = ((row.split, row.transcript) for row in references)
    return [folds.at(gene.chrom, gene.start, gene.end) if split == "train" else (0, 0) for split, gene in rows]


def _by_contig(annotations: dict[Path, Annotation], unknown: tuple[Regions, ...], totals: _Totals) -> _GenesByContig:
    """Transcripts of all annotation files of a genome by contig; refuses a file without any."""
    contigs = frozenset[str]().union(*(annotation.contigs for annotation in annotations.values()))
    genes = _GenesByContig(contigs, unknown)
    for path, annotation in annotations.items():
        if not annotation.transcripts:
            expected = "CDS rows of transcripts that belong to a gene"
            raise InputError(path, "no coding transcript in it", expected=expected, do="is it the whole annotation?")
        totals.counts.update({f"annotation_{name}": number for name, number in annotation.counts.items()})
        for annotated in annotation.transcripts:
            genes.transcripts.setdefault(annotated.transcript.chrom, []).append(annotated)
        genes.circular.update(annotation.circular)
        for of_contig, its in ((genes.unknown, annotation.unknown), (genes.coding, annotation.coding)):
            for interval in its:
                of_contig.setdefault(interval.contig, []).append((interval.start, interval.end))
    return genes


def _loci(genes: Sequence[Transcript]) -> list[tuple[int, int, int]]:
    """Start, end and coding bases of genes, those that overlap as one, ascending."""
    groups = cluster(np.array([(gene.start, gene.end) for gene in genes]).reshape(-1, 2))
    loci: dict[int, tuple[int, int, int]] = {}
    for number, gene in sorted(zip(groups.tolist(), genes, strict=True), key=lambda pair: pair[0]):
        start, end, coding_bp = loci.get(number, (gene.start, gene.end, 0))
        loci[number] = (min(start, gene.start), max(end, gene.end), coding_bp + gene.cds_bp)
    return list(loci.values())


def _check_genes_of_splits(plan: SplitPlan, n_windows: Mapping[str, int], totals: _Totals) -> None:
    """Warn of a split without a gene, or, where other cuts by position give it one, begin again with these.

    Raises:
        _SplitWithoutGenes: other cuts are better.
    """
    without = totals.splits_without_genes(split for split in SPLITS if n_windows.get(split))
    if not without:
        return
    if plan.by == "position" and (moved := plan.between_genes(totals.lengths, totals.loci)):
        raise _SplitWithoutGenes(without, moved)
    for split in without:
        log.warning("the %s split has no whole gene: scores on it would say nothing; choose another --split", split)


def _warn_of_unannotated(totals: _Totals) -> None:
    """Name the contigs that no annotation names, and what they are good for."""
    if totals.unannotated:
        names = sorted(totals.unannotated, key=lambda name: -totals.unannotated[name])
        log.warning(
            "%d contig%s (%s bp) without a row in the annotation left out: %s%s; to pretrain on their sequence, give it with "
            "--unlabeled FASTA",
            len(names),
            "s" * (len(names) != 1),
            f"{sum(totals.unannotated.values()):,}",
            ", ".join(names[:3]),
            ", ..." if len(names) > 3 else "",
        )


def check_oddities(annotations: Mapping[Path, Annotation], *, strict: bool) -> None:
    """Warn, or with `strict` raise, of rows that break the rules of GFF3 or GTF.

    Raises:
        InputError: with `strict`, there is such a row.
    """
    for path, annotation in annotations.items():
        for reason, (line, text) in annotation.oddities.items():
            if strict:
                raise InputError(path, text, do="correct it, or leave out --strict", line=line)
            log.warning("%s:%d: %s (counted as %s: %d)", path, line, text, reason, annotation.counts[reason])


def _check_off_contig(annotation: Path, contig: Contig, labeled: LabeledContig, *, strict: bool) -> None:
    """Warn, or with `strict` raise, of coding rows beyond the end of a contig. They are of transcripts that are left out."""
    if n := labeled.counts["coding_off_contig"]:
        text = f"{n} coding intervals of transcripts that are left out end beyond {contig.name!r} ({len(contig):,} bp)"
        do = "is it the annotation of this genome?"
        if strict:
            raise InputError(annotation, text, do=do)
        log.warning("%s: %s (counted as coding_off_contig); %s", annotation, text, do)


def _contigs(genomes: Sequence[Path], present: dict[str, Path]) -> Iterator[tuple[Path, Contig]]:
    """Yield the contigs of all FASTA files, each with its file; their names are added to `present` and must differ."""
    for path in genomes:
        log.info("reading %s", path)
        for contig in read_fasta(path):
            if contig.name in present:
                raise InputError(path, f"record {contig.name!r} stands in two genome files", expected="unique names")
            present[contig.name] = path
            yield path, contig


def check_assembly(
    annotations: Mapping[Path, Annotation], lengths: Mapping[str, int], counts: Counter[str], *, strict: bool
) -> None:
    """Warn, or with `strict` raise, if an annotation seems to belong to another assembly of the genome.

    It does if a `##sequence-region` has another length than its contig, or if too few introns begin and end as introns do.

    Args:
        annotations: annotations by file.
        lengths: lengths of the contigs of the genome.
        counts: introns by motif, see `label_genes`.
        strict: whether to raise an error.

    Raises:
        InputError: with `strict`, an annotation seems to belong to another assembly.
    """
    faults = [
        (path, f"##sequence-region of {name!r} ends at {end:,}; the contig has {lengths[name]:,} bp")
        for path, annotation in annotations.items()
        for name, end in annotation.lengths.items()
        if end != lengths.get(name, end)
    ]
    n_usual = sum(counts[name] for name in INTRON_MOTIFS.values())
    n_introns = n_usual + counts["introns_other"]
    if n_introns >= _MIN_INTRONS and n_usual < _MIN_USUAL_SHARE * n_introns:
        share = f"{n_usual:,} of {n_introns:,} introns are GT-AG, GC-AG or AT-AC"
        faults.append((next(iter(annotations)), f"{share}; expected {_MIN_USUAL_SHARE:.0%} at least"))
    for path, fault in faults:
        do = "is it the annotation of this assembly?"
        if strict:
            raise InputError(path, fault, do=do)
        log.warning("%s: %s; %s", path, fault, do)


def _check_unknown(config: PrepareGenesConfig, unknown: tuple[Regions, ...], totals: _Totals) -> None:
    """Refuse unknown regions of another genome, and count those on contigs without a sequence."""
    for regions in unknown:
        rows = regions.rows_by_contig()
        absent = check_contigs(regions.path, rows, config.genome[0], totals.contigs, strict=config.strict)
        totals.dropped["unknown_regions_on_contigs_without_sequence"] += sum(len(rows[name]) for name in absent)


def _add_contig(
    config: PrepareGenesConfig, contig: Contig, labeled: LabeledContig, writer: DatasetWriter, totals: _Totals
) -> None:
    """Write the windows of one labeled contig, and add up its counts and reference transcripts."""
    totals.counts.update(labeled.counts)
    totals.dropped.update(labeled.dropped)
    totals.references.extend(labeled.references)
    for interval in labeled.intervals:
        if config.windows == "tile":
            windows = tile_with_flanks(interval, config.window_bp, config.flanks_bp)
        else:
            windows = around_genes(interval, labeled.longest, config.flanks_bp)
        for window in windows:
            _add_window(contig, labeled.labels, window, interval.split, writer, totals.dropped)


def _add_window(
    contig: Contig,
    labels: np.ndarray,
    window: FlankedWindow,
    split: str,
    writer: DatasetWriter,
    dropped: Counter[str],
) -> None:
    """Write one window, unless no label in it is known. Arrays are copied, so that the contig can be freed."""
    own = np.full(window.end - window.start, MISSING, dtype=np.int8)
    core = slice(window.core_start - window.start, window.core_end - window.start)
    own[core] = labels[window.core_start : window.core_end]
    codes = contig.codes[window.start : window.end].copy()
    if (own == MISSING).all():
        all_n = alphabet.is_unknown(codes[core]).all()
        dropped["windows_all_n" if all_n else "windows_all_missing"] += 1
        dropped["bp_in_windows_all_n" if all_n else "bp_in_windows_all_missing"] += core.stop - core.start
        return
    writer.add(split, Window(contig.name, window.start, window.end, ".", codes, own))


def _add_unlabeled(config: PrepareGenesConfig, writer: DatasetWriter, totals: _Totals) -> None:
    """Tile the sequence for pretraining only. A contig whose name is taken gets the name of its file in front of its own."""
    taken = set(totals.contigs)
    for path in config.unlabeled:
        for contig in read_fasta(path):
            totals.counts["unlabeled_ambiguous_letters"] += contig.n_ambiguous
            name = _free_name(contig.name, path, taken)
            taken.add(name)
            totals.counts["unlabeled_contigs_renamed"] += name != contig.name
            for window in tile_with_flanks(SplitInterval(contig.name, 0, len(contig), UNLABELED), config.window_bp):
                codes = contig.codes[window.start : window.end].copy()
                if alphabet.is_unknown(codes).all():
                    totals.dropped["unlabeled_windows_all_n"] += 1
                    continue
                writer.add(UNLABELED, Window(name, window.start, window.end, ".", codes, np.zeros(0, np.int8)))


def _free_name(name: str, path: Path, taken: set[str]) -> str:
    """The name if it is free, else STEM:name, STEM-2:name and so on with the stem of the file."""
    if name not in taken:
        return name
    stem = Path(path.name.removesuffix(".gz")).stem
    candidates = (f"{stem}{'' if number == 1 else f'-{number}'}:{name}" for number in count(1))
    return next(candidate for candidate in candidates if candidate not in taken)
