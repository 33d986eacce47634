"""FASTA and GFF3 or GTF to a dataset of windows with one of nine gene-structure classes per base.

One contig is in memory at a time. The label rules are those of `data.labels`; what cannot be known is missing, what is
left out is counted.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from dnaspt.config import Settings
from dnaspt.data.gene_labels import LabeledContig, label_genes
from dnaspt.data.gene_windows import Frame, around_genes, tiles
from dnaspt.data.splits import Piece, SplitPlan, read_split_table
from dnaspt.data.store import UNLABELED, DatasetWriter, Manifest, Source, Window
from dnaspt.data.transcript_table import TABLE, PlacedTranscript, read_transcripts, transcript_table
from dnaspt.data.windows import check_contigs
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.bed import read_bed
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.gff3 import AnnotatedTranscript, Annotation, read_annotation
from dnaspt.tasks import MISSING, TASKS

log = logging.getLogger(__name__)

GENE_FLANK_BP = 1000
_SPLIT_WORDS = ("position", "contig", "train", "train-only", "valid", "test")


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | Path) else () if value is None else value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_as_tuple)]
"""One file or several."""


class PrepareGenesConfig(Settings):
    """Settings of `prepare genes`.

    genome, annotation: FASTA and GFF3 or GTF; where there are several, contigs are matched by name across all of them.
    valid_genome .. test_annotation: separate inputs for a split. Without separate valid input every tenth contig that
        trains (in file order) is valid.
    split: "position", "contig", another word of `SplitPlan`, or the path of a split table; left out: by position.
    windows: "tile" cuts whole contigs, "gene" gives each gene its own window.
    flank_bp: tile: context on both sides of `window_bp` whose labels are missing, so that each base is labeled once;
        gene: bases around the coding span. Left out: 0 for tile, 1,000 for gene.
    unknown: BED files of regions of unknown annotation.
    unlabeled: FASTA files for pretraining only.
    strict: an annotated contig without a sequence, or splits that share sequence, are errors.
    """

    out: Path
    genome: Paths = Field(min_length=1)
    annotation: Paths = Field(min_length=1)
    valid_genome: Paths = ()
    valid_annotation: Paths = ()
    test_genome: Paths = ()
    test_annotation: Paths = ()
    split: str | None = None
    fractions: tuple[float, float, float] = (0.72, 0.08, 0.20)
    valid_contigs: tuple[str, ...] = ()
    test_contigs: tuple[str, ...] = ()
    windows: Literal["tile", "gene"] = "tile"
    window_bp: int = Field(4096, ge=16)
    flank_bp: int | None = Field(None, ge=0)
    unknown: Paths = ()
    unlabeled: Paths = ()
    strict: bool = False
    overwrite: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("valid", "test"):
            if bool(getattr(self, f"{name}_genome")) != bool(getattr(self, f"{name}_annotation")):
                raise ValueError(f"{name}_genome and {name}_annotation belong together; give both or none")
        if self.split and self.is_separate:
            raise ValueError(f"split {self.split!r} beside a separate valid or test input; choose one")
        if self.split and self.split not in _SPLIT_WORDS and not Path(self.split).exists():
            raise ValueError(f"split {self.split!r} is neither a file nor one of {', '.join(_SPLIT_WORDS)}")
        if self.split != "contig" and (self.valid_contigs or self.test_contigs):
            raise ValueError("valid_contigs and test_contigs have an effect with split 'contig' alone")
        return self

    @property
    def is_separate(self) -> bool:
        """Whether valid or test has an input of its own."""
        return bool(self.valid_genome or self.test_genome)

    @property
    def flanks_bp(self) -> int:
        """Bases on both sides, with the default of the kind of window."""
        if self.flank_bp is not None:
            return self.flank_bp
        return GENE_FLANK_BP if self.windows == "gene" else 0

    def plan(self) -> SplitPlan:
        """How the contigs of `genome` are divided."""
        if self.split is None:
            separate: Literal["train", "train-only"] = "train-only" if self.valid_genome else "train"
            return SplitPlan(separate if self.is_separate else "position", self.fractions)
        if self.split not in _SPLIT_WORDS:
            return SplitPlan(by="column", table=read_split_table(self.split))
        return SplitPlan(
            by=self.split,  # type: ignore[arg-type]  # one of the words, checked when built
            fractions=self.fractions,
            valid_contigs=frozenset(self.valid_contigs),
            test_contigs=frozenset(self.test_contigs),
        )

    def files(self) -> tuple[Path, ...]:
        """Every file that is read."""
        table = (Path(self.split),) if self.split and self.split not in _SPLIT_WORDS else ()
        train = (*self.genome, *self.annotation)
        others = (*self.valid_genome, *self.valid_annotation, *self.test_genome, *self.test_annotation)
        return tuple(dict.fromkeys((*train, *others, *self.unknown, *self.unlabeled, *table)))


@dataclass(slots=True)
class _Tally:
    """What the passes over the contigs add up to."""

    counts: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    rows: list[PlacedTranscript] = field(default_factory=list)
    n_windows: int = 0
    longest_bp: int = 0


@dataclass(frozen=True, slots=True)
class _Genes:
    """Annotation of all contigs of one input, by contig."""

    transcripts: dict[str, list[AnnotatedTranscript]]
    unknown: dict[str, list[tuple[int, int]]]
    contigs: frozenset[str]


def prepare_genes(config: PrepareGenesConfig) -> Manifest:
    """Write the dataset folder `config.out`, one contig after the other; nothing is left behind where this fails.

    Dropped and counted: contigs without annotation, annotated contigs without a sequence, windows without a known label
    or without a known letter. Genes that straddle a cut between splits are missing on both sides.

    Raises:
        InputError: a file that cannot be used, a CDS off the end of its contig, no contig in common, no window left.
        ConfigError: settings that contradict the genome.
        DatasetError: `config.out` is there already, or with `strict` splits share sequence.
    """
    tally = _Tally()
    same_genome = not config.is_separate and not config.unlabeled
    with DatasetWriter(config.out, overwrite=config.overwrite, same_genome=same_genome) as writer:
        _prepare_input(config, (config.genome, config.annotation), config.plan(), writer, tally)
        if config.valid_genome:
            _prepare_input(config, (config.valid_genome, config.valid_annotation), SplitPlan("valid"), writer, tally)
        if config.test_genome:
            _prepare_input(config, (config.test_genome, config.test_annotation), SplitPlan("test"), writer, tally)
        if not tally.n_windows:
            reasons = (
                ", ".join(f"{reason} {count}" for reason, count in tally.dropped.items() if count) or "no base at all"
            )
            raise InputError(config.genome[0], f"no window left ({reasons})", do="check the split and the annotation")
        _add_unlabeled(config, writer, tally)
        writer.add_table(TABLE, transcript_table(tally.rows))
        task = TASKS["genes"]
        manifest = Manifest(
            task=task.name,
            labels=task.labels,
            resolution_bp=task.resolution_bp,
            window_bp=config.window_bp if config.windows == "tile" else tally.longest_bp,
            sources=tuple(Source.of(path) for path in config.files()),
            settings=config.model_dump(mode="json", exclude={"out", "overwrite"}),
            counts={name: count for name, count in tally.counts.items() if count},
            dropped={name: count for name, count in tally.dropped.items() if count},
            stop_in_cds=True,
        )
        return writer.finish(manifest, strict=config.strict)


def _prepare_input(
    config: PrepareGenesConfig,
    files: tuple[tuple[Path, ...], tuple[Path, ...]],
    plan: SplitPlan,
    writer: DatasetWriter,
    tally: _Tally,
) -> None:
    """Windows of one set of FASTA and annotation files."""
    genomes, annotations = files
    read = {path: read_annotation(path) for path in annotations}
    genes = _by_contig(config, read, tally)
    present: set[str] = set()
    index = 0
    for contig in _contigs(genomes, present):
        if contig.name not in genes.contigs:
            tally.dropped["contigs_without_annotation"] += 1
            tally.dropped["bp_on_contigs_without_annotation"] += len(contig)
            continue
        tally.counts["contigs"] += 1
        tally.counts["ambiguous_letters"] += contig.n_ambiguous
        annotated, unknown = genes.transcripts.get(contig.name, ()), genes.unknown.get(contig.name, ())
        labeled = label_genes(contig, annotated, plan.pieces(contig.name, len(contig), index), unknown=unknown)
        _add_contig(config, contig, labeled, writer, tally)
        index += 1
    _check_names(config, read, plan, present, genomes[0])
    absent = genes.contigs - present
    tally.dropped["annotated_contigs_without_sequence"] += len(absent)
    tally.dropped["transcripts_on_contigs_without_sequence"] += sum(
        len(genes.transcripts.get(name, ())) for name in absent
    )


def _contigs(genomes: Sequence[Path], present: set[str]) -> Iterator[Contig]:
    """Contigs of several FASTA files; their names are added to `present` and must differ."""
    for path in genomes:
        log.info("reading %s", path)
        for contig in read_fasta(path):
            if contig.name in present:
                raise InputError(path, f"record {contig.name!r} stands in two genome files", expected="unique names")
            present.add(contig.name)
            yield contig


def _by_contig(config: PrepareGenesConfig, read: dict[Path, Annotation], tally: _Tally) -> _Genes:
    genes = _Genes({}, {}, frozenset().union(*(annotation.contigs for annotation in read.values())))
    for path, annotation in read.items():
        if not annotation.transcripts:
            expected = "CDS rows of transcripts that belong to a gene"
            raise InputError(path, "no coding transcript in it", expected=expected, do="is it the whole annotation?")
        tally.counts.update({f"annotation_{name}": count for name, count in annotation.counts.items()})
        for one in annotation.transcripts:
            genes.transcripts.setdefault(one.transcript.chrom, []).append(one)
        for interval in annotation.unknown:
            genes.unknown.setdefault(interval.chrom, []).append((interval.start, interval.end))
    for path in config.unknown:
        regions = read_bed(path)
        for chrom, start, end in zip(regions.chrom, regions.start.tolist(), regions.end.tolist(), strict=True):
            genes.unknown.setdefault(str(chrom), []).append((start, end))
    return genes


def _check_names(
    config: PrepareGenesConfig, read: dict[Path, Annotation], plan: SplitPlan, present: set[str], genome: Path
) -> None:
    """Refuse files whose contig names do not meet those of the genome."""
    for path, annotation in read.items():
        check_contigs(path, annotation.contigs, genome, present, strict=config.strict)
    if absent := sorted((plan.valid_contigs | plan.test_contigs) - present):
        raise ConfigError(f"contig {absent[0]!r} of the split has no record in {genome}; check its name")
    if plan.by == "column":
        check_contigs(Path(config.split or ""), plan.table, genome, present, strict=config.strict)


def _add_contig(
    config: PrepareGenesConfig, contig: Contig, genes: LabeledContig, writer: DatasetWriter, tally: _Tally
) -> None:
    """Windows and transcripts of one labeled contig."""
    tally.counts.update(genes.counts)
    tally.dropped.update(genes.dropped)
    tally.rows.extend(genes.placed)
    for piece in genes.pieces:
        frames = (
            tiles(piece, config.window_bp, config.flanks_bp)
            if config.windows == "tile"
            else around_genes(piece, genes.longest, config.flanks_bp)
        )
        for frame in frames:
            _add_window(contig, genes.labels, frame, piece.split, writer, tally)


def _add_window(
    contig: Contig, labels: np.ndarray, frame: Frame, split: str, writer: DatasetWriter, tally: _Tally
) -> None:
    """Write one window unless nothing is known about it; arrays are copied, so that the contig can go."""
    own = np.full(frame.end - frame.start, MISSING, dtype=np.int8)
    core = slice(frame.core_start - frame.start, frame.core_end - frame.start)
    own[core] = labels[frame.core_start : frame.core_end]
    codes = contig.codes[frame.start : frame.end].copy()
    if (own == MISSING).all():
        all_n = ((codes[core] & 7) == alphabet.N).all()
        tally.dropped["windows_all_n" if all_n else "windows_all_missing"] += 1
        tally.dropped["bp_in_windows_all_n" if all_n else "bp_in_windows_all_missing"] += core.stop - core.start
        return
    tally.n_windows += 1
    tally.longest_bp = max(tally.longest_bp, len(codes))
    writer.add(split, Window(contig.name, frame.start, frame.end, ".", codes, own))


def _add_unlabeled(config: PrepareGenesConfig, writer: DatasetWriter, tally: _Tally) -> None:
    """Tile the sequence that is there for pretraining only."""
    for path in config.unlabeled:
        for contig in read_fasta(path):
            tally.counts["unlabeled_ambiguous_letters"] += contig.n_ambiguous
            for frame in tiles(Piece(contig.name, 0, len(contig), UNLABELED), config.window_bp):
                codes = contig.codes[frame.start : frame.end].copy()
                if ((codes & 7) == alphabet.N).all():
                    tally.dropped["unlabeled_windows_all_n"] += 1
                    continue
                writer.add(UNLABELED, Window(contig.name, frame.start, frame.end, ".", codes, np.zeros(0, np.int8)))


__all__ = ["PrepareGenesConfig", "prepare_genes", "read_transcripts"]
