"""Two annotations compared: counts by hand, and those of GenomeTools on random and on real annotations."""

import gzip
import json
import logging
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.genome.gff3_files import write_gff3

import dnaspt
from dnaspt.errors import ConfigError, InputError
from dnaspt.evaluation.compare_annotations import LEVELS, AnnotationComparison, compare_annotations, write_comparison
from dnaspt.genome.alphabet import decode, encode, reverse_complement
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.transcripts import Transcript

Cds = tuple[tuple[int, int], ...]
CONTIGS = [("c1", 60_000), ("c2", 60_000)]


def transcript(cds: Cds, gene: str = "g", name: str = "", strand: str = "+", chrom: str = "c1") -> Transcript:
    return Transcript(chrom, strand, gene, name or f"{gene}.t", cds)


def compared(tmp_path: Path, reference: list[Transcript], prediction: list[Transcript]) -> AnnotationComparison:
    write_gff3(tmp_path / "ref.gff3", reference, CONTIGS)
    write_gff3(tmp_path / "pred.gff3", prediction, CONTIGS)
    return compare_annotations(tmp_path / "ref.gff3", tmp_path / "pred.gff3", n=20)


def counts(comparison: AnnotationComparison, level: str) -> tuple[int, int, int, int]:
    own = comparison.levels[level]
    return own.n_found, own.n_true, own.n_right, own.n_predicted


ISOFORM_1: Cds = ((100, 130), (200, 290), (400, 460))
ISOFORM_2: Cds = ((100, 130), (206, 290), (400, 460))
"""With another acceptor of its first intron."""
ONE_EXON: Cds = ((1000, 1300),)


def test_counts_are_those_by_hand(tmp_path: Path) -> None:
    reference = [
        transcript(ISOFORM_1, "a", "a.1"),
        transcript(ISOFORM_2, "a", "a.2"),
        transcript(ONE_EXON, "b", strand="-"),
        transcript(ONE_EXON, "c", chrom="c2"),
    ]
    prediction = [
        transcript(((100, 130), (206, 290), (400, 463)), "p"),  # the chain of a.2, and another end
        transcript(ONE_EXON, "q", strand="-"),
        transcript(ONE_EXON, "r", chrom="c2", strand="-"),  # on the wrong strand
        transcript(((3000, 3030), (3100, 3130)), "s"),
    ]
    found = compared(tmp_path, reference, prediction)
    assert counts(found, "base") == (30 + 84 + 60 + 300, 30 + 90 + 60 + 600, 474, 30 + 84 + 63 + 600 + 60)
    assert counts(found, "donor") == (2, 2, 2, 3)
    assert counts(found, "acceptor") == (2, 3, 2, 3)
    assert counts(found, "splice_site") == (4, 5, 4, 6)
    assert counts(found, "exon") == (3, 6, 3, 7)
    assert counts(found, "intron_chain") == (1, 2, 1, 2)
    assert counts(found, "transcript") == (1, 4, 1, 4)
    assert counts(found, "gene") == (1, 3, 1, 4)
    assert found.missed == {"exon": 1, "transcript": 1, "gene": 1}
    assert found.wrong == {"exon": 3, "transcript": 2, "gene": 2}
    assert (found.reference.n_genes, found.reference.n_transcripts, found.prediction.n_genes) == (3, 4, 4)
    exon = found.levels["exon"]
    assert (exon.sensitivity.value, exon.precision.value) == (0.5, 3 / 7)
    assert exon.f1.value == pytest.approx(6 / 13)


def test_a_gene_is_found_if_any_of_its_transcripts_is_exact(tmp_path: Path) -> None:
    reference = [transcript(ISOFORM_1, "a", "a.1"), transcript(ISOFORM_2, "a", "a.2")]
    found = compared(tmp_path, reference, [transcript(ISOFORM_2, "p"), transcript(ISOFORM_1, "q", strand="-")])
    assert counts(found, "gene") == (1, 1, 1, 2)
    assert counts(found, "transcript") == (1, 2, 1, 2)


def test_isoforms_that_differ_in_no_coding_base_are_one_transcript(tmp_path: Path) -> None:
    twice = [transcript(ISOFORM_1, "a", "a.1"), transcript(ISOFORM_1, "a", "a.2")]
    found = compared(tmp_path, twice, [transcript(ISOFORM_1, "p")])
    assert all(counts(found, level)[0] == counts(found, level)[1] for level in LEVELS)
    assert counts(found, "transcript") == (1, 1, 1, 1)
    assert found.reference.n_transcripts == 2


def test_genes_are_grouped_by_their_length_and_their_exons(tmp_path: Path) -> None:
    reference = [
        transcript(ISOFORM_1, "a"),
        transcript(((2000, 2030), (3970, 4030)), "b"),
        transcript(ONE_EXON, "c", strand="-"),
    ]
    prediction = [transcript(ISOFORM_1, "p"), transcript(((2000, 2030), (3973, 4030)), "q")]
    found = compared(tmp_path, reference, prediction)
    of_groups = {
        divided_by: {
            name: (own.n_found, own.n_true, own.n_right, own.n_predicted)
            for name, own in groups.items()
            if own.n_true + own.n_predicted
        }
        for divided_by, groups in found.groups.items()
    }
    assert of_groups == {
        "gene length": {"1-999 bp": (1, 2, 1, 1), "2,000-4,999 bp": (0, 1, 0, 1)},
        "coding exons": {"1": (0, 1, 0, 0), "2": (0, 1, 0, 1), "3-5": (1, 1, 1, 1)},
    }


def test_a_perfect_prediction_has_every_score_1_and_an_empty_one_finds_nothing(tmp_path: Path) -> None:
    genes = [transcript(ISOFORM_1, "a"), transcript(ONE_EXON, "b", strand="-")]
    found = compared(tmp_path, genes, genes)
    assert all(scores.f1.value == scores.f1.low == 1 for scores in found.levels.values())
    nothing = compared(tmp_path, genes, [])
    assert all(scores.sensitivity.value == 0 and np.isnan(scores.precision.value) for scores in nothing.levels.values())
    assert nothing.missed == {"exon": 4, "transcript": 2, "gene": 2}


def gtf(name: str, cds: Cds, strand: str = "+", kind: str = "CDS", chrom: str = "c1") -> str:
    return "".join(
        f'{chrom}\tx\t{kind}\t{start + 1}\t{end}\t.\t{strand}\t0\tgene_id "{name}"; transcript_id "{name}.t";\n'
        for start, end in cds
    )


def test_a_stop_codon_row_of_gtf_belongs_to_the_cds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_gff3(tmp_path / "ref.gff3", [transcript(ISOFORM_1, "a"), transcript(ONE_EXON, "b", strand="-")], CONTIGS)
    bare = gtf("p", (*ISOFORM_1[:2], (400, 457))) + gtf("q", ((1003, 1300),), "-")
    with_rows = bare + gtf("p", ((457, 460),), kind="stop_codon") + gtf("q", ((1000, 1003),), "-", "stop_codon")
    (tmp_path / "rows.gtf").write_text(with_rows)
    found = compare_annotations(tmp_path / "ref.gff3", tmp_path / "rows.gtf", n=20)
    assert all(scores.f1.value == 1 for scores in found.levels.values())
    assert "stop codons" not in caplog.text
    (tmp_path / "bare.gtf").write_text(bare)
    found = compare_annotations(tmp_path / "ref.gff3", tmp_path / "bare.gtf", n=20)
    assert found.levels["gene"].f1.value == 0
    assert "bare.gtf: 2 transcripts are those of" in caplog.text
    assert "leave out stop codons; give the genome" in caplog.text


LETTERS = "cc" + "ATGAAA" + "GTccccAG" + "CCCTAA" + "cc"
LEGAL: Cds = ((2, 8), (16, 22))


def test_with_a_genome_a_stop_codon_behind_the_cds_is_put_in(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(f">c1\n{LETTERS}\n")
    (tmp_path / "ref.gtf").write_text(gtf("a", LEGAL))
    (tmp_path / "pred.gtf").write_text(gtf("p", ((2, 8), (16, 19))))
    found = compare_annotations(tmp_path / "ref.gtf", tmp_path / "pred.gtf", tmp_path / "g.fa", n=20)
    assert all(scores.f1.value == 1 for scores in found.levels.values())
    for side in (found.reference, found.prediction):
        assert side.structures is not None
        assert (side.structures.n_transcripts, side.structures.n_introns, side.structures.n_illegal) == (1, 1, 0)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_illegal_structures_are_counted_for_each_side(tmp_path: Path, strand: str) -> None:
    letters = {
        "legal": LETTERS,
        "no_start": LETTERS.replace("ATGAAA", "CTGAAA"),
        "no_stop": LETTERS.replace("CCCTAA", "CCCTCA"),
        "stop_across_intron": LETTERS.replace("ATGAAA", "ATGAAT").replace("CCCTAA", "AGCTAA"),
        "not_3": LETTERS,
        "at_ac": LETTERS.replace("GTccccAG", "ATccccAC"),
        "gc_ag": LETTERS.replace("GTccccAG", "GCccccAG"),
    }
    cds = dict.fromkeys(letters, LEGAL) | {
        "stop_across_intron": ((2, 8), (16, 22)),
        "not_3": ((2, 8), (16, 21)),
    }
    # T | AG: the last base before the intron and the two behind it are a stop codon only where the phase is 1
    letters["stop_across_intron"] = "cc" + "ATGAAAT" + "GTccccAG" + "AGTAA" + "cc"
    cds["stop_across_intron"] = ((2, 9), (17, 22))
    genes, codes = [], {}
    for name, text in letters.items():
        codes[name], own = encode(text.encode()), cds[name]
        if strand == "-":
            length = len(text)
            codes[name], own = (
                reverse_complement(codes[name]),
                tuple((length - e, length - s) for s, e in reversed(own)),
            )
        genes.append(gtf(name, own, strand, chrom=name))
    (tmp_path / "g.fa").write_text("".join(f">{name}\n{decode(own)}\n" for name, own in codes.items()))
    (tmp_path / "pred.gtf").write_text("".join(genes))
    (tmp_path / "ref.gtf").write_text(genes[0])
    found = compare_annotations(tmp_path / "ref.gtf", tmp_path / "pred.gtf", tmp_path / "g.fa", n=20)
    assert found.reference.structures is not None and found.prediction.structures is not None
    assert found.reference.structures.n_illegal == 0
    assert found.prediction.structures.faults == {
        "intron not GT-AG or GC-AG": 1,
        "length not a multiple of 3": 1,
        "stop codon in frame": 1,
        "no start codon": 1,
        "no stop codon": 2,  # no_stop, and not_3, which ends one base early
    }
    assert found.prediction.structures.n_illegal == 5


def test_contigs_of_one_side_alone_are_named_and_their_genes_are_missed_or_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ref.gtf").write_text(gtf("a", ISOFORM_1) + gtf("b", ONE_EXON, chrom="old"))
    (tmp_path / "pred.gtf").write_text(
        gtf("p", ISOFORM_1) + gtf("q", ISOFORM_1, chrom="new1") + gtf("r", ONE_EXON, chrom="new2")
    )
    found = compare_annotations(tmp_path / "ref.gtf", tmp_path / "pred.gtf", n=20)
    assert (found.reference.only_here, found.reference.n_genes_only_here) == (("old",), 1)
    assert (found.prediction.only_here, found.prediction.n_genes_only_here) == (("new1", "new2"), 2)
    assert counts(found, "gene") == (1, 2, 1, 3)
    assert (found.missed["gene"], found.wrong["gene"]) == (1, 2)
    assert "1 contigs are not in" in caplog.text and "1 genes there count as missed: old" in caplog.text
    assert "2 genes there count as wrong: new1, new2" in caplog.text


def test_annotations_of_other_contigs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ref.gtf").write_text(gtf("a", ISOFORM_1, chrom="chr1"))
    (tmp_path / "pred.gtf").write_text(gtf("p", ISOFORM_1, chrom="1"))
    with pytest.raises(InputError, match="differ only in 'chr'"):
        compare_annotations(tmp_path / "ref.gtf", tmp_path / "pred.gtf")
    with pytest.raises(InputError, match=r"ref.gtf:3: 'a.t' ends at 460; expected at most the 22 bases of contig"):
        (tmp_path / "g.fa").write_text(f">chr1\n{LETTERS[:22]}\n")
        compare_annotations(tmp_path / "ref.gtf", tmp_path / "ref.gtf", tmp_path / "g.fa")


def test_a_file_without_a_gene_is_refused_but_a_prediction_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / "ref.gtf").write_text(gtf("a", ISOFORM_1))
    (tmp_path / "exons.gtf").write_text(gtf("a", ISOFORM_1, kind="exon"))
    (tmp_path / "empty.gff3").write_text("##gff-version 3\n")
    for reference, prediction in (("ref.gtf", "exons.gtf"), ("exons.gtf", "ref.gtf"), ("empty.gff3", "ref.gtf")):
        with pytest.raises(InputError, match=r"no (coding )?gene in it"):
            compare_annotations(tmp_path / reference, tmp_path / prediction)
    found = compare_annotations(tmp_path / "ref.gtf", tmp_path / "empty.gff3", n=20)
    assert counts(found, "gene") == (0, 1, 0, 0)


def test_predicted_genes_on_pseudogenes_of_the_reference_are_neither_right_nor_wrong(tmp_path: Path) -> None:
    pseudo = gtf("z", ((5000, 5300),)).replace(";\n", '; gene_biotype "pseudogene";\n')
    (tmp_path / "ref.gtf").write_text(gtf("a", ISOFORM_1) + pseudo)
    (tmp_path / "pred.gtf").write_text(gtf("p", ISOFORM_1) + gtf("q", ((5200, 5350), (5400, 5430))))
    found = compare_annotations(tmp_path / "ref.gtf", tmp_path / "pred.gtf", n=20)
    assert found.n_unclear == 1
    assert counts(found, "gene") == (1, 1, 1, 1)
    assert counts(found, "base") == (180, 180, 180, 180 + 50 + 30)
    assert found.reference.left_out == {"transcripts_of_pseudogenes": 1}


def test_partial_genes_are_read_in_their_phase_and_may_lack_their_ends(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(">c1\n" + "AATGACCCCAGG" + "\n>c2\nACGT\n")
    partial = replace(transcript(((0, 11),), "a"), phase=1, is_partial=True)  # A ATG ACC CCA G
    write_gff3(tmp_path / "a.gff3", [partial], [("c1", 12), ("c2", 4)])
    found = compare_annotations(tmp_path / "a.gff3", tmp_path / "a.gff3", tmp_path / "g.fa", n=20)
    assert found.prediction.structures is not None
    assert (found.prediction.n_partial, found.prediction.structures.n_illegal) == (1, 0)
    write_gff3(tmp_path / "a.gff3", [replace(partial, phase=2)], [("c1", 12), ("c2", 4)])  # AA TGA CCC CAG
    found = compare_annotations(tmp_path / "a.gff3", tmp_path / "a.gff3", tmp_path / "g.fa", n=20)
    assert found.prediction.structures is not None
    assert found.prediction.structures.faults["stop codon in frame"] == 1


def test_transcripts_on_contigs_that_the_genome_lacks_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "g.fa").write_text(f">c1\n{LETTERS}\n")
    (tmp_path / "a.gtf").write_text(gtf("a", LEGAL) + gtf("b", LEGAL, chrom="c2"))
    found = compare_annotations(tmp_path / "a.gtf", tmp_path / "a.gtf", tmp_path / "g.fa", n=20)
    assert found.prediction.structures is not None
    assert (found.prediction.n_not_judged, found.prediction.structures.n_transcripts) == (1, 1)
    assert counts(found, "gene") == (2, 2, 2, 2)
    assert "1 transcripts on 1 contigs that are not in" in caplog.text


def test_a_comparison_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder; make it first"):
        dnaspt.compare_annotations(tmp_path / "a.gtf", tmp_path / "b.gtf", out=tmp_path / "nowhere" / "o.csv")
    with pytest.raises(ConfigError, match="genetic_code = '1'; expected a whole number"):
        dnaspt.compare_annotations(tmp_path / "a.gtf", tmp_path / "b.gtf", genetic_code="1")


def test_what_is_written_says_what_the_comparison_says(tmp_path: Path) -> None:
    found = compared(tmp_path, [transcript(ISOFORM_1, "a"), transcript(ONE_EXON, "b")], [transcript(ISOFORM_1, "p")])
    frame = found.to_frame()
    assert frame["level"].tolist()[: len(LEVELS)] == list(LEVELS)
    exon = frame[(frame["level"] == "exon")].iloc[0]
    assert (exon["sensitivity"], exon["precision"], exon["n_true"], exon["n_found"], exon["missed"]) == (
        0.75,
        1,
        4,
        3,
        1,
    )
    write_comparison(found, tmp_path / "o.csv")
    header, *rows = (tmp_path / "o.csv").read_text().splitlines()
    assert header.split(",") == list(frame.columns)
    assert len(rows) == len(frame)
    write_comparison(found, tmp_path / "o.json")
    content = json.loads((tmp_path / "o.json").read_text())
    assert content == json.loads(json.dumps(found.to_dict()))
    assert content["levels"]["exon"]["n_found"] == 3
    assert content["prediction"]["structures"] is None


def test_intervals_resample_blocks_and_hold_the_score(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    reference = random_genes(rng, n_isoforms=1)
    found = compared(tmp_path, reference, changed(reference, rng))
    assert found.n_blocks > 6
    for level in LEVELS:
        f1 = found.levels[level].f1
        assert f1.low < f1.value < f1.high, level
    predicted = changed(reference, np.random.default_rng(3))
    assert str(compared(tmp_path, reference, predicted)) == str(compared(tmp_path, reference, predicted))


def random_genes(rng: np.random.Generator, *, n_isoforms: int) -> list[Transcript]:
    """Genes that do not overlap, each with up to n_isoforms different isoforms."""
    transcripts = []
    for chrom, length in CONTIGS:
        position = int(rng.integers(50, 500))
        while position < length - 6000:
            strand, name = "+-"[rng.integers(2)], f"{chrom}.{position}"
            cuts = position + np.cumsum(rng.integers(4, 300, 2 * rng.integers(1, 6)))
            cds = list(zip(cuts[::2].tolist(), cuts[1::2].tolist(), strict=True))
            isoforms = {tuple(cds)}
            for _ in range(rng.integers(n_isoforms)):
                isoforms.add(one_changed(cds, rng))
            transcripts += [
                transcript(own, name, f"{name}.{n}", strand, chrom) for n, own in enumerate(sorted(isoforms))
            ]
            position = int(cuts[-1]) + int(rng.integers(20, 3000))
    return transcripts


def one_changed(cds: Iterable[tuple[int, int]], rng: np.random.Generator) -> Cds:
    """Exons with one end moved by a base or two, or one exon left out or added."""
    own = [list(exon) for exon in cds]
    k, how = int(rng.integers(len(own))), int(rng.integers(4))
    if how == 0 and len(own) > 1:
        del own[k]
    elif how == 1 and own[k][1] - own[k][0] > 40:
        start, end = own[k]
        own[k : k + 1] = [[start, start + 10], [start + 20, end]]
    else:
        side = int(rng.integers(2))
        own[k][side] += (1 if side else -1) * int(rng.integers(1, 3))
    return tuple((start, end) for start, end in own)


def changed(genes: list[Transcript], rng: np.random.Generator) -> list[Transcript]:
    """What a gene finder might predict instead: genes that are lost, changed, on the wrong strand, or new."""
    predicted: dict[tuple[str, str, Cds], Transcript] = {}
    for gene in genes:
        fate = rng.random()
        if fate < 0.15:
            continue
        own = replace(gene, gene_id=f"p{gene.gene_id}", transcript_id=f"p{gene.transcript_id}")
        if fate < 0.4:
            own = replace(own, cds=one_changed(own.cds, rng))
        elif fate < 0.45:
            own = replace(own, strand="-" if own.strand == "+" else "+", gene_id=f"r{gene.transcript_id}")
        predicted.setdefault((own.chrom, own.strand, own.cds), own)
    for chrom, length in CONTIGS:
        for n, start in enumerate(range(length - 5000, length - 4000, 300)):
            own = transcript(((start, start + 60),), f"n{n}{chrom}", chrom=chrom)
            predicted[chrom, "+", own.cds] = own
    return list(predicted.values())


_GT_LINE = re.compile(r"(.+?):\s+(?:[\d.]+%|-?nan%) \((.+?)\)(?: \((?:missing|wrong) \w+: (\d+)\))?$")


def gt_eval(reference: Path, prediction: Path) -> dict[str, tuple[int, ...]]:
    """The counts that `gt eval` prints, by the words of each line: hits, all, and what overlaps nothing."""
    ran = subprocess.run(["gt", "eval", reference, prediction], capture_output=True, text=True, check=True)
    found = {}
    for line in ran.stdout.splitlines():
        match = _GT_LINE.match(line)
        assert match, line
        numbers = re.findall(r"\d+", match[2])
        if "TP=" in match[2]:  # TP=a/(TP=a + FN=b)
            found[match[1]] = (int(numbers[0]), int(numbers[0]) + int(numbers[2]))
        else:
            found[match[1]] = (int(numbers[0]), int(numbers[1]), *([int(match[3])] if match[3] else []))
    return found


def assert_as_gt_eval(folder: Path, *, with_genes: bool, with_missed: bool) -> None:
    """Counts of ref.gff3 and pred.gff3 are those of `gt eval` at its CDS level.

    Genes of several isoforms are left out: `gt eval` takes genes with different numbers of isoforms as equal without looking.
    What overlaps nothing is left out where genes overlap each other: it looks at others only if none has the same ends.
    """
    gt = gt_eval(folder / "ref.gff3", folder / "pred.gff3")
    found = compare_annotations(folder / "ref.gff3", folder / "pred.gff3", n=2)
    for level, name in (
        ("base", "nucleotide {} (CDS level)"),
        ("exon", "exon {} (CDS level, all, collapsed)"),
        ("transcript", "mRNA {} (CDS level)"),
        ("gene", "gene {} (CDS level)"),
    ):
        if level == "gene" and not with_genes:
            continue
        own = found.levels[level]
        sensitivity, precision = gt[name.format("sensitivity")], gt[name.format("specificity")]
        assert (own.n_found, own.n_true) == sensitivity[:2], level
        assert (own.n_right, own.n_predicted) == precision[:2], level
        if with_missed and level in ("transcript", "gene"):
            assert (found.missed[level], found.wrong[level]) == (sensitivity[2], precision[2]), level


needs_gt = pytest.mark.skipif(not shutil.which("gt"), reason="gt is not installed (apt-get install genometools)")


@pytest.mark.tool
@needs_gt
@pytest.mark.parametrize("n_isoforms", [1, 4])
@pytest.mark.parametrize("seed", range(6))
def test_counts_are_those_of_gt_eval_on_random_annotations(tmp_path: Path, seed: int, n_isoforms: int) -> None:
    rng = np.random.default_rng(seed)
    reference = random_genes(rng, n_isoforms=n_isoforms)
    write_gff3(tmp_path / "ref.gff3", reference, CONTIGS)
    write_gff3(tmp_path / "pred.gff3", changed(reference, rng), CONTIGS)
    assert_as_gt_eval(tmp_path, with_genes=n_isoforms == 1, with_missed=n_isoforms == 1)


@pytest.mark.real
@pytest.mark.tool
@needs_gt
@pytest.mark.parametrize("longest_only", [True, False])
@pytest.mark.parametrize("name", ["athaliana", "celegans"])
def test_counts_are_those_of_gt_eval_on_real_annotations(
    real_data: Path, tmp_path: Path, name: str, longest_only: bool
) -> None:
    annotation = read_annotation(real_data / "gene_finding" / name / "annotation.gff3.gz")
    different = {(own.chrom, own.strand, own.cds): own for own in (one.transcript for one in annotation.transcripts)}
    genes: dict[tuple[str, str], Transcript] = {}
    for own in different.values():
        key = (own.chrom, own.gene_id)
        genes[key] = max(genes.get(key, own), own, key=lambda isoform: isoform.cds_bp)
    reference = [replace(own, phase=0) for own in (genes if longest_only else different).values()]
    ends: dict[str, int] = {}
    for own in reference:
        ends[own.chrom] = max(ends.get(own.chrom, 0), own.end + 10)
    rng = np.random.default_rng(0)
    predicted: dict[tuple[str, str, Cds], Transcript] = {}
    for own in reference:
        if rng.random() < 0.2:
            continue
        cds = one_changed(own.cds, rng) if rng.random() < 0.4 else own.cds
        predicted.setdefault((own.chrom, own.strand, cds), replace(own, cds=cds))
    write_gff3(tmp_path / "ref.gff3", reference, ends.items())
    write_gff3(tmp_path / "pred.gff3", predicted.values(), ends.items())
    assert_as_gt_eval(tmp_path, with_genes=longest_only, with_missed=False)
    with gzip.open(tmp_path / "ref.gff3.gz", "wt") as packed:
        packed.write((tmp_path / "ref.gff3").read_text())
    found = compare_annotations(tmp_path / "ref.gff3.gz", tmp_path / "pred.gff3", n=2)
    assert found.levels["gene"].n_true == len({(own.chrom, own.gene_id) for own in reference})


def test_nothing_is_said_where_nothing_is_odd(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        compared(tmp_path, [transcript(ISOFORM_1)], [transcript(ISOFORM_1)])
    assert caplog.text == ""
