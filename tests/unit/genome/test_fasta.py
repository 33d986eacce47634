"""FASTA files: unusual but valid ones are read alike, and others are refused with the line."""

import gzip
from pathlib import Path

import numpy as np
import pysam
import pytest

from dnaspt.errors import InputError
from dnaspt.genome import alphabet, fasta
from dnaspt.genome.fasta import contig_lengths, contig_names, read_fasta

PLAIN = ">chr1 first contig\nACGT\nNNac\n>chr2\ngT\n"
CONTIGS = [("chr1", "ACGTNNac"), ("chr2", "gT")]


def read(path: Path) -> list[tuple[str, str]]:
    return [(contig.name, alphabet.decode(contig.codes)) for contig in read_fasta(path)]


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "g.fa"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.rstrip("\n").encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("\n", "\r\r\n").encode(),
        PLAIN.replace("chr2\n", "chr2\r").encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("ACGT\n", "\nAC GT \n\n\t\n").encode(),
        gzip.compress(PLAIN.encode()),
        gzip.compress(PLAIN[:20].encode()) + gzip.compress(PLAIN[20:].encode()),
    ],
    ids=["plain", "no-last-newline", "crlf", "cr", "cr-crlf", "one-cr", "bom", "blanks", "gzip", "two-gzip-members"],
)
def test_unusual_but_valid_files_are_read_alike(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    assert read(path) == CONTIGS
    assert contig_names(path) == ["chr1", "chr2"]
    assert contig_lengths(path) == {contig.name: len(contig) for contig in read_fasta(path)}


def test_bgzip_is_read_with_a_warning_where_its_end_mark_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain, packed = write(tmp_path, PLAIN), tmp_path / "g.fa.gz"
    pysam.tabix_compress(str(plain), str(packed))
    assert read(packed) == CONTIGS and not caplog.messages
    packed.write_bytes(packed.read_bytes()[:-28])
    assert read(packed) == read(packed) == CONTIGS
    (message,) = caplog.messages
    assert message.startswith(f"{packed}: bgzip data without their end mark; if the file was copied, compare its size")


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 25])
def test_chunks_may_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int) -> None:
    monkeypatch.setattr(fasta, "_CHUNK_BYTES", chunk_bytes)
    assert read(write(tmp_path, PLAIN)) == CONTIGS
    with pytest.raises(InputError, match=":5: '!' in record 'chr2'"):
        read(write(tmp_path, PLAIN.replace("gT", "g!")))


def test_iupac_letters_are_read_as_n_and_counted(tmp_path: Path) -> None:
    (contig,) = read_fasta(write(tmp_path, ">c\nACRYNn\nkmsU\n"))
    assert (alphabet.decode(contig.codes), contig.n_ambiguous, len(contig)) == ("ACNNNnnnnT", 5, 10)
    assert contig.codes.dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (">c\nAC-T\n", r"g\.fa:2: '-' in record 'c'; expected IUPAC nucleotide letters"),
        (">c\nACGT\nMKL*\n", r":3: 'L' in record 'c'; expected IUPAC nucleotide letters; is it protein"),
        ("ACGT\n", r":1: b'ACGT' before the first header; expected FASTA"),
        (">\nACGT\n", r":1: a header without a name"),
        (b">\xff\nACGT\n", r":1: a header that is not UTF-8 text"),
        (">c\nAC\n>d\n>e\nAC\n", r":3: record 'd' has no sequence; expected letters below its header"),
        (">c\nAC\n>d\nAC\n>c\nAC\n", r":5: record 'c' stands here twice; expected unique names"),
        ("", r"g\.fa: no sequence in it; expected FASTA records"),
        ("\n\n", r"g\.fa: no sequence in it"),
        (
            gzip.compress(PLAIN.encode() * 9, mtime=0)[:-9],
            r"g\.fa: broken gzip data .*; expected a whole file; copy it again",
        ),
    ],
)
def test_other_files_are_refused_with_the_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(write(tmp_path, content))


def test_contigs_before_a_fault_are_read(tmp_path: Path) -> None:
    contigs = read_fasta(write(tmp_path, ">c\nAC\n>d\nA!\n>e\nAC\n"))
    assert next(contigs).name == "c"
    with pytest.raises(InputError, match=":4: '!'"):
        next(contigs)
