"""Two annotations of one genome to how well one finds the genes of the other, from coding bases to genes. No model is needed.

Only coding sequence counts, on the right strand, both ends exact. All isoforms of both sides are compared, and what isoforms
share counts once. On bases, exons and transcripts that is `gt eval` of GenomeTools (CDS level; exons collapsed).
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaspt.atomic import write_text_atomically
from dnaspt.data.bootstrap_blocks import blocks_between
from dnaspt.errors import InputError
from dnaspt.evaluation.bootstrap import N_BOOTSTRAP
from dnaspt.evaluation.gene_faults import StructureReport, structure_report
from dnaspt.evaluation.gene_metrics import (
    FOUND,
    PREDICTED,
    RIGHT,
    TRUE,
    Feature,
    LevelScores,
    are_exact,
    count_features,
    count_genes,
    exons,
    intron_chain,
    level_scores,
    splice_sites,
    structure,
)
from dnaspt.frozen_dict import freeze
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.genetic_code import MAJOR_SPLICE_PAIRS, STANDARD, GeneticCode
from dnaspt.genome.gff3 import AnnotatedTranscript, Annotation, read_annotation
from dnaspt.genome.intervals import coverage, end_to_end, overlapping, subtract
from dnaspt.genome.stop_in_cds import stop_codon_in_cds, stop_rows_in_cds
from dnaspt.genome.transcripts import Transcript

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

LEVELS = ("base", "donor", "acceptor", "splice_site", "exon", "intron_chain", "transcript", "gene")
OVERLAP_LEVELS = ("exon", "transcript", "gene")
"""Levels of which it is counted what overlaps nothing of the other side."""
SIDES = ("reference", "prediction")
_LENGTH_BP = (1_000, 2_000, 5_000, 10_000, 50_000)
_N_EXONS = (2, 3, 6, 11)
_WITHOUT_TRANSCRIPT = ("cds_without_ids", "_without_transcript")
_NOT_LEFT_OUT = ("transcripts_with_overlapping_cds", "transcripts_on_both_strands")
"""Counts of transcripts that are read, or counted under another reason, too."""
_SHOWN = 5
"""Contigs that a warning names at most."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one of two compared annotations holds.

    Attributes:
        file: the file.
        n_genes: coding genes that are compared.
        n_transcripts: their coding transcripts.
        only_here: contigs of this side that the other one does not have, in ascending order. Their genes are scored: they are
            missed, or wrong.
        n_genes_only_here: genes on these contigs.
        left_out: transcripts with CDS rows that could not be read as whole coding genes, by reason (docs/files.md).
        structures: illegal structures of its transcripts; None without a genome.
        n_partial: transcripts that are said to be partial: they may lack a start and a stop codon.
        n_not_judged: transcripts on contigs that the genome does not have.
    """

    file: str
    n_genes: int
    n_transcripts: int
    only_here: tuple[str, ...]
    n_genes_only_here: int
    left_out: Mapping[str, int]
    structures: StructureReport | None = None
    n_partial: int = 0
    n_not_judged: int = 0

    def __post_init__(self) -> None:
        freeze(self, "left_out")


@dataclass(frozen=True, slots=True)
class AnnotationComparison:
    """How well the genes of a prediction are those of a reference.

    Attributes:
        levels: scores by level, with counts: base, donor, acceptor, splice_site, exon (coding, both ends), intron_chain and
            transcript (all coding exons) count what is different, however many isoforms have it. A gene is found if any of its
            transcripts is a transcript of the prediction, and right if any of its transcripts is one of the reference.
        missed: items of the reference that share no base with any item of that level of the prediction, on their strand: exons;
            transcripts and genes, from their first to their last coding base.
        wrong: the same of the prediction.
        groups: scores of genes by what divides them (gene length, coding exons), and by group. Of a gene the longest coding
            transcript decides in which group it is.
        reference: what the reference holds.
        prediction: what the prediction holds.
        n_unclear: predicted genes that are not scored, because a coding base of theirs lies where the reference has CDS rows that
            belong to no whole coding gene (pseudogenes and others).
        n_blocks: blocks of about 10 kb that the 95 % intervals resample.

    Example:
        >>> compared = dnaspt.compare_annotations("genome/annotation.gff3", "genome/annotation.gff3")
        >>> compared.levels["exon"].f1.value
        1.0
        >>> list(compared.to_frame().columns)[:4]
        ['level', 'by', 'group', 'sensitivity']
    """

    levels: Mapping[str, LevelScores]
    missed: Mapping[str, int]
    wrong: Mapping[str, int]
    groups: Mapping[str, Mapping[str, LevelScores]]
    reference: Side
    prediction: Side
    n_unclear: int
    n_blocks: int

    def __post_init__(self) -> None:
        freeze(self, "levels", "missed", "wrong", "groups")

    def to_frame(self) -> "pd.DataFrame":
        """A row for each level, then for each group of genes.

        Returns:
            Columns: level; by and group (empty for the levels); sensitivity, precision and f1, each with _low and _high, the
            bounds of its 95 % interval; n_true, n_found, n_predicted, n_right; missed and wrong (missing where a level has none).
        """
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {"level": level, "by": "", "group": ""}
            | _columns(scores)
            | {"missed": self.missed.get(level), "wrong": self.wrong.get(level)}
            for level, scores in self.levels.items()
        ]
        for divided_by, groups in self.groups.items():
            rows += [{"level": "gene", "by": divided_by, "group": name} | _columns(own) for name, own in groups.items()]
        return pd.DataFrame(rows).astype({"missed": "Int64", "wrong": "Int64"})

    def to_dict(self) -> dict[str, Any]:
        """For JSON: all attributes, and undefined scores as None."""
        sides = {side: asdict(getattr(self, side)) for side in SIDES}
        for side, content in sides.items():
            structures = getattr(self, side).structures
            content["structures"] = structures and structures.to_dict()
        return {
            "levels": {name: level.to_dict() for name, level in self.levels.items()},
            "missed": dict(self.missed),
            "wrong": dict(self.wrong),
            "groups": {
                divided_by: {name: level.to_dict() for name, level in groups.items()}
                for divided_by, groups in self.groups.items()
            },
            **sides,
            "n_unclear": self.n_unclear,
            "n_blocks": self.n_blocks,
        }


def _columns(scores: LevelScores) -> dict[str, Any]:
    """Scores and counts of a level by the name of their column."""
    measures = {"sensitivity": scores.sensitivity, "precision": scores.precision, "f1": scores.f1}
    columns = {
        f"{name}{suffix}": value
        for name, score in measures.items()
        for suffix, value in (("", score.value), ("_low", score.low), ("_high", score.high))
    }
    counts = {name: getattr(scores, name) for name in ("n_true", "n_found", "n_predicted", "n_right")}
    return columns | counts


def compare_annotations(
    reference: Path,
    prediction: Path,
    genome: Path | None = None,
    *,
    code: GeneticCode = STANDARD,
    n: int = N_BOOTSTRAP,
    seed: int = 0,
) -> AnnotationComparison:
    """Compare a predicted annotation with a reference; see `dnaspt.compare_annotations`.

    Args:
        reference: GFF3 or GTF, plain, gzip or bgzip.
        prediction: the same.
        genome: FASTA on which both lie; None compares without sequence.
        code: genetic code by which stop codons are looked for and structures are judged.
        n: resamples of the blocks.
        seed: seed of the draw.

    Raises:
        InputError: a file that cannot be used, annotations without a contig in common, or a transcript that ends off its contig.
    """
    files = (reference, prediction)
    read = [_read(file) for file in files]
    if not read[0].transcripts:
        raise InputError(reference, "no gene in it", expected="a reference with CDS rows")
    contigs = [annotation.contigs | set(annotation.lengths) for annotation in read]
    if contigs[1]:
        check_contigs(prediction, contigs[1], reference, contigs[0], strict=False)
    lengths: dict[str, int] = {}
    if genome is None:
        judged = [_Judged([stop_rows_in_cds(one) for one in own.transcripts]) for own in read]
        _warn_of_stop_codons(judged, files)
    else:
        judged = _on_genome(genome, files, read, lengths, code)
    for annotation in read:
        for name, length_bp in annotation.lengths.items():
            lengths[name] = max(length_bp, lengths.get(name, 0))
    genes = [_genes(own.transcripts) for own in judged]
    sides = [
        _side(files[k], judged[k], genes[k], sorted(contigs[k] - contigs[1 - k]), _left_out(read[k])) for k in range(2)
    ]
    for side, other, fate in ((sides[0], files[1], "missed"), (sides[1], files[0], "wrong")):
        if side.only_here:
            shown = ", ".join(side.only_here[:_SHOWN]) + (" ..." if len(side.only_here) > _SHOWN else "")
            counted = f"{side.n_genes_only_here} genes there count as {fate}"
            log.warning("%s: %d contigs are not in %s, %s: %s", side.file, len(side.only_here), other, counted, shown)
    return _scored(genes, _Blocks(genes, lengths), _unclear(read[0], judged[0].transcripts), sides, n=n, seed=seed)


def _read(file: Path) -> Annotation:
    """An annotation; what is odd in it is a warning.

    Raises:
        InputError: it cannot be used, or has rows but no gene.
    """
    annotation = read_annotation(file)
    if annotation.counts["rows"] and not annotation.transcripts:
        raise InputError(file, "no coding gene in it", expected="GFF3 or GTF with CDS rows")
    for line, text in annotation.oddities.values():
        log.warning("%s:%d: %s", file, line, text)
    return annotation


def write_comparison(comparison: AnnotationComparison, file: Path) -> None:
    """Write a comparison as CSV (the table of `to_frame`) or as JSON (everything), by the suffix of the file."""
    if file.suffix.lower() == ".csv":
        write_text_atomically(file, comparison.to_frame().to_csv(index=False, lineterminator="\n"))
    else:
        write_text_atomically(file, json.dumps(comparison.to_dict(), indent=2) + "\n")


_Gene = tuple[Transcript, ...]
"""The isoforms of a gene, the one with the most coding bases first."""


@dataclass(slots=True)
class _Judged:
    """Transcripts of one side, the stop codon in their CDS as far as that is known.

    Attributes:
        transcripts: the transcripts.
        structures: their illegal structures; None without a genome.
        n_not_judged: transcripts on contigs that the genome does not have.
    """

    transcripts: list[Transcript]
    structures: StructureReport | None = None
    n_not_judged: int = 0


def _side(
    file: Path, judged: _Judged, genes: Sequence[_Gene], only_here: Sequence[str], left_out: Mapping[str, int]
) -> Side:
    """What one side holds."""
    absent = set(only_here)
    return Side(
        str(file),
        len(genes),
        len(judged.transcripts),
        tuple(only_here),
        sum(gene[0].chrom in absent for gene in genes),
        left_out,
        judged.structures,
        sum(transcript.is_partial for transcript in judged.transcripts),
        judged.n_not_judged,
    )


def _on_genome(
    genome: Path, files: Sequence[Path], read: Sequence[Annotation], lengths: dict[str, int], code: GeneticCode
) -> list[_Judged]:
    """Transcripts of both sides with their stop codons and their faults; `lengths` gets those of the genome's contigs."""
    judged = [_Judged([]) for _ in read]
    reports = [[structure_report([], {}, splice_pairs=MAJOR_SPLICE_PAIRS)] for _ in read]
    by_contig = [_by_contig(annotation) for annotation in read]
    for contig in read_fasta(genome):
        lengths[contig.name] = len(contig)
        for own, of_side, rows in zip(judged, reports, by_contig, strict=True):
            transcripts = _with_stop_codons(rows.pop(contig.name, ()), contig, code)
            own.transcripts += transcripts
            codes = {contig.name: contig.codes}
            report = structure_report(transcripts, codes, splice_pairs=MAJOR_SPLICE_PAIRS, genetic_code=code)
            of_side.append(report)
    for file, own, of_side, rows in zip(files, judged, reports, by_contig, strict=True):
        own.structures = StructureReport.total(of_side)
        if not rows:
            continue
        check_contigs(file, {*rows, *(one.chrom for one in own.transcripts)}, genome, set(lengths), strict=False)
        not_judged = [stop_rows_in_cds(one) for of_contig in rows.values() for one in of_contig]
        own.transcripts += not_judged
        own.n_not_judged = len(not_judged)
        counted = f"{len(not_judged)} transcripts on {len(rows)} contigs"
        log.warning("%s: %s that are not in %s: their structures are not judged", file, counted, genome)
    return judged


def _by_contig(annotation: Annotation) -> dict[str, list[AnnotatedTranscript]]:
    """Transcripts by contig."""
    by_contig: dict[str, list[AnnotatedTranscript]] = {}
    for one in annotation.transcripts:
        by_contig.setdefault(one.transcript.chrom, []).append(one)
    return by_contig


def _with_stop_codons(annotated: Sequence[AnnotatedTranscript], contig: Contig, code: GeneticCode) -> list[Transcript]:
    """Transcripts of a contig with their stop codon in the CDS; those that are said to be partial only by their rows.

    Raises:
        InputError: a transcript ends off the contig; names its line.
    """
    for one in annotated:
        if one.transcript.end > len(contig):
            found = f"{one.transcript.transcript_id!r} ends at {one.transcript.end:,}"
            expected = f"at most the {len(contig):,} bases of contig {contig.name!r}"
            raise InputError(
                one.path, found, expected=expected, do="is it the genome of this annotation?", line=one.line
            )
    whole = [one for one in annotated if not one.transcript.is_partial]
    partial = [stop_rows_in_cds(one) for one in annotated if one.transcript.is_partial]
    return [*stop_codon_in_cds(whole, contig.codes, code)[0], *partial]


def _warn_of_stop_codons(judged: Sequence[_Judged], files: Sequence[Path]) -> None:
    """Say so where one side seems to leave stop codons out of its CDS: without a genome, nothing can be done about it."""
    ends = [{(t.chrom, t.strand, t.introns, *_from_start_to_stop(t)) for t in own.transcripts} for own in judged]
    alike = len(ends[0] & ends[1])
    for k in range(2):
        longer = {(*end[:-1], end[-1] + (3 if end[1] == "+" else -3)) for end in ends[k]}
        if (n_longer := len(longer & ends[1 - k])) > alike:
            what = f"{n_longer} transcripts are those of {files[1 - k]} but for the last 3 bases"
            log.warning(
                "%s: %s: its CDS seem to leave out stop codons; give the genome, which puts them in", files[k], what
            )


def _from_start_to_stop(transcript: Transcript) -> tuple[int, int]:
    """Coordinates where translation starts and stops."""
    return (transcript.start, transcript.end) if transcript.strand == "+" else (transcript.end, transcript.start)


def _left_out(annotation: Annotation) -> dict[str, int]:
    """Transcripts and rows of CDS that were not read as whole coding genes, by reason."""
    return {
        name: count
        for name, count in annotation.counts.items()
        if count
        and (name.startswith("transcripts_") or name.endswith(_WITHOUT_TRANSCRIPT))
        and name not in _NOT_LEFT_OUT
    }


def _genes(transcripts: Iterable[Transcript]) -> list[_Gene]:
    """Transcripts by gene."""
    genes: dict[tuple[str, str], list[Transcript]] = {}
    for transcript in transcripts:
        genes.setdefault((transcript.chrom, transcript.gene_id), []).append(transcript)
    return [tuple(sorted(isoforms, key=lambda isoform: -isoform.cds_bp)) for isoforms in genes.values()]


class _Blocks:
    """Blocks of about 10 kb outside the genes of the reference: the units that a bootstrap draws."""

    def __init__(self, genes: Sequence[Sequence[_Gene]], lengths: Mapping[str, int]) -> None:
        reached: Counter[str] = Counter(lengths)
        for gene in (*genes[0], *genes[1]):
            reached[gene[0].chrom] = max(reached[gene[0].chrom], _span(gene)[1])
        self.first: dict[str, int] = {}
        self.cuts: dict[str, np.ndarray] = {}
        spans: dict[str, list[tuple[int, int]]] = {}
        for gene in genes[0]:
            spans.setdefault(gene[0].chrom, []).append(_span(gene))
        self.n_blocks = 0
        for contig, length_bp in reached.items():
            self.first[contig] = self.n_blocks
            self.cuts[contig] = blocks_between(_array(spans.get(contig, ())), length_bp)
            self.n_blocks += len(self.cuts[contig]) - 1

    def of(self, contigs: Sequence[str], positions: Sequence[int]) -> np.ndarray:
        """Blocks (n,) of positions of contigs."""
        at = np.array(positions, np.int64)
        blocks = np.empty(len(at), np.int64)
        by_contig: dict[str, list[int]] = {}
        for index, contig in enumerate(contigs):
            by_contig.setdefault(contig, []).append(index)
        for contig, own in by_contig.items():
            blocks[own] = self.first[contig] + np.searchsorted(self.cuts[contig], at[own], side="right") - 1
        return blocks

    def slice_of(self, contig: str) -> slice:
        """Numbers of the blocks of a contig."""
        return slice(self.first[contig], self.first[contig] + len(self.cuts[contig]) - 1)


def _scored(
    genes: Sequence[list[_Gene]],
    blocks: _Blocks,
    unclear: Mapping[str, np.ndarray],
    sides: Sequence[Side],
    *,
    n: int,
    seed: int,
) -> AnnotationComparison:
    """Scores of two sides' genes; `unclear`: intervals by contig on which predicted genes are neither right nor wrong."""
    counts = np.zeros((blocks.n_blocks, len(LEVELS), 4), dtype=np.int64)
    _count_bases(genes, blocks, unclear, counts[:, LEVELS.index("base")])
    true, predicted = genes[0], [gene for gene in genes[1] if not _is_on(gene, unclear)]
    for level, features in _FEATURES.items():
        own = (_located(true, features, blocks), _located(predicted, features, blocks))
        count_features(*own, counts=counts[:, LEVELS.index(level)])
    located = (
        zip(true, _blocks_of(true, blocks), strict=True),
        zip(predicted, _blocks_of(predicted, blocks), strict=True),
    )
    count_genes(*located, counts=counts[:, LEVELS.index("gene")])
    missed, wrong = {}, {}
    for level in OVERLAP_LEVELS:
        missed[level] = _n_apart(_spans(level, true), _spans(level, genes[1]))
        wrong[level] = _n_apart(_spans(level, predicted), _spans(level, true))
    return AnnotationComparison(
        level_scores(counts, LEVELS, n=n, seed=seed),
        missed,
        wrong,
        dict(_groups((true, predicted), blocks, n=n, seed=seed)),
        reference=sides[0],
        prediction=sides[1],
        n_unclear=len(genes[1]) - len(predicted),
        n_blocks=blocks.n_blocks,
    )


def _donors(transcript: Transcript) -> Iterator[Feature]:
    return (site for site in splice_sites(transcript) if site[3] == "donor")


def _acceptors(transcript: Transcript) -> Iterator[Feature]:
    return (site for site in splice_sites(transcript) if site[3] == "acceptor")


_FEATURES: dict[str, Callable[[Transcript], Iterable[Feature]]] = {
    "donor": _donors,
    "acceptor": _acceptors,
    "splice_site": splice_sites,
    "exon": exons,
    "intron_chain": intron_chain,
    "transcript": structure,
}


def _located(
    genes: Sequence[_Gene], features: Callable[[Transcript], Iterable[Feature]], blocks: _Blocks
) -> dict[Feature, int]:
    """Every feature of all isoforms once, and the block that it begins in."""
    own = dict.fromkeys(key for gene in genes for isoform in gene for key in features(isoform))
    return dict(zip(own, blocks.of([key[0] for key in own], [key[2] for key in own]).tolist(), strict=True))


def _blocks_of(genes: Sequence[_Gene], blocks: _Blocks) -> list[int]:
    """The block in which each gene begins."""
    numbers: list[int] = blocks.of([gene[0].chrom for gene in genes], [_span(gene)[0] for gene in genes]).tolist()
    return numbers


def _count_bases(
    genes: Sequence[Sequence[_Gene]], blocks: _Blocks, unclear: Mapping[str, np.ndarray], counts: np.ndarray
) -> None:
    """Add coding bases by strand to the counts of blocks (B, 4), without predicted ones where the reference is unclear."""
    coding: dict[tuple[str, str], tuple[list[tuple[int, int]], list[tuple[int, int]]]] = {}
    for side, of_side in enumerate(genes):
        for isoform in (isoform for gene in of_side for isoform in gene):
            coding.setdefault((isoform.chrom, isoform.strand), ([], []))[side].extend(isoform.cds)
    for (contig, _), both in coding.items():
        cuts, true, predicted = blocks.cuts[contig], *map(_array, both)
        queries = np.stack([cuts[:-1], cuts[1:]], axis=1)
        if contig in unclear:
            predicted = subtract(predicted, unclear[contig])
        n_true, n_predicted = coverage(queries, true), coverage(queries, predicted)
        shared = n_true + n_predicted - coverage(queries, np.concatenate([true, predicted]))
        own = counts[blocks.slice_of(contig)]
        for column, of_block in ((FOUND, shared), (TRUE, n_true), (RIGHT, shared), (PREDICTED, n_predicted)):
            own[:, column] += of_block


def _unclear(annotation: Annotation, transcripts: Iterable[Transcript]) -> dict[str, np.ndarray]:
    """Where the reference has CDS rows that belong to no whole coding gene, and no gene's CDS either: by contig (n, 2)."""
    rows: dict[str, list[tuple[int, int]]] = {}
    for interval in (*annotation.unknown, *annotation.coding):
        rows.setdefault(interval.contig, []).append((interval.start, interval.end))
    coding: dict[str, list[tuple[int, int]]] = {}
    for transcript in transcripts:
        coding.setdefault(transcript.chrom, []).extend(transcript.cds)
    return {contig: subtract(_array(own), _array(coding.get(contig, ()))) for contig, own in rows.items()}


def _is_on(gene: _Gene, intervals: Mapping[str, np.ndarray]) -> bool:
    """Whether a coding base of a gene lies on an interval."""
    own = intervals.get(gene[0].chrom)
    return own is not None and any((overlapping(_array(isoform.cds), own) >= 0).any() for isoform in gene)


def _spans(level: str, genes: Sequence[_Gene]) -> list[tuple[str, int, int]]:
    """Contig with strand, start and end of each exon, transcript or gene; what isoforms share counts once."""
    if level == "gene":
        return [(gene[0].chrom + gene[0].strand, *_span(gene)) for gene in genes]
    if level == "transcript":
        structures = dict.fromkeys(key for gene in genes for isoform in gene for key in structure(isoform))
        return [(contig + strand, start, cds[-1][1]) for contig, strand, start, cds in structures]
    own = dict.fromkeys(key for gene in genes for isoform in gene for key in exons(isoform))
    return [(contig + strand, start, end) for contig, strand, start, end in own]


def _n_apart(items: Sequence[tuple[str, int, int]], others: Sequence[tuple[str, int, int]]) -> int:
    """How many items share no base with any of the others."""
    if not items or not others:
        return len(items)
    every = (*items, *others)
    on_axis = end_to_end(_array([item[1:] for item in every]), [item[0] for item in every])
    return int((overlapping(on_axis[: len(items)], on_axis[len(items) :]) < 0).sum())


def _groups(
    genes: Sequence[Sequence[_Gene]], blocks: _Blocks, *, n: int, seed: int
) -> Iterator[tuple[str, dict[str, LevelScores]]]:
    """Scores of genes by their length and by their number of coding exons."""
    located = [np.array(_blocks_of(side, blocks), np.int64) for side in genes]
    exact = [are_exact(genes[k], genes[1 - k]) for k in range(2)]
    for divided_by, value, edges, names in (
        ("gene length", _length_bp, _LENGTH_BP, [f"{name} bp" for name in _names(_LENGTH_BP)]),
        ("coding exons", _n_coding_exons, _N_EXONS, _names(_N_EXONS)),
    ):
        counts = np.zeros((blocks.n_blocks, len(names), 4), dtype=np.int64)
        for side, hit, every in ((0, FOUND, TRUE), (1, RIGHT, PREDICTED)):
            group = np.searchsorted(edges, [value(gene[0]) for gene in genes[side]], side="right")
            for kept, column in ((slice(None), every), (exact[side], hit)):
                np.add.at(counts[..., column], (located[side][kept], group[kept]), 1)
        yield divided_by, level_scores(counts, names, n=n, seed=seed)


def _length_bp(transcript: Transcript) -> int:
    return transcript.end - transcript.start


def _n_coding_exons(transcript: Transcript) -> int:
    return len(transcript.cds)


def _names(edges: Sequence[int]) -> list[str]:
    """Names of the groups between edges: below the first, from one to the next, from the last on."""
    between = [f"{left:,}-{right - 1:,}" if right - left > 1 else f"{left:,}" for left, right in pairwise(edges)]
    return [f"1-{edges[0] - 1:,}" if edges[0] > 2 else "1", *between, f"{edges[-1]:,} or more"]


def _span(gene: _Gene) -> tuple[int, int]:
    """From the first to behind the last coding base of any isoform."""
    return min(isoform.start for isoform in gene), max(isoform.end for isoform in gene)


def _array(intervals: Iterable[tuple[int, int]]) -> np.ndarray:
    """Intervals as an array (n, 2)."""
    return np.array(list(intervals), dtype=np.int64).reshape(-1, 2)
