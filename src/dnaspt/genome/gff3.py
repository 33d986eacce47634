"""GFF3 or GTF to the coding transcripts of genes, 0-based half-open.

A transcript is an mRNA or transcript row (GFF3) or a transcript_id (GTF) that has CDS rows and belongs to a gene. Evidence,
pseudogenes and proteins in the same file are left out and counted, and so are transcripts whose structure is not clear. Their
CDS rows are kept as `coding` or `unknown` intervals: nobody may take these bases for non-coding.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome.gff3_rows import Feature, Metadata, attributes_of, bare_name, read_features
from dnaspt.genome.intervals import Interval, StartEnds, cluster, merge_few
from dnaspt.genome.transcript_rows import (
    GENE_KINDS,
    MAX_SLIP_BP,
    CdsRow,
    NamedRow,
    TranscriptRows,
    are_spliced,
    by_place,
    by_protein,
    has_ids_of_parent,
    ids_name_proteins,
    is_mixed,
    misplaced_stops,
)
from dnaspt.genome.transcripts import Transcript

_TRANSCRIPT_KINDS = frozenset(("mrna", "transcript"))
_CODING_KINDS = frozenset(("cds", "coding_exon", "pseudogenic_cds"))
"""Rows of coding bases. Those of `coding_exon` (WormBase, old FlyBase) count where a transcript has no CDS rows."""
_PROTEIN_KINDS = frozenset(("protein", "polypeptide", "mature_protein_region"))
_EXON_KINDS = frozenset(("exon", "five_prime_utr", "three_prime_utr", "utr", "5utr", "3utr"))
_NOT_TRANSLATED = frozenset(("nonsense_mediated_decay", "non_stop_decay"))
_BIOTYPES = (
    "transcript_biotype",
    "transcript_type",
    "biotype",
    "gene_biotype",
    "gene_type",
    "ebi_biotype",
    "locus_type",
)
"""Attributes with a biotype (Ensembl, GENCODE, RefSeq): those of the transcript come before those of its gene."""
_PSEUDOGENE = re.compile("pseudogen|protein_coding_lof", re.IGNORECASE).search
"""Finds biotypes of pseudogenes, and of genes that lost their function in the reference genome (GENCODE)."""
_SEGMENTS = ("IG_", "TR_")
"""Biotypes of the segments of immunoglobulins and T-cell receptors: coding, but without a start and a stop codon of their own."""

_Key = tuple[str, str]
"""Contig and ID. Regions that were cut from a genome may hold one gene twice, on two contigs."""
_Fate = Literal[
    "cut_off",
    "segment",
    "trans_spliced",
    "across_origin",
    "against_their_rows",
    "of_unclear_proteins",
    "of_pseudogenes",
    "of_other_kinds",
    "protein",
]
"""Why a transcript with CDS rows is left out."""


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
        coding: intervals of the transcripts that were left out, ascending. Where no other transcript labels a base in them, its
            label is missing, and never non-coding.
        circular: contigs that the file says are circular.
        counts: number of rows, and of what was left out, by reason.
        oddities: 1-based line and text of the first row of each reason in `counts` that breaks the rules of the format.
    """

    transcripts: tuple[AnnotatedTranscript, ...]
    contigs: frozenset[str]
    lengths: dict[str, int]
    unknown: tuple[Interval, ...]
    coding: tuple[Interval, ...]
    circular: frozenset[str]
    counts: dict[str, int]
    oddities: dict[str, tuple[int, str]]


@dataclass(slots=True)
class _Rows:
    """What all rows of a file say.

    Attributes:
        path: the file, for errors.
        named: rows that others may name, by contig and name: genes and transcripts, of GFF3 everything with an ID.
        genes: gene rows of GTF, by contig and gene_id.
        transcripts: rows of each transcript, by contig and name, and for GTF the gene_id.
        circular: contigs that are said to be circular, with their lengths.
        exons: parents of exon rows with an ID, by contig and ID: MetaEuk makes exons the parents of CDS rows.
        loose: intervals that are coding and belong to no transcript, such as stop_codon rows without a parent.
        counts: what was left out or is odd, by reason.
        oddities: the first odd row of each reason.
    """

    path: Path
    named: dict[_Key, list[NamedRow]] = field(default_factory=lambda: defaultdict(list))
    genes: dict[_Key, list[NamedRow]] = field(default_factory=lambda: defaultdict(list))
    transcripts: dict[tuple[str, str, str], TranscriptRows] = field(default_factory=dict)
    circular: dict[str, int] = field(default_factory=dict)
    exons: dict[_Key, tuple[str, ...]] = field(default_factory=dict)
    loose: list[Interval] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    oddities: dict[str, tuple[int, str]] = field(default_factory=dict)

    def of_transcript(self, contig: str, name: str, gene_id: str = "") -> TranscriptRows:
        """Rows of one transcript, none if its name is met for the first time."""
        key = (contig, name, gene_id)
        if key not in self.transcripts:
            self.transcripts[key] = TranscriptRows(contig, name, gene_id)
        return self.transcripts[key]

    def row_of(self, rows: TranscriptRows) -> NamedRow | None:
        """The row that the rows of a transcript name as their parent: of several of one name the transcript, else the gene."""
        named = self.named.get((rows.contig, rows.name), ())
        for kinds in (_TRANSCRIPT_KINDS, GENE_KINDS):
            if chosen := [row for row in named if row.kind in kinds]:
                return _around(rows, chosen)
        return named[0] if named else None

    def gene_row(self, contig: str, name: str) -> NamedRow | None:
        """The gene row of a name, else any row of it."""
        named = self.named.get((contig, name), ())
        return next((row for row in named if row.kind in GENE_KINDS), named[0] if named else None)

    def odd(self, reason: str, text: str, line: int) -> None:
        """Count an odd row, and keep the first one of its reason."""
        self.counts[reason] += 1
        self.oddities.setdefault(reason, (line, text))


def _around(rows: TranscriptRows, named: Sequence[NamedRow]) -> NamedRow:
    """Of rows with one name, the one that reaches over most of the coding bases."""
    return max(named, key=lambda row: min(row.interval.end, rows.end) - max(row.interval.start, rows.start))


def read_annotation(path: str | Path) -> Annotation:
    """Read the coding transcripts of a GFF3 or GTF file (plain, gzip or bgzip). Column 9 tells which of the two it is.

    Raises:
        InputError: a malformed row, a CDS row without strand, transcript or valid phase, a name on both strands, broken gzip
            data, or a file that is not an annotation.
    """
    path = Path(path)
    metadata, rows = Metadata(), _Rows(path)
    for feature in read_features(path, metadata):
        kind = feature.kind.lower()
        belongs_to_transcript = kind in _CODING_KINDS or kind == "stop_codon" or kind in _EXON_KINDS
        if kind in _TRANSCRIPT_KINDS and (name := bare_name(feature)):
            rows.named[feature.interval.contig, name].append(NamedRow(kind, feature.interval, feature.line))
        elif metadata.dialect == "gtf":
            if belongs_to_transcript or kind in _TRANSCRIPT_KINDS | GENE_KINDS or _PSEUDOGENE(kind):
                _add_gtf(feature, kind, rows)
        elif belongs_to_transcript:
            _add_gff3(feature, kind, rows)
        elif "ID=" in feature.attributes or kind == "region":
            _add_named(feature, kind, rows)
    for reason, lines in metadata.odd_regions.items():
        for line, text in lines:
            rows.odd(reason, text, line)
    return _annotation(rows, metadata)


def _annotation(rows: _Rows, metadata: Metadata) -> Annotation:
    """Divide the rows into transcripts, and sort out those that are no whole coding gene."""
    counts = rows.counts
    counts["rows"] = metadata.n_features
    is_gtf = metadata.dialect == "gtf"
    if not any(group.has_parent for group in rows.transcripts.values() if group.cds):
        rows.oddities.pop("cds_without_parent", None)  # so write Prokka and Bakta
    gene_ids, left_out = (_genes_of_gtf if is_gtf else _genes_of_gff3)(rows, list(_divided(rows, is_gtf=is_gtf)))
    names = _Names(chain(rows.named, ((group.contig, group.name) for group in rows.transcripts.values())))
    transcripts = [_annotated(rows.path, names.free_name(group), gene_id, group, counts) for group, gene_id in gene_ids]
    transcripts = _by_gene_place(transcripts, rows)
    transcripts.sort(key=lambda row: (row.transcript.chrom, row.transcript.start, row.transcript.transcript_id))
    unknown = {Interval(group.contig, group.start, group.end) for fate, group in left_out if fate in _UNKNOWN}
    coding = {
        interval
        for fate, group in left_out
        if fate not in _UNKNOWN
        for interval in _coding(fate, group, rows.circular.get(group.contig, 0))
    }
    coding.update(Interval(group.contig, *stop) for _, group in left_out for stop in group.stops)
    coding.update(Interval(interval.contig, interval.start, interval.end) for interval in rows.loose)
    return Annotation(
        tuple(transcripts),
        frozenset(metadata.contigs),
        metadata.lengths,
        tuple(sorted(unknown)),
        tuple(sorted(coding)),
        frozenset(rows.circular),
        dict(counts),
        rows.oddities,
    )


_UNKNOWN = ("cut_off", "segment")
"""Fates of transcripts that are part of a gene: no label is known between their first and last coding base."""


def _coding(fate: _Fate, group: TranscriptRows, circular_bp: int) -> Iterator[Interval]:
    """Where a transcript that is left out may be coding or intron: of one that is joined from two its CDS rows alone.

    circular_bp: length of its contig if that is circular.
    """
    if fate == "across_origin":
        yield from (Interval(group.contig, *side) for side in _sides_of_origin(group, circular_bp))
    elif fate in ("trans_spliced", "protein", "against_their_rows"):
        yield from (Interval(group.contig, row.start, row.end) for row in group.cds)
    else:
        yield Interval(group.contig, group.start, group.end)


def _sides_of_origin(group: TranscriptRows, length_bp: int) -> StartEnds:
    """First to last CDS base of a gene across the origin; in two parts, on both sides of the widest gap, if it is written so."""
    cds = merge_few((row.start, row.end) for row in group.cds)
    if cds[0][0] > 0 or cds[-1][1] != length_bp or len(cds) == 1:
        return ((cds[0][0], cds[-1][1]),)
    widest = max(range(1, len(cds)), key=lambda part: cds[part][0] - cds[part - 1][1])
    return ((cds[0][0], cds[widest - 1][1]), (cds[widest][0], cds[-1][1]))


def _add_named(feature: Feature, kind: str, rows: _Rows) -> None:
    """Keep a row of GFF3 that others may name as their parent."""
    attributes = attributes_of(rows.path, feature, "gff3")
    if attributes.get("Is_circular", "").lower() == "true":
        rows.circular[feature.interval.contig] = feature.interval.end
    if name := unquote(attributes.get("ID", "") or attributes.get("TCS_ID", "")):
        row = NamedRow(
            kind,
            feature.interval,
            feature.line,
            _parents(attributes) or _gene_id_of_gffread(kind, attributes),
            _biotype(attributes),
            _is_pseudogene(attributes),
            _is_trans_spliced(attributes),
        )
        rows.named[feature.interval.contig, name].append(row)


def _biotype(attributes: dict[str, str]) -> str:
    return next((attributes[name] for name in _BIOTYPES if attributes.get(name)), "")


def _is_pseudogene(attributes: dict[str, str]) -> bool:
    """Whether a row says so by pseudo=true, pseudogene=KIND (GenBank, RefSeq) and the like, or by any of its biotypes."""
    names = ("pseudo", "pseudogene", "is_pseudo", "is_pseudogene")
    said = [value.lower() for name, value in attributes.items() if name.lower() in names]
    is_said = any(value not in ("false", "no", "0") for value in said)
    return is_said or any(_PSEUDOGENE(attributes.get(name, "")) for name in _BIOTYPES)


def _is_trans_spliced(attributes: dict[str, str]) -> bool:
    """Whether `exception` names trans-splicing, alone or among others (RefSeq, GenBank); or its own attribute does."""
    exceptions = unquote(attributes.get("exception", "")).lower().replace("_", "-")
    return "trans-splicing" in exceptions or attributes.get("trans_splicing", "").lower() == "true"


def _parents(attributes: dict[str, str]) -> tuple[str, ...]:
    names = (unquote(name.strip()) for name in attributes.get("Parent", "").split(","))
    return tuple(name for name in names if name)


def _gene_id_of_gffread(kind: str, attributes: dict[str, str]) -> tuple[str, ...]:
    """The gene of a transcript without Parent, as gffread writes it."""
    gene_id = unquote(attributes.get("geneID", ""))
    return (gene_id,) if gene_id and kind in _TRANSCRIPT_KINDS else ()


def _add_gff3(feature: Feature, kind: str, rows: _Rows) -> None:
    """Add a CDS, stop_codon or exon row of GFF3 to each of its parents. A CDS row without parent is a gene of its own."""
    attributes = attributes_of(rows.path, feature, "gff3")
    parents = _parents(attributes)
    if not parents and kind in ("stop_codon", "coding_exon"):
        _keep_loose(feature, rows)
        return
    if not parents and kind in _CODING_KINDS:
        if attributes.get("parent"):
            found = f"parent= in column 9 of a CDS at {_location(feature)}"
            raise InputError(rows.path, found, expected="Parent=, with a capital P", line=feature.line)
        names = (attributes.get(name, "") for name in ("protein_id", "locus_tag", "ID", "gene", "Name"))
        own = unquote(next(filter(None, names), f"CDS:{feature.interval.start + 1}-{feature.interval.end}"))
        rows.odd("cds_without_parent", f"CDS without Parent at {_location(feature)}", feature.line)
        parents = (own,)
        rows.of_transcript(feature.interval.contig, own).has_parent = False
    if kind == "exon" and (name := unquote(attributes.get("ID", "") or attributes.get("TCS_ID", ""))):
        rows.exons[feature.interval.contig, name] = parents
    for name in parents:
        group = rows.of_transcript(feature.interval.contig, name)
        if kind in _CODING_KINDS:
            group.is_trans_spliced |= _is_trans_spliced(attributes)
            group.is_pseudogene |= _is_pseudogene(attributes) or kind == "pseudogenic_cds"
        _add_to_transcript(feature, kind, attributes, group, rows, parents)
        if len(parents) == 1:
            group.biotype = group.biotype or _biotype(attributes)


def _add_gtf(feature: Feature, kind: str, rows: _Rows) -> None:
    """Add a gene, transcript, CDS, stop_codon or exon row of GTF to its gene or transcript."""
    attributes = attributes_of(rows.path, feature, "gtf")
    name, gene_id = attributes.get("transcript_id", ""), attributes.get("gene_id", "")
    contig = feature.interval.contig
    is_pseudogene = _is_pseudogene(attributes) or bool(_PSEUDOGENE(kind))
    if kind in GENE_KINDS or (_PSEUDOGENE(kind) and not name):
        if gene_id:
            row = NamedRow(kind, feature.interval, feature.line, (), _biotype(attributes), is_pseudogene)
            rows.genes[contig, gene_id].append(row)
        return
    if not name or not gene_id:
        if kind == "stop_codon":
            _keep_loose(feature, rows)
        if kind not in _CODING_KINDS:
            return
        rows.odd(
            "cds_without_ids",
            f"CDS without {'gene_id' if name else 'transcript_id'} at {_location(feature)}",
            feature.line,
        )
        name, is_unclear = name or f"CDS:{feature.interval.start + 1}-{feature.interval.end}", not name
        gene_id = gene_id or name
        rows.of_transcript(contig, name, gene_id).is_unclear = is_unclear
    if kind in _TRANSCRIPT_KINDS:
        rows.named[contig, name].append(NamedRow(kind, feature.interval, feature.line, (gene_id,)))
    group = rows.of_transcript(contig, name, gene_id)
    group.biotype = group.biotype or _biotype(attributes)
    if not group.biotype and (_PSEUDOGENE(feature.source) or feature.source in _NOT_TRANSLATED):
        group.biotype = feature.source
    group.is_pseudogene |= is_pseudogene
    group.is_trans_spliced |= _is_trans_spliced(attributes)
    if kind in _CODING_KINDS or kind == "stop_codon" or kind in _EXON_KINDS:
        _add_to_transcript(feature, kind, attributes, group, rows, ())


def _add_to_transcript(
    feature: Feature,
    kind: str,
    attributes: dict[str, str],
    group: TranscriptRows,
    rows: _Rows,
    parents: tuple[str, ...],
) -> None:
    """Check a CDS, stop_codon or exon row, and keep it with its transcript."""
    start, end, strand = feature.interval.start, feature.interval.end, feature.interval.strand
    if start < 0:
        found = f"{feature.kind} of {group.name!r} with start {start + 1}"
        raise InputError(rows.path, found, expected="1 or more: coordinates are 1-based", line=feature.line)
    if kind in _EXON_KINDS:
        group.exons.append((start, end))
        return
    if strand not in ("+", "-"):
        found = f"{feature.kind} of {group.name!r} without strand"
        raise InputError(rows.path, found, expected="+ or - in column 7", line=feature.line)
    if kind == "stop_codon":
        group.stops.append((start, end))
        return
    if feature.phase not in ("0", "1", "2", "."):
        found = f"phase {feature.phase!r} of a CDS"
        raise InputError(rows.path, found, expected="0, 1, 2 or . in column 8", line=feature.line)
    row = CdsRow(
        start,
        end,
        strand,
        feature.line,
        attributes.get("ID", ""),
        attributes.get("protein_id", ""),
        unquote(attributes.get("Derives_from", "")),
        parents if len(parents) > 1 else (),
        attributes.get("exon_number", ""),
        feature.phase,
    )
    (group.coding_exons if kind == "coding_exon" else group.cds).append(row)


def _keep_loose(feature: Feature, rows: _Rows) -> None:
    """Keep a stop_codon or coding_exon row that names no transcript: its bases are missing."""
    text = f"{feature.kind} that names no transcript at {_location(feature)}"
    rows.odd(f"{feature.kind.lower()}s_without_transcript", text, feature.line)
    rows.loose.append(Interval(feature.interval.contig, max(feature.interval.start, 0), feature.interval.end))


def _location(feature: Feature) -> str:
    """Contig and 1-based coordinates, as they stand in the file."""
    return f"{feature.interval.contig}:{feature.interval.start + 1}-{feature.interval.end}"


def _divided(rows: _Rows, *, is_gtf: bool) -> Iterator[TranscriptRows]:
    """The rows of each coding transcript: at one place, of one protein."""
    if not is_gtf:
        _climb_from_exons(rows)
        _climb_from_cds(rows)
    _settle_coding_exons(rows)
    if not is_gtf:
        _take_from_genes(rows)
    places = list(_at_places(rows, is_gtf=is_gtf))
    groups = [place for place, _ in places]
    ids_count, with_introns = ids_name_proteins(groups), are_spliced(groups)
    for place, is_below_gene in places:
        if place.is_trans_spliced or len(place.strands) > 1:
            yield place
            continue
        is_one = with_introns or (not is_below_gene and has_ids_of_parent(place))
        proteins = by_protein(place, ids_count=ids_count, with_introns=is_one)
        if proteins is None or (is_below_gene and is_mixed(place, with_introns=with_introns)):
            yield replace(place, is_unclear=True)
        else:
            yield from proteins


def _at_places(rows: _Rows, *, is_gtf: bool) -> Iterator[tuple[TranscriptRows, bool]]:
    """The rows of each name at each of its places, and whether the name is that of a gene of GFF3."""
    for group in rows.transcripts.values():
        if not group.cds:
            rows.loose += [Interval(group.contig, *stop) for stop in group.stops]
            continue
        all_named = rows.named.get((group.contig, group.name), ())
        named = [row for row in all_named if row.kind in _TRANSCRIPT_KINDS]
        is_below_gene = False
        if not named and is_gtf:
            named = rows.genes.get((group.contig, group.gene_id), [])
        elif not named:
            named = [row for row in all_named if row.kind in GENE_KINDS]
            is_below_gene = bool(named)
        is_one = _are_in_one_gene(rows, group, named) or _is_across_origin(rows, group)
        places = [group] if is_one else by_place(rows.path, group, named)
        rows.loose += [Interval(group.contig, *stop) for place in places if not place.cds for stop in place.stops]
        places = [place for place in places if place.cds]
        if len(places) > 1:
            text = f"rows that do not overlap have the ID {group.name!r}: each is read as a gene of its own"
            rows.odd("names_at_several_places", text, places[1].cds[0].line)
        yield from ((place, is_below_gene) for place in places)


def _are_in_one_gene(rows: _Rows, group: TranscriptRows, named: Sequence[NamedRow]) -> bool:
    """Whether one gene row spans all rows of a name: a transcript that is written in several rows."""
    names = {name for row in named for name in row.parents}
    genes = [row for name in names for row in rows.named.get((group.contig, name), ()) if row.kind in GENE_KINDS]
    genes += rows.genes.get((group.contig, group.gene_id), ())
    spans = [row.interval for row in named]
    return any(
        gene.interval.start <= min(span.start for span in spans)
        and max(span.end for span in spans) <= gene.interval.end
        for gene in genes
        if spans and gene not in named
    )


def _climb_from_exons(rows: _Rows) -> None:
    """Give CDS rows whose parent is an exon to the transcript of that exon (MetaEuk)."""
    for key in [key for key, group in rows.transcripts.items() if group.cds and key[:2] in rows.exons]:
        if key[:2] not in rows.named:
            group = rows.transcripts[key]
            for name in rows.exons[key[:2]]:
                rows.of_transcript(group.contig, name).cds += group.cds
            group.cds = []


def _climb_from_cds(rows: _Rows) -> None:
    """Give coding_exon rows whose parent is a CDS to the transcript of that CDS."""
    lost = [key for key, group in rows.transcripts.items() if group.coding_exons and key[:2] not in rows.named]
    if not lost:
        return
    parents: dict[_Key, list[TranscriptRows]] = defaultdict(list)
    for group in rows.transcripts.values():
        for name in {row.cds_id for row in group.cds if row.cds_id}:
            parents[group.contig, name].append(group)
    for contig, name, _ in lost:
        if parents[contig, name]:
            group = rows.of_transcript(contig, name)
            for parent in parents[contig, name]:
                parent.coding_exons += group.coding_exons
            group.coding_exons = []


def _settle_coding_exons(rows: _Rows) -> None:
    """Read coding_exon rows as CDS where a transcript has no CDS rows. Where it has both, they must not contradict each other.

    A coding_exon may hold UTRs too: what reaches beyond the CDS is missing. But a CDS that passes over what is no coding_exon
    is no CDS alone.
    """
    for group in rows.transcripts.values():
        if group.coding_exons and not group.cds:
            group.cds = group.coding_exons
        elif group.coding_exons:
            exons = merge_few((row.start, row.end) for row in group.coding_exons)
            rows.loose += [Interval(group.contig, *exon) for exon in exons]
            inside = merge_few((*exons, *((row.start, row.end) for row in group.cds))) == exons
            group.is_unclear |= not inside
        group.coding_exons = []


_Genes = list[tuple[TranscriptRows, str]]
"""Transcripts to use, each with its gene."""
_LeftOut = list[tuple[_Fate, TranscriptRows]]


def _genes_of_gtf(rows: _Rows, groups: Iterable[TranscriptRows]) -> tuple[_Genes, _LeftOut]:
    """Transcripts to use with their genes, and those that are left out."""
    genes: _Genes = []
    left_out: _LeftOut = []
    rows.counts["transcripts_of_other_kinds"] += 0
    for group in groups:
        gene_rows = rows.genes.get((group.contig, group.gene_id), ())
        biotype = group.biotype or next((row.biotype for row in gene_rows if row.biotype), "")
        named = rows.named.get((group.contig, group.name), ())
        if group.is_trans_spliced or len(group.strands) > 1:
            left_out.append(("trans_spliced", group))
        elif fate := _unclear(group, _around(group, named) if named else None, rows):
            left_out.append((fate, group))
        elif group.is_pseudogene or any(row.is_pseudogene for row in gene_rows) or _PSEUDOGENE(biotype):
            left_out.append(("of_pseudogenes", group))
        elif biotype in _NOT_TRANSLATED:
            left_out.append(("of_other_kinds", group))
        elif biotype.startswith(_SEGMENTS):
            left_out.append(("segment", group))
        else:
            genes.append((group, group.gene_id))
    _count(left_out, rows)
    return genes, left_out


def _genes_of_gff3(rows: _Rows, groups: Sequence[TranscriptRows]) -> tuple[_Genes, _LeftOut]:
    """Transcripts to use with their genes, and those that are left out.

    If a CDS names a parent that has no row, its gene was cut off at the end of a region: unless the file has no rows of genes
    and transcripts at all.
    """
    has_rows = any(row.kind in GENE_KINDS | _TRANSCRIPT_KINDS for named in rows.named.values() for row in named)
    genes: _Genes = []
    left_out: _LeftOut = []
    for group in groups:
        fate = _fate(rows, group, has_rows=has_rows)
        if isinstance(fate, _Gene):
            genes.append((group, fate.gene_id))
        else:
            left_out.append((fate, group))
    used = {(group.contig, group.name) for group, _ in genes}
    left_out = [
        (
            "protein"
            if fate == "cut_off" and any((group.contig, name) in used for name in group.other_parents)
            else fate,
            group,
        )
        for fate, group in left_out
    ]
    for name in ("cut_off", "of_other_kinds"):
        rows.counts[f"transcripts_{name}"] += 0
    _count(left_out, rows)
    return genes, left_out


class _Gene(NamedTuple):
    """The gene that a transcript is used for."""

    gene_id: str


def _fate(rows: _Rows, group: TranscriptRows, *, has_rows: bool) -> _Fate | _Gene:
    """The gene of a transcript of GFF3, or why it is left out."""
    row = rows.row_of(group)
    parents = [rows.gene_row(group.contig, name) for name in (row.parents if row else ())]
    biotype = _biotype_of(group, row, parents)
    if group.is_trans_spliced or len(group.strands) > 1:
        return "trans_spliced"
    if any(named and named.is_trans_spliced for named in (row, *parents)):
        return "trans_spliced"
    if unclear := _unclear(group, row, rows):
        return unclear
    if group.is_pseudogene or any(named and named.is_pseudogene for named in (row, *parents)) or _PSEUDOGENE(biotype):
        return "of_pseudogenes"
    if biotype in _NOT_TRANSLATED:
        return "of_other_kinds"
    if biotype.startswith(_SEGMENTS):
        return "segment"
    if group.protein and (derived := rows.gene_row(group.contig, group.protein)) and derived.kind in GENE_KINDS:
        return _Gene(group.protein)  # one gene of an operon
    if row is None or not group.has_parent:
        return _Gene(group.name) if not has_rows or not group.has_parent else "cut_off"
    if row.kind in GENE_KINDS:
        return _Gene(group.name)
    if row.kind.endswith("gene_segment"):
        return "segment"
    if _has_genes_side_by_side(parents):
        return "of_other_kinds"
    if gene_id := _gene_of(rows, group, row):
        return _Gene(gene_id)
    return "protein" if row.kind in _PROTEIN_KINDS else "of_other_kinds"


def _unclear(group: TranscriptRows, row: NamedRow | None, rows: _Rows) -> _Fate | None:
    """Why the structure of a transcript is not clear; row: the one that its CDS rows name."""
    if _is_across_origin(rows, group) or (row and row.interval.end > rows.circular.get(group.contig, row.interval.end)):
        return "across_origin"
    if stops := misplaced_stops(group):
        ends = (0, rows.circular.get(group.contig))
        return "across_origin" if ends[1] and any(set(stop) & set(ends) for stop in stops) else "against_their_rows"
    if group.is_unclear or _numbers_begin_again(group):
        return "of_unclear_proteins"
    if row is None or row.kind not in GENE_KINDS | _TRANSCRIPT_KINDS:
        return None
    kinds = GENE_KINDS if row.kind in GENE_KINDS else _TRANSCRIPT_KINDS
    spans = [other.interval for other in rows.named.get((group.contig, group.name), (row,)) if other.kind in kinds]
    return "against_their_rows" if _lies_outside(group, spans) else None


def _is_across_origin(rows: _Rows, group: TranscriptRows) -> bool:
    """Whether CDS rows pass the end of a circular contig, or lie at both of its ends."""
    length_bp = rows.circular.get(group.contig, 0)
    has_both_ends = group.start == 0 and group.end == length_bp and len(group.cds) > 1
    end = max(group.end, *(end for _, end in group.stops), 0)
    return bool(length_bp) and (end > length_bp or has_both_ends)


def _lies_outside(group: TranscriptRows, spans: Sequence[Interval]) -> bool:
    """Whether CDS rows lie on the other strand than the rows that they name, or outside these by more than a stop codon."""
    spans = [span for span in spans if span.strand in group.strands or span.strand not in "+-"]
    if not spans:
        return True
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    coding = [*((row.start, row.end) for row in group.cds), *group.stops]
    return any(own[0] < start - 3 or own[1] > end + 3 for own in coding)


def _numbers_begin_again(group: TranscriptRows) -> bool:
    """Whether two CDS rows that are apart have one exon_number, as where one transcript_id stands for two places."""
    first: dict[str, CdsRow] = {}
    for row in group.cds:
        other = first.setdefault(row.exon_number, row) if row.exon_number else row
        if max(row.start - other.end, other.start - row.end) > MAX_SLIP_BP:
            return True
    return False


def _has_genes_side_by_side(parents: Sequence[NamedRow | None]) -> bool:
    """Whether the parents of a transcript are genes that do not overlap, as those of an operon."""
    genes = [row.interval for row in parents if row and row.kind in GENE_KINDS]
    return len(genes) > 1 and max(gene.start for gene in genes) >= min(gene.end for gene in genes)


def _take_from_genes(rows: _Rows) -> None:
    """Where a CDS row names a gene and its transcript as parents (Prokka), leave it to the transcript."""
    for group in rows.transcripts.values():
        if any(cds.parents for cds in group.cds) and (row := rows.row_of(group)) and row.kind in GENE_KINDS:
            group.cds = [cds for cds in group.cds if not any(_is_transcript(rows, group, name) for name in cds.parents)]


def _is_transcript(rows: _Rows, group: TranscriptRows, name: str) -> bool:
    return any(row.kind in _TRANSCRIPT_KINDS for row in rows.named.get((group.contig, name), ()))


def _biotype_of(group: TranscriptRows, row: NamedRow | None, parents: Iterable[NamedRow | None]) -> str:
    """Biotype of a transcript: from its own row, else from its CDS and exon rows, else from the row of its gene."""
    if row is None or row.biotype or group.biotype:
        return row.biotype if row and row.biotype else group.biotype
    return next((gene.biotype for gene in parents if gene and gene.biotype), "")


def _gene_of(rows: _Rows, group: TranscriptRows, row: NamedRow) -> str:
    """Gene of a transcript: its first parent that has a row, else the name of its first parent, else its own name.

    A transcript without parent belongs to the gene that its CDS rows name beside it, if they do. Empty if the row is not a
    transcript, or if its parent is not a gene.
    """
    if row.kind not in _TRANSCRIPT_KINDS:
        return ""
    for name in row.parents:
        if gene := rows.gene_row(group.contig, name):
            return name if gene.kind in GENE_KINDS else ""
    beside = (name for cds in group.cds for name in cds.parents if name != group.name)
    genes = (name for name in beside if (gene := rows.gene_row(group.contig, name)) and gene.kind in GENE_KINDS)
    return row.parents[0] if row.parents else next(genes, group.name)


_ODD: dict[_Fate, str] = {
    "cut_off": "the row of its transcript is not in the file",
    "trans_spliced": "it is spliced from two transcripts",
    "across_origin": "it lies across the origin of a circular contig",
    "against_their_rows": "its CDS or stop_codon rows do not fit each other, or the row of their transcript",
    "of_unclear_proteins": "nothing tells which of its CDS rows are one protein",
}
"""What is said of transcripts that are left out for what their rows say, not for what they are."""


def _count(left_out: _LeftOut, rows: _Rows) -> None:
    """Count the transcripts that are left out, by reason."""
    for fate, group in left_out:
        if fate != "protein":
            rows.counts[f"transcripts_{'of_other_kinds' if fate == 'segment' else fate}"] += 1
        is_turned = fate == "trans_spliced" and not group.is_trans_spliced and len(group.strands) > 1
        if fate in _ODD and not is_turned:
            odd = (min(row.line for row in group.cds), f"{group.name!r} is left out: {_ODD[fate]}")
            rows.oddities[f"transcripts_{fate}"] = min(odd, rows.oddities.get(f"transcripts_{fate}", odd))
        if is_turned:
            second = next(cds for cds in group.cds if cds.strand != group.cds[0].strand)
            rows.odd("transcripts_on_both_strands", f"{group.name!r} has CDS on both strands", second.line)


class _Names:
    """Gives every transcript a name that is unique in the file."""

    def __init__(self, keys: Iterable[_Key]):
        self._first_contigs: dict[str, str] = {}
        for contig, name in keys:
            self._first_contigs.setdefault(name, contig)
        self._taken: set[str] = set()

    def free_name(self, group: TranscriptRows) -> str:
        """The name of a transcript, with its protein, contig and a number where others have the same name."""
        name = f"{group.name}_{group.protein}" if group.protein else group.name
        if self._first_contigs[group.name] != group.contig:
            name = f"{name}_{group.contig}"
        free = next(free for free in chain((name,), (f"{name}_{n}" for n in count(2))) if free not in self._taken)
        self._taken.add(free)
        return free


def _annotated(path: Path, name: str, gene_id: str, group: TranscriptRows, counts: Counter[str]) -> AnnotatedTranscript:
    """The transcript that rows add up to. CDS intervals that touch or overlap are joined."""
    intervals = [(row.start, row.end) for row in group.cds]
    cds = merge_few(intervals)
    if sum(end - start for start, end in cds) < sum(end - start for start, end in set(intervals)):
        counts["transcripts_with_overlapping_cds"] += 1
    exons = merge_few((*group.exons, *cds)) if group.exons else ()
    last = max(group.cds, key=lambda row: row.end)
    return AnnotatedTranscript(
        Transcript(group.contig, last.strand, gene_id, name, cds), exons, merge_few(group.stops), last.line, path
    )


def _by_gene_place(transcripts: Iterable[AnnotatedTranscript], rows: _Rows) -> list[AnnotatedTranscript]:
    """Transcripts of one gene_id that do not overlap, directly or through others, are two genes: GENE and GENE_2."""
    genes: dict[_Key, list[AnnotatedTranscript]] = defaultdict(list)
    for row in transcripts:
        genes[row.transcript.chrom, row.transcript.gene_id].append(row)
    divided: list[AnnotatedTranscript] = []
    for (contig, gene_id), isoforms in genes.items():
        places = cluster(np.array([(row.transcript.start, row.transcript.end) for row in isoforms]))
        if places.max() == 0:
            divided += isoforms
            continue
        line = next(row.line for row, place in zip(isoforms, places.tolist(), strict=True) if place)
        text = f"transcripts of {gene_id!r} do not overlap: those of each place are read as a gene of their own"
        rows.odd("genes_at_several_places", text, line)
        names = (name for n in count(2) if (contig, name := f"{gene_id}_{n}") not in genes)
        names_of = {0: gene_id} | {place: next(names) for place in range(1, int(places.max()) + 1)}
        divided += [
            replace(row, transcript=replace(row.transcript, gene_id=names_of[place]))
            for row, place in zip(isoforms, places.tolist(), strict=True)
        ]
    return divided
