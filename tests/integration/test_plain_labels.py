"""`prepare genes` beside a second, plain labeler: the same class for every base, in both formats, of odd files too."""

import random
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from tests.plain_labels import Refused, plain_labels

from dnaspt.data.dataset import read_split
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.gff3 import read_annotation
from dnaspt.prepare.gene_labels import label_genes
from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes
from dnaspt.prepare.splits import SplitInterval

LENGTH, CUT = 1500, 1000
KINDS = ("plain",) * 12 + ("decay", "segment", "pseudo", "pseudogene", "spliced", "unknown_kind", "cut_off")


def random_genes(chance: random.Random) -> list[dict]:
    """Genes of one to three isoforms, which overlap each other as they like; some isoforms are of an odd kind."""
    genes = []
    for number in range(chance.randint(1, 6)):
        strand, left = chance.choice("+-"), chance.randint(0, LENGTH - 300)
        cuts = sorted(chance.sample(range(left, left + 290), 2 * chance.randint(1, 4)))
        exons = list(zip(cuts[::2], cuts[1::2]))
        isoforms = []
        for isoform in range(chance.choice((1, 1, 2, 3))):
            own = [exon for exon in exons if isoform == 0 or chance.random() < 0.7] or exons[:1]
            if isoform and chance.random() < 0.5:
                own[-1] = (own[-1][0], min(own[-1][1] + chance.randint(0, 40), LENGTH))
            isoforms.append({"cds": own, "kind": chance.choice(KINDS), "exons": chance.random() < 0.5})
        genes.append({"id": f"g{number}", "strand": strand, "isoforms": isoforms})
    return genes


def rows_of(genes: list[dict], form: str, chance: random.Random) -> list[str]:
    """Rows of GFF3 or GTF, in which stop codons are in the CDS, in rows of their own, or left out."""
    rows = []

    def add(kind: str, start: int, end: int, strand: str, text: str) -> None:
        rows.append(
            "\t".join(("c", "x", kind, str(start + 1), str(end), ".", strand, "0" if kind == "CDS" else ".", text))
        )

    for gene in genes:
        name, strand = gene["id"], gene["strand"]
        start = min(cds[0] for isoform in gene["isoforms"] for cds in isoform["cds"])
        end = max(cds[1] for isoform in gene["isoforms"] for cds in isoform["cds"])
        add("gene", start, end, strand, f"ID={name}" if form == "gff3" else f'gene_id "{name}";')
        for number, isoform in enumerate(gene["isoforms"]):
            own, kind = f"{name}.t{number}", isoform["kind"]
            biotype = {
                "decay": "nonsense_mediated_decay",
                "segment": "IG_V_gene",
                "pseudogene": "unitary_pseudogene",
            }.get(kind)
            row_kind = "odd_RNA" if kind == "unknown_kind" and form == "gff3" else "mRNA"
            if form == "gff3":
                more = (f";biotype={biotype}" if biotype else "") + (";pseudo=true" if kind == "pseudo" else "")
                text = f"Parent={own}" + (";exception=trans-splicing%2CRNA editing" if kind == "spliced" else "")
                if kind != "cut_off":
                    add(row_kind, isoform["cds"][0][0], isoform["cds"][-1][1], strand, f"ID={own};Parent={name}{more}")
            else:
                more = (f' transcript_type "{biotype}";' if biotype else "") + (
                    ' pseudo "true";' if kind == "pseudo" else ""
                )
                text = f'gene_id "{name}"; transcript_id "{own}";{more}'
                add("transcript", isoform["cds"][0][0], isoform["cds"][-1][1], strand, text)
            for part, (left, right) in enumerate(isoform["cds"]):
                turned = kind == "spliced" and form == "gtf" and part == 0 and len(isoform["cds"]) > 1
                if isoform["exons"]:
                    add("exon", left, right, strand, text)
                add("CDS", left, right, {"+": "-", "-": "+"}[strand] if turned else strand, text)
            if chance.random() < 0.2 and kind == "plain":
                at = isoform["cds"][-1][1] if strand == "+" else isoform["cds"][0][0] - 3
                if 0 <= at <= LENGTH - 3:
                    add("stop_codon", at, at + 3, strand, text)
    if chance.random() < 0.5:
        chance.shuffle(rows)
    return rows


NAMES = ("g1", "gene 2", "g;3", "g,4", "g=5", "%67ene", "g|6", "gène", "7", "nad1", "a" * 60)
STRAY = (
    "",
    "# a comment",
    "###",
    "#!genome-build x",
    "##sequence-region c one 9,000",
    "##sequence-region  1 1500",
)


def odd_annotation(form: str, chance: random.Random) -> list[str]:
    """Rows as many tools and mishaps write them: odd and repeated names, rows outside their parents, loose rows and more."""
    is_gtf, rows = form == "gtf", []
    ids = chance.choice(("none", "none", "shared", "row"))
    has_exons, has_transcripts = chance.random() < 0.6, not is_gtf or chance.random() < 0.7
    names: list[str] = []

    def text(**pairs: str) -> str:
        if is_gtf:
            return " ".join(f'{key} "{value}";' for key, value in pairs.items())
        return ";".join(f"{key}={value if ',' in key else quote(value, safe=' |')}" for key, value in pairs.items())

    def add(kind: str, start: int, end: int, strand: str, phase: int | str, column_9: str) -> None:
        columns = (contig, "x", kind, str(start + 1), str(end), ".", strand, str(phase), column_9)
        rows.append("\t".join(columns))

    for number in range(chance.randint(2, 9)):
        contig, strand, left = chance.choice("cd"), chance.choice("+-"), chance.randint(0, LENGTH - 340)
        mishap = chance.choice(
            ("",) * 6
            + (
                "below_gene",
                "below_gene",
                "two_proteins",
                "outside",
                "turned",
                "no_parent",
                "misplaced_stop",
                "coding_exon",
            )
            + (
                "coding_exon_too",
                "pseudogenic",
                "no_row",
                "no_gene_id",
                "no_transcript_id",
                "loose_stop",
                "unknown_kind",
            )
            + ("touching", "overlapping_rows", "repeated_row", "protein_ids", "two_parents", "spliced")
        )
        name = chance.choice(names) if names and chance.random() < 0.12 else f"{chance.choice(NAMES)}-{number}"
        if mishap in ("pseudogenic", "spliced"):  # what one row says of a name holds for all its places
            name = f"{mishap}-{number}"
        else:
            names.append(name)
        cuts = sorted(chance.sample(range(left, left + 300), 2 * chance.choice((1, 1, 1, 2, 3, 4))))
        cds = list(zip(cuts[::2], cuts[1::2]))
        if mishap == "touching":
            cds = [(left, left + 60), (left + 60 + chance.randint(-2, 12), left + 150)]
        if mishap == "overlapping_rows":
            cds = [(left, left + 90), (left + 60, left + 150)]
        if mishap == "repeated_row":
            cds = [*cds, chance.choice(cds)]
        first, last = min(start for start, _ in cds), max(end for _, end in cds)
        transcript = f"{name}.t"
        if is_gtf:
            of_gene, of_row = text(gene_id=name), text(gene_id=name, transcript_id=transcript)
            of_transcript = of_row
        else:
            of_gene, of_transcript = text(ID=name), text(ID=transcript, Parent=name)
            of_row = text(Parent=name if mishap == "below_gene" else transcript)
        if not is_gtf or chance.random() < 0.7:
            add("gene", first, last, strand, ".", of_gene)
        at = (first + 20, last) if mishap == "outside" else (first, last)
        turned = {"+": "-", "-": "+"}[strand] if mishap == "turned" else strand
        kind = "odd_RNA" if mishap == "unknown_kind" and not is_gtf else chance.choice(("mRNA", "transcript"))
        if has_transcripts and mishap not in ("no_row", "below_gene") and at[0] < at[1]:
            add(kind, *at, turned, ".", of_transcript)
        phase, total = 0, 0
        for part, (start, end) in enumerate(sorted(cds, reverse=strand == "-")):
            more = {}
            if ids != "none":
                own = f"{name}.c{part}" if ids == "row" else f"{name}.c"
                if mishap == "two_proteins":
                    own += "b" * (part % 2)
                more["ID"] = own
            if mishap in ("protein_ids", "two_proteins") and (mishap == "protein_ids" or ids == "none"):
                more["protein_id"] = f"{name}.p{part % 2}"
            column_9, row_kind = of_row, "CDS"
            if mishap == "no_parent" and not is_gtf:
                column_9 = text(ID=f"{name}.lone{chance.randint(0, 1)}")
                more = {}
            if mishap in ("no_gene_id", "no_transcript_id") and is_gtf:
                column_9 = text(transcript_id=transcript) if mishap == "no_gene_id" else text(gene_id=name)
            if mishap == "two_parents" and not is_gtf:
                add("mRNA", first, last, strand, ".", text(ID=f"{transcript}2", Parent=name)) if part == 0 else None
                column_9 = f"Parent={quote(transcript, safe=' |')},{quote(transcript, safe=' |')}2"
            if mishap == "spliced" and not is_gtf:
                more["exception"] = "trans-splicing"
            if mishap == "coding_exon":
                row_kind = "coding_exon"
            if mishap == "pseudogenic":
                row_kind = "pseudogenic_CDS"
            if more:
                column_9 += (" " if is_gtf else ";") + text(**more)
            if chance.random() < 0.9:
                phase = -total % 3
            total += end - start
            if has_exons:
                add("exon", max(start - 5, 0), end + 5, strand, ".", of_row)
            is_turned = mishap == "spliced" and is_gtf and part > 0
            row_strand = {"+": "-", "-": "+"}[strand] if is_turned else strand
            add(row_kind, start, end, row_strand, chance.choice((phase, phase, phase, ".")), column_9)
            if mishap == "coding_exon_too":
                add("coding_exon", start, end, strand, phase, column_9)
        at = last if strand == "+" else first - 3
        if mishap == "misplaced_stop":
            at = chance.choice((first - 30, first + 7, (first + last) // 2, last + 20))
        elif chance.random() < 0.4:
            at = last - 3 if strand == "+" else first
        if 0 <= at <= LENGTH - 3 and (mishap == "misplaced_stop" or chance.random() < 0.4):
            add("stop_codon", at, at + 3, strand, 0, of_row)
        if mishap == "loose_stop" and not is_gtf:
            add("stop_codon", left, left + 3, strand, 0, text(ID=f"{name}.s"))
    if chance.random() < 0.4:
        chance.shuffle(rows)
    for _ in range(chance.randint(0, 4)):
        rows.insert(chance.randint(0, len(rows)), chance.choice(STRAY))
    return rows


@pytest.mark.parametrize("form", ["gff3", "gtf"])
def test_500_odd_annotations_have_the_labels_of_the_plain_labeler(form: str, tmp_path: Path) -> None:
    file, missing, coding, reasons, n_refused = tmp_path / f"a.{form}", 0, 0, Counter[str](), 0
    for seed in range(250):
        chance = random.Random(1000 + seed)
        letters = {name: "".join(chance.choices("ACGTN", (10, 10, 10, 10, 1), k=LENGTH)) for name in "cd"}
        file.write_text("\n".join(odd_annotation(form, chance)) + "\n")
        try:
            expected = plain_labels(file, letters, {"c": [CUT, LENGTH], "d": [LENGTH]})
        except Refused:
            n_refused += 1
            with pytest.raises(InputError, match="is used for two transcripts"):
                read_annotation(file)
            continue
        annotation = read_annotation(file)
        reasons.update(annotation.counts)
        for name in annotation.contigs:
            cut = CUT if name == "c" else LENGTH
            splits = [SplitInterval(name, 0, cut, "train"), SplitInterval(name, cut, LENGTH, "test")]
            labeled = label_genes(
                Contig(name, alphabet.encode(letters[name].encode())),
                [row for row in annotation.transcripts if row.transcript.chrom == name],
                splits[: 2 if cut < LENGTH else 1],
                unknown=[(row.start, row.end) for row in annotation.unknown if row.contig == name],
                coding=[(row.start, row.end) for row in annotation.coding if row.contig == name],
            )
            differ = [at for at in range(LENGTH) if labeled.labels[at] != expected[name][at]]
            assert not differ, (seed, name, differ[:5], labeled.labels[differ[0]], expected[name][differ[0]])
            missing += expected[name].count(MISSING)
            coding += sum(label in (0, 4) for label in expected[name])
    assert missing > 60_000 and coding > 60_000 and n_refused < 40
    common = {"of_unclear_proteins", "against_their_rows", "of_pseudogenes", "trans_spliced"}
    common |= {"of_other_kinds", "cut_off"} if form == "gff3" else set()
    assert {name for name in common if reasons[f"transcripts_{name}"] >= 5} == common


@pytest.mark.parametrize("form", ["gff3", "gtf"])
def test_500_random_annotations_have_the_labels_of_the_plain_labeler(form: str, tmp_path: Path) -> None:
    file, n_missing, n_coding = tmp_path / f"a.{form}", 0, 0
    for seed in range(250):
        chance = random.Random(seed)
        letters = "".join(chance.choices("ACGTN", (10, 10, 10, 10, 1), k=LENGTH))
        file.write_text("\n".join(rows_of(random_genes(chance), form, chance)) + "\n")
        annotation = read_annotation(file)
        splits = [SplitInterval("c", 0, CUT, "train"), SplitInterval("c", CUT, LENGTH, "test")]
        labeled = label_genes(
            Contig("c", alphabet.encode(letters.encode())),
            [row for row in annotation.transcripts if row.transcript.chrom == "c"],
            splits,
            unknown=[(row.start, row.end) for row in annotation.unknown],
            coding=[(row.start, row.end) for row in annotation.coding],
        )
        expected = plain_labels(file, {"c": letters}, {"c": [CUT, LENGTH]})["c"]
        differ = [at for at in range(LENGTH) if labeled.labels[at] != expected[at]]
        assert not differ, (seed, differ[:5], labeled.labels[differ[0]], expected[differ[0]])
        n_missing += sum(label == MISSING for label in expected)
        n_coding += sum(label in (0, 4) for label in expected)
    assert n_missing > 30_000 and n_coding > 10_000


HUMAN = "human/chr20_30249935_31254640.NCBI33.ensembl_test"


@pytest.mark.real
@pytest.mark.parametrize(
    ("genome", "annotation"),
    [
        ("athaliana/genome.fa.gz", "athaliana/annotation.gff3.gz"),
        ("celegans/genome.fa.gz", "celegans/annotation.gff3.gz"),
        ("fly_loci/test.fa.gz", "fly_loci/test.gff3.gz"),
        ("human/chr9_1_1000000.GRCh38.ens91.fa.gz", "human/chr9_1_1000000.GRCh38.ens91.gtf.gz"),
        (f"{HUMAN}.fa.gz", f"{HUMAN}.gtf.gz"),
        ("human/chr22_32000001_32300000.GRCh38.mane.fa.gz", "human/chr22_32000001_32300000.GRCh38.mane.gff3.gz"),
        ("human/chr6_MHC_chr2.GRCh37.ens_compara_test.fa.gz", "human/chr6_MHC_chr2.GRCh37.ens_compara_test.gtf.gz"),
        ("human/gene_loci_54.GRCh37.bcftools_csq.fa.gz", "human/gene_loci_54.GRCh37.bcftools_csq.gff3.gz"),
    ],
    ids=["athaliana", "celegans", "fly", "human9", "human20", "human22", "human6", "loci54"],
)
def test_every_base_of_the_real_annotations_has_the_label_of_the_plain_labeler(
    genome: str, annotation: str, real_data: Path, tmp_path: Path
) -> None:
    folder, out = real_data / "gene_finding", tmp_path / "out"
    prepare_genes(
        PrepareGenesConfig(out=out, genome=(folder / genome,), annotation=(folder / annotation,), split="test")
    )
    letters = {contig.name: alphabet.decode(contig.codes) for contig in read_fasta(folder / genome)}
    expected = plain_labels(folder / annotation, letters, {name: [len(text)] for name, text in letters.items()})
    written = {
        name: np.full(len(text), MISSING) for name, text in letters.items()
    }  # windows of missing labels are dropped
    for window in read_split(out, "test"):
        written[window.chrom][window.start : window.end] = window.labels
    for name, labels in expected.items():
        differ = np.flatnonzero(written[name] != np.array(labels if labels else written[name]))
        assert not len(differ), (name, differ[:5], written[name][differ[:5]], [labels[at] for at in differ[:5]])
