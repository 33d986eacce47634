"""VCF (plain, gzip or bgzip) to alleles by contig, and back: the same lines with fields added to INFO.

Positions are 0-based inside. What has no letters to compare (symbolic alleles, breakends, *) is left out and counted.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from dnaspt import __version__
from dnaspt.atomic import publish_file
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.columns import read_lines

_LETTERS = frozenset("ACGTNacgtn")
_BGZIP = (".gz", ".bgz")
_N_FIXED = 8
"""Columns to INFO."""


class Allele(NamedTuple):
    """An alternative allele: its record and place in the file, the start of REF, and the letters of REF and ALT."""

    record: int
    place: int
    start: int
    ref: str
    alt: str


@dataclass(frozen=True, slots=True)
class Alleles:
    """Alleles of a file by contig, in file order; n_records: of the file; skipped: alleles without letters, by reason."""

    by_contig: Mapping[str, list[Allele]]
    n_records: int
    skipped: Counter[str]


class Info(NamedTuple):
    """A field of INFO: number as VCF has it ("A": one for each alternative allele; ".": any), and what it means."""

    name: str
    number: str
    meaning: str

    def header(self) -> str:
        """Its line of the header."""
        return f'##INFO=<ID={self.name},Number={self.number},Type=Float,Description="{self.meaning}">'


def read_alleles(path: Path) -> Alleles:
    """All alternative alleles of a file that have letters.

    Raises:
        InputError: no VCF, or a malformed record.
    """
    by_contig: dict[str, list[Allele]] = {}
    skipped = Counter[str]()
    n_records = 0
    for fields in _records(path):
        start, ref = int(fields[1]) - 1, fields[3]
        alternatives = [] if fields[4] == "." else fields[4].split(",")
        skipped["no_alternative"] += not alternatives
        for place, alt in enumerate(alternatives):
            if start >= 0 and alt and ref and set(alt) | set(ref) <= _LETTERS:  # position 0 is a telomere
                found = Allele(n_records, place, start, ref.upper(), alt.upper())
                by_contig.setdefault(fields[0], []).append(found)
            else:
                skipped["symbolic_allele"] += 1
        n_records += 1
    return Alleles(by_contig, n_records, skipped)


def _records(path: Path) -> Iterator[list[str]]:
    """Fields of each record, header lines left out; malformed ones are refused.

    Raises:
        InputError: names the line.
    """
    is_vcf = False
    for number, text in read_lines(path):
        line = text.rstrip("\r\n")
        if line.startswith("#"):
            is_vcf |= line.startswith("#CHROM")
            continue
        if not line.strip():
            continue
        if not is_vcf:
            raise InputError(
                path, f"{line[:40]!r}", expected="VCF: a header that ends with #CHROM ... INFO", line=number
            )
        fields = line.split("\t")
        if len(fields) < _N_FIXED or not fields[1].isdecimal():
            expected = "CHROM, POS, ID, REF, ALT, QUAL, FILTER, INFO with tabs between"
            raise InputError(path, f"{line[:40]!r}", expected=expected, line=number)
        yield fields
    if not is_vcf:
        raise InputError(path, "no header", expected="VCF: a header that ends with #CHROM ... INFO")


Values = Callable[[int, int], Sequence[float] | None]
"""Numbers for a record and the place of an alternative allele; None where there are none."""


def write_info(source: Path, out: Path, fields: Mapping[Info, tuple[int, Values]], notes: Mapping[str, str]) -> None:
    """A copy of `source` with fields of INFO; `out` is bgzip where its name ends in .gz, and appears whole or not at all.

    Args:
        source: VCF.
        out: file to write.
        fields: for each how many numbers an allele has, and which.
        notes: lines of the header, by key.

    Raises:
        InputError: `source` is no VCF. ConfigError: bgzip needs pysam.
    """
    old = ("##dnaspt=", *(f"##{key}=" for key in notes), *(f"##INFO=<ID={field.name}," for field in fields))
    with publish_file(out) as unfinished, closing(_open_to_write(unfinished, is_bgzip=out.suffix in _BGZIP)) as file:
        for _, text in read_lines(source):
            line = text.rstrip("\r\n")
            if line.startswith("#CHROM"):
                added = [f"##dnaspt=version={__version__}", *(f"##{key}={value}" for key, value in notes.items())]
                for row in (*added, *(field.header() for field in fields)):
                    file.write(f"{row}\n".encode())
            if line.startswith("#") and not line.startswith(old):
                file.write(f"{line}\n".encode())
        for record, columns in enumerate(_records(source)):
            n_places = 0 if columns[4] == "." else columns[4].count(",") + 1
            found = [_entry(field, n, values, record, n_places) for field, (n, values) in fields.items()]
            names = {field.name for field in fields}  # scores of an earlier time are replaced
            entries = [
                entry for entry in columns[7].split(";") if entry not in (".", "") and entry.split("=")[0] not in names
            ]
            columns[7] = ";".join([*entries, *filter(None, found)]) or "."
            file.write(("\t".join(columns) + "\n").encode())


def _entry(field: Info, n: int, values: Values, record: int, n_places: int) -> str:
    known = [values(record, place) for place in range(n_places)]
    if all(numbers is None for numbers in known):
        return ""
    filled = [number for numbers in known for number in (numbers if numbers is not None else [np.nan] * n)]
    return f"{field.name}={','.join('.' if np.isnan(number) else f'{number:.6g}' for number in filled)}"


def _open_to_write(path: Path, *, is_bgzip: bool) -> IO[bytes] | Any:
    if not is_bgzip:
        return path.open("wb")
    try:
        return importlib.import_module("pysam").BGZFile(str(path), "wb")
    except ImportError as error:
        raise ConfigError("bgzip is written by pysam: pip install pysam, or write .vcf or .parquet") from error
