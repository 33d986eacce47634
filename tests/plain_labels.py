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
CODING = {"cds", "coding_exon", "pseudogenic_cds"}
PAIR = {"A": "T", "C": "G", "G": "C", "T": "A"}


def plain_labels(annotation: Path, genome: dict[str, str], cuts: dict[str, list[int]]) -> dict[str, list[int]]:
    """Labels of each contig. cuts: ends of the stretches of splits on each contig."""
    rows = list(_read(annotation))
    is_gtf = rows[0]["is_gtf"]
    transcripts = list((_of_gtf if is_gtf else _of_gff3)(rows))
    labels = {}
    for contig, letters in genome.items():
        own = [row for row in transcripts if row["contig"] == contig]
        mine = [row for row in rows if row["contig"] == contig]
        coding = {
            base for row in mine if row["kind"] in CODING | {"stop_codon"} for base in range(row["start"], row["end"])
        }
        labels[contig] = _label(own, letters.upper(), cuts[contig], coding) if mine else []
    return labels


class Refused(Exception):
    """One name for two transcripts of a contig, on both strands: no labels."""


def _read(path):
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for number, line in enumerate(file):
            if line.startswith("##FASTA"):
                break
            if line.startswith("#") or not line.strip():
                continue
            contig, _, kind, first, last, _, strand, phase, text = line.rstrip("\n").split("\t", 8)
            is_gtf = "=" not in text.split('"')[0]
            attributes, parents = {}, []
            if not is_gtf:
                pairs = [pair.strip().split("=", 1) for pair in text.split(";") if "=" in pair]
                raw = {key.strip(): value.strip() for key, value in pairs}
                parents = [unquote(name.strip()) for name in raw.get("Parent", "").split(",") if name.strip()]
                attributes = {key: unquote(value) for key, value in raw.items()}
            else:
                for key, value in re.findall(r'(\S+) "([^"]*)"', text):
                    attributes.setdefault(key, value)
            yield {
                "contig": contig, "kind": kind.lower(), "start": int(first) - 1, "end": int(last), "strand": strand,
                "phase": phase, "attributes": attributes, "parents": parents, "is_gtf": is_gtf, "line": number,
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


def _is_spliced_from_two(own):
    cds = [row for row in own if row["kind"] in CODING]
    is_said = any("trans-splicing" in row["attributes"].get("exception", "") for row in cds)
    return is_said or len({row["strand"] for row in cds if row["kind"] != "coding_exon"}) > 1


def _of_gtf(rows):
    by_name, named, genes = defaultdict(list), defaultdict(list), defaultdict(list)
    for row in rows:
        name, gene = row["attributes"].get("transcript_id"), row["attributes"].get("gene_id")
        if row["kind"] == "gene":
            genes[row["contig"], gene].append(row)
        if row["kind"] in CODING and not (name and gene):
            row["is_lone"] = not name
            name = name or f"lone {row['start']} {row['end']}"
            gene = gene or name
        if name and gene and row["kind"] in EXONS | CODING | {"stop_codon", "transcript", "mrna"}:
            by_name[row["contig"], gene, name].append(row)
            if row["kind"] in ("transcript", "mrna"):
                named[row["contig"], name].append(row)
    parts = []
    by_name = {key: own for key, own in by_name.items() if any(row["kind"] in CODING for row in own)}
    for (contig, gene, name), own in by_name.items():
        others = named.get((contig, name)) or genes.get((contig, gene), [])
        parts += [
            (contig, gene, name, place) for place in _places(_settled(own), others, genes.get((contig, gene), []))
        ]
    for contig, gene, name, own, why in _proteins(parts, lambda contig, name: False):
        why = why or ("coding" if any(row.get("is_unclear") for row in own) else "")
        texts = [row["attributes"] for row in own]
        gene_texts = [row["attributes"] for row in genes.get((contig, gene), [])]
        biotype = _biotype(*texts) or _biotype(*gene_texts)
        if _is_spliced_from_two(own) or _misplaced(own) or (not why and _outside(own, named.get((contig, name), []))):
            why = "rows"
        elif any(text.get("pseudo") == "true" for text in (*texts, *gene_texts)):
            why = "coding"
        if any(row.get("is_lone") for row in own) or any(row["kind"] == "pseudogenic_cds" for row in own):
            why = why or "coding"
        yield from _transcript(contig, gene, name, own, why or _no_gene(biotype))


def _of_gff3(rows):
    named = defaultdict(list)
    for row in rows:
        if "ID" in row["attributes"] and row["kind"] not in EXONS | CODING | {"stop_codon"}:
            named[row["contig"], row["attributes"]["ID"]].append(row)
    by_name = defaultdict(list)
    for row in rows:
        if row["kind"] in EXONS | CODING | {"stop_codon"}:
            if not row["parents"] and row["kind"] == "cds":
                names = ("protein_id", "locus_tag", "ID", "gene", "Name")
                name = next(
                    (row["attributes"][name] for name in names if row["attributes"].get(name)), f"CDS:{row['start']}"
                )
                by_name[row["contig"], name].append({**row, "has_no_parent": True})
            for parent in dict.fromkeys(row["parents"]):
                by_name[row["contig"], parent].append(row)
    has_rows = any(row["kind"] in ("gene", "mrna", "transcript") for own in named.values() for row in own)

    def is_gene(contig, name):
        return _kind_of(named.get((contig, name), [])) == "gene"

    parts = []
    by_name = {key: own for key, own in by_name.items() if any(row["kind"] in CODING for row in own)}
    for (contig, name), own in by_name.items():
        mine = named.get((contig, name), [])
        kinds = ("gene",) if is_gene(contig, name) else ("mrna", "transcript")
        mine = [row for row in mine if row["kind"] in kinds]
        above = [gene for row in mine for parent in row["parents"] for gene in named.get((contig, parent), [])]
        parts += [(contig, "", name, place) for place in _places(_settled(own), mine, above)]
    fates = [
        (contig, name, own, *_fate(contig, name, own, named, has_rows, why))
        for contig, _, name, own, why in _proteins(parts, is_gene)
    ]
    used = {(contig, name) for contig, name, _, _, why in fates if why == ""}
    for contig, name, own, gene, why in fates:
        if why == "cut":
            peers = {parent for row in own for parent in row["parents"]} - {name}
            why = "rows" if any((contig, peer) in used for peer in peers) else "unknown"
        yield from _transcript(contig, gene, name, own, why)


def _kind_of(mine):
    kinds = {row["kind"] for row in mine}
    return "transcript" if kinds & {"mrna", "transcript"} else "gene" if "gene" in kinds else ""


def _settled(own):
    """Rows of coding_exon as CDS where there are no CDS rows. Where there are, CDS outside them is a contradiction."""
    exons, cds = (
        {base for row in own if row["kind"] in kinds for base in range(row["start"], row["end"])}
        for kinds in (("coding_exon",), ("cds", "pseudogenic_cds"))
    )
    if cds:
        return [{**row, "is_unclear": True} for row in own] if exons and cds - exons else own
    return [{**row, "kind": "cds"} if row["kind"] == "coding_exon" else row for row in own]


def _places(own, mine, above):
    """The rows of a name at each of its places."""
    cds = [row for row in own if row["kind"] in CODING]
    strands = {row["strand"] for row in cds if row["kind"] != "coding_exon"}
    spans = (min((row["start"] for row in mine), default=0), max((row["end"] for row in mine), default=0))
    within = [row for row in above if row["kind"] == "gene" and row["start"] <= spans[0] and spans[1] <= row["end"]]
    if any("trans-splicing" in row["attributes"].get("exception", "") for row in cds):
        return [own]
    if len(strands) == 1:
        mine = [row for row in mine if row["strand"] in strands]
    if (mine and any(row not in mine for row in within)) or len(mine) < 2:
        return [own]
    places = []
    for row in sorted(mine, key=lambda row: (row["start"], row["end"])):
        if places and row["start"] < places[-1][1]:
            places[-1][1] = max(places[-1][1], row["end"])
        else:
            places.append([row["start"], row["end"]])
    if len(places) == 1:
        return [own]
    if len({row["strand"] for row in mine}) > 1:
        if mine[0]["kind"] == "gene":
            return [own]
        raise Refused
    parts = [[] for _ in places]
    for row in own:
        away = [max(left - row["start"], row["end"] - right, 0) for left, right in places]
        parts[away.index(min(away))].append(row)
    return parts


def _proteins(parts, is_gene):
    """The rows of each protein of each place; and "coding" where nothing tells the proteins apart."""
    coding = [[row for row in own if row["kind"] in CODING and row["kind"] != "coding_exon"] for _, _, _, own in parts]
    repeats = [
        len(set(ids)) < len(ids) for cds in coding for ids in [[i for i in map(_own_id, cds) if i]] if len(ids) > 1
    ]
    ids_count = 2 * sum(repeats) > len(repeats)
    n_rows = [len(cds) for cds in coding if cds]
    with_introns = sum(n > 1 for n in n_rows) >= sum(n == 1 for n in n_rows)
    for (contig, gene, name, own), cds in zip(parts, coding):
        is_numbered = not is_gene(contig, name) and all((_own_id(row) or "").startswith(name) for row in cds)
        if not cds or _is_spliced_from_two(own):
            yield contig, gene, name, own, ""
            continue
        proteins = []
        for row in cds:
            marks = {("i", _own_id(row)), ("p", row["attributes"].get("protein_id"))} - {("i", None), ("p", None)}
            same = [other for other in proteins if other[0] & marks]
            for other in same:
                proteins.remove(other)
            proteins.append((marks.union(*(o[0] for o in same)), [r for o in same for r in o[1]] + [row]))
        are_named = all(marks for marks, _ in proteins)
        if len(proteins) == 1 or not are_named:
            why = "coding" if is_gene(contig, name) and _is_mixed(cds, with_introns) else ""
            yield contig, gene, name, own, why
        elif not all(r["attributes"].get("protein_id") for r in cds) and all(len(its) == 1 for _, its in proteins):
            yield (
                contig,
                gene,
                name,
                own,
                "coding" if ids_count or not _has_introns(own, cds, with_introns or is_numbered) else "",
            )
        else:
            for _, its in proteins:
                others = [row for row in own if row["kind"] in EXONS]
                stops = [
                    row for row in own if row["kind"] == "stop_codon" and its in _with(row, [p[1] for p in proteins])
                ]
                yield contig, gene, name, [*its, *others, *stops], ""


def _own_id(row):
    return row["attributes"].get("ID")


def _with(stop, proteins):
    near = [its for its in proteins if any(stop["start"] <= r["end"] and stop["end"] >= r["start"] for r in its)]

    def away(its):
        if its[0]["strand"] == "-":
            return abs(min(r["start"] for r in its) - stop["end"])
        return abs(stop["start"] - max(r["end"] for r in its))

    return near or [min(proteins, key=away)]


def _is_mixed(cds, with_introns):
    if len(cds) == 1 or any(_own_id(row) or row["attributes"].get("protein_id") for row in cds):
        return False
    spans = [(row["start"], row["end"]) for row in cds]
    kinds = sorted(set(spans))
    if any(right[0] < left[1] - 10 for left, right in pairwise(kinds)) or len({spans.count(own) for own in kinds}) > 1:
        return True
    return not (with_introns or len(kinds) == 1 or _go_on(cds))


def _has_introns(own, cds, with_introns):
    spans = sorted((row["start"], row["end"]) for row in cds)
    if any(right[0] - left[1] < 10 for left, right in pairwise(spans)):
        return False
    exons = {base for row in own if row["kind"] in EXONS for base in range(row["start"], row["end"])}
    if exons:
        return not any(exons >= set(range(left[0], right[1])) for left, right in pairwise(spans))
    return with_introns or _go_on(cds)


def _go_on(cds):
    cds = sorted(cds, key=lambda row: row["start"], reverse=cds[0]["strand"] == "-")
    if any(row["phase"] == "." for row in cds):
        return False
    wanted = [(int(row["phase"]) - (row["end"] - row["start"])) % 3 for row in cds[:-1]]
    return wanted != [0] * len(wanted) and wanted == [int(row["phase"]) for row in cds[1:]]


def _misplaced(own):
    cds = [row for row in own if row["kind"] in CODING and row["kind"] != "coding_exon"]
    if not cds:
        return False
    first, last, minus = min(r["start"] for r in cds), max(r["end"] for r in cds), cds[0]["strand"] == "-"
    return any(
        not (row["start"] < first if minus else row["end"] > last)
        and not any(other["start"] <= row["start"] and row["end"] <= other["end"] for other in cds)
        for row in own
        if row["kind"] == "stop_codon"
    )


def _outside(own, mine):
    """Whether coding rows lie outside the rows of their name, or on the other strand."""
    coding = [row for row in own if row["kind"] in CODING | {"stop_codon"} and row["kind"] != "coding_exon"]
    if not mine or not coding:
        return False
    strands = {row["strand"] for row in coding if row["kind"] != "stop_codon"}
    mine = [row for row in mine if row["strand"] in strands]
    first, last = min((row["start"] for row in mine), default=0) - 3, max((row["end"] for row in mine), default=0) + 3
    return not mine or any(row["start"] < first or row["end"] > last for row in coding)


def _fate(contig, name, own, named, has_rows, why):
    mine = named.get((contig, name), [])
    cds = [row for row in own if row["kind"] in CODING]
    kinds = {"transcript": ("mrna", "transcript"), "gene": ("gene",), "": tuple({row["kind"] for row in mine})}
    mine = [row for row in mine if row["kind"] in kinds[_kind_of(mine)]]
    first, last = min((r["start"] for r in cds), default=0), max((r["end"] for r in cds), default=0)
    row = max(mine, key=lambda row: min(row["end"], last) - max(row["start"], first), default=None)
    parents = row["parents"] if row else []
    parent_rows = [_gene_first(named[contig, parent]) for parent in parents if (contig, parent) in named]
    if _is_spliced_from_two(own):
        return name, "rows"
    if _misplaced(own):
        return name, "rows"
    if why or any(r.get("is_unclear") for r in own):
        return name, "coding"
    if row and _kind_of(mine) and _outside(own, mine):
        return name, "rows"
    texts = [r["attributes"] for r in ([row] if row else []) + cds + parent_rows]
    if any(text.get("pseudo") == "true" for text in texts) or any(r["kind"] == "pseudogenic_cds" for r in cds):
        return name, "coding"
    alone = [r["attributes"] for r in own if len(r["parents"]) == 1]
    biotype = _biotype(*([row["attributes"]] if row else []), *alone)
    if row and not biotype:
        biotype = _biotype(*(other["attributes"] for other in parent_rows))
    if why := _no_gene(biotype):
        return name, why
    if any(r.get("has_no_parent") for r in cds):
        return name, ""
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


def _gene_first(rows):
    return next((row for row in rows if row["kind"] == "gene"), rows[0])


def _transcript(contig, gene, name, own, why):
    own = [row for row in own if row["kind"] != "coding_exon"]
    cds = sorted({(row["start"], row["end"]) for row in own if row["kind"] in CODING})
    if not cds:
        return
    bases = {base for start, end in cds for base in range(start, end)}
    strand = max((row for row in own if row["kind"] in CODING), key=lambda row: row["end"])["strand"]
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


def _label(rows, letters, cuts, coding):
    """Labels of a contig. coding: the bases of every row of a coding kind, whatever it belongs to."""
    labels = [NONCODING] * len(letters)
    unknown, genes = set(), defaultdict(list)
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
