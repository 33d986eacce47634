"""Two files of one kind to what differs between the results in them; `same_results.py` compares two versions with it.

Left out, as they are no results: dates, times, versions and provenance (`ASIDE`, `PROVENANCE_LINES`). New keys, columns and
tables may be added, and keys may move into a new group; words of tables may change. No number may change or go.
"""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file

ASIDE = frozenset(
    {"date", "device", "dnaspt_version", "format_version", "minutes", "provenance", "seconds", "version", "versions"}
)
"""Keys of JSON files that are no results."""
PROVENANCE_LINES = ("##dnaspt=", "# warning: the model has")
"""Beginnings of lines of text files that name the version or the quality of the model that wrote them (VCF, GFF3)."""
TIMED = re.compile(r"minutes|\bdnaspt\b")
"""Columns of tables that differ between two equal runs, or name the version."""
NONE = re.compile(r"(?!)")
"""No column."""
MOVED: dict[str, str] = {}
"""Groups of keys of JSON files that have another name now: path before, path now, with dots between."""


@dataclass(frozen=True)
class Mended:
    """What was mended since, so that a file may differ.

    Attributes:
        why: what it was, and what it is.
        text: the text that may differ in each line; everything else in the file is compared.
        has_indels: whether rows of insertions and deletions may differ; all others are compared.
    """

    why: str
    text: re.Pattern[str] | None = None
    has_indels: bool = False


_MIRROR = Mended(
    "both strands of a CRF: the other strand's emissions belong to the mirrored chain, which is decoded with now"
)
_INDELS = Mended("insertions and deletions are left-aligned before they are scored", has_indels=True)
ON_PURPOSE = {
    "baselines/genes/genes.gff3": Mended(
        "genes are numbered from 1; the commit before overwrote the counter with a position (chr1.g2165)",
        re.compile(r"\.g\d+"),
    ),
    "runs/crf/evaluation-*-both-strands.*": _MIRROR,
    "out/heads.gff3": _MIRROR,
    "scored/*": _INDELS,
}
"""By pattern of files. Without `text` and `has_indels` the whole file is left out."""
NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?%?")


@dataclass
class Comparison:
    """What was compared, and what differs.

    Attributes:
        n_files: files compared.
        n_values: numbers, lines or cells compared.
        faults: results that differ, each with its place.
        notes: what differs and is no result.
    """

    n_files: int = 0
    n_values: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, other: "Comparison") -> None:
        """Take over the comparison of one file."""
        self.n_files += 1
        self.n_values += other.n_values
        self.faults += [f"{name}: {fault}" for fault in other.faults]
        self.notes += [f"{name}: {note}" for note in other.notes]


def compare_folders(
    before: Path, after: Path, patterns: Iterable[str], aside: re.Pattern[str] = TIMED
) -> dict[str, Comparison]:
    """Compare all files below `before` that fit a pattern with those of the same name below `after`; by kind of file.

    aside: columns of CSV files and of the tables of pages to leave out.
    """
    files = sorted({file for pattern in patterns for file in before.glob(pattern) if file.is_file()})
    if not files:
        raise FileNotFoundError(f"{before}: no file fits {', '.join(patterns)}")
    found: dict[str, Comparison] = {}
    for file in files:
        name = str(file.relative_to(before))
        one = (
            compare(file, after / name, aside, name)
            if (after / name).is_file()
            else Comparison(faults=["is not there"])
        )
        found.setdefault(file.suffix, Comparison()).add(name, one)
    return found


def compare(before: Path, after: Path, aside: re.Pattern[str] = TIMED, name: str = "") -> Comparison:
    """Compare two files of the same kind, which the suffix says; text that may differ in a file of this name is left out."""
    try:
        for pattern, mended in ON_PURPOSE.items():
            if fnmatch(name, pattern):
                return compare_mended(before, after, mended)
        if before.suffix in WITH_TABLES:
            return WITH_TABLES[before.suffix](before, after, aside)
        return KINDS[before.suffix](before, after)
    except Exception as error:  # a file that this script cannot read is not the same, whatever is wrong with it
        return Comparison(faults=[f"cannot be compared: {type(error).__name__}: {error}"])


def compare_mended(before: Path, after: Path, mended: Mended) -> Comparison:
    """Compare what may not differ in files of which something was mended. Why they differ becomes a note."""
    if before.read_bytes() == after.read_bytes():
        return KINDS[before.suffix](before, after)
    if mended.has_indels:
        is_table = before.suffix == ".parquet"
        found = compare_parquet(before, after, _without_indels) if is_table else compare_text(before, after, _INDEL)
    else:
        found = Comparison() if mended.text is None else compare_text(before, after, mended.text)
    return replace(found, notes=[*found.notes, mended.why])


_INDEL = re.compile(r"^(\S+\t\d+\t\S+\t)([A-Z]\t[A-Z]{2,}|[A-Z]{2,}\t[A-Z])\t.*")
"""A line of a VCF with one insertion or deletion."""


def _without_indels(table: pa.Table) -> pa.Table:
    """The rows of a table of variants whose alleles are of one length."""
    pairs = zip(table.column("ref").to_pylist(), table.column("alt").to_pylist(), strict=True)
    return table.filter(pa.array([len(ref) == len(alt) for ref, alt in pairs]))


def compare_text(before: Path, after: Path, may_differ: re.Pattern[str] = NONE) -> Comparison:
    """Compare text files line by line, without the text that may differ."""
    lines, others = (
        [
            may_differ.sub("", line)
            for line in file.read_text(encoding="utf-8").splitlines()
            if not line.startswith(PROVENANCE_LINES)
        ]
        for file in (before, after)
    )
    found = Comparison(n_values=len(lines))
    for number, (line, other) in enumerate(zip(lines, others), start=1):
        if line != other:
            found.faults.append(f"line {number}: {line[:100]!r}, now {other[:100]!r}")
            break
    if len(lines) != len(others):
        found.faults.append(f"{len(lines)} lines, now {len(others)}")
    return found


def compare_json(before: Path, after: Path) -> Comparison:
    """Compare the values of a JSON file key by key."""
    values, others = (json.loads(file.read_text(encoding="utf-8")) for file in (before, after))
    return compare_values(values, others)


def compare_json_lines(before: Path, after: Path) -> Comparison:
    """Compare the rows of a file of JSON lines key by key."""
    rows, others = ([json.loads(line) for line in file.read_text().splitlines()] for file in (before, after))
    return compare_values(rows, others)


def compare_values(before: Any, after: Any) -> Comparison:
    """Compare nested dictionaries and lists; a key that is not where it was is looked for in a new group around it."""
    now, found = dict(_leaves(after)), Comparison()
    for path, value in _leaves(before):
        place, said = _place_now(path, now), ".".join(path)
        if place is not None:
            found.n_values += 1
            if not _is_same(value, now[place]):
                found.faults.append(f"{said} = {value!r}, now {now[place]!r}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.faults.append(f"{said} = {value!r} is missing")
        else:
            found.notes.append(f"{said} = {value!r} is missing")
    return found


def _place_now(path: tuple[str, ...], now: Mapping[tuple[str, ...], Any]) -> tuple[str, ...] | None:
    """Where a value is now: in its place, under a new name of its group, or in as few new groups as possible."""
    for group, name in MOVED.items():
        if path[: len(parts := tuple(group.split(".")))] == parts:
            path = (*name.split("."), *path[len(parts) :])
    if path in now:
        return path
    places = sorted((other for other in now if other[-len(path) :] == path), key=len)
    is_clear = len(places) == 1 or (len(places) > 1 and len(places[0]) < len(places[1]))
    return places[0] if is_clear else None


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Values that hold no others, with the keys that lead to them."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in pairs:
            if key not in ASIDE:
                yield from _leaves(part, (*path, str(key)))
    else:
        yield path, value


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def compare_tensors(before: Path, after: Path) -> Comparison:
    """Compare safetensors bit by bit."""
    return compare_arrays(load_file(before), load_file(after))


def compare_numpy(before: Path, after: Path) -> Comparison:
    """Compare the arrays of an .npz bit by bit."""
    with np.load(before, allow_pickle=False) as arrays, np.load(after, allow_pickle=False) as others:
        return compare_arrays(dict(arrays), dict(others))


def compare_arrays(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> Comparison:
    """Compare named arrays bit by bit."""
    found = Comparison()
    for name, array in before.items():
        found.n_values += array.size
        if name not in after:
            found.faults.append(f"{name} is missing")
            continue
        other = after[name]
        if (array.dtype, array.shape) != (other.dtype, other.shape):
            found.faults.append(f"{name}: {array.dtype} {array.shape}, now {other.dtype} {other.shape}")
        elif array.tobytes() != other.tobytes():
            n_values = int((array != other).sum())
            found.faults.append(f"{name}: {n_values} of {array.size} values differ")
    return found


def compare_parquet(
    before: Path, after: Path, rows: Callable[[pa.Table], pa.Table] = lambda table: table
) -> Comparison:
    """Compare the columns of a Parquet file by values, of all rows or of some."""
    table, other = (rows(pq.read_table(file)) for file in (before, after))
    found = Comparison(n_values=table.num_rows * table.num_columns)
    for name in table.column_names:
        if name not in other.column_names:
            found.faults.append(f"column {name} is missing")
            continue
        # repr tells NaN from nothing, and every two floats apart
        values, others = (list(map(repr, one[name].to_pylist())) for one in (table, other))
        found.faults += _first_difference(f"column {name}", values, others)
    return found


def _first_difference(what: str, values: Sequence[str], others: Sequence[str]) -> list[str]:
    if len(values) != len(others):
        return [f"{what}: {len(values)} rows, now {len(others)}"]
    differ = [row for row, (value, other) in enumerate(zip(values, others)) if value != other]
    if not differ:
        return []
    row = differ[0]
    return [
        f"{what}: {len(differ)} of {len(values)} rows differ, first {row}: {values[row][:60]}, now {others[row][:60]}"
    ]


def compare_bigwig(before: Path, after: Path) -> Comparison:
    """Compare the value of each base of a bigWig: two libraries may cut equal intervals differently."""
    values, others = read_bigwig(before), read_bigwig(after)
    found = compare_arrays(values, others)
    found.faults += [f"{name} is new" for name in others if name not in values]
    return found


def read_bigwig(path: Path) -> dict[str, np.ndarray]:
    """The value of each base of each contig (float32, NaN where there is none), by the library that is there."""
    try:
        import pybigtools
    except ImportError:
        return _read_with_pybigwig(path)
    file = pybigtools.open(str(path))
    return {name: _per_base(length, file.records(name)) for name, length in file.chroms().items()}


def _read_with_pybigwig(path: Path) -> dict[str, np.ndarray]:
    import pyBigWig

    file = pyBigWig.open(str(path))
    return {name: _per_base(length, file.intervals(name) or ()) for name, length in file.chroms().items()}


def _per_base(length: int, intervals: Iterable[tuple[int, int, float]]) -> np.ndarray:
    values = np.full(length, np.nan, np.float32)
    for start, end, value in intervals:
        values[start:end] = value
    return values


def compare_csv(before: Path, after: Path, aside: re.Pattern[str]) -> Comparison:
    """Compare CSV files cell by cell; of words only the numbers in them."""
    found = Comparison()
    rows, others = (list(csv.DictReader(file.read_text().splitlines())) for file in (before, after))
    if len(rows) != len(others):
        found.faults.append(f"{len(rows)} rows, now {len(others)}")
    for number, (row, other) in enumerate(zip(rows, others), start=1):
        for name in (name for name in row if not aside.search(name)):
            found.n_values += 1
            if name not in other:
                found.faults.append(f"column {name} is missing")
            elif NUMBER.findall(row[name]) != NUMBER.findall(other[name]):
                found.faults.append(f"row {number}, {name}: {row[name]!r}, now {other[name]!r}")
            elif row[name] != other[name]:
                found.notes.append(f"row {number}, {name}: other words: {row[name]!r}, now {other[name]!r}")
    return found


@dataclass(frozen=True)
class Table:
    """Rows of cells, the names of the columns first."""

    rows: tuple[tuple[str, ...], ...]

    def without(self, aside: re.Pattern[str]) -> "Table":
        """Without some columns."""
        kept = [index for index, name in enumerate(self.rows[0]) if not aside.search(name)]
        return Table(tuple(tuple(row[index] for index in kept if index < len(row)) for row in self.rows))

    @property
    def numbers(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """The numbers in each cell, as they are written."""
        return tuple(tuple(tuple(NUMBER.findall(cell)) for cell in row) for row in self.rows)

    @property
    def has_numbers(self) -> bool:
        """Whether there is anything to compare."""
        return any(cell for row in self.numbers for cell in row)


def compare_pages(before: Path, after: Path, aside: re.Pattern[str]) -> Comparison:
    """Compare the tables of two pages, Markdown or HTML: each one of before must be there now, to the last digit."""
    return compare_tables(before.read_text(encoding="utf-8"), after.read_text(encoding="utf-8"), aside)


def compare_tables(page: str, other: str, aside: re.Pattern[str]) -> Comparison:
    """Look for each table of a page in the other, whatever its words, and say what is nearest to one that is not there."""
    before, after = ([table.without(aside) for table in read_tables(text)] for text in (page, other))
    found = Comparison()
    left = Counter(table.numbers for table in after)
    words = Counter(table.rows for table in after)
    for table in (table for table in before if table.has_numbers):
        found.n_values += sum(len(row) for row in table.rows)
        if left[table.numbers]:
            left[table.numbers] -= 1
            if not words[table.rows]:
                found.notes.append(f"table {' | '.join(table.rows[0])!r} has other words")
        else:
            found.faults.append(_nearest(table, after))
    return found


def _nearest(table: Table, others: Sequence[Table]) -> str:
    """What differs between a table and the one with the same columns."""
    said = f"table {' | '.join(table.rows[0])!r}"
    for other in others:
        if other.rows[0] == table.rows[0] and other.rows != table.rows:
            for row, now in zip(table.rows[1:], other.rows[1:]):
                if row != now:
                    return f"{said}: {' | '.join(row)!r}, now {' | '.join(now)!r}"
            return f"{said}: {len(table.rows) - 1} rows, now {len(other.rows) - 1}"
    return f"{said}: no table has these numbers now"


def read_tables(text: str) -> list[Table]:
    """The tables of a page, Markdown or HTML."""
    if "<table" in text:
        reader = _HtmlTables()
        reader.feed(text)
        return [Table(tuple(map(tuple, rows))) for rows in reader.tables if rows]
    tables: list[list[tuple[str, ...]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            tables[-1].append(tuple(cell.strip() for cell in line.strip().strip("|").split(" | ")))
        elif tables[-1]:
            tables.append([])
    return [Table((rows[0], *rows[2:])) for rows in tables if len(rows) > 2]


class _HtmlTables(HTMLParser):
    """Collects the cells of tables."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._is_in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a table, a row or a cell."""
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self.tables[-1][-1].append("")
            self._is_in_cell = True

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        if tag in ("td", "th", "table"):
            self._is_in_cell = False

    def handle_data(self, data: str) -> None:
        """Add to a cell."""
        if self._is_in_cell:
            self.tables[-1][-1][-1] += data


KINDS: dict[str, Callable[[Path, Path], Comparison]] = {
    **dict.fromkeys((".bed", ".bedmethyl", ".fa", ".gff3", ".vcf"), compare_text),
    ".json": compare_json,
    ".jsonl": compare_json_lines,
    ".safetensors": compare_tensors,
    ".npz": compare_numpy,
    ".parquet": compare_parquet,
    ".bw": compare_bigwig,
}
"""How files are compared, by suffix."""
WITH_TABLES: dict[str, Callable[[Path, Path, re.Pattern[str]], Comparison]] = {
    ".csv": compare_csv,
    ".md": compare_pages,
    ".html": compare_pages,
}
"""How files with tables are compared, of which columns may be left out, by suffix."""
