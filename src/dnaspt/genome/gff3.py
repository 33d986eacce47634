"""GFF3 or GTF to the coding transcripts of genes, 0-based half-open.

A transcript is an mRNA or transcript row (GFF3) or a transcript_id (GTF) that has CDS rows and belongs to a gene;
evidence, pseudogenes and proteins that stand in the same file are left out and counted.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from dnaspt.errors import InputError
from dnaspt.genome.gff3_rows import Header, Row, attributes_of, read_rows
from dnaspt.genome.intervals import Interval, StartEnds, merge_few
from dnaspt.genome.transcripts import Transcript

_TRANSCRIPT_KINDS = frozenset(("mrna", "transcript"))
_GENE_KINDS = frozenset(("gene", "protein_coding_gene"))
_PROTEIN_KINDS = frozenset(("protein", "polypeptide", "mature_protein_region"))
_EXON_KINDS = frozenset(("exon", "five_prime_utr", "three_prime_utr", "utr", "5utr", "3utr"))
_NOT_TRANSLATED = frozenset(("nonsense_mediated_decay", "non_stop_decay"))
_BIOTYPES = ("transcript_biotype", "transcript_type", "biotype", "gene_biotype", "gene_type")
"""Attributes that name a biotype (Ensembl, GENCODE, RefSeq), that of the transcript before that of its gene."""
_SEGMENTS = ("IG_", "TR_")
"""Biotypes of immunoglobulin and T-cell receptor segments: coding, but no gene with start and stop by themselves."""

Key = tuple[str, str]
"""Contig and ID: regions cut from a genome may hold one gene twice, on two contigs."""


@dataclass(frozen=True, slots=True)
class AnnotatedTranscript:
    """A coding transcript as an annotation gives it.

    Attributes:
        transcript: its CDS as the rows say; whether the stop codon is part of it differs between sources.
        exons: exons with UTRs, merged, ascending; empty where the file says nothing beyond the CDS.
        stop_codon: intervals of explicit stop_codon rows.
        line: 1-based line of its rightmost CDS row.
        path: the file.
    """

    transcript: Transcript
    exons: StartEnds
    stop_codon: StartEnds
    line: int
    path: Path


@dataclass(frozen=True, slots=True)
class Annotation:
    """What an annotation file says about coding genes.

    Attributes:
        transcripts: coding transcripts, by contig, start and name.
        contigs: contigs that have a row of any kind.
        lengths: contig lengths from `##sequence-region` lines.
        unknown: intervals with CDS rows that belong to no whole gene: not non-coding, but of no known structure;
            ascending.
        counts: rows, and what was left out by reason.
    """

    transcripts: tuple[AnnotatedTranscript, ...]
    contigs: frozenset[str]
    lengths: dict[str, int]
    unknown: tuple[Interval, ...]
    counts: dict[str, int]


class _Feature(NamedTuple):
    kind: str
    parents: tuple[str, ...]
    biotype: str = ""


@dataclass(slots=True)
class _Parts:
    """Rows of one transcript while the file is read."""

    chrom: str
    strand: str = "."
    line: int = 0
    end: int = 0
    gene_id: str = ""
    biotype: str = ""
    trans_spliced: bool = False
    cds: list[tuple[int, int]] = field(default_factory=list)
    stops: list[tuple[int, int]] = field(default_factory=list)
    exons: list[tuple[int, int]] = field(default_factory=list)
    peers: set[str] = field(default_factory=set)


class _Tables(NamedTuple):
    """What the rows of a file add up to."""

    features: dict[Key, _Feature]
    parts: dict[Key, _Parts]

    def part(self, chrom: str, name: str) -> _Parts:
        """Rows of one transcript so far."""
        found = self.parts.get((chrom, name))
        if found is None:
            found = self.parts[chrom, name] = _Parts(chrom)
        return found


def read_annotation(path: str | Path) -> Annotation:
    """Coding transcripts of a GFF3 or GTF file, plain, gzip or bgzip; column 9 decides which of the two it is.

    Raises:
        InputError: a malformed row, a CDS row without strand, parent or valid phase, a transcript on two strands or two
            contigs, broken gzip, or a file that is no annotation.
    """
    path = Path(path)
    header = Header()
    tables = _Tables({}, {})
    for row in read_rows(path, header):
        kind = row.kind.lower()
        is_part = kind in ("cds", "stop_codon") or kind in _EXON_KINDS
        if header.dialect == "gtf":
            if is_part or kind in _TRANSCRIPT_KINDS:
                _add_gtf(path, row, kind, tables)
        elif is_part:
            _add_gff3(path, row, kind, tables)
        elif "ID=" in row.text:
            _add_feature(path, row, kind, tables)
    coding = {key: part for key, part in tables.parts.items() if part.cds}
    names = _unique_names(path, coding, tables.features)
    counts = Counter(rows=header.n_rows)
    if header.dialect == "gtf":
        genes, unknown = _genes_of_gtf(coding, counts)
    else:
        genes, unknown = _genes_of_gff3(coding, tables.features, counts)
    transcripts = [_transcript(path, names[key], gene_id, coding[key], counts) for key, gene_id in genes.items()]
    transcripts.sort(key=lambda one: (one.transcript.chrom, one.transcript.start, one.transcript.transcript_id))
    intervals = {Interval(part.chrom, min(part.cds)[0], part.end) for part in unknown}
    return Annotation(
        tuple(transcripts), frozenset(header.contigs), header.lengths, tuple(sorted(intervals)), dict(counts)
    )


def _add_feature(path: Path, row: Row, kind: str, tables: _Tables) -> None:
    attributes = attributes_of(path, row, "gff3")
    if name := unquote(attributes.get("ID", "")):
        tables.features[row.chrom, name] = _Feature(kind, _parents(attributes), _biotype(attributes))


def _biotype(attributes: dict[str, str]) -> str:
    return next((attributes[name] for name in _BIOTYPES if attributes.get(name)), "")


def _parents(attributes: dict[str, str]) -> tuple[str, ...]:
    return tuple(unquote(name) for name in attributes.get("Parent", "").split(",") if name)


def _add_gff3(path: Path, row: Row, kind: str, tables: _Tables) -> None:
    attributes = attributes_of(path, row, "gff3")
    parents = _parents(attributes)
    if not parents and kind == "cds":
        found = f"CDS without Parent at {row.chrom}:{row.start + 1}-{row.end}"
        raise InputError(path, found, expected="Parent=TRANSCRIPT in column 9", line=row.line)
    for name in parents:
        part = tables.part(row.chrom, name)
        part.trans_spliced |= kind == "cds" and attributes.get("exception") == "trans-splicing"
        _add_row(path, row, kind, part, name)
        if len(parents) > 1:
            part.peers.update(parents)
        else:
            part.biotype = part.biotype or _biotype(attributes)


def _add_gtf(path: Path, row: Row, kind: str, tables: _Tables) -> None:
    attributes = attributes_of(path, row, "gtf")
    name, gene_id = attributes.get("transcript_id", ""), attributes.get("gene_id", "")
    if not name or not gene_id:
        if kind != "cds":
            return
        found = f"CDS without {'gene_id' if name else 'transcript_id'} at {row.chrom}:{row.start + 1}-{row.end}"
        raise InputError(path, found, expected='gene_id "..."; transcript_id "...";', line=row.line)
    if kind in _TRANSCRIPT_KINDS:
        tables.features[row.chrom, name] = _Feature(kind, (gene_id,))
    part = tables.part(row.chrom, name)
    if part.gene_id not in ("", gene_id):
        found = f"transcript {name!r} in genes {part.gene_id!r} and {gene_id!r}"
        raise InputError(path, found, expected="one gene for a transcript", line=row.line)
    part.gene_id = gene_id
    part.biotype = part.biotype or _biotype(attributes)
    if kind not in _TRANSCRIPT_KINDS:
        _add_row(path, row, kind, part, name)


def _add_row(path: Path, row: Row, kind: str, part: _Parts, name: str) -> None:
    """Check a CDS, stop_codon or exon row against the others of its transcript and keep its interval."""
    if row.start < 0:
        found = f"{row.kind} of {name!r} with start {row.start + 1}"
        raise InputError(path, found, expected="1 or more: coordinates are 1-based", line=row.line)
    if kind in _EXON_KINDS:
        part.exons.append((row.start, row.end))
        return
    if row.strand not in ("+", "-"):
        raise InputError(path, f"{row.kind} of {name!r} without strand", expected="+ or - in column 7", line=row.line)
    if kind == "stop_codon":
        part.stops.append((row.start, row.end))
        return
    if row.phase not in ("0", "1", "2", "."):
        raise InputError(path, f"phase {row.phase!r} of a CDS", expected="0, 1, 2 or . in column 8", line=row.line)
    if part.strand not in (".", row.strand) and not part.trans_spliced:
        raise InputError(path, f"transcript {name!r} has CDS on both strands", expected="one strand", line=row.line)
    if row.end > part.end:
        part.line, part.end = row.line, row.end
    part.strand = row.strand
    part.cds.append((row.start, row.end))


def _unique_names(path: Path, coding: dict[Key, _Parts], features: dict[Key, _Feature]) -> dict[Key, str]:
    """Names unique in the file: one that has a transcript row on two contigs gets the second contig's appended."""
    first_contigs: dict[str, str] = {}
    for chrom, name in (*features, *coding):
        first_contigs.setdefault(name, chrom)
    names: dict[Key, str] = {}
    for (chrom, name), part in coding.items():
        first = first_contigs[name]
        if chrom != first and (chrom, name) not in features:
            found = f"transcript {name!r} on contigs {first!r} and {chrom!r}"
            raise InputError(path, found, expected="one contig; names that are unique in the file", line=part.line)
        names[chrom, name] = name if chrom == first else f"{name}_{chrom}"
    return names


def _genes_of_gtf(coding: dict[Key, _Parts], counts: Counter[str]) -> tuple[dict[Key, str], list[_Parts]]:
    """Gene of each transcript to use, and the parts that are coding without being whole genes."""
    segments = [part for part in coding.values() if part.biotype.startswith(_SEGMENTS)]
    genes = {
        key: part.gene_id
        for key, part in coding.items()
        if part.biotype not in _NOT_TRANSLATED and not part.biotype.startswith(_SEGMENTS)
    }
    counts["transcripts_of_other_kinds"] = len(coding) - len(genes)
    return genes, segments


def _genes_of_gff3(
    coding: dict[Key, _Parts], features: dict[Key, _Feature], counts: Counter[str]
) -> tuple[dict[Key, str], list[_Parts]]:
    """Gene of each transcript to use, and the parts that are coding without being whole genes.

    A CDS whose transcript row is not in the file is a gene cut off at the end of a region, unless the file has no such
    rows at all.
    """
    has_rows = any(feature.kind in _GENE_KINDS | _TRANSCRIPT_KINDS for feature in features.values())
    genes: dict[Key, str] = {}
    cut: list[Key] = []
    segments: list[Key] = []
    for key, part in coding.items():
        feature = features.get(key)
        biotype = _biotype_of(key, part, features)
        if part.trans_spliced:
            counts["transcripts_trans_spliced"] += 1
        elif biotype in _NOT_TRANSLATED:
            counts["transcripts_of_other_kinds"] += 1
        elif biotype.startswith(_SEGMENTS):
            segments.append(key)
        elif feature is None and has_rows:
            cut.append(key)
        elif feature is None or feature.kind in _GENE_KINDS:
            genes[key] = key[1]
        elif feature.kind.endswith("gene_segment"):
            segments.append(key)
        elif gene_id := _gene_of(key, feature, features):
            genes[key] = gene_id
        elif feature.kind not in _PROTEIN_KINDS:
            counts["transcripts_of_other_kinds"] += 1
    cut = [key for key in cut if not any((key[0], peer) in genes for peer in coding[key].peers)]
    counts["transcripts_cut_off"] += len(cut)
    counts["transcripts_of_other_kinds"] += len(segments)
    return genes, [coding[key] for key in (*cut, *segments)]


def _biotype_of(key: Key, part: _Parts, features: dict[Key, _Feature]) -> str:
    """Biotype that the row of a transcript gives, else its CDS and exon rows, else the row of its gene."""
    feature = features.get(key)
    if feature is None or feature.biotype or part.biotype:
        return feature.biotype if feature and feature.biotype else part.biotype
    rows = (features.get((key[0], parent)) for parent in feature.parents)
    return next((row.biotype for row in rows if row and row.biotype), "")


def _gene_of(key: Key, feature: _Feature, features: dict[Key, _Feature]) -> str:
    """Gene of a transcript: its first parent that has a row, else its first parent's name, else its own.

    Empty where the feature is no transcript or its parent is no gene.
    """
    if feature.kind not in _TRANSCRIPT_KINDS:
        return ""
    for parent in feature.parents:
        if gene := features.get((key[0], parent)):
            return parent if gene.kind in _GENE_KINDS else ""
    return feature.parents[0] if feature.parents else key[1]


def _transcript(path: Path, name: str, gene_id: str, part: _Parts, counts: Counter[str]) -> AnnotatedTranscript:
    cds = merge_few(part.cds)
    if sum(end - start for start, end in cds) < sum(end - start for start, end in set(part.cds)):
        counts["transcripts_with_overlapping_cds"] += 1
    exons = merge_few((*part.exons, *cds)) if part.exons else ()
    transcript = Transcript(part.chrom, part.strand, gene_id, name, cds)
    return AnnotatedTranscript(transcript, exons, merge_few(part.stops), part.line, path)
