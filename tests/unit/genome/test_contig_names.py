"""Contig names of a file against those of its genome."""

from pathlib import Path

import pytest

from dnaspt.errors import InputError
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import contig_names

FILE, GENOME = Path("peaks.bed"), Path("g.fa")


def test_names_of_contigs_are_those_of_the_records(tmp_path: Path) -> None:
    path = tmp_path / "g.fa"
    path.write_bytes(b"\xef\xbb\xbf>a words\r\nAC>GT\r\n>b\nAC\n>c")
    assert contig_names(path) == ["a", "b", "c"]


def test_absent_contigs_are_named_in_order_and_present_ones_are_no_error() -> None:
    assert check_contigs(FILE, ["c", "z", "a", "y"], GENOME, {"a", "b", "c"}, strict=False) == ["y", "z"]
    assert check_contigs(FILE, ["c", "a"], GENOME, {"a", "b", "c"}, strict=True) == []
    assert check_contigs(FILE, [], GENOME, {"a"}, strict=True) == []


def test_a_file_without_a_contig_of_the_genome_is_refused() -> None:
    expected = (
        r"peaks.bed: contig 'y' has no record in g.fa \(2 of 2 contigs have none\); expected names such as 'a'; is it"
    )
    with pytest.raises(InputError, match=expected):
        check_contigs(FILE, ["z", "y"], GENOME, {"b", "a"}, strict=False)


def test_names_that_differ_only_in_chr_get_a_hint_in_either_direction() -> None:
    for names, present in ((["chr1"], {"1"}), (["1"], {"chr1"})):
        with pytest.raises(InputError, match="the names differ only in 'chr': rename one side"):
            check_contigs(FILE, names, GENOME, present, strict=False)


def test_with_strict_a_single_absent_contig_is_refused() -> None:
    with pytest.raises(InputError, match=r"contig 'z' has no record in g.fa \(1 of 2 contigs have none\)"):
        check_contigs(FILE, ["a", "z"], GENOME, {"a"}, strict=True)
