"""VCF (plain, bgzip or BCF) to alleles by contig, and back with numbers in INFO; read and written by pysam.

Positions are 0-based inside. What has no letters to compare (symbolic alleles, breakends, *) is left out and counted.
"""

import importlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnaspt.errors import ConfigError, InputError
from dnaspt.publish import publish_file

_LETTERS = frozenset("ACGTNacgtn")
_BGZIP = (".gz", ".bgz")


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


def read_alleles(path: Path) -> Alleles:
    """All alternative alleles of a file that have letters.

    Raises:
        InputError: no VCF, or a truncated one. ConfigError: pysam is not there.
    """
    by_contig: dict[str, list[Allele]] = {}
    skipped = Counter[str]()
    n_records = 0
    for record in _records(path):
        ref = record.ref or ""
        if not record.alts:
            skipped["no_alternative"] += 1
        for place, alt in enumerate(record.alts or ()):
            if set(alt) <= _LETTERS and set(ref) <= _LETTERS and alt and ref:
                found = Allele(n_records, place, record.start, ref.upper(), alt.upper())
                by_contig.setdefault(record.contig, []).append(found)
            else:
                skipped["symbolic_allele"] += 1
        n_records += 1
    return Alleles(by_contig, n_records, skipped)


def write_info(
    source: Path, out: Path, fields: Mapping[Info, list[list[tuple[float, ...]]]], notes: Mapping[str, str]
) -> None:
    """A copy of `source` with fields of INFO; `out` is bgzip where its name ends in .gz, and appears whole or not at all.

    Args:
        source: VCF or BCF.
        out: file to write.
        fields: for each field, record and alternative allele its numbers, nan where there are none.
        notes: lines of the header, by key.

    Raises:
        InputError: `source` is no VCF.
    """
    pysam = _pysam()
    with publish_file(out) as unfinished, _open(source) as variants:
        for field in fields:
            variants.header.info.add(field.name, field.number, "Float", field.meaning)
        for key, value in notes.items():
            variants.header.add_meta(key, value)
        mode = "wz" if out.suffix in _BGZIP else "w"
        with pysam.VariantFile(str(unfinished), mode, header=variants.header) as written:
            for number, record in enumerate(variants):
                record.translate(written.header)
                for field, values in fields.items():
                    known = [value for allele in values[number] for value in allele]
                    if known and not np.isnan(known).all():
                        record.info[field.name] = [None if np.isnan(value) else value for value in known]
                written.write(record)


def _records(path: Path) -> Iterator[Any]:
    with _open(path) as variants:
        try:
            yield from variants
        except (OSError, ValueError) as error:
            raise InputError(path, f"a record that cannot be read ({error})", expected="VCF 4") from error


def _open(path: Path) -> Any:
    if not path.is_file():
        raise InputError(path, "no such file", expected="VCF, plain or bgzip, or BCF")
    pysam = _pysam()
    before = pysam.set_verbosity(0)
    try:
        return pysam.VariantFile(str(path))
    except (OSError, ValueError) as error:
        raise InputError(path, f"no VCF ({error})", expected="VCF, plain or bgzip, or BCF") from error
    finally:
        pysam.set_verbosity(before)


def _pysam() -> Any:
    try:
        return importlib.import_module("pysam")
    except ImportError as error:
        raise ConfigError("VCF is read by pysam, which is not installed; pip install pysam") from error
