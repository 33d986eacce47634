"""BEND's table of variants: what a row must hold."""

from collections import Counter
from pathlib import Path

import pytest

from dnaspt.bend.variants import Allele, VariantTable, _allele_table, _alleles, read_variant_table
from dnaspt.errors import InputError
from dnaspt.genome.alphabet import encode
from dnaspt.genome.fasta import Contig

HEADER = "chromosome\tstart\tend\tref\talt\tlabel\n"


def table(path: Path, *rows: str, header: str = HEADER) -> VariantTable:
    path.write_text(header + "".join(f"{row}\n" for row in rows))
    return read_variant_table(path)


def contig(letters: str) -> Contig:
    return Contig("chr1", encode(letters))


def test_a_table_is_read_with_its_lines(tmp_path: Path) -> None:
    read = table(tmp_path / "x.bed", "chr1\t4\t5\ta\tg\t1", "chr2\t7\t8\tC\tT\t0")
    assert read.chrom.tolist() == ["chr1", "chr2"] and read.start.tolist() == [4, 7]
    assert read.alt.tolist() == ["G", "T"] and read.label.tolist() == [1, 0] and read.line.tolist() == [2, 3]
    assert read.ref is not None and read.ref.tolist() == ["a", "C"]
    bare = table(tmp_path / "y.bed", "chr1\t4\t5\tg\t1", header=HEADER.replace("ref\t", ""))
    assert bare.ref is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("chr1\t4\t5\tA\tGG\t1", r"alt GG; expected one of A, C, G, T"),
        ("chr1\t4\t6\tA\tG\t1", r"end 6; expected start \+ 1: one base"),
        ("chr1\t4\t5\tA\tG\t2", r"label 2; expected 0 or 1"),
    ],
)
def test_a_row_that_is_no_variant_is_named_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"x\.bed:3: {message}"):
        table(tmp_path / "x.bed", "chr1\t1\t2\tA\tG\t0", row)


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column alt; expected chromosome, start, end, alt, label"):
        table(tmp_path / "x.bed", "chr1\t1\t2\tA\t0", header=HEADER.replace("alt\t", ""))


def test_alleles_are_those_of_the_genome_and_others_are_counted(tmp_path: Path) -> None:
    rows = ("chr1\t0\t1\tA\tG\t1", "chr1\t1\t2\tA\tG\t1", "chr1\t2\t3\tN\tT\t0", "chr1\t3\t4\tt\tc\t0")
    read, dropped = table(tmp_path / "x.bed", *rows), Counter[str]()
    kept = list(_alleles(read, contig("ACNT"), read.label * 0 + [0, 1, 2, 3], dropped, strict=False))
    assert kept == [(0, Allele("chr1", 0, "A", "G")), (3, Allele("chr1", 3, "T", "C"))]
    assert dropped == {"reference_mismatch": 1, "unknown_bases": 1}
    with pytest.raises(InputError, match=r"x\.bed:3: ref A; expected C, as the genome has it"):
        list(_alleles(read, contig("ACNT"), read.label * 0 + [0, 1, 2, 3], dropped, strict=True))
    with pytest.raises(InputError, match=r"x\.bed:5: chr1:3 is off the contig; expected at most 3 bp"):
        list(_alleles(read, contig("ACN"), read.label * 0 + [3, 3, 3, 3], dropped, strict=False))


def test_the_table_of_alleles_has_a_row_for_each() -> None:
    found = _allele_table([Allele("chr1", 4, "A", "G"), Allele("chr2", 7, "C", "T")])
    assert found.to_pylist()[1] == {"chrom": "chr2", "pos": 7, "ref": "C", "alt": "T"}
    assert [str(kind) for kind in found.schema.types] == ["string", "int64", "string", "string"]
    assert _allele_table([]).num_rows == 0
