import gzip
import os
from pathlib import Path

import pytest

from dnaspt.browser.indexed_genome import indexed_genome
from dnaspt.errors import InputError
from dnaspt.genome import alphabet


@pytest.mark.parametrize(
    "content",
    [
        b">c1 first\nACGT\nAC\n>c2\nNNNN\n",
        b">c1 first\nAC\nACG\nT\n>c2\nNNNN",
        b">c1 first\r\nACGT\r\nAC\r\n>c2\r\nNNNN\r\n",
        gzip.compress(b">c1 first\nACGT\nAC\n>c2\nNNNN\n"),
    ],
    ids=["plain", "uneven", "windows", "gzip"],
)
def test_any_stretch_of_a_genome_can_be_read(tmp_path: Path, content: bytes) -> None:
    fasta, folder = tmp_path / "my genome.fa", tmp_path / "made"
    fasta.write_bytes(content)
    folder.mkdir()
    genome = indexed_genome(fasta, folder)
    assert genome.lengths == {"c1": 6, "c2": 4}
    whole = alphabet.decode(genome.codes("c1", 0, 6))
    assert alphabet.decode(genome.codes("c1", 2, 5)) == whole[2:5]
    assert list(tmp_path.iterdir()) == [fasta, folder] or set(tmp_path.iterdir()) == {fasta, folder}


def test_an_index_beside_the_genome_is_used_unless_it_is_older(tmp_path: Path) -> None:
    fasta, index, folder = tmp_path / "g.fa", tmp_path / "g.fa.fai", tmp_path / "made"
    fasta.write_bytes(b">c1\nACGTAC\n")
    index.write_text("c1\t6\t4\t6\t7\n")
    folder.mkdir()
    assert indexed_genome(fasta, folder).index == index
    os.utime(index, (1, 1))
    assert indexed_genome(fasta, folder).index.parent == folder


def test_an_index_that_points_beyond_its_genome_is_made_anew(tmp_path: Path) -> None:
    fasta, folder = tmp_path / "g.fa", tmp_path / "made"
    fasta.write_bytes(b">c1\nACGTAC\n")
    (tmp_path / "g.fa.fai").write_text("c9\t900\t4\t6\t7\n")
    folder.mkdir()
    assert indexed_genome(fasta, folder).lengths == {"c1": 6}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "no sequence in it"),
        (b"hello\n", "before the first header"),
        (b">c1\n", "has no sequence"),
        (b">c1\nAC\n>c1\nAC\n", "stands here twice"),
    ],
)
def test_what_is_no_genome_is_told(tmp_path: Path, content: bytes, found: str) -> None:
    fasta = tmp_path / "g.fa"
    fasta.write_bytes(content)
    with pytest.raises(InputError, match=found):
        indexed_genome(fasta, tmp_path)


def test_a_stretch_that_is_no_dna_is_refused(tmp_path: Path) -> None:
    fasta, folder = tmp_path / "g.fa", tmp_path / "made"
    fasta.write_bytes(b">c1\nACG*LQ\n")
    folder.mkdir()
    genome = indexed_genome(fasta, folder)
    with pytest.raises(InputError, match="is not DNA"):
        genome.codes("c1", 0, 6)
