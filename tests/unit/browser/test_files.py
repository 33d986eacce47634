import gzip
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from dnaspt.browser.files import kind_of, named_files, unique_names
from dnaspt.errors import InputError
from dnaspt.genome.bigwig import write_bigwig

LENGTHS = {"chr1": 1000, "chr2": 500}
GENES = "chr1\tRefSeq\tgene\t101\t200\t.\t+\t.\tID=g\n"
PREDICTED = "chr1\tdnaspt\tgene\t101\t200\t0.9\t+\t.\tID=g\n"


def bigwig(path: Path, chrom: str = "chr1") -> Path:
    write_bigwig(path, [(chrom, 1000)], [(chrom, np.array([0]), np.array([10]), np.array([0.5]))])
    return path


def test_tracks_stand_in_a_sensible_order(tmp_path: Path) -> None:
    written = {
        "calls.vcf": "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t5\t.\tA\tC\t.\t.\t.\n",
        "peaks.bed": "chr1\t10\t20\n",
        "signal.bedGraph": "chr2\t10\t20\t0.5\n",
        "new.gff3": PREDICTED,
        "true.gff3": GENES,
    }
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    tracks = [bigwig(tmp_path / name) for name in ("genes.coding_plus.bw", "open.bw")]
    paths = {path.name: path for path in (*(tmp_path / name for name in written), *tracks)}
    files = named_files(paths, tmp_path / "g.fa", LENGTHS)
    assert [file.name for file in files] == [
        *("true.gff3", "new.gff3", "genes.coding_plus.bw", "peaks.bed", "signal.bedGraph", "open.bw", "calls.vcf")
    ]
    assert [file.first for file in files if file.first] == [
        *(("chr1", 100, 200), ("chr1", 100, 200), ("chr1", 10, 20), ("chr2", 10, 20), ("chr1", 4, 5))
    ]


def test_a_file_of_another_genome_is_refused(tmp_path: Path) -> None:
    (tmp_path / "true.gff3").write_text(GENES.replace("chr1", "1"))
    with pytest.raises(InputError, match="names differ only in 'chr'"):
        named_files({"x": tmp_path / "true.gff3"}, tmp_path / "g.fa", LENGTHS)
    with pytest.raises(InputError, match="contig 'chr9' has no record in"):
        named_files({"x": bigwig(tmp_path / "x.bw", "chr9")}, tmp_path / "g.fa", LENGTHS)


def test_contigs_that_the_genome_lacks_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "true.gff3.gz").write_bytes(gzip.compress((GENES.replace("chr1", "chr9") + GENES).encode()))
    (file,) = named_files({"x": tmp_path / "true.gff3.gz"}, tmp_path / "g.fa", LENGTHS)
    assert file.first == ("chr1", 100, 200)
    assert "1 of 2 contigs are not in" in caplog.text


@pytest.mark.parametrize("name", ["x.parquet", "x.txt", "x", "x.gff3.zip", ".gff3"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match="a file of another kind"):
        named_files({"x": tmp_path / name}, tmp_path / "g.fa", LENGTHS)


def test_an_empty_file_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "x.bed").write_text("")
    (file,) = named_files({"x": tmp_path / "x.bed"}, tmp_path / "g.fa", LENGTHS)
    assert file.first is None and "holds nothing" in caplog.text


def test_a_truncated_bigwig_is_refused(tmp_path: Path) -> None:
    path = bigwig(tmp_path / "x.bw")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="no bigWig, or a truncated one"):
        named_files({"x": path}, tmp_path / "g.fa", LENGTHS)


def test_an_index_beside_a_file_is_used_unless_it_is_older(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "true.gff3.gz"
    path.write_bytes(gzip.compress(GENES.encode()))
    (tmp_path / "true.gff3.gz.tbi").write_bytes(b"")
    (file,) = named_files({"x": path}, tmp_path / "g.fa", LENGTHS)
    assert file.index == tmp_path / "true.gff3.gz.tbi"
    os.utime(file.index, (1, 1))
    (file,) = named_files({"x": path}, tmp_path / "g.fa", LENGTHS)
    assert file.index is None and "is older than" in caplog.text


def test_names_are_as_long_as_they_must_be() -> None:
    assert unique_names([Path("/a/x.bed"), Path("/b/x.bed"), Path("/b/y.bed")]) == ["a/x.bed", "b/x.bed", "y.bed"]
    assert unique_names([]) == []


def test_a_file_is_known_by_the_end_of_its_name() -> None:
    assert kind_of(Path("a.GTF.gz")) is not None
    assert kind_of(Path("a.fa")) is None
