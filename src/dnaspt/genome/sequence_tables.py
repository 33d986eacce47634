"""Tables of sequences and FASTA files to rows of text: CSV, TSV, JSON lines, Parquet and FASTA, plain or gzip.

A row keeps its line (or row) number, so that an error can name it. Letters of sequences are not looked at here.
"""

import csv
import io
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.text_files import open_bytes, open_text, unpacked_name

log = logging.getLogger(__name__)

TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json", ".parquet")
FASTA_SUFFIXES = (".fa", ".fasta", ".fna", ".ffn", ".fas", ".fsa")
SEQUENCE_NAMES = ("sequence", "seq", "dna", "dna_sequence", "sequences", "text")
NAME_NAMES = ("name", "id", "index", "seq_id", "sequence_id", "seqname")
"""Usual names of the columns of sequences and of their names, in lower case."""
_DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "vertical bar"}
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "."})
"""How tables write that a value is not known, in lower case."""
_PARQUET_ROWS = 1 << 16
_LONGEST_FIELD = 1 << 28


@dataclass(frozen=True, slots=True)
class SequenceTable:
    """Rows of a file of sequences, as text.

    Attributes:
        path: the file.
        columns: names of the columns, in their order; of FASTA "name", "header" and "sequence".
        rows: fields of each row, one for each column, without blanks around them.
        lines: 1-based line of each row in the file; of Parquet its number.
        is_fasta: whether it is FASTA.
        nested: columns that hold a list or an object somewhere: the first line, and what it is. They cannot be used.
        absent: columns that some objects of JSON do not have, and how many: their value is empty.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    lines: list[int]
    is_fasta: bool = False
    nested: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    absent: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[str]:
        """All values of a column.

        Raises:
            InputError: it holds a list or an object.
        """
        if name in self.nested:
            line, kind = self.nested[name]
            do = "give what is read, the sequence or each label, a column of its own"
            raise InputError(
                self.path, f"column {name!r} holds a {kind}", expected="text or a number", do=do, line=line
            )
        index = self.columns.index(name)
        return [row[index] for row in self.rows]


def warn_of_absent(table: SequenceTable, used: Iterable[str | None]) -> None:
    """Say of columns that are used how many objects of JSON do not have them.

    Args:
        table: the table.
        used: names of its columns; None for what has no column.
    """
    for name in dict.fromkeys(used):
        if name is not None and (n_absent := table.absent.get(name)):
            told = "%s: %d of %d objects have no %r, which is read as missing"
            log.warning(told, table.path, n_absent, len(table), name)


def is_missing(value: str) -> bool:
    """Whether the text of a value says that it is not known: empty, NA, NaN, null and the like."""
    return value.lower() in _MISSING


def is_sequence_table(path: Path) -> bool:
    """Whether the name of a file is that of a table."""
    return Path(unpacked_name(path)).suffix.lower() in TABLE_SUFFIXES


def read_sequence_table(path: str | Path) -> SequenceTable:
    """Read a table of sequences, a FASTA file, or a folder of sequences by split and class, as text. Its name tells which it is.

    Raises:
        InputError: another kind of name, a file that cannot be used, or without a row; a row with fewer or more fields than the
            header, a column that is there twice, or two without a name.
    """
    path = Path(path)
    suffix = Path(unpacked_name(path)).suffix.lower()
    if path.is_dir():
        table = _read_folder(path)
    elif suffix in FASTA_SUFFIXES:
        table = _read_fasta(path)
    elif suffix == ".parquet":
        table = _read_parquet(path)
    elif suffix in (".jsonl", ".ndjson", ".json"):
        table = _read_json(path)
    elif suffix in TABLE_SUFFIXES:
        table = _read_delimited(path, suffix)
    else:
        names = ", ".join((*TABLE_SUFFIXES, *FASTA_SUFFIXES))
        raise InputError(path, f"unknown suffix {suffix!r}", expected=f"{names}, plain or with .gz")
    repeated = [name for name in table.columns if table.columns.count(name) > 1]
    if "" in repeated:
        raise InputError(path, "two columns have no name", do="name them in the header")
    if repeated:
        raise InputError(path, f"column {repeated[0]!r} is there twice", do="rename one of them")
    if not table.rows:
        raise InputError(path, "no row in it", expected="a sequence in each row")
    return table


def _read_folder(path: Path) -> SequenceTable:
    """The sequences of a folder with a file for each, SPLIT/CLASS/NAME.txt, as genomic-benchmarks has them.

    Raises:
        InputError: no such files in it, or one that does not hold one sequence.
    """
    wanted = (
        file for file in path.glob("*/*/*") if file.suffix.lower() == ".txt"
    )  # through links, too; rglob does not
    files = sorted(file for file in wanted if not _is_hidden(file.relative_to(path)))
    seen = {file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path))}
    if files and (others := sorted(seen - set(files))):
        told = "%s: %d files are not read, such as %s: they are no SPLIT/CLASS/NAME.txt"
        log.warning(told, path, len(others), others[0].relative_to(path))
    if not files:
        expected = "a table, FASTA, or a folder with a file for each sequence, such as train/positive/1.txt"
        raise InputError(path, "is a folder without such files", expected=expected)
    rows = []
    for file in files:
        with open_text(file) as opened:
            letters = io.TextIOWrapper(opened, encoding="ascii", errors="replace").read().split()
        if len(letters) != 1:
            raise InputError(file, f"{len(letters)} words in it", expected="one sequence and nothing else")
        rows.append(("/".join(file.relative_to(path).with_suffix("").parts), letters[0], *file.parts[-2:-4:-1]))
    return SequenceTable(path, ("name", "sequence", "label", "split"), rows, list(range(1, len(rows) + 1)))


def _is_hidden(path: Path) -> bool:
    """Whether a file is hidden, or lies in a hidden folder, as notebooks and macOS make them."""
    return any(part.startswith(".") for part in path.parts)


def _read_delimited(path: Path, suffix: str) -> SequenceTable:
    """A table with a header, fields quoted as spreadsheets do."""
    with open_text(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        before = csv.field_size_limit(_LONGEST_FIELD)
        try:
            return _delimited_rows(path, text, suffix)
        except UnicodeDecodeError as error:
            raise InputError(path, "text that is not UTF-8", do="save it as UTF-8") from error
        finally:
            csv.field_size_limit(before)


def _delimited_rows(path: Path, text: IO[str], suffix: str) -> SequenceTable:
    """The rows of a table.

    Raises:
        InputError: see `read_sequence_table`.
    """
    header = ""
    skipped = 0
    for header in text:
        if header.strip():
            break
        skipped += 1
    delimiter = _delimiter(header, suffix)
    columns = tuple(name.strip() for name in next(csv.reader([header], delimiter=delimiter), []))
    rows, lines = [], []
    reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        for fields in reader:
            if not any(map(str.strip, fields)):
                continue
            line = skipped + 1 + reader.line_num
            if len(fields) != len(columns):
                found = f"{len(fields)} fields in this row, {len(columns)} in the header"
                by_r = "; was it written by R? row.names = FALSE leaves out the names of rows"
                do = f"is a {_DELIMITERS[delimiter]} within a field, without quotes?"
                do += by_r if len(fields) == len(columns) + 1 else ""
                raise InputError(path, found, do=do, line=line)
            if any("\n" in field or "\r" in field for field in fields):
                raise InputError(path, "a field goes on over a line end", do="is a quote left open?", line=line)
            rows.append(tuple(map(str.strip, fields)))
            lines.append(line)
    except csv.Error as error:
        raise InputError(path, f"not a table ({error})", line=skipped + 1 + reader.line_num) from error
    named = [k for k, name in enumerate(columns) if name or any(row[k] for row in rows)]  # as spreadsheets leave them
    return SequenceTable(path, tuple(columns[k] for k in named), [tuple(row[k] for k in named) for row in rows], lines)


def _delimiter(header: str, suffix: str) -> str:
    """What divides the fields of a header: the delimiter of its suffix if it is there, else the most frequent one."""
    usual = {".csv": ",", ".tsv": "\t", ".tab": "\t"}.get(suffix, "")
    header = re.sub(r'"[^"]*"', "", header)
    if usual and usual in header:
        return usual
    return max(_DELIMITERS, key=header.count)


def _read_json(path: Path) -> SequenceTable:
    """An object in each line, or a list of objects."""
    with open_text(path) as file:
        try:
            text = file.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(path, "text that is not UTF-8", do="save it as UTF-8") from error
    objects = list(_json_objects(path, text))
    columns = tuple(dict.fromkeys(name for _, content in objects for name in content))
    rows = [tuple(_as_text(path, content.get(name), name, line) for name in columns) for line, content in objects]
    nested = _nested((line, content.items()) for line, content in objects)
    n_with = Counter(name for _, content in objects for name in content)
    absent = {name: len(objects) - n_with[name] for name in columns if n_with[name] < len(objects)}
    return SequenceTable(path, columns, rows, [line for line, _ in objects], nested=nested, absent=absent)


def _json_objects(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line (or number in a list) and content of each object.

    Raises:
        InputError: something that is no object, or an object with a name twice.
    """

    def load(json_text: str) -> Any:
        return json.loads(json_text, object_pairs_hook=_object)

    try:
        numbered: Iterator[tuple[int, Any]] = (
            enumerate(load(text), start=1)
            if text.lstrip().startswith("[")
            else ((line, load(row)) for line, row in enumerate(text.split("\n"), start=1) if row.strip())
        )
        for line, content in numbered:
            if not isinstance(content, dict):
                raise InputError(path, f"a {type(content).__name__}", expected="an object in each line", line=line)
            if isinstance(content, _RepeatedNames):
                raise InputError(
                    path, f"{content.repeated!r} is there twice in an object", do="leave out one", line=line
                )
            if content and all(isinstance(column, dict) for column in content.values()):
                do = "pandas writes them with to_json(path, orient='records', lines=True)"
                raise InputError(path, "columns instead of rows", expected="an object in each line", do=do, line=line)
            yield line, content
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and nesting without an end
        raise InputError(path, f"broken JSON ({error})", expected="an object in each line") from error


class _RepeatedNames(dict[str, Any]):
    """An object of JSON in which a name stands twice.

    Attributes:
        repeated: the first such name.
    """

    repeated = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON from its names and values."""
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    counts = Counter(name for name, _ in pairs)
    repeated = _RepeatedNames(content)
    repeated.repeated = next(name for name, n in counts.items() if n > 1)
    return repeated


def _read_parquet(path: Path) -> SequenceTable:
    """Columns of text, numbers or truth values; row groups are read one after the other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    open_bytes(path).close()
    rows: list[tuple[str, ...]] = []
    nested: dict[str, tuple[int, str]] = {}
    try:
        with pq.ParquetFile(path) as file:
            columns = tuple(file.schema_arrow.names)
            for batch in file.iter_batches(_PARQUET_ROWS):
                values = [column.to_pylist() for column in batch.columns]
                for fields in zip(*values, strict=True):
                    line = len(rows) + 1
                    pairs = list(zip(columns, fields, strict=True))
                    rows.append(tuple(_as_text(path, value, name, line) for name, value in pairs))
                    nested = _nested([(line, pairs)]) | nested
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, f"not a Parquet file ({str(error).splitlines()[0]})") from error
    return SequenceTable(path, columns, rows, list(range(1, len(rows) + 1)), nested=nested)


def _nested(lines: Iterable[tuple[int, Iterable[tuple[str, object]]]]) -> dict[str, tuple[int, str]]:
    """Columns with a list or an object in one of these lines: the first line, and what it is."""
    found: dict[str, tuple[int, str]] = {}
    for line, pairs in lines:
        for name, value in pairs:
            if isinstance(value, list | dict | tuple):
                found.setdefault(name, (line, type(value).__name__))
    return found


def _as_text(path: Path, value: object, column: str, line: int) -> str:
    """A value of JSON or Parquet as a table has it: nothing for null, 1 and 0 for true and false, and nothing for a list.

    Raises:
        InputError: half of a character.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, list | dict | tuple):
        return ""
    text = str(value).strip()
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InputError(path, f"column {column!r} holds half of a character", expected="text in UTF-8", line=line)
    return text


def _read_fasta(path: Path) -> SequenceTable:
    """Records of FASTA. Names need not be unique: some files have the label there."""
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    header, first, parts = "", 0, list[str]()

    def end_record() -> None:
        if first:
            rows.append(((header.split() or [""])[0], header, "".join(parts)))
            lines.append(first)

    with open_text(path) as file:
        for line, raw in enumerate(file, start=1):
            try:
                text = raw.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise InputError(path, "text that is not UTF-8", line=line) from error
            if text.startswith(">"):
                end_record()
                header, first, parts = text[1:].strip(), line, []
            elif text and not first:
                raise InputError(path, f"{text[:20]!r} before the first header", expected="FASTA ('>name')", line=line)
            elif text:
                parts.append(text.replace(" ", "").replace("\t", ""))
    end_record()
    return SequenceTable(path, ("name", "header", "sequence"), rows, lines, is_fasta=True)


def find_column(table: SequenceTable, asked: str | None, usual: Sequence[str], what: str, option: str) -> str | None:
    """Name of a column: the one that is asked for, else the only one with a usual name (in any case).

    Args:
        table: the table.
        asked: name that somebody gave, or None.
        usual: usual names, in lower case.
        what: what the column holds.
        option: setting that names it.

    Returns:
        The name as the table has it; None where no column has a usual name.

    Raises:
        InputError: the column that is asked for is not there, or several have usual names.
    """
    if asked is not None:
        if asked not in table.columns:
            raise InputError(table.path, f"no column {asked!r}", expected=f"one of {_listed(table.columns)}")
        return asked
    found = [name for name in table.columns if name.lower() in usual]
    if len(found) > 1:
        do = f"say which with {option}"
        raise InputError(table.path, f"{_listed(found)} could each be {what}", expected="one column", do=do)
    return found[0] if found else None


def sequences_of(
    table: SequenceTable, sequence_column: str | None = None, name_column: str | None = None
) -> tuple[list[str], list[np.ndarray]]:
    """Names, and codes (L,) uint8, of the sequences of all rows; a row without a sequence has no codes.

    Args:
        table: the table.
        sequence_column: column of the sequences; None for the one with a usual name.
        name_column: column of the names; None for the one with a usual name; without one, rows have numbers.

    Raises:
        InputError: no such column, or a letter that is no nucleotide.
    """
    if table.is_fasta:
        if sequence_column or name_column:
            raise InputError(table.path, "is FASTA, which has no columns", do="leave out the names of columns")
        sequence: str | None = "sequence"
        name: str | None = "name"
    else:
        sequence = find_column(table, sequence_column, SEQUENCE_NAMES, "the sequence", "sequence_column")
        name = find_column(table, name_column, NAME_NAMES, "the name", "name_column")
        if sequence is None:
            do = "give the table a header, or name the column (--sequence-column; in Python sequence_column)"
            raise InputError(table.path, "no column of sequences", expected="one called 'sequence'", do=do)
    assert sequence is not None
    warn_of_absent(table, (sequence, name))
    names = [str(n + 1) for n in range(len(table))] if name is None else table.column(name)
    encoded = [encoded_sequence(table, row, text) for row, text in enumerate(table.column(sequence))]
    if n_ambiguous := sum(n for _, n in encoded):
        log.warning("%s: %d IUPAC letters other than N were read as N", table.path, n_ambiguous)
    return names, [codes for codes, _ in encoded]


def encoded_sequence(table: SequenceTable, row: int, text: str) -> tuple[np.ndarray, int]:
    """Codes of the sequence of a row, and how many of its letters are IUPAC codes other than N, which are read as N.

    Text of a table that says that a value is missing, such as NA, is no sequence; in FASTA it is bases.

    Args:
        table: the table.
        row: number of the row.
        text: its sequence.

    Returns:
        Codes (L,) uint8, and the number of letters.

    Raises:
        InputError: a letter that is no nucleotide. The error names the line.
    """
    if not table.is_fasta and is_missing(text):
        return np.zeros(0, dtype=np.uint8), 0
    codes = alphabet.encode(text)
    if (bad := np.flatnonzero(codes == alphabet.NOT_DNA)).size:
        letter = text[bad[0]]
        do = "is it protein?" if letter.isalpha() else ""
        expected = "IUPAC nucleotide letters"
        raise InputError(table.path, f"{letter!r} in a sequence", expected=expected, do=do, line=table.lines[row])
    return codes, int(alphabet.is_unknown(codes).sum()) - text.upper().count("N")


def _listed(names: Sequence[str]) -> str:
    """Names as a list; long ones, such as a sequence where a header was expected, are cut."""
    return ", ".join(repr(name if len(name) <= 30 else f"{name[:27]}...") for name in names)
