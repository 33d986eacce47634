"""GFF3 or GTF to the coding transcripts of genes, 0-based half-open.

A transcript is an mRNA or transcript row (GFF3) or a transcript_id (GTF) that has CDS rows and belongs to a gene. Evidence,
pseudogenes and proteins in the same file are left out and counted.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from dnaspt.errors import InputError
from dnaspt.genome.gff3_rows import Feature, Metadata, attributes_of, read_features
from dnaspt.genome.intervals import Interval, StartEnd, StartEnds, merge_few
from dnaspt.genome.transcripts import Transcript

_TRANSCRIPT_KINDS = frozenset(("mrna", "transcript"))
_GENE_KINDS = frozenset(("gene", "protein_coding_gene"))
_PROTEIN_KINDS = frozenset(("protein", "polypeptide", "mature_protein_region"))
_EXON_KINDS = frozenset(("exon", "five_prime_utr", "three_prime_utr", "utr", "5utr", "3utr"))
_NOT_TRANSLATED = frozenset(("nonsense_mediated_decay", "non_stop_decay"))
_BIOTYPES = ("transcript_biotype", "transcript_type", "biotype", "gene_biotype", "gene_type")
"""Attributes with a biotype (Ensembl, GENCODE, RefSeq): those of the transcript come before those of its gene."""
_SEGMENTS = ("IG_", "TR_")
"""Biotypes of the segments of immunoglobulins and T-cell receptors: coding, but without a start and a stop codon of their own."""

_Key = tuple[str, str]
"""Contig and ID. Regions that were cut from a genome may hold one gene twice, on two contigs."""


@dataclass(frozen=True, slots=True)
class AnnotatedTranscript:
    """A coding transcript as an annotation has it.

    Attributes:
        transcript: the transcript. Whether its CDS includes the stop codon depends on the source: see `stop_codons`.
        exons: exons with UTRs, ascending and disjoint; empty if the file has no exon rows.
        stop_codon: intervals of stop_codon rows.
        line: 1-based line of its rightmost CDS row, for errors.
        path: the file, for errors.
    """

    transcript: Transcript
    exons: StartEnds
    stop_codon: StartEnds
    line: int
    path: Path


@dataclass(frozen=True, slots=True)
class Annotation:
    """Coding genes of an annotation file.

    Attributes:
        transcripts: coding transcripts, sorted by contig, start and name.
        contigs: contigs with a feature of any kind.
        lengths: contig lengths from `##sequence-region` lines.
        unknown: intervals with CDS rows that belong to no whole gene, ascending. They are coding, but of unknown structure.
        counts: number of rows, and of what was left out, by reason.
    """

    transcripts: tuple[AnnotatedTranscript, ...]
    contigs: frozenset[str]
    lengths: dict[str, int]
    unknown: tuple[Interval, ...]
    counts: dict[str, int]


class _Parent(NamedTuple):
    """A row that others can name as their parent: a gene, a transcript, or something that is neither."""

    kind: str
    parents: tuple[str, ...]
    biotype: str = ""


@dataclass(slots=True)
class _TranscriptRows:
    """What the rows of one transcript have said so far.

    peers: names that share a CDS row with this one, as isoforms do.
    """

    contig: str
    strand: str = "."
    line: int = 0
    end: int = 0
    gene_id: str = ""
    biotype: str = ""
    trans_spliced: bool = False
    cds: list[StartEnd] = field(default_factory=list)
    stops: list[StartEnd] = field(default_factory=list)
    exons: list[StartEnd] = field(default_factory=list)
    peers: set[str] = field(default_factory=set)


class _Rows(NamedTuple):
    """What all rows of a file have said so far."""

    parents: dict[_Key, _Parent]
    transcripts: dict[_Key, _TranscriptRows]

    def of_transcript(self, contig: str, name: str) -> _TranscriptRows:
        """Rows of one transcript, none if its name is met for the first time."""
        rows = self.transcripts.get((contig, name))
        if rows is None:
            rows = self.transcripts[contig, name] = _TranscriptRows(contig)
        return rows


def read_annotation(path: str | Path) -> Annotation:
    """Read the coding transcripts of a GFF3 or GTF file (plain, gzip or bgzip). Column 9 tells which of the two it is.

    Raises:
        InputError: a malformed row, a CDS row without strand, parent or valid phase, a transcript on two strands or two
            contigs, broken gzip data, or a file that is not an annotation.
    """
    path = Path(path)
    metadata, rows = Metadata(), _Rows({}, {})
    for feature in read_features(path, metadata):
        kind = feature.kind.lower()
        belongs_to_transcript = kind in ("cds", "stop_codon") or kind in _EXON_KINDS
        if metadata.dialect == "gtf":
            if belongs_to_transcript or kind in _TRANSCRIPT_KINDS:
                _add_gtf(path, feature, kind, rows)
        elif belongs_to_transcript:
            _add_gff3(path, feature, kind, rows)
        elif "ID=" in feature.attributes:
            _add_parent(path, feature, kind, rows)
    coding = {key: transcript for key, transcript in rows.transcripts.items() if transcript.cds}
    names = _unique_names(path, coding, rows.parents)
    counts = Counter(rows=metadata.n_features)
    if metadata.dialect == "gtf":
        genes, without_gene = _genes_of_gtf(coding, counts)
    else:
        genes, without_gene = _genes_of_gff3(coding, rows.parents, counts)
    transcripts = [_annotated(path, names[key], gene_id, coding[key], counts) for key, gene_id in genes.items()]
    transcripts.sort(key=lambda one: (one.transcript.chrom, one.transcript.start, one.transcript.transcript_id))
    unknown = {Interval(of_one.contig, min(of_one.cds)[0], of_one.end) for of_one in without_gene}
    return Annotation(
        tuple(transcripts), frozenset(metadata.contigs), metadata.lengths, tuple(sorted(unknown)), dict(counts)
    )


def _add_parent(path: Path, feature: Feature, kind: str, rows: _Rows) -> None:
    """Keep a row of GFF3 that others may name as their parent."""
    attributes = attributes_of(path, feature, "gff3")
    if name := unquote(attributes.get("ID", "")):
        parent = _Parent(kind, _parents(attributes), _biotype(attributes))
        rows.parents[feature.interval.contig, name] = parent


def _biotype(attributes: dict[str, str]) -> str:
    return next((attributes[name] for name in _BIOTYPES if attributes.get(name)), "")


def _parents(attributes: dict[str, str]) -> tuple[str, ...]:
    return tuple(unquote(name) for name in attributes.get("Parent", "").split(",") if name)


def _add_gff3(path: Path, feature: Feature, kind: str, rows: _Rows) -> None:
    """Add a CDS, stop_codon or exon row of GFF3 to each of its parents."""
    attributes = attributes_of(path, feature, "gff3")
    parents = _parents(attributes)
    if not parents and kind == "cds":
        found = f"CDS without Parent at {_location(feature)}"
        raise InputError(path, found, expected="Parent=TRANSCRIPT in column 9", line=feature.line)
    for name in parents:
        transcript = rows.of_transcript(feature.interval.contig, name)
        transcript.trans_spliced |= kind == "cds" and attributes.get("exception") == "trans-splicing"
        _add_to_transcript(path, feature, kind, transcript, name)
        if len(parents) > 1:
            transcript.peers.update(parents)
        else:
            transcript.biotype = transcript.biotype or _biotype(attributes)


def _add_gtf(path: Path, feature: Feature, kind: str, rows: _Rows) -> None:
    """Add a transcript, CDS, stop_codon or exon row of GTF to its transcript."""
    attributes = attributes_of(path, feature, "gtf")
    name, gene_id = attributes.get("transcript_id", ""), attributes.get("gene_id", "")
    if not name or not gene_id:
        if kind != "cds":
            return
        found = f"CDS without {'gene_id' if name else 'transcript_id'} at {_location(feature)}"
        raise InputError(path, found, expected='gene_id "..."; transcript_id "...";', line=feature.line)
    contig = feature.interval.contig
    if kind in _TRANSCRIPT_KINDS:
        rows.parents[contig, name] = _Parent(kind, (gene_id,))
    transcript = rows.of_transcript(contig, name)
    if transcript.gene_id not in ("", gene_id):
        found = f"transcript {name!r} in genes {transcript.gene_id!r} and {gene_id!r}"
        raise InputError(path, found, expected="one gene for a transcript", line=feature.line)
    transcript.gene_id = gene_id
    transcript.biotype = transcript.biotype or _biotype(attributes)
    if kind not in _TRANSCRIPT_KINDS:
        _add_to_transcript(path, feature, kind, transcript, name)


def _add_to_transcript(path: Path, feature: Feature, kind: str, transcript: _TranscriptRows, name: str) -> None:
    """Check a CDS, stop_codon or exon row against the other rows of its transcript, and keep its interval."""
    start, end, strand = feature.interval.start, feature.interval.end, feature.interval.strand
    if start < 0:
        found = f"{feature.kind} of {name!r} with start {start + 1}"
        raise InputError(path, found, expected="1 or more: coordinates are 1-based", line=feature.line)
    if kind in _EXON_KINDS:
        transcript.exons.append((start, end))
        return
    if strand not in ("+", "-"):
        found = f"{feature.kind} of {name!r} without strand"
        raise InputError(path, found, expected="+ or - in column 7", line=feature.line)
    if kind == "stop_codon":
        transcript.stops.append((start, end))
        return
    if feature.phase not in ("0", "1", "2", "."):
        found = f"phase {feature.phase!r} of a CDS"
        raise InputError(path, found, expected="0, 1, 2 or . in column 8", line=feature.line)
    if transcript.strand not in (".", strand) and not transcript.trans_spliced:
        found = f"transcript {name!r} has CDS on both strands"
        raise InputError(path, found, expected="one strand", line=feature.line)
    if end > transcript.end:
        transcript.line, transcript.end = feature.line, end
    transcript.strand = strand
    transcript.cds.append((start, end))


def _location(feature: Feature) -> str:
    """Contig and 1-based coordinates, as they stand in the file."""
    return f"{feature.interval.contig}:{feature.interval.start + 1}-{feature.interval.end}"


def _unique_names(path: Path, coding: dict[_Key, _TranscriptRows], parents: dict[_Key, _Parent]) -> dict[_Key, str]:
    """Names that are unique in the file. If a name has transcript rows on two contigs, the second gets its contig's name.

    Raises:
        InputError: a transcript without such a row has CDS on two contigs.
    """
    first_contigs: dict[str, str] = {}
    for contig, name in (*parents, *coding):
        first_contigs.setdefault(name, contig)
    names: dict[_Key, str] = {}
    for (contig, name), transcript in coding.items():
        first = first_contigs[name]
        if contig != first and (contig, name) not in parents:
            found = f"transcript {name!r} on contigs {first!r} and {contig!r}"
            expected = "one contig; names that are unique in the file"
            raise InputError(path, found, expected=expected, line=transcript.line)
        names[contig, name] = name if contig == first else f"{name}_{contig}"
    return names


def _genes_of_gtf(
    coding: dict[_Key, _TranscriptRows], counts: Counter[str]
) -> tuple[dict[_Key, str], list[_TranscriptRows]]:
    """Gene of each transcript to use, and the transcripts that are coding but belong to no whole gene."""
    segments = [transcript for transcript in coding.values() if transcript.biotype.startswith(_SEGMENTS)]
    genes = {
        key: transcript.gene_id
        for key, transcript in coding.items()
        if transcript.biotype not in _NOT_TRANSLATED and not transcript.biotype.startswith(_SEGMENTS)
    }
    counts["transcripts_of_other_kinds"] = len(coding) - len(genes)
    return genes, segments


def _genes_of_gff3(
    coding: dict[_Key, _TranscriptRows], parents: dict[_Key, _Parent], counts: Counter[str]
) -> tuple[dict[_Key, str], list[_TranscriptRows]]:
    """Gene of each transcript to use, and the transcripts that are coding but belong to no whole gene.

    If a CDS names a parent that has no row, its gene was cut off at the end of a region: unless the file has no rows of genes
    and transcripts at all.
    """
    has_rows = any(parent.kind in _GENE_KINDS | _TRANSCRIPT_KINDS for parent in parents.values())
    genes: dict[_Key, str] = {}
    cut: list[_Key] = []
    segments: list[_Key] = []
    for key, transcript in coding.items():
        row = parents.get(key)
        biotype = _biotype_of(key, transcript, parents)
        if transcript.trans_spliced:
            counts["transcripts_trans_spliced"] += 1
        elif biotype in _NOT_TRANSLATED:
            counts["transcripts_of_other_kinds"] += 1
        elif biotype.startswith(_SEGMENTS):
            segments.append(key)
        elif row is None and has_rows:
            cut.append(key)
        elif row is None or row.kind in _GENE_KINDS:
            genes[key] = key[1]
        elif row.kind.endswith("gene_segment"):
            segments.append(key)
        elif gene_id := _gene_of(key, row, parents):
            genes[key] = gene_id
        elif row.kind not in _PROTEIN_KINDS:
            counts["transcripts_of_other_kinds"] += 1
    cut = [key for key in cut if not any((key[0], peer) in genes for peer in coding[key].peers)]
    counts["transcripts_cut_off"] += len(cut)
    counts["transcripts_of_other_kinds"] += len(segments)
    return genes, [coding[key] for key in (*cut, *segments)]


def _biotype_of(key: _Key, transcript: _TranscriptRows, parents: dict[_Key, _Parent]) -> str:
    """Biotype of a transcript: from its own row, else from its CDS and exon rows, else from the row of its gene."""
    row = parents.get(key)
    if row is None or row.biotype or transcript.biotype:
        return row.biotype if row and row.biotype else transcript.biotype
    genes = (parents.get((key[0], name)) for name in row.parents)
    return next((gene.biotype for gene in genes if gene and gene.biotype), "")


def _gene_of(key: _Key, row: _Parent, parents: dict[_Key, _Parent]) -> str:
    """Gene of a transcript: its first parent that has a row, else the name of its first parent, else its own name.

    Empty if the row is not a transcript, or if its parent is not a gene.
    """
    if row.kind not in _TRANSCRIPT_KINDS:
        return ""
    for name in row.parents:
        if gene := parents.get((key[0], name)):
            return name if gene.kind in _GENE_KINDS else ""
    return row.parents[0] if row.parents else key[1]


def _annotated(
    path: Path, name: str, gene_id: str, transcript: _TranscriptRows, counts: Counter[str]
) -> AnnotatedTranscript:
    """The transcript that rows add up to. CDS intervals that touch or overlap are joined."""
    cds = merge_few(transcript.cds)
    if sum(end - start for start, end in cds) < sum(end - start for start, end in set(transcript.cds)):
        counts["transcripts_with_overlapping_cds"] += 1
    exons = merge_few((*transcript.exons, *cds)) if transcript.exons else ()
    return AnnotatedTranscript(
        Transcript(transcript.contig, transcript.strand, gene_id, name, cds),
        exons,
        merge_few(transcript.stops),
        transcript.line,
        path,
    )
