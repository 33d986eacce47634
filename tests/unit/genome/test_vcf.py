"""VCF files: alleles out of them, and the same lines with more in INFO."""

import gzip
import importlib
import itertools
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pysam
import pysam.bcftools
import pytest

from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.vcf import Allele, InfoField, normalize, read_alleles, write_info

COLUMNS = "CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n"
RECORDS = (
    "chr1\t5\trs1\tA\tg,AT\t.\tPASS\tDP=3\tGT\t0/1\n"
    "chr1\t9\t.\tAC\tA,<DEL>\t9\t.\t.\tGT\t1/1\n"
    "chr2\t1\t.\tT\t.\t.\t.\tOLD=1;SCORE=7\tGT\t0/0\n"
    "chr2\t0\t.\tN\tC\t.\t.\t.\tGT\t0/0\n"
)
SCORE, DELTA = InfoField("SCORE", "A", "how much"), InfoField("DELTA", ".", "of each label")


def write(folder: Path, text: str) -> Path:
    path = folder / "a.vcf"
    path.write_text(text)
    return path


def test_alleles_with_letters_are_read_and_the_others_counted(tmp_path: Path) -> None:
    alleles = read_alleles(write(tmp_path, HEAD + RECORDS))
    assert dict(alleles.by_contig) == {
        "chr1": [Allele(0, 0, 4, "A", "G"), Allele(0, 1, 4, "A", "AT"), Allele(1, 0, 8, "AC", "A")]
    }
    assert alleles.n_records == 4
    assert +alleles.skipped == {"symbolic_allele": 2, "no_alternative": 1}


def test_every_kind_of_alternative_is_read_or_counted(tmp_path: Path) -> None:
    """Lower case and letters of IUPAC are letters; what stands for a sequence is none; an ALT that is REF is no change."""
    kinds = "t,G,r,N,*,<DEL>,<*>,<NON_REF>,.,-,,A[chr2:5[,]chr2:5]A,.A,A,aC"
    text = HEAD + f"chr1\t5\t.\ta\t{kinds}\t.\t.\t.\n" + "chr1\t6\t.\tR\tG\t.\t.\t.\n" + "chr1\t7\t.\t.\tG\t.\t.\t.\n"
    alleles = read_alleles(write(tmp_path, text))
    (known,) = alleles.by_contig.values()
    assert known == [
        *(Allele(0, number, 4, "A", alt) for number, alt in enumerate("TGRN")),
        Allele(0, 15, 4, "A", "AC"),
        Allele(1, 0, 5, "R", "G"),
    ]
    assert +alleles.skipped == {"symbolic_allele": 11, "same_as_reference": 1}


CONTIG = "GCAAAATCGCGCGT"


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ((2, "A", "T"), (2, "A", "T")),
        ((1, "CA", "CT"), (2, "A", "T")),
        ((1, "CAA", "CTA"), (2, "A", "T")),
        ((0, "GCAAAAT", "GCAATAT"), (4, "A", "T")),
        ((1, "CAAA", "CTGA"), (2, "AA", "TG")),
        ((1, "CAA", "GAT"), (1, "CAA", "GAT")),
        ((1, "CAAAAT", "CGCAT"), (2, "AAA", "GC")),
        ((1, "CA", "C"), (1, "CA", "C")),
        ((4, "AA", "A"), (1, "CA", "C")),
        ((2, "AAAA", "AA"), (1, "CAA", "C")),
        ((5, "AT", "AAT"), (1, "C", "CA")),
        ((5, "A", "AG"), (5, "A", "AG")),
        ((11, "CG", "CGCG"), (6, "T", "TCG")),
        ((9, "CGCG", "CG"), (6, "TCG", "T")),
        ((10, "GC", "G"), (10, "GC", "G")),
        ((0, "GC", "C"), (0, "GC", "C")),
        ((0, "G", "TG"), (0, "G", "TG")),
        ((0, "G", "GG"), (0, "G", "GG")),
        ((12, "GT", "G"), (12, "GT", "G")),
        ((13, "T", "TA"), (13, "T", "TA")),
    ],
)
def test_an_allele_is_written_with_the_fewest_letters_as_far_to_the_left_as_can_be(
    written: tuple[int, str, str], normal: tuple[int, str, str]
) -> None:
    codes = alphabet.encode(CONTIG.replace("AAAA", "AaAa"))
    assert normalize(Allele(7, 2, *written), codes) == Allele(7, 2, *normal)


@pytest.mark.parametrize("contig", ["ACACAC", "AAACAA", "CCCCC", "ACCACCA"])
def test_alleles_are_equal_if_and_only_if_they_make_the_same_sequence(contig: str) -> None:
    """All alleles of up to three letters, at all positions; the shortest of each group, farthest to the left, is the one."""
    texts = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product("AC", repeat=n)]
    codes = alphabet.encode(contig)
    by_sequence = defaultdict(set)
    written = defaultdict(list)
    for start in range(len(contig)):
        for n in range(1, min(3, len(contig) - start) + 1):
            for alt in texts:
                ref = contig[start : start + n]
                sequence = contig[:start] + alt + contig[start + n :]
                if alt != ref and sequence != contig:
                    by_sequence[sequence].add(normalize(Allele(0, 0, start, ref, alt), codes))
                    written[sequence].append((len(ref) + len(alt), start, ref, alt))
    assert len(by_sequence) > 50
    for sequence, alleles in by_sequence.items():
        (allele,) = alleles
        assert contig[allele.start :].startswith(allele.ref)
        assert contig[: allele.start] + allele.alt + contig[allele.start + len(allele.ref) :] == sequence
        assert (len(allele.ref) + len(allele.alt), *allele[2:]) == min(written[sequence])


def test_normal_alleles_are_those_of_bcftools(tmp_path: Path) -> None:
    chance = random.Random(0)
    contig = "".join(chance.choices("ACGT", k=40) + chance.choices("AC", k=200))
    (tmp_path / "g.fa").write_text(f">chr1\n{contig}\n")
    rows = []
    for number in range(500):
        start, n = chance.randrange(len(contig)), chance.randrange(1, 8)
        ref, alt = contig[start : start + n], "".join(chance.choices("AC", k=chance.randrange(1, 8)))
        if alt != ref:
            rows.append((start + 1, number, ref, alt))
    records = "".join(f"chr1\t{pos}\tr{number}\t{ref}\t{alt}\t.\t.\t.\n" for pos, number, ref, alt in sorted(rows))
    vcf = write(tmp_path, f"##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#{COLUMNS}\n{records}")
    expected = {}
    for line in pysam.bcftools.norm("-f", str(tmp_path / "g.fa"), str(vcf)).splitlines():
        if not line.startswith("#"):
            _, pos, name, ref, alt, *_ = line.split("\t")
            expected[name] = (int(pos) - 1, ref, alt)
    names = [line.split("\t")[2] for line in records.splitlines()]
    for allele in read_alleles(vcf).by_contig["chr1"]:
        assert normalize(allele, alphabet.encode(contig))[2:] == expected[names[allele.record]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RECORDS, r"a\.vcf:1: 'chr1.*; expected VCF: a header that ends with #CHROM"),
        ("", r"a\.vcf: no header; expected VCF"),
        (HEAD + "chr1\t5\t.\tA\tC\t.\t.\n", r"a\.vcf:3: .*; expected CHROM, POS, ID, REF, ALT, QUAL, FILTER, INFO"),
        (HEAD + RECORDS.replace("\t9\t", "\tx\t", 1), r"a\.vcf:4: "),
        pytest.param(
            HEAD + RECORDS.replace("\t9\t", f"\t{'9' * 5000}\t", 1), r"a\.vcf:4: ", id="position of 5000 digits"
        ),
        (HEAD + RECORDS.replace("\t9\t", "\t\u0663\t", 1), r"a\.vcf:4: "),
    ],
)
def test_other_files_are_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_alleles(write(tmp_path, text))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_line_ends_and_gzip_do_not_matter(end: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    expected = read_alleles(write(tmp_path, HEAD + RECORDS))
    path = tmp_path / "b.vcf.gz"
    path.write_bytes(pack((HEAD + RECORDS).replace("\n", end).encode()))
    assert read_alleles(path) == expected
    write_info(path, tmp_path / "out.vcf", {}, {})
    lines = (tmp_path / "out.vcf").read_bytes().decode().split("\n")
    assert [line for line in lines if not line.startswith("##dnaspt")] == (HEAD + RECORDS).split("\n")


def test_bcf_and_utf16_are_named_with_what_to_do(tmp_path: Path) -> None:
    vcf = write(tmp_path, HEAD + "chr1\t5\t.\tA\tC\t.\tPASS\t.\tGT\t0/1\n")
    text = vcf.read_text().replace(
        "#CHROM", '##contig=<ID=chr1>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n#CHROM'
    )
    vcf.write_text(text)
    for option in ("-Ob", "-Ou"):
        pysam.bcftools.view(option, "-o", str(tmp_path / "a.bcf"), str(vcf), catch_stdout=False)
        with pytest.raises(InputError, match=r"a\.bcf: is BCF, the binary form of VCF; .*bcftools view -Ov"):
            read_alleles(tmp_path / "a.bcf")
    vcf.write_bytes(text.encode("utf-16"))
    with pytest.raises(InputError, match=r"a\.vcf: text in UTF-16"):
        read_alleles(vcf)


def test_bytes_that_are_not_utf8_are_written_as_they_came(tmp_path: Path) -> None:
    source, out = tmp_path / "a.vcf", tmp_path / "out.vcf"
    head = b"##center=Universit\xe9\n" + HEAD.encode()
    source.write_bytes(head + b"chr1\t5\t.\tA\tC\t.\tPASS\tNOTE=caf\xe9\tGT\t0/1\n")
    write_info(source, out, {SCORE: (1, lambda *_: [0.5])}, {})
    assert b"##center=Universit\xe9\n" in out.read_bytes() and b"\tNOTE=caf\xe9;SCORE=0.5\t" in out.read_bytes()


def scores(record: int, alternative: int) -> list[float] | None:
    return {(0, 0): [0.25], (0, 1): [1e-7], (1, 0): [float("nan")]}.get((record, alternative))


def deltas(record: int, alternative: int) -> list[float] | None:
    return [1.0, -2.5] if (record, alternative) == (0, 1) else None


def test_a_copy_has_the_same_lines_and_the_fields(tmp_path: Path) -> None:
    source, out = write(tmp_path, HEAD + RECORDS), tmp_path / "out.vcf"
    write_info(source, out, {SCORE: (1, scores), DELTA: (2, deltas)}, {"spt_run": "runs/a"})
    lines = out.read_text().splitlines()
    assert lines[0] == "##fileformat=VCFv4.2" and lines[1].startswith("##dnaspt=version=")
    assert lines[2:6] == [
        "##spt_run=runs/a",
        '##INFO=<ID=SCORE,Number=A,Type=Float,Description="how much">',
        '##INFO=<ID=DELTA,Number=.,Type=Float,Description="of each label">',
        HEAD.splitlines()[1],
    ]
    info = [line.split("\t")[7] for line in lines[6:]]
    assert info == ["DP=3;SCORE=0.25,1e-07;DELTA=.,.,1,-2.5", "SCORE=.,.", "OLD=1", "."]
    before, after = (HEAD + RECORDS).splitlines()[2:], lines[6:]
    for old, new in zip(before, after, strict=True):
        assert [*old.split("\t")[:7], *old.split("\t")[8:]] == [*new.split("\t")[:7], *new.split("\t")[8:]]


def test_fields_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    first, second = tmp_path / "1.vcf", tmp_path / "2.vcf"
    write_info(write(tmp_path, HEAD + RECORDS), first, {SCORE: (1, scores)}, {"spt_run": "runs/a"})
    write_info(first, second, {SCORE: (1, lambda record, alternative: [float(record)])}, {"spt_run": "runs/b"})
    text = second.read_text()
    assert text.count("##spt_run=") == text.count("##INFO=<ID=SCORE,") == text.count("##dnaspt=") == 1
    info = [line.split("\t")[7] for line in text.splitlines() if not line.startswith("#")]
    assert info == ["DP=3;SCORE=0,0", "SCORE=1,1", "OLD=1", "SCORE=3"]


def test_a_name_that_ends_in_gz_is_written_as_bgzip(tmp_path: Path) -> None:
    source, plain, packed = write(tmp_path, HEAD + RECORDS), tmp_path / "out.vcf", tmp_path / "out.vcf.gz"
    for out in (plain, packed):
        write_info(source, out, {SCORE: (1, scores)}, {})
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    pysam.tabix_index(str(packed), preset="vcf", force=True)
    alleles = read_alleles(packed)
    assert alleles == read_alleles(source)


def test_without_pysam_bgzip_is_refused_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    source = write(tmp_path, HEAD + RECORDS)
    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigError, match="pip install pysam, or write"):
        write_info(source, tmp_path / "out.vcf.gz", {SCORE: (1, scores)}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.vcf"]
