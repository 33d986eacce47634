"""FASTA and GFF3 or GTF to a dataset of windows with one of nine gene-structure classes per base.

One contig is in memory at a time. The label rules are those of `data.labels`; what cannot be known is missing, what is
left out is counted.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from dnaspt.data.dataset import Window
from dnaspt.data.manifest import UNLABELED, Manifest, Source
from dnaspt.data.transcript_table import TABLE, PlacedTranscript, read_transcripts, transcript_table
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.bed import Regions, read_bed
from dnaspt.genome.fasta import Contig, contig_names, read_fasta
from dnaspt.genome.gff3 import AnnotatedTranscript, Annotation, read_annotation
from dnaspt.genome.transcripts import Transcript
from dnaspt.prepare.gene_labels import INTRON_MOTIFS, LabeledContig, label_genes
from dnaspt.prepare.splits import Piece, SplitPlan, SplitSettings, check_written
from dnaspt.prepare.windows import check_contigs
from dnaspt.prepare.writer import DatasetWriter
from dnaspt.tasks import MISSING, TASKS


class Frame(NamedTuple):
    """A window start..end; its labels count from core_start to core_end, the rest is context."""

    start: int
    end: int
    core_start: int
    core_end: int


def tiles(piece: Piece, window_bp: int, flank_bp: int = 0) -> Iterator[Frame]:
    """Cut a piece into cores of `window_bp`, each base in one core, with context on both sides inside the piece.

    The last core is what remains. Where that is less than an eighth of a window, the last two cores share their bases
    evenly, so that no window is too short to learn from.
    """
    cuts = [*range(piece.start, piece.end, window_bp), piece.end]
    if len(cuts) > 2 and cuts[-1] - cuts[-2] < window_bp / 8:
        cuts[-2] = (cuts[-3] + cuts[-1] + 1) // 2
    for start, end in pairwise(cuts):
        yield Frame(max(piece.start, start - flank_bp), min(piece.end, end + flank_bp), start, end)


def around_genes(piece: Piece, transcripts: Iterable[Transcript], flank_bp: int) -> Iterator[Frame]:
    """One window around each transcript that lies in the piece: its span and `flank_bp` on both sides, clipped."""
    for transcript in transcripts:
        if piece.start <= transcript.start and transcript.end <= piece.end:
            start, end = max(piece.start, transcript.start - flank_bp), min(piece.end, transcript.end + flank_bp)
            yield Frame(start, end, start, end)


log = logging.getLogger(__name__)

_MIN_INTRONS, _USUAL_INTRONS = 20, 0.9
"""From so many introns on, so large a share has the usual ends where annotation and genome belong together."""


def check_assembly(
    read: Mapping[Path, Annotation], lengths: Mapping[str, int], counts: Counter[str], *, strict: bool
) -> None:
    """Say, or with `strict` refuse, that an annotation seems to be of another assembly.

    Args:
        read: annotations by file.
        lengths: of the contigs of the genome.
        counts: of introns by motif, see `label_genes`.
        strict: refuse.

    Raises:
        InputError: with `strict`: a `##sequence-region` of another length than its contig, or too few introns that begin
            and end as introns do.
    """
    found = [
        (path, f"##sequence-region of {name!r} ends at {end:,}; the contig has {lengths[name]:,} bp")
        for path, annotation in read.items()
        for name, end in annotation.lengths.items()
        if end != lengths.get(name, end)
    ]
    n_usual = sum(counts[name] for name in INTRON_MOTIFS.values())
    n_known = n_usual + counts["introns_other"]
    if n_known >= _MIN_INTRONS and n_usual < _USUAL_INTRONS * n_known:
        share = f"{n_usual:,} of {n_known:,} introns are GT-AG, GC-AG or AT-AC"
        found.append((next(iter(read)), f"{share}; expected {_USUAL_INTRONS:.0%} at least"))
    for path, what in found:
        do = "is it the annotation of this assembly?"
        if strict:
            raise InputError(path, what, do=do)
        log.warning("%s: %s; %s", path, what, do)


log = logging.getLogger(__name__)

GENE_FLANK_BP = 1000


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | Path) else () if value is None else value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_as_tuple)]
"""One file or several."""


class PrepareGenesConfig(SplitSettings):
    """Settings of `prepare genes`.

    genome, annotation: FASTA and GFF3 or GTF; where there are several, contigs are matched by name across all of them.
    valid_genome .. test_annotation: separate inputs for a split. Without separate valid input every tenth contig that
        trains (in file order) is valid, or the last tenth of each where they are fewer than ten.
    split: left out: by position, or, beside separate inputs, all for training and valid.
    windows: "tile" cuts whole contigs, "gene" gives each gene its own window of any length.
    window_bp: of a tile; pretraining cuts long windows so, whatever their kind.
    flank_bp: tile: context on both sides of `window_bp` whose labels are missing, so that each base is labeled once;
        gene: bases around the coding span. Left out: 0 for tile, 1,000 for gene.
    unknown: BED files of regions of unknown annotation.
    unlabeled: FASTA files for pretraining only.
    strict: an annotated contig without a sequence, an annotation that does not seem to be of this genome, or splits that
        share sequence, are errors.
    """

    out: Path
    genome: Paths = Field(min_length=1)
    annotation: Paths = Field(min_length=1)
    valid_genome: Paths = ()
    valid_annotation: Paths = ()
    test_genome: Paths = ()
    test_annotation: Paths = ()
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
        if self.split is None and self.is_separate:
            return SplitPlan("train-only" if self.valid_genome else "train", self.fractions)
        return super().plan()

    def files(self) -> tuple[Path, ...]:
        """Every file that is read."""
        table = (self.split_table,) if self.split_table else ()
        train = (*self.genome, *self.annotation)
        others = (*self.valid_genome, *self.valid_annotation, *self.test_genome, *self.test_annotation)
        return tuple(dict.fromkeys((*train, *others, *self.unknown, *self.unlabeled, *table)))


@dataclass(slots=True)
class _Tally:
    """What the passes over the contigs add up to."""

    counts: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    rows: list[PlacedTranscript] = field(default_factory=list)
    contigs: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Input:
    """One set of FASTA and annotation files, and how its contigs are divided."""

    genomes: tuple[Path, ...]
    annotations: tuple[Path, ...]
    plan: SplitPlan


@dataclass(frozen=True, slots=True)
class _Genes:
    """Annotation of all contigs of one input, by contig, and BED files of unknown regions."""

    transcripts: dict[str, list[AnnotatedTranscript]]
    unknown: dict[str, list[tuple[int, int]]]
    contigs: frozenset[str]
    beds: tuple[Regions, ...]

    def unknown_on(self, contig: Contig) -> list[tuple[int, int]]:
        """Intervals of unknown annotation; refuses one that ends off the contig."""
        spans = list(self.unknown.get(contig.name, ()))
        for bed in self.beds:
            rows = np.flatnonzero(bed.chrom == contig.name)
            bed.check_inside(contig.name, rows, len(contig))
            spans.extend(zip(bed.start[rows].tolist(), bed.end[rows].tolist(), strict=True))
        return spans


def prepare_genes(config: PrepareGenesConfig) -> Manifest:
    """Write the dataset folder `config.out`, one contig after the other; nothing is left behind where this fails.

    Dropped and counted: contigs without annotation, annotated contigs and unknown regions without a sequence, windows
    without a known label or without a known letter. Genes that straddle a cut between splits are missing on both sides.

    Raises:
        InputError: a file that cannot be used, a CDS or an unknown region off the end of its contig, no contig in
            common, no window left, or none in a split that training needs.
        ConfigError: settings that contradict the genome.
        DatasetError: `config.out` is there already, or with `strict` splits share sequence.
    """
    tally = _Tally()
    beds = tuple(read_bed(path) for path in config.unknown)
    inputs = [_Input(config.genome, config.annotation, config.plan())]
    if config.valid_genome:
        inputs.append(_Input(config.valid_genome, config.valid_annotation, SplitPlan("valid")))
    if config.test_genome:
        inputs.append(_Input(config.test_genome, config.test_annotation, SplitPlan("test")))
    same_genome = not config.is_separate and not config.unlabeled
    with DatasetWriter(config.out, overwrite=config.overwrite, same_genome=same_genome) as writer:
        for one in inputs:
            _prepare_input(config, one, beds, writer, tally)
        _check_beds(config, beds, tally)
        wanted = frozenset[str]().union(*(one.plan.wanted for one in inputs))
        check_written(config.genome[0], writer.n_windows, wanted, tally.dropped)
        _add_unlabeled(config, writer, tally)
        writer.add_table(TABLE, transcript_table(tally.rows))
        task = TASKS["genes"]
        manifest = Manifest(
            task=task.name,
            labels=task.labels,
            resolution_bp=task.resolution_bp,
            window_bp=config.window_bp,
            sources=tuple(Source.of(path) for path in config.files()),
            settings=config.model_dump(mode="json", exclude={"out", "overwrite"}),
            counts={name: count for name, count in tally.counts.items() if count},
            dropped={name: count for name, count in tally.dropped.items() if count},
            stop_in_cds=True,
        )
        return writer.finish(manifest, strict=config.strict)


def _prepare_input(
    config: PrepareGenesConfig, one: _Input, beds: tuple[Regions, ...], writer: DatasetWriter, tally: _Tally
) -> None:
    """Windows of one set of FASTA and annotation files."""
    read = {path: read_annotation(path) for path in one.annotations}
    genes = _by_contig(read, beds, tally)
    plan = one.plan
    if plan.needs_contigs:
        plan = plan.among([name for path in one.genomes for name in contig_names(path) if name in genes.contigs])
    present: set[str] = set()
    lengths: dict[str, int] = {}
    before = tally.counts.copy()
    for contig in _contigs(one.genomes, present):
        lengths[contig.name] = len(contig)
        unknown = genes.unknown_on(contig)
        if contig.name not in genes.contigs:
            tally.dropped["contigs_without_annotation"] += 1
            tally.dropped["bp_on_contigs_without_annotation"] += len(contig)
            continue
        tally.counts["contigs"] += 1
        tally.counts["ambiguous_letters"] += contig.n_ambiguous
        annotated = genes.transcripts.get(contig.name, ())
        labeled = label_genes(contig, annotated, plan.pieces(contig.name, len(contig)), unknown=unknown)
        _add_contig(config, contig, labeled, writer, tally)
    tally.contigs |= present
    _check_names(config, read, one, present)
    check_assembly(read, lengths, tally.counts - before, strict=config.strict)
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


def _by_contig(read: dict[Path, Annotation], beds: tuple[Regions, ...], tally: _Tally) -> _Genes:
    genes = _Genes({}, {}, frozenset().union(*(annotation.contigs for annotation in read.values())), beds)
    for path, annotation in read.items():
        if not annotation.transcripts:
            expected = "CDS rows of transcripts that belong to a gene"
            raise InputError(path, "no coding transcript in it", expected=expected, do="is it the whole annotation?")
        tally.counts.update({f"annotation_{name}": count for name, count in annotation.counts.items()})
        for one in annotation.transcripts:
            genes.transcripts.setdefault(one.transcript.chrom, []).append(one)
        for interval in annotation.unknown:
            genes.unknown.setdefault(interval.contig, []).append((interval.start, interval.end))
    return genes


def _check_names(config: PrepareGenesConfig, read: dict[Path, Annotation], one: _Input, present: set[str]) -> None:
    """Refuse files whose contig names do not meet those of the genome."""
    plan, genome = one.plan, one.genomes[0]
    for path, annotation in read.items():
        check_contigs(path, annotation.contigs, genome, present, strict=config.strict)
    if absent := sorted((plan.valid_contigs | plan.test_contigs) - present):
        raise ConfigError(f"contig {absent[0]!r} of the split has no record in {genome}; check its name")
    if plan.table is not None:
        check_contigs(plan.table.path, plan.table.pieces, genome, present, strict=config.strict)


def _check_beds(config: PrepareGenesConfig, beds: tuple[Regions, ...], tally: _Tally) -> None:
    """Refuse unknown regions of another genome, and count those on contigs without a sequence."""
    for bed in beds:
        rows = bed.rows_by_contig()
        absent = check_contigs(bed.path, rows, config.genome[0], tally.contigs, strict=config.strict)
        tally.dropped["unknown_regions_on_contigs_without_sequence"] += sum(len(rows[name]) for name in absent)


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
        all_n = alphabet.is_unknown(codes[core]).all()
        tally.dropped["windows_all_n" if all_n else "windows_all_missing"] += 1
        tally.dropped["bp_in_windows_all_n" if all_n else "bp_in_windows_all_missing"] += core.stop - core.start
        return
    writer.add(split, Window(contig.name, frame.start, frame.end, ".", codes, own))


def _add_unlabeled(config: PrepareGenesConfig, writer: DatasetWriter, tally: _Tally) -> None:
    """Tile the sequence that is there for pretraining only; a contig whose name is taken gets that of its file too."""
    taken = set(tally.contigs)
    for path in config.unlabeled:
        for contig in read_fasta(path):
            tally.counts["unlabeled_ambiguous_letters"] += contig.n_ambiguous
            name = _free_name(contig.name, path, taken)
            taken.add(name)
            tally.counts["unlabeled_contigs_renamed"] += name != contig.name
            for frame in tiles(Piece(contig.name, 0, len(contig), UNLABELED), config.window_bp):
                codes = contig.codes[frame.start : frame.end].copy()
                if alphabet.is_unknown(codes).all():
                    tally.dropped["unlabeled_windows_all_n"] += 1
                    continue
                writer.add(UNLABELED, Window(name, frame.start, frame.end, ".", codes, np.zeros(0, np.int8)))


def _free_name(name: str, path: Path, taken: set[str]) -> str:
    """The name, or, where it is taken, STEM:name or else STEM-2:name and so on."""
    stem = Path(path.name.removesuffix(".gz")).stem
    prefixed = (f"{stem}{'' if number == 1 else f'-{number}'}:{name}" for number in count(1))
    return name if name not in taken else next(one for one in prefixed if one not in taken)


__all__ = ["PrepareGenesConfig", "prepare_genes", "read_transcripts"]
