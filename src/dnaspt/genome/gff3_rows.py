"""Lines of GFF3 or GTF to checked features. Their 1-based coordinates become 0-based half-open here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote

from dnaspt.errors import InputError
from dnaspt.genome.intervals import Interval
from dnaspt.genome.text_files import open_text

Dialect = Literal["gff3", "gtf"]

_GTF_PAIR = re.compile(r'([^\s;"]+)\s+("(?:[^"]*)"|[^\s;"]+)\s*(?:;|$)')
_GTF_START = re.compile(r'\s*[^\s;="]+\s+("|[^\s;"=]+\s*(;|$))')
_GFF3_START = re.compile(r'\s*;*\s*[^\s;=]+(\s[^;="]*)?=')
_BARE_NAME = re.compile(r"[^\s;=\",]+")
_NAMED_BY_COLUMN_9 = frozenset(("gene", "transcript", "mrna"))
"""Rows of AUGUSTUS and BRAKER whose column 9 is a name and nothing else, in files that are GTF otherwise."""
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_MOST_BP = 20_000_000_000
"""No chromosome that is known has half as many bases; what is computed for each 10 kb of a contig would never end."""
_COLUMNS = "9 tab-separated columns of GFF3 or GTF"


class Feature(NamedTuple):
    """One row of an annotation.

    A region that was cut from a chromosome may keep the row of a gene that begins before it. So `interval.start` can be
    negative, and whoever uses a feature checks it.

    Attributes:
        line: 1-based line number.
        kind: column 3, such as gene or CDS.
        interval: contig, start, end and strand.
        phase: column 8 as it stands.
        attributes: column 9 as it stands; see `attributes_of`.
        source: column 2. Old files of Ensembl have the biotype there.
    """

    line: int
    kind: str
    interval: Interval
    phase: str
    attributes: str
    source: str = ""


@dataclass(slots=True)
class Metadata:
    """What a file says beside its features. It is complete once all features are read.

    Attributes:
        dialect: dialect of the first feature whose column 9 is not empty.
        has_version: whether the file has a `##gff-version` or `##gtf-version` line.
        contigs: contigs with a feature of any kind.
        lengths: contig lengths from `##sequence-region` lines; of several lines for one contig the largest.
        n_features: features read.
        odd_regions: 1-based line and text of `##sequence-region` lines that say nothing or contradict each other, by reason.
    """

    dialect: Dialect | None = None
    has_version: bool = False
    contigs: set[str] = field(default_factory=set)
    lengths: dict[str, int] = field(default_factory=dict)
    n_features: int = 0
    odd_regions: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


def read_features(path: Path, metadata: Metadata) -> Iterator[Feature]:
    """Yield the features of a GFF3 or GTF file (plain, gzip, bgzip), and fill in `metadata` on the way.

    Raises:
        InputError: a malformed row, text that is not UTF-8, broken gzip data, or a file that is not an annotation.
    """
    with open_text(path) as file:
        for number, raw in enumerate(file, start=1):
            line = _decode(path, raw, number)
            if line.startswith("##FASTA") or (line.startswith(">") and metadata.n_features):
                break
            if line.startswith("##"):
                _read_directive(path, line, number, metadata)
            elif line.strip() and not line.startswith("#"):
                yield _feature(path, line, number, metadata)
    if not metadata.n_features and not metadata.has_version:
        raise InputError(path, "no annotation in it", expected="rows of GFF3 or GTF")


def attributes_of(path: Path, feature: Feature, dialect: Dialect) -> dict[str, str]:
    """Parse column 9. Values of GFF3 stay percent-encoded, because a comma separates several values.

    Args:
        path: the file, for errors.
        feature: the row.
        dialect: "gff3" or "gtf".

    Raises:
        InputError: column 9 of GFF3 has no key=value pair.
    """
    text = feature.attributes
    if dialect == "gtf":
        return {key: value.strip('"') for key, value in reversed(_GTF_PAIR.findall(text))}
    pairs = (pair.split("=", 1) for pair in text.split(";") if pair.strip())
    attributes: dict[str, str] = {}
    for pair in pairs:
        name, value = pair[0].strip(), pair[-1].strip() if len(pair) == 2 else ""
        if len(pair) == 2 or name.lower() == "pseudo":
            attributes[name] = f"{attributes[name]},{value}" if name in attributes else value
    if not attributes and text not in (".", ""):
        raise InputError(path, f"column 9 {text[:40]!r}", expected="key=value pairs of GFF3", line=feature.line)
    return attributes


def bare_name(feature: Feature) -> str:
    """The name of a gene or transcript whose column 9 is its name alone, as AUGUSTUS and BRAKER write it; else empty."""
    is_bare = feature.kind.lower() in _NAMED_BY_COLUMN_9 and _BARE_NAME.fullmatch(feature.attributes)
    return feature.attributes if is_bare and feature.attributes != "." else ""


def _decode(path: Path, raw: bytes, number: int) -> str:
    """Text of a line without its end."""
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        found = f"byte 0x{raw[error.start]:02x} that is not UTF-8 text"
        raise InputError(path, found, expected="a text file of GFF3 or GTF", line=number) from error


def _read_directive(path: Path, line: str, number: int, metadata: Metadata) -> None:
    """Take in a line that begins with ##."""
    words = line.split()
    if words[0] in ("##gff-version", "##gtf-version"):
        metadata.has_version = True
    if words[0] != "##sequence-region":
        return
    if len(words) < 3 or (len(words) == 3 and not all(_INTEGER.fullmatch(word) for word in words[1:])):
        found = f"{line[:60]!r}"
        raise InputError(path, found, expected="'##sequence-region CONTIG FIRST LAST'", line=number)
    if len(words) == 3:  # so writes NCBI's PGAP
        metadata.odd_regions.setdefault("nameless_sequence_regions", []).append(
            (number, "##sequence-region without a contig")
        )
        return
    contig, first, last = unquote(words[1]), words[2], words[3]
    is_read = len(words) == 4 and _INTEGER.fullmatch(first) and _INTEGER.fullmatch(last)
    if not is_read or not 0 <= int(first) <= int(last) + 1 or int(last) > _MOST_BP:
        odd = (number, f"{line[:60]!r} has no usable coordinates")
        metadata.odd_regions.setdefault("sequence_regions_without_coordinates", []).append(odd)
        return
    if (other := metadata.lengths.get(contig, int(last))) != int(last):
        odd = (number, f"##sequence-region of {contig!r} ends at {int(last):,}, in an earlier line at {other:,}")
        metadata.odd_regions.setdefault("sequence_regions_that_disagree", []).append(odd)
    metadata.lengths[contig] = max(int(last), other)


def _feature(path: Path, line: str, number: int, metadata: Metadata) -> Feature:
    """Check the columns of a row."""
    columns = line.split("\t", 8)
    if len(columns) < 9:
        found = f"{len(columns)} column{'s' * (len(columns) != 1)} in {line[:40]!r}"
        do = "" if metadata.n_features else "is it an annotation?"
        raise InputError(path, found, expected=_COLUMNS, do=do, line=number)
    contig, source, kind, first, last, _, strand, phase, attributes = columns
    if not (_INTEGER.fullmatch(first) and _INTEGER.fullmatch(last)):
        raise InputError(path, f"coordinates {first[:20]!r} and {last[:20]!r}", expected="integers", line=number)
    if int(first) > int(last):
        raise InputError(path, f"start {int(first)} after end {int(last)}", expected="start <= end", line=number)
    if int(last) > _MOST_BP:
        raise InputError(path, f"end {int(last):,}", expected=f"at most {_MOST_BP:,}", line=number)
    if strand not in ("+", "-", ".", "?"):
        raise InputError(path, f"strand {strand!r}", expected="+ - or .", line=number)
    if metadata.dialect is None and not (kind.lower() in _NAMED_BY_COLUMN_9 and _BARE_NAME.fullmatch(attributes)):
        metadata.dialect = _dialect(path, attributes, number)
    if metadata.dialect != "gtf" and "%" in contig:
        contig = unquote(contig)
    metadata.contigs.add(contig)
    metadata.n_features += 1
    return Feature(number, kind, Interval.from_gff3(contig, int(first), int(last), strand), phase, attributes, source)


def _dialect(path: Path, attributes: str, number: int) -> Dialect | None:
    """Dialect of column 9; None if it is empty."""
    if _GFF3_START.match(attributes):
        return "gff3"
    if _GTF_START.match(attributes):
        return "gtf"
    if attributes.strip() in (".", ""):
        return None
    expected = "'key=value;...' of GFF3 or 'key \"value\"; ...' of GTF"
    raise InputError(path, f"column 9 {attributes[:40]!r}", expected=expected, line=number)
