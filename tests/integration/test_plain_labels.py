"""`prepare genes` beside a second, plain labeler: the same class for every base, in both formats, of odd files too."""

import random
from pathlib import Path

import numpy as np
import pytest
from tests.plain_labels import plain_labels

from dnaspt.data.dataset import read_split
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
