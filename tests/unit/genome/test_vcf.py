"""VCF files: alleles out of them, and the same lines with more in INFO."""

import gzip
import importlib
from pathlib import Path

import pysam
import pytest

from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.vcf import Allele, InfoField, read_alleles, write_info

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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RECORDS, r"a\.vcf:1: 'chr1.*; expected VCF: a header that ends with #CHROM"),
        ("", r"a\.vcf: no header; expected VCF"),
        (HEAD + "chr1\t5\t.\tA\tC\t.\t.\n", r"a\.vcf:3: .*; expected CHROM, POS, ID, REF, ALT, QUAL, FILTER, INFO"),
        (HEAD + RECORDS.replace("\t9\t", "\tx\t", 1), r"a\.vcf:4: "),
    ],
)
def test_other_files_are_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_alleles(write(tmp_path, text))


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
