"""Rows of GFF3 and GTF: coordinates, attributes, and what a file says beside its features."""

from pathlib import Path

import pytest

from dnaspt.errors import InputError
from dnaspt.genome.gff3_rows import Feature, Metadata, attributes_of, read_features
from dnaspt.genome.intervals import Interval


def read(folder: Path, text: str) -> tuple[list[Feature], Metadata]:
    path, metadata = folder / "a.gff3", Metadata()
    path.write_text(text)
    return list(read_features(path, metadata)), metadata


def row(attributes: str, contig: str = "chr1", coordinates: str = "11\t20") -> str:
    return f"{contig}\tx\tCDS\t{coordinates}\t.\t-\t2\t{attributes}\n"


def test_a_row_becomes_a_feature_with_a_half_open_interval(tmp_path: Path) -> None:
    features, _ = read(tmp_path, "# comment\n\n" + row("ID=c;Parent=t"))
    assert features == [Feature(3, "CDS", Interval("chr1", 10, 20, "-"), "2", "ID=c;Parent=t", "x")]


def test_what_a_file_says_beside_its_features_is_kept(tmp_path: Path) -> None:
    text = "##gff-version 3\n##sequence-region chr%7C1 1 900\n##sequence-region chr2 1 0\n"
    features, metadata = read(tmp_path, text + row("ID=c", "chr%7C1") + row("ID=d") + "##FASTA\n>chr1\nACGT\n")
    assert len(features) == metadata.n_features == 2
    assert (metadata.dialect, metadata.has_version) == ("gff3", True)
    assert metadata.contigs == {"chr|1", "chr1"} and metadata.lengths == {"chr|1": 900, "chr2": 0}


@pytest.mark.parametrize(
    ("column", "dialect"),
    [
        ("ID=c", "gff3"),
        (" ; ID=c;", "gff3"),
        ("Note some words=c", "gff3"),
        ('"ID=c"', "gff3"),
        ('gene_id "g=5";', "gtf"),
        ('gene_id "g"; transcript_id "t";', "gtf"),
        ("gene_id 12; transcript_id 13", "gtf"),
    ],
)
def test_the_first_column_9_that_is_not_empty_tells_the_dialect(tmp_path: Path, column: str, dialect: str) -> None:
    assert read(tmp_path, row(".") + row(column) + row("ID=x"))[1].dialect == dialect


def test_percent_encoding_is_resolved_in_contigs_of_gff3_alone(tmp_path: Path) -> None:
    assert read(tmp_path, row("ID=c", "chr%7C1"))[0][0].interval.contig == "chr|1"
    assert read(tmp_path, row('gene_id "g";', "chr%7C1"))[0][0].interval.contig == "chr%7C1"


def feature(attributes: str) -> Feature:
    return Feature(7, "CDS", Interval("c", 0, 9), ".", attributes)


def test_attributes_of_gff3_stay_encoded_and_lose_blanks() -> None:
    found = attributes_of(Path("a"), feature(" ID = c%3B1 ; Parent=t%2C1,u;flag; Note=a=b"), "gff3")
    assert found == {"ID": "c%3B1", "Parent": "t%2C1,u", "Note": "a=b"}
    assert attributes_of(Path("a"), feature("."), "gff3") == {}


def test_attributes_of_gtf_keep_what_stands_in_quotes_and_the_first_of_equal_keys() -> None:
    text = 'gene_id "g; 1"; transcript_id "t"; level 2; tag "basic"; tag "CCDS"'
    expected = {"gene_id": "g; 1", "transcript_id": "t", "level": "2", "tag": "basic"}
    assert attributes_of(Path("a"), feature(text), "gtf") == expected


def test_attributes_that_are_no_pairs_are_refused_with_the_line() -> None:
    with pytest.raises(InputError, match=r"a\.gff3:7: column 9 'nonsense'; expected key=value pairs of GFF3"):
        attributes_of(Path("a.gff3"), feature("nonsense"), "gff3")


def test_rows_before_a_malformed_one_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3"
    path.write_text(row("ID=c") + row("ID=d", coordinates="9\t3"))
    features = read_features(path, Metadata())
    assert next(features).line == 1
    with pytest.raises(InputError, match=r"a\.gff3:2: start 9 after end 3; expected start <= end"):
        next(features)


def test_coordinates_that_no_chromosome_has_are_refused(tmp_path: Path) -> None:
    path, metadata = tmp_path / "a.gff3", Metadata()
    path.write_text(f"##sequence-region c 1 {10**15}\n" + row("ID=c") + row("ID=d", coordinates=f"9\t{10**12}"))
    with pytest.raises(InputError, match=r"a\.gff3:3: end 1,000,000,000,000; expected at most 20,000,000,000"):
        list(read_features(path, metadata))
    assert not metadata.lengths and "sequence_regions_without_coordinates" in metadata.odd_regions
