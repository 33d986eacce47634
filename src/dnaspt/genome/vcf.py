"""VCF (plain, gzip or bgzip) to alleles by contig, and back: the same lines, with fields added to INFO.

Positions are 0-based inside the program. Alleles without letters (symbolic alleles, breakends, *) are left out and counted.
One change of a sequence can be written in several ways: `normalize` gives the one that `bcftools norm` gives.
"""

import importlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import quote

import numpy as np

from dnaspt import __version__
from dnaspt.atomic import atomic_file
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.text_files import open_text

_LETTERS = frozenset("ACGTNRYSWKMBDHV")
"""Bases, and the letters of IUPAC, each of which is read as N where it is compared with a sequence."""
_POSITION = re.compile("[0-9]{1,18}")
_BGZIP = (".gz", ".bgz")
_NOT_IN_NAME = re.compile(r'[\x00-\x1f\x7f%,"<>]')
_N_FIXED = 8
"""Columns up to INFO."""


class Allele(NamedTuple):
    """An alternative allele.

    Attributes:
        record: number of its record in the file, from 0.
        alternative: its number among the alternative alleles of the record, from 0.
        start: 0-based position of the first base of REF.
        ref: letters of REF, upper case.
        alt: letters of ALT, upper case.
    """

    record: int
    alternative: int
    start: int
    ref: str
    alt: str


@dataclass(frozen=True, slots=True)
class Alleles:
    """The alternative alleles of a file.

    Attributes:
        by_contig: alleles of each contig, in file order.
        n_records: records in the file.
        skipped: how many alleles and records were left out, by reason.
    """

    by_contig: Mapping[str, list[Allele]]
    n_records: int
    skipped: Counter[str]


class InfoField(NamedTuple):
    """A field of INFO.

    Attributes:
        name: its name.
        number: how many values it has, as VCF writes it: "A" is one for each alternative allele, "." is any number.
        meaning: its description in the header.
    """

    name: str
    number: str
    meaning: str

    def header(self) -> str:
        """Its line in the header."""
        return f'##INFO=<ID={self.name},Number={self.number},Type=Float,Description="{self.meaning}">'


def names_in_header(names: Iterable[str]) -> str:
    """Names with commas between, for a line of the header; a comma in a name is %2C, as VCF 4.3 writes it.

    Example:
        >>> names_in_header(["H3K27ac, brain", "100%"])
        'H3K27ac%2C brain,100%25'
    """
    return ",".join(_NOT_IN_NAME.sub(lambda found: quote(found.group()), name) for name in names)


def read_alleles(path: Path) -> Alleles:
    """Read all alternative alleles that have letters, and differ from REF.

    Raises:
        InputError: not VCF, or a malformed record.
    """
    by_contig: dict[str, list[Allele]] = {}
    skipped = Counter[str]()
    n_records = 0
    for fields in _records(path):
        start, ref = int(fields[1]) - 1, fields[3].upper()
        alternatives = [] if fields[4] == "." else fields[4].upper().split(",")
        skipped["no_alternative"] += not alternatives
        for number, alt in enumerate(alternatives):
            if start < 0 or not (alt and ref and set(alt) | set(ref) <= _LETTERS):  # position 0 is a telomere
                skipped["symbolic_allele"] += 1
            elif alt == ref:
                skipped["same_as_reference"] += 1
            else:
                by_contig.setdefault(fields[0], []).append(Allele(n_records, number, start, ref, alt))
        n_records += 1
    return Alleles(by_contig, n_records, skipped)


def normalize(allele: Allele, codes: np.ndarray) -> Allele:
    """The same change as few letters as far to the left as can be, as `bcftools norm` and vt write it (Tan et al. 2015).

    Letters that REF and ALT share at their ends are cut off. An insertion or deletion in a repeat is moved to the begin of the
    repeat; it keeps one base in front, or behind where the contig begins with it. So alleles that make the same sequence of
    the contig are equal, however a caller wrote them.

    Args:
        allele: an allele whose REF is what the contig has.
        codes: codes of the contig (L,).

    Returns:
        the allele with the least start, REF and ALT; its record and its number there stay.

    Example:
        >>> codes = alphabet.encode("GCAAAAT")
        >>> normalize(Allele(0, 0, 4, "AA", "A"), codes)  # a deletion of an A within AAAA
        Allele(record=0, alternative=0, start=1, ref='CA', alt='C')
        >>> normalize(Allele(0, 1, 1, "CA", "CT"), codes)  # a substitution beside a deletion, in one record
        Allele(record=0, alternative=1, start=2, ref='A', alt='T')
    """
    start, ref, alt = allele.start, allele.ref, allele.alt
    if n_shared := _n_shared(reversed(ref), reversed(alt)):
        ref, alt = ref[:-n_shared], alt[:-n_shared]
    n_shared = _n_shared(ref, alt)
    start, ref, alt = start + n_shared, ref[n_shared:], alt[n_shared:]
    if bool(ref) != bool(alt):
        start, ref, alt = _moved_left(start, ref, alt, codes)
    return allele._replace(start=start, ref=ref, alt=alt)


def _n_shared(first: Iterable[str], second: Iterable[str]) -> int:
    """Letters that two texts share, from their begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _moved_left(start: int, ref: str, alt: str, codes: np.ndarray) -> tuple[int, str, str]:
    """An insertion or deletion, of which the other allele is empty, moved left as far as it goes; then with one more base."""

    def base(position: int) -> str:
        return alphabet.decode(alphabet.tokens(codes[position : position + 1]))

    letters = ref or alt
    n_moved = 0
    # Where the base in front is the last letter, a step to the left makes the same sequence. It turns the letters by one.
    while n_moved < start and base(start - n_moved - 1) == letters[-1 - n_moved % len(letters)]:
        n_moved += 1
    start -= n_moved
    cut = len(letters) - n_moved % len(letters)
    letters = letters[cut:] + letters[:cut]
    if start > 0:
        anchor = base(start - 1)
        return start - 1, anchor + (letters if ref else ""), anchor + (letters if alt else "")
    anchor = base(len(letters) if ref else 0)
    return 0, (letters if ref else "") + anchor, (letters if alt else "") + anchor


def _records(path: Path) -> Iterator[list[str]]:
    """Yield the fields of each record.

    Raises:
        InputError: not VCF, or a malformed record. The error names the line.
    """
    is_vcf = False
    for number, line in _lines(path):
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
        if len(fields) < _N_FIXED or not _POSITION.fullmatch(fields[1]):
            expected = "CHROM, POS, ID, REF, ALT, QUAL, FILTER, INFO with tabs between"
            raise InputError(path, f"{line[:40]!r}", expected=expected, line=number)
        yield fields
    if not is_vcf:
        raise InputError(path, "no header", expected="VCF: a header that ends with #CHROM ... INFO")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the 1-based number and the text of each line, without its end. `_bytes_of` makes the same bytes of the text."""
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            yield number, line.decode("utf-8", errors="surrogateescape").rstrip("\r\n")


def _bytes_of(line: str) -> bytes:
    """The bytes of a line, as `_lines` decodes it, with its end."""
    return f"{line}\n".encode(errors="surrogateescape")


Values = Callable[[int, int], Sequence[float] | None]
"""Numbers for an alternative allele, given its record and its number there; None if it has none."""


def write_info(
    source: Path, out: Path, fields: Mapping[InfoField, tuple[int, Values]], notes: Mapping[str, str]
) -> None:
    """Write a copy of a VCF file with more fields in INFO. The file appears whole or not at all.

    Args:
        source: the VCF file to copy.
        out: the file to write; bgzip if its name ends in .gz or .bgz.
        fields: for each field, how many numbers an allele has, and the function that gives them.
        notes: more lines of the header, by key.

    Raises:
        InputError: `source` is not VCF. ConfigError: bgzip is asked for, and pysam is not installed.
    """
    old = ("##dnaspt=", *(f"##{key}=" for key in notes), *(f"##INFO=<ID={field.name}," for field in fields))
    with atomic_file(out) as unfinished, closing(_open_to_write(unfinished, is_bgzip=out.suffix in _BGZIP)) as file:
        for _, line in _lines(source):
            if line.startswith("#CHROM"):
                added = [f"##dnaspt=version={__version__}", *(f"##{key}={value}" for key, value in notes.items())]
                for row in (*added, *(field.header() for field in fields)):
                    file.write(f"{row}\n".encode())
            if line.startswith("#") and not line.startswith(old):
                file.write(_bytes_of(line))
        for record, columns in enumerate(_records(source)):
            n_alternatives = 0 if columns[4] == "." else columns[4].count(",") + 1
            added = [_entry(field, n, values, record, n_alternatives) for field, (n, values) in fields.items()]
            names = {field.name for field in fields}  # scores of an earlier run are replaced
            entries = [
                entry for entry in columns[7].split(";") if entry not in (".", "") and entry.split("=")[0] not in names
            ]
            columns[7] = ";".join([*entries, *filter(None, added)]) or "."
            file.write(_bytes_of("\t".join(columns)))


def _entry(field: InfoField, n: int, values: Values, record: int, n_alternatives: int) -> str:
    """The entry of a field in a record, with n numbers for each allele, "." for unknown ones; empty if all are unknown."""
    of_alleles = [values(record, number) for number in range(n_alternatives)]
    if all(numbers is None for numbers in of_alleles):
        return ""
    filled = [number for numbers in of_alleles for number in (numbers if numbers is not None else [np.nan] * n)]
    return f"{field.name}={','.join('.' if np.isnan(number) else f'{number:.6g}' for number in filled)}"


def _open_to_write(path: Path, *, is_bgzip: bool) -> IO[bytes] | Any:
    """Open a file for bytes. pysam, which writes bgzip, is imported only if it is needed."""
    if not is_bgzip:
        return path.open("wb")
    check_bgzip()
    return importlib.import_module("pysam").BGZFile(str(path), "wb")


def check_bgzip() -> None:
    """Refuse to write bgzip where that is not possible.

    Raises:
        ConfigError: pysam is not installed.
    """
    try:
        importlib.import_module("pysam")
    except ImportError as error:
        raise ConfigError("bgzip is written by pysam: pip install pysam, or write .vcf or .parquet") from error
