"""A second, plain way from an annotation to the class of each base, to hold `prepare genes` against: slow, base by base.

It shares no code with the package but the numbers of the classes. It follows the rules of docs/files.md.
"""

import gzip
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

CDS, DONOR, INTRON, ACCEPTOR, NONCODING, MISSING = 0, 1, 2, 3, 8, -100
NEXT = {8: {8, 0, 4}, 0: {0, 1, 8}, 1: {2}, 2: {2, 3}, 3: {0}, 4: {4, 7, 8}, 7: {6}, 6: {6, 5}, 5: {4}}
EXONS = {"exon", "five_prime_utr", "three_prime_utr", "utr", "5utr", "3utr"}
BIOTYPES = ("transcript_biotype", "transcript_type", "biotype", "gene_biotype", "gene_type")
PAIR = {"A": "T", "C": "G", "G": "C", "T": "A"}


def plain_labels(annotation: Path, genome: dict[str, str], cuts: dict[str, list[int]]) -> dict[str, list[int]]:
    """Labels of each contig. cuts: ends of the stretches of splits on each contig."""
    rows = list(_read(annotation))
    is_gtf = rows[0]["is_gtf"]
    transcripts = list((_of_gtf if is_gtf else _of_gff3)(rows))
    labels = {}
    for contig, letters in genome.items():
        own = [row for row in transcripts if row["contig"] == contig]
        labels[contig] = _label(own, letters.upper(), cuts[contig]) if any(r["contig"] == contig for r in rows) else []
    return labels


def _read(path):
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            if line.startswith("##FASTA"):
                break
            if line.startswith("#") or not line.strip():
                continue
            contig, _, kind, first, last, _, strand, _, text = line.rstrip("\n").split("\t", 8)
            if "=" in text.split('"')[0]:
                pairs = [pair.strip().split("=", 1) for pair in text.split(";") if "=" in pair]
                attributes = {key.strip(): unquote(value.strip()) for key, value in pairs}
            else:
                attributes = {}
                for key, value in re.findall(r'(\S+) "([^"]*)"', text):
                    attributes.setdefault(key, value)
            yield {
                "contig": contig, "kind": kind.lower(), "start": int(first) - 1, "end": int(last), "strand": strand,
                "attributes": attributes, "is_gtf": "=" not in text.split('"')[0],
            }  # fmt: skip


def _biotype(*attributes):
    return next((one[name] for one in attributes for name in BIOTYPES if one.get(name)), "")


def _no_gene(biotype):
    """What a biotype says of a transcript with CDS."""
    if "pseudogene" in biotype or "LoF" in biotype:
        return "coding"
    if biotype in ("nonsense_mediated_decay", "non_stop_decay"):
        return "coding"
    return "unknown" if biotype.startswith(("IG_", "TR_")) else ""


def _of_gtf(rows):
    by_name = defaultdict(list)
    for row in rows:
        if row["attributes"].get("transcript_id") and row["kind"] in EXONS | {
            "cds",
            "stop_codon",
            "transcript",
            "mrna",
        }:
            key = (row["contig"], row["attributes"]["gene_id"], row["attributes"]["transcript_id"])
            by_name[key].append(row)
    genes = {(row["contig"], row["attributes"].get("gene_id")): row for row in rows if row["kind"] == "gene"}
    for (contig, gene, name), own in by_name.items():
        gene_row = genes.get((contig, gene), {"attributes": {}})
        texts = [row["attributes"] for row in own]
        biotype = _biotype(*texts) or _biotype(gene_row["attributes"])
        why = _no_gene(biotype)
        if any(text.get("pseudo") == "true" for text in (*texts, gene_row["attributes"])):
            why = "coding"
        if len({row["strand"] for row in own if row["kind"] == "cds"}) > 1:
            why = "rows"
        yield from _transcript(contig, gene, name, own, why)


def _of_gff3(rows):
    named = defaultdict(list)
    for row in rows:
        if "ID" in row["attributes"] and row["kind"] not in EXONS | {"cds", "stop_codon"}:
            named[row["contig"], row["attributes"]["ID"]].append(row)
    by_name = defaultdict(list)
    for row in rows:
        if row["kind"] in EXONS | {"cds", "stop_codon"}:
            for parent in row["attributes"].get("Parent", "").split(","):
                by_name[row["contig"], parent.strip()].append(row)
    has_rows = any(row["kind"] in ("gene", "mrna", "transcript") for own in named.values() for row in own)
    fates = {}
    for (contig, name), own in by_name.items():
        if any(row["kind"] == "cds" for row in own):
            fates[contig, name] = _fate(contig, name, own, named, has_rows)
    for (contig, name), own in by_name.items():
        if (contig, name) not in fates:
            continue
        gene, why = fates[contig, name]
        if why == "cut":
            peers = {p.strip() for row in own for p in row["attributes"].get("Parent", "").split(",")} - {name}
            is_used = any(fates.get((contig, peer), ("", "?"))[1] == "" for peer in peers)
            why = "rows" if is_used else "unknown"
        yield from _transcript(contig, gene, name, own, why)


def _fate(contig, name, own, named, has_rows):
    mine = named.get((contig, name), [])
    row = next((row for row in mine if row["kind"] in ("mrna", "transcript")), None)
    row = row or next((row for row in mine if row["kind"] == "gene"), None) or (mine[0] if mine else None)
    parents = [p.strip() for p in row["attributes"].get("Parent", "").split(",") if p] if row else []
    parent_rows = [other for parent in parents for other in named.get((contig, parent), [])[:1]]
    cds = [r for r in own if r["kind"] == "cds"]
    if (
        any("trans-splicing" in r["attributes"].get("exception", "") for r in cds)
        or len({r["strand"] for r in cds}) > 1
    ):
        return name, "rows"
    texts = [r["attributes"] for r in ([row] if row else []) + cds + parent_rows]
    if any(text.get("pseudo") == "true" for text in texts):
        return name, "coding"
    alone = [r["attributes"] for r in own if "," not in r["attributes"].get("Parent", "")]
    biotype = _biotype(*([row["attributes"]] if row else []), *alone)
    if row and not biotype:
        biotype = _biotype(*(other["attributes"] for other in parent_rows))
    if why := _no_gene(biotype):
        return name, why
    if row is None:
        return name, "cut" if has_rows else ""
    if row["kind"] in ("gene", "protein_coding_gene"):
        return name, ""
    if row["kind"].endswith("gene_segment"):
        return name, "unknown"
    if row["kind"] in ("protein", "polypeptide", "mature_protein_region"):
        return name, "rows"
    if row["kind"] not in ("mrna", "transcript"):
        return name, "coding"
    if parent_rows:
        is_gene = parent_rows[0]["kind"] in ("gene", "protein_coding_gene")
        return parent_rows[0]["attributes"]["ID"], "" if is_gene else "coding"
    return (parents[0] if parents else name), ""


def _transcript(contig, gene, name, own, why):
    cds = sorted({(row["start"], row["end"]) for row in own if row["kind"] == "cds"})
    if not cds:
        return
    bases = {base for start, end in cds for base in range(start, end)}
    strand = max((row for row in own if row["kind"] == "cds"), key=lambda row: row["end"])["strand"]
    stops = {base for row in own if row["kind"] == "stop_codon" for base in range(row["start"], row["end"])}
    exons = {base for row in own if row["kind"] in EXONS for base in range(row["start"], row["end"])}
    yield {
        "contig": contig, "gene": gene, "name": name, "cds": bases, "strand": strand, "stops": stops, "exons": exons, "why": why,
    }  # fmt: skip


def _spell(bases, letters, strand):
    text = [letters[base] for base in bases]
    return "".join(text if strand == "+" else [PAIR.get(base, "N") for base in text])


def _with_stop(row, letters):
    cds, plus = row["cds"], row["strand"] == "+"
    if row["stops"] - cds:
        return cds | row["stops"]
    order = sorted(cds, reverse=not plus)
    if _spell(order[-3:], letters, row["strand"]) in ("TAA", "TAG", "TGA"):
        return cds
    last = order[-1]
    free = row["exons"] | cds if row["exons"] else range(len(letters))
    after = [base for base in free if (base > last if plus else base < last) and base < len(letters)]
    after = sorted(after, reverse=not plus)[:3]
    if len(after) == 3 and _spell(after, letters, row["strand"]) in ("TAA", "TAG", "TGA"):
        return cds | set(after)
    return cds


def _label(rows, letters, cuts):
    labels = [NONCODING] * len(letters)
    coding, unknown, genes = set(), set(), defaultdict(list)
    for row in rows:
        span = range(min(row["cds"]), max(row["cds"]) + 1)
        if row["why"] == "unknown":
            unknown |= set(span)
        elif row["why"] == "coding":
            coding |= set(span) | row["stops"]
        elif row["why"] == "rows":
            coding |= row["cds"] | row["stops"]
        elif not row["why"]:
            bases = _with_stop(row, letters)
            coding |= bases
            genes[row["gene"]].append((bases, row["strand"], span, row["name"]))
    wanted = defaultdict(set)
    conflict = set()
    for isoforms in genes.values():
        for group in _overlapping(isoforms):
            bases, strand, *_ = min(group, key=lambda one: (-len(one[0]), one[3]))
            first, last = min(bases), max(bases)
            if not any(start <= first and last < end for start, end in pairwise([0, *cuts])):
                unknown |= set(range(first, last + 1))
            shift = 0 if strand == "+" else 4
            at = first
            while at <= last:
                if at in bases:
                    wanted[at].add(CDS + shift)
                    at += 1
                    continue
                end = next(base for base in range(at, last + 2) if base in bases)
                names = [INTRON + shift] * (end - at)
                names[0], names[-1] = (DONOR, ACCEPTOR) if strand == "+" else (ACCEPTOR + shift, DONOR + shift)
                for base, name in zip(range(at, end), names):
                    if end - at < 4:
                        conflict.add(base)
                    else:
                        wanted[base].add(name)
                at = end
    for base, names in wanted.items():
        labels[base] = next(iter(names)) if len(names) == 1 else MISSING
    for base in range(len(labels)):
        is_free = labels[base] == NONCODING and base in coding
        if is_free or base in conflict or base in unknown or letters[base] not in "ACGT":
            labels[base] = MISSING
    return _legal(labels)


def _overlapping(isoforms):
    groups = []
    for one in sorted(isoforms, key=lambda one: (one[2].start, one[2].stop)):
        if groups and one[2].start < max(other[2].stop for other in groups[-1]):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _legal(labels):
    """Missing on both sides of two known labels that no legal path joins, again and again."""
    known = [base for base, label in enumerate(labels) if label != MISSING]
    after, before = dict(pairwise(known)), {second: first for first, second in pairwise(known)}
    pairs = set(after.items())
    while bad := {pair for pair in pairs if not _joins(labels[pair[0]], labels[pair[1]], pair[1] - pair[0])}:
        pairs = set()
        for base in {base for pair in bad for base in pair}:
            labels[base] = MISSING
            left, right = before.pop(base, None), after.pop(base, None)
            if left is not None:
                after.pop(left, None) if right is None else after.update({left: right})
            if right is not None:
                before.pop(right, None) if left is None else before.update({right: left})
            if left is not None and right is not None:
                pairs.add((left, right))
        pairs = {(left, right) for left, right in pairs if after.get(left) == right}
    return labels


def _joins(first, second, steps):
    if steps == 1:
        return second in NEXT[first]
    states = {first}
    for _ in range(min(steps, 40)):
        states = {after for state in states for after in NEXT[state]}
    return second in states
