"""A FASTA file to one with an index, from which any stretch can be read: what a genome browser asks for.

igv.js and pysam read plain FASTA by its .fai index. An index that lies beside the file and is not older is used. Otherwise one is
made in a temporary folder; nothing is written beside the user's file.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnaspt.errors import InputError, refuse_full_disk
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.text_files import check_text_file, open_text
from dnaspt.optional_imports import import_optional

_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class IndexedGenome:
    """A genome of which any stretch can be read.

    Attributes:
        path: the file that the user named.
        fasta: plain FASTA: the same file, or an unpacked copy.
        index: its .fai index.
        lengths: length in bp of each contig, in file order.
    """

    path: Path
    fasta: Path
    index: Path
    lengths: dict[str, int]

    def codes(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Codes (end - start,) uint8 of a stretch within a contig, see `alphabet`.

        Raises:
            InputError: a letter that is no IUPAC nucleotide, or a file that was changed or removed meanwhile.
        """
        pysam = import_optional("pysam", "stretches of a FASTA file")
        try:
            with pysam.FastaFile(str(self.fasta), filepath_index=str(self.index)) as file:
                letters = file.fetch(chrom, start, end)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(self.path, f"{chrom}:{start}-{end} cannot be read ({error})") from error
        codes = alphabet.encode(letters)
        if len(codes) != end - start or (codes == alphabet.NOT_DNA).any():
            raise InputError(self.path, f"{chrom}:{start}-{end} is not DNA", expected="IUPAC nucleotide letters")
        return codes


def indexed_genome(path: Path, folder: Path) -> IndexedGenome:
    """Index a FASTA file; one that is packed, or has no even lines, is copied into a folder before.

    Args:
        path: FASTA, plain, gzip or bgzip.
        folder: for the index, and for a copy.

    Raises:
        InputError: not FASTA, or an empty one. NoSpaceError: no room for the copy. ConfigError: pysam is not installed.
    """
    check_text_file(path)
    beside = path.with_name(f"{path.name}.fai")
    with path.open("rb") as file:
        is_plain = file.read(2) != b"\x1f\x8b"
    if is_plain and beside.is_file() and beside.stat().st_mtime >= path.stat().st_mtime:
        lengths = _lengths(beside, path.stat().st_size)
        if lengths:
            return IndexedGenome(path, path, beside, lengths)
    fasta = path if is_plain else _copy(path, folder / "genome.fa")
    index = folder / "genome.fa.fai"
    if not _made(fasta, index):
        fasta = _with_even_lines(path, folder / "even.fa")
        _made(fasta, index)
    lengths = _lengths(index, fasta.stat().st_size) if index.is_file() else {}
    if not lengths or len(lengths) != _n_records(fasta):
        for _ in read_fasta(path):  # says what is wrong, and where
            pass
        raise InputError(path, "no index can be made of it", expected="FASTA records ('>name', then letters)")
    return IndexedGenome(path, fasta, index, lengths)


def _made(fasta: Path, index: Path) -> bool:
    """Make an index; false where the file is no FASTA, or its lines are not even."""
    pysam = import_optional("pysam", "stretches of a FASTA file")
    before = pysam.set_verbosity(0)  # it would write to the terminal
    try:
        pysam.faidx(str(fasta), "--fai-idx", str(index))
    except pysam.SamtoolsError:
        return False
    finally:
        pysam.set_verbosity(before)
    return index.is_file()


def _n_records(fasta: Path) -> int:
    """Number of headers of a plain FASTA file; an index leaves out those whose name stands there twice."""
    n_records, before = 0, b"\n"
    with fasta.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            n_records += (before + chunk).count(b"\n>")
            before = chunk[-1:]
    return n_records


def _lengths(index: Path, n_bytes: int) -> dict[str, int]:
    """Length of each contig by an index; empty where it is no index, or points beyond the end of a file of so many bytes."""
    lengths: dict[str, int] = {}
    try:
        for line in index.read_text(encoding="utf-8").splitlines():
            name, length, offset, *_ = line.split("\t")
            if int(offset) + int(length) > n_bytes:
                return {}
            lengths[name] = int(length)
    except (ValueError, OSError):
        return {}
    return {name: length for name, length in lengths.items() if length}


def _copy(path: Path, to: Path) -> Path:
    """Unpack a file, and give its lines one kind of end."""
    try:
        with open_text(path) as file, to.open("wb") as copy:
            shutil.copyfileobj(file, copy)
    except OSError as error:
        refuse_full_disk(to, error)
        raise
    return to


def _with_even_lines(path: Path, to: Path) -> Path:
    """Write FASTA again with one line for each sequence."""
    try:
        with open_text(path) as file, to.open("wb") as copy:
            in_sequence = False
            for line in file:
                if line.startswith(b">"):
                    copy.write((b"\n" if in_sequence else b"") + line.rstrip() + b"\n")
                    in_sequence = False
                elif letters := b"".join(line.split()):
                    copy.write(letters)
                    in_sequence = True
            copy.write(b"\n")
    except OSError as error:
        refuse_full_disk(to, error)
        raise
    return to
