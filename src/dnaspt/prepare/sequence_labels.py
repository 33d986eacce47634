"""Rows of sequence tables to labels and splits: which columns hold them, and what their values mean.

Nothing is guessed in silence: a value that could mean two things is an error that names the setting that decides.
"""

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.sequence_tables import (
    NAME_NAMES,
    SEQUENCE_NAMES,
    SequenceTable,
    find_column,
    is_missing,
    warn_of_absent,
)
from dnaspt.genome.text_files import unpacked_name

log = logging.getLogger(__name__)

LABEL_NAMES = ("label", "labels", "class", "target", "y")
SPLIT_NAMES = ("split", "set", "partition", "subset")
_SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development"), "valid"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
MOST_CLASSES = 1000
"""Classes of which a sequence can have one."""
_NEGATIVE = re.compile(r"^(non|not|neg|negative|negatives|control|controls|background|random|shuffled|false)([\W_]|$)")
"""How names of classes begin that stand for the absence of the other one, in lower case."""
_POSITIVE = re.compile(r"^(pos|positive|positives|true|yes)([\W_]|$)")
_NO_OTHER = re.compile(r"no[\W_]+(\w.*)")
"""A name that says no to the other one, in lower case, if what follows names it: no_enhancer."""
_BARE = {"0": 0, "-1": 0, "no": 0, "1": 1, "+1": 1, "yes": 1}
"""Whole values that are true (1) or false (0) beside another one that says so, too."""
_PLAIN = frozenset({*_BARE, "true", "false", "y", "n", "t", "f", "pos", "neg", "positive", "negative"})
"""Values that say no more than true and false: the label is then called as its column."""
_UNKNOWN = re.compile(
    r"[\W_]+|unknown|unk|undetermined|undefined|undecided|ambiguous|uncertain|unclear|not[ _]determined|n\.?d\.?"
)
"""Values, in lower case, that say that a label is not known."""
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_NEARLY_NUMBER = re.compile(r"[-+]?(inf|infinity)|[<>]=?\s*[-+]?\d.*|[-+]?\d+,\d+|[-+]?[\d.]+\s*%", re.IGNORECASE)
"""What stands for a number and is not read as one: inf, <0.1, 0,53, 5%."""
_MANY_DECIMALS = 10
"""Rows with decimals from which a column is one of numbers."""
_MOST = 1e30
"""Largest number that a label can be: sums of its squares fit double precision, and products with it single precision."""
_MANY_LOST = 0.01
"""Share of different numbers that become equal in single precision from which there is a warning."""
LabelKind = Literal["auto", "labels", "classes", "numbers"]
_HEADER_SPLIT = re.compile(r"(?:^|[\s|;,])(?:split|set)=([^\s|;,]+)", re.IGNORECASE)
_HEADER_LABEL = re.compile(
    r"""(?:^|[\s|;,])(?:label|class)=(?:"([^"]*)"|'([^']*)'|([^|;]*?)\s*(?=[\s,]\s*[\w.-]+=|[|;]|$))""", re.IGNORECASE
)
"""A label in the header of a FASTA record: in quotes, or, as the third group, up to the next KEY= or ,KEY=."""


@dataclass(frozen=True, slots=True)
class LabeledRows:
    """Rows of one table with the text of their labels.

    Attributes:
        table: the table.
        names: names of the sequences.
        sequences: letters of the sequences.
        labels: text of the labels of each row, by name of the label; "" where there is none.
        splits: split of each row; None where the table does not say.
    """

    table: SequenceTable
    names: list[str]
    sequences: list[str]
    labels: dict[str, list[str]]
    splits: list[str] | None

    def known(self, column: str) -> Iterator[tuple[int, str]]:
        """Number of each row whose label is not missing, and the text of the label."""
        return ((row, text) for row, text in enumerate(self.labels[column]) if not is_missing(text))

    def wrong(self, column: str, row: int, expected: str, do: str = "") -> InputError:
        """The error that a label of a row is not what is expected."""
        found = f"{column} {self.labels[column][row][:30]!r}"
        return InputError(self.table.path, found, expected=expected, do=do, line=self.table.lines[row])


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """Names of columns that somebody gave; None, or none, to find them by their usual names."""

    sequence: str | None = None
    labels: tuple[str, ...] = ()
    name: str | None = None
    split: str | None = None


def labeled_rows(table: SequenceTable, given: ColumnNames) -> LabeledRows:
    """Find sequences, labels, names and splits in a table, or in the headers of a FASTA file.

    Raises:
        InputError: a column is not there, or could be one of two; a header without a label; a word that is no split.
    """
    if table.is_fasta:
        return _rows_of_fasta(table, given)
    path = table.path
    sequence = find_column(table, given.sequence, SEQUENCE_NAMES, "the sequence", "sequence_column")
    if sequence is None:
        do = "give the table a header, or say sequence_column"
        raise InputError(path, f"no column of sequences among {_few(table.columns)}", expected="'sequence'", do=do)
    name = find_column(table, given.name, NAME_NAMES, "the name", "name_column")
    split = find_column(table, given.split, SPLIT_NAMES, "the split", "split_column")
    if given.labels:
        chosen = [str(find_column(table, label, (), "a label", "label_columns")) for label in given.labels]
    else:
        one = find_column(table, None, LABEL_NAMES, "the label", "label_columns")
        if one is None:
            others = [column for column in table.columns if column not in (sequence, name, split)]
            do = f"say label_columns: any of {_few(others)}" if others else "give each row a label"
            raise InputError(path, f"no column of labels among {_few(table.columns)}", expected="'label'", do=do)
        chosen = [one]
    splits = None if split is None else _splits(table, split, is_asked=given.split is not None)
    warn_of_absent(table, (sequence, *chosen, name, None if splits is None else split))
    names = [f"{_stem(path)}:{line}" for line in table.lines] if name is None else table.column(name)
    labels = {label: table.column(label) for label in chosen}
    return LabeledRows(table, names, table.column(sequence), labels, splits)


def _splits(table: SequenceTable, column: str, *, is_asked: bool) -> list[str] | None:
    """Split of each row of a table; None, with a warning, of a column with no word for a split that nobody asked for.

    Raises:
        InputError: a word that is no split.
    """
    if not is_asked and not any(word.lower() in _SPLIT_WORDS for word in table.column(column)):
        told = "%s: column %r names no split (train, valid or test), and is not read"
        log.warning(told, table.path, column)
        return None
    splits = []
    for line, word in zip(table.lines, table.column(column), strict=True):
        if (split := _SPLIT_WORDS.get(word.lower())) is None:
            expected = "train, valid (or dev) or test"
            do = "give each row a split, or rename the column if it says something else"
            raise InputError(table.path, f"{column} {word!r}", expected=expected, do=do, line=line)
        splits.append(split)
    return splits


def _rows_of_fasta(table: SequenceTable, given: ColumnNames) -> LabeledRows:
    """Labels and splits from headers: '>name|1|training', '>name label=1', '>name 1'.

    Raises:
        InputError: a header without a label, or with a word that is no split.
    """
    if idle := [name for name in ("sequence", "labels", "name", "split") if getattr(given, name)]:
        setting = {"labels": "label_columns"}.get(idle[0], f"{idle[0]}_column")
        raise InputError(table.path, "is FASTA, which has no columns", do=f"leave out {setting}")
    labels, splits = [], []
    for line, header in zip(table.lines, table.column("header"), strict=True):
        named = _HEADER_LABEL.search(header)
        if named and len((named[3] or "").split()) > 1:
            found = f"label of several words in the header {header[:60]!r}"
            raise InputError(table.path, found, do='put the label in quotes: label="..."', line=line)
        label, word = _label_of_header(header)
        if label and "=" in label and not (named and named[3] is None):
            found = f"label {label[:30]!r} in the header {header[:60]!r}"
            do = 'put a space before each KEY=VALUE, or the label in quotes: label="..."'
            raise InputError(table.path, found, expected="no '=' in it", do=do, line=line)
        split = None if word is None else _SPLIT_WORDS.get(word.lower())
        if word is not None and split is None:
            expected = "train, valid (or dev) or test"
            raise InputError(table.path, f"split {word!r} in the header {header[:60]!r}", expected=expected, line=line)
        if label is None:
            do = "write '>name|LABEL', '>name label=LABEL' or '>name LABEL', or give a FASTA for each class"
            raise InputError(table.path, f"no label in the header {header[:60]!r}", do=do, line=line)
        labels.append(label)
        splits.append(split)
    if any(splits) and not all(splits):
        line = table.lines[splits.index(None)]
        raise InputError(table.path, "no split in this header, though others have one", line=line)
    names = [name.split("|")[0] for name in table.column("name")]
    known = [split for split in splits if split is not None]
    return LabeledRows(table, names, table.column("sequence"), {"label": labels}, known or None)


def _label_of_header(header: str) -> tuple[str | None, str | None]:
    """Label, and word for the split, that the header of a FASTA record names; None for what it does not."""
    if match := _HEADER_LABEL.search(header):
        named = _HEADER_SPLIT.search(header)
        return next(value for value in match.groups() if value is not None), named[1] if named else None
    fields = [field.strip() for field in header.split("|")]
    words = header.split()
    if len(fields) > 1:
        return fields[1], fields[2] if len(fields) > 2 else None
    return (words[1], None) if len(words) == 2 and "=" not in words[1] else (None, None)


def rows_of_class(table: SequenceTable, name: str) -> LabeledRows:
    """Rows of a FASTA file whose sequences are all of one class.

    Raises:
        InputError: the name of the class says that the label is missing.
    """
    if is_missing(name):
        raise InputError(table.path, f"class {name!r} would be read as missing", do="call the file something else")
    names = [own or f"{_stem(table.path)}:{line}" for own, line in zip(table.column("name"), table.lines, strict=True)]
    return LabeledRows(table, names, table.column("sequence"), {"label": [name] * len(table)}, None)


def check_class_files(tables: Mapping[str, Sequence[SequenceTable]]) -> None:
    """Refuse FASTA files that are each read as a class, if all their headers have labels that say something else.

    A text in a header is surely a label if it stands behind `label=` or before a split, or says true or false (but 1 and -1 may
    be strands). Others may be anything, such as an organism: of these there is a warning, where they repeat.

    Args:
        tables: FASTA files of one class each, by the split that their role says: "" where they are still to be divided.

    Raises:
        InputError: a file has several labels, or other splits than its role says, in its headers.
    """
    roles = {table.path: role for role, own in tables.items() for table in own}
    found = {
        table.path: [(header, *_label_of_header(header)) for header in table.column("header")]
        for own in tables.values()
        for table in own
    }
    records = [record for own in found.values() for record in own]
    if not all(label for _, label, _ in records):
        return
    have_splits = all(word is not None and word.lower() in _SPLIT_WORDS for _, _, word in records)
    are_named = all(_HEADER_LABEL.search(header) for header, _, _ in records)
    values = {str(label).lower() for _, label, _ in records}
    are_plain = values <= _PLAIN and not values <= {"1", "-1", "+1"}
    for path, own in found.items():
        labels = sorted({str(label) for _, label, _ in own})
        is_of_others = have_splits and {_SPLIT_WORDS[str(word).lower()] for _, _, word in own} != {roles[path]}
        if is_of_others or (len(labels) > 1 and (are_named or are_plain or have_splits)):
            told = f"has labels in its headers ({_few(labels)}), but several FASTA files are read as classes"
            do = "join them to one file, or take the labels off if each file is a class"
            raise InputError(path, told, do=do)
        if 1 < len(labels) <= len(own) / 2:
            told = (
                "%s: words of its headers that may be labels (%s) are not read: each of several FASTA files is a class"
            )
            log.warning(told, path, _few(labels))


def class_of_file(path: Path) -> str:
    """The class that a FASTA file of one class is named after: its name without words for splits."""
    words = [word for word in re.split(r"[._\s]+", _stem(path)) if word.lower() not in _SPLIT_WORDS]
    return "_".join(words) or _stem(path)


def _stem(path: Path) -> str:
    return Path(unpacked_name(path)).stem


@dataclass(frozen=True, slots=True)
class BinaryLabels:
    """What the text of labels means where each is true or false.

    Attributes:
        names: names of the K labels.
        values: for each label which text is true and which is false.
    """

    names: tuple[str, ...]
    values: tuple[Mapping[str, int], ...]

    def matrix(self, rows: LabeledRows) -> np.ndarray:
        """Labels of rows (n, K) int8, missing where they are not known.

        Raises:
            InputError: a value that stands in no other table.
        """
        labels = np.full((len(rows.sequences), len(self.names)), MISSING, dtype=np.int8)
        for k, (column, values) in enumerate(zip(rows.labels, self.values, strict=True)):
            for row, text in rows.known(column):
                if (value := values.get(_canonical(text))) is None:
                    raise rows.wrong(column, row, " or ".join(map(repr, values)))
                labels[row, k] = value
        return labels


@dataclass(frozen=True, slots=True)
class ClassLabels:
    """Classes of which each sequence has one.

    Attributes:
        names: names of the K classes.
    """

    names: tuple[str, ...]

    def matrix(self, rows: LabeledRows) -> np.ndarray:
        """For each row which class it has (n, K) int8: one 1, or all missing where it is not known.

        Raises:
            InputError: a class that no other table has.
        """
        (column,) = rows.labels
        numbers = {name: number for number, name in enumerate(self.names)}
        labels = np.full((len(rows.sequences), len(self.names)), MISSING, dtype=np.int8)
        for row, text in rows.known(column):
            if (number := numbers.get(_canonical(text))) is None:
                raise rows.wrong(column, row, _few(self.names))
            labels[row] = 0
            labels[row, number] = 1
        return labels


@dataclass(frozen=True, slots=True)
class NumberLabels:
    """Numbers to predict.

    Attributes:
        names: names of the K labels.
    """

    names: tuple[str, ...]

    def matrix(self, rows: LabeledRows) -> np.ndarray:
        """Labels of rows (n, K) float32, nan where they are not known.

        Raises:
            InputError: a value that is no finite number.
        """
        labels = np.full((len(rows.sequences), len(self.names)), np.nan)
        for k, column in enumerate(self.names):
            for row, text in rows.known(column):
                value = float(text) if _NUMBER.fullmatch(text) else math.nan
                if not abs(value) <= _MOST:
                    raise rows.wrong(column, row, f"a number, {_MOST:g} at most")
                labels[row, k] = value
            n_exact, n_kept = (len(np.unique(own[~np.isnan(own)])) for own in (labels[:, k], labels[:, k].astype("f4")))
            if n_exact - n_kept > _MANY_LOST * n_exact:
                log.warning(
                    "%s: %s has %d different numbers, of which single precision keeps %d; take off what they have in common",
                    *(rows.table.path, column, n_exact, n_kept),
                )
        return labels.astype(np.float32)


def understood_labels(
    tables: Sequence[LabeledRows], positive: str | None, kind: LabelKind = "auto"
) -> "BinaryLabels | ClassLabels | NumberLabels":
    """Find what the values of labels mean, over all tables.

    Args:
        tables: rows of all tables, with the same labels.
        positive: the value that is true, where it is not 1; all others are then false.
        kind: labels (each true or false), classes (one label with the names of classes) or numbers. auto: numbers where all
            values are numbers and one of them has decimals; classes where one label has more than two values; else labels.

    Raises:
        InputError: a label with one value alone, values that could be classes or numbers, or one that is neither true nor
            false beside some that are. ConfigError: two values, and
            it is not clear which is true; `positive` is no value, or makes no sense with this kind.
    """
    _check_same_columns(tables)
    _warn_of_missing(tables)
    columns = list(tables[0].labels)
    if positive is not None and kind in ("classes", "numbers"):
        raise ConfigError(
            f"positive {positive!r} is for labels that are true or false; leave it out, or leave out kind"
        )
    if kind == "numbers" or (kind == "auto" and positive is None and _are_decimals(tables)):
        return NumberLabels(tuple(columns))
    if kind == "classes" and len(columns) > 1:
        raise ConfigError(f"kind 'classes' is for one label; {_few(columns)} are {len(columns)}")
    if len(columns) == 1 and positive is None and kind != "labels":
        values = {_canonical(text) for rows in tables for _, text in rows.known(columns[0])}
        if kind == "auto":
            _check_unclear(tables, columns[0], values)
        if len(values) > 2 or (kind == "classes" and len(values) == 2):
            names = _class_names(tables[0].table.path, columns[0], values, is_asked=kind == "classes")
            return ClassLabels(names)
    return binary_labels(tables, positive)


def _are_decimals(tables: Sequence[LabeledRows]) -> bool:
    """Whether all values of all labels are numbers, and one of them has decimals that are not 0, or a power of ten.

    Raises:
        InputError: they could be names as well, such as 1e2 and 2e5; or a value is nearly a number, or no number among many.
    """
    counts = Counter(text for rows in tables for column in rows.labels for _, text in rows.known(column))
    numbers = {text for text in counts if _NUMBER.fullmatch(text)}
    decimals = {text for text in numbers if not re.fullmatch(r"[-+]?\d+", _canonical(text))}
    if others := counts.keys() - numbers:
        if odd := {text for text in others if _NEARLY_NUMBER.fullmatch(text)}:
            raise _no_number(tables, odd)
        n_decimals, n_others = (sum(counts[text] for text in texts) for texts in (decimals, others))
        if n_decimals >= _MANY_DECIMALS and n_others < n_decimals:
            raise _no_number(tables, others)
        return False
    if decimals and all(re.fullmatch(r"\d+[eE]\d+", text) for text in decimals):
        found = f"labels such as {_few(sorted(decimals))} could be numbers or names"
        raise InputError(tables[0].table.path, found, do="say kind numbers, or kind classes")
    return bool(decimals)


def _warn_of_missing(tables: Sequence[LabeledRows]) -> None:
    """Say of labels that are words how often a word such as none stands there, which could be a class."""
    for column in tables[0].labels:
        texts = [text for rows in tables for text in rows.labels[column]]
        if any(text and not is_missing(text) and not _NUMBER.fullmatch(text) for text in texts):
            for word, n in Counter(text for text in texts if text and is_missing(text)).items():
                log.warning(
                    "%s: %s %r is read as missing, in %d rows; if it is a class, call it something else",
                    *(tables[0].table.path, column, word, n),
                )


def _no_number(tables: Sequence[LabeledRows], others: set[str]) -> InputError:
    """The error that a value is no number, though it looks like one or most others are."""
    rows, column, row = next(
        (rows, column, row)
        for rows in tables
        for column in rows.labels
        for row, text in rows.known(column)
        if text in others
    )
    do = "leave it empty where it is not known, or say kind classes"
    return rows.wrong(column, row, "a number, with a decimal point", do)


def _check_unclear(tables: Sequence[LabeledRows], column: str, values: set[str]) -> None:
    """Refuse a value such as ? or unknown beside 0 and 1, or beside other values that say true and false alone.

    Raises:
        InputError: names the first row with such a value.
    """
    plain = {value for value in values if value.lower() in _PLAIN}
    others = {value for value in values if _UNKNOWN.fullmatch(value.lower())}
    if len(plain) < 2 or not others:
        return
    rows, row = next((rows, row) for rows in tables for row, text in rows.known(column) if _canonical(text) in others)
    do = "leave it empty where it is not known, or say kind classes"
    raise rows.wrong(column, row, f"one of {_few(sorted(values - others))}", do)


def _class_names(path: Path, column: str, values: set[str], *, is_asked: bool) -> tuple[str, ...]:
    """Names of classes, numbers by size; is_asked: whether somebody said that they are classes.

    Raises:
        InputError: too many, or numbers that are not 0, 1, 2, ... or 1, 2, 3, ..., where nobody said so.
    """
    if not is_asked:
        _check_case(path, column, values, ", or say kind classes if they are different ones")
    if len(values) > MOST_CLASSES:
        raise InputError(
            path, f"column {column!r} has {len(values):,} values", expected=f"at most {MOST_CLASSES} classes"
        )
    if all(_NUMBER.fullmatch(value) for value in values):
        names = sorted(values, key=float)
        if not is_asked and names not in ([str(k) for k in range(len(names))], [str(k + 1) for k in range(len(names))]):
            found = f"column {column!r} has {len(names)} numbers ({_few(names)}), which are no classes 0, 1, 2, ..."
            raise InputError(path, found, do="say kind numbers to predict them, kind classes, or positive")
        return tuple(names)
    return tuple(sorted(values))


def _check_case(path: Path, column: str, values: Iterable[str], way_out: str = "") -> None:
    """Refuse values that differ in their case alone; `way_out` says what else to do.

    Raises:
        InputError: names two of them.
    """
    first: dict[str, str] = {}
    for value in sorted(values):
        other = first.setdefault(value.lower(), value)
        if other != value:
            found = f"column {column!r} has the values {other!r} and {value!r}"
            raise InputError(path, found, do=f"write them alike{way_out}")


def _check_same_columns(tables: Sequence[LabeledRows]) -> None:
    """Refuse tables whose labels are called differently.

    Raises:
        InputError: names both.
    """
    for rows in tables:
        for column in tables[0].labels:
            if column not in rows.labels:
                raise InputError(rows.table.path, f"no column {column!r}, which {tables[0].table.path} has")


def binary_labels(tables: Sequence[LabeledRows], positive: str | None) -> BinaryLabels:
    """Find what the values of labels mean, over all tables.

    Args:
        tables: rows of all tables, with the same labels.
        positive: the value that is true, where it is not 1.

    Raises:
        InputError: a label with one value alone, or with more than two. ConfigError: two values, and it is not clear which is
            true; or `positive` is no value.
    """
    _check_same_columns(tables)
    if positive is not None and len(tables[0].labels) > 1:
        raise ConfigError(
            f"positive {positive!r} is for one label; of several, each must have the values 0 and 1, or the like"
        )
    names, values = [], []
    for column in tables[0].labels:
        counts: Counter[str] = Counter()
        for rows in tables:
            counts.update(_canonical(text) for _, text in rows.known(column))
        meaning = _meaning(tables[0].table.path, column, counts, positive)
        is_plain = {text.lower() for text in meaning} <= _PLAIN
        true = next(text for text, value in meaning.items() if value)
        names.append(column if is_plain or len(tables[0].labels) > 1 else true)
        values.append(meaning)
    return BinaryLabels(tuple(names), tuple(values))


def _meaning(path: Path, column: str, counts: Counter[str], positive: str | None) -> dict[str, int]:
    """Which of the values of a label is true (1) and which is false (0)."""
    found = sorted(counts)
    _check_case(path, column, found)
    if positive is not None:
        positive = _canonical(positive)
        if positive not in counts:
            raise ConfigError(f"positive {positive!r} is no value of {column!r}; expected one of {_few(found)}")
    if len(found) > 2:
        if positive is None:
            raise InputError(
                path,
                f"column {column!r} has {len(found)} values ({_few(found)})",
                expected="two, such as 0 and 1, where there are several labels",
                do="for numbers say kind numbers",
            )
        return {value: int(value == positive) for value in found}
    if len(found) < 2:
        if set(found) <= {"0", "1"} and found:  # a label that is never true in these tables, or always
            return {"0": 0, "1": 1}
        what = f"only the value {found[0]!r}" if found else "no value"
        raise InputError(path, f"column {column!r} has {what}", expected="two values, such as 0 and 1")
    if positive is None:
        positive = _positive_of(found)
    if positive is None:
        raise ConfigError(f"{path}: column {column!r} has the values {_few(found)}; say positive: the one that is true")
    return {value: int(value == positive) for value in found}


def _positive_of(values: Sequence[str]) -> str | None:
    """The value of two that is true; None where their names do not say."""
    if all(re.fullmatch(r"-?\d+", value) for value in values):
        return "1" if set(values) in ({"0", "1"}, {"-1", "1"}) else None
    first, second = (value.lower() for value in values)
    of_first, of_second = _says(first, second), _says(second, first)
    is_bare = first in _BARE or second in _BARE
    if of_first == of_second or (is_bare and None in (of_first, of_second)):
        return None
    return values[0] if of_first == 1 or of_second == 0 else values[1]


def _says(value: str, other: str) -> int | None:
    """Whether the name of a value, in lower case, says beside another one that it is true (1) or false (0); else None."""
    if value in _BARE:
        return _BARE[value]
    if (match := _NO_OTHER.fullmatch(value)) and match[1].rstrip("s") == other.rstrip("s"):
        return 0
    return 0 if _NEGATIVE.match(value) else 1 if _POSITIVE.match(value) else None


def _canonical(text: str) -> str:
    """The text of a value: 1.0 is 1, and true and false, however they are spelled, are 1 and 0; all else stays as it is."""
    if text.lower() in ("true", "false"):
        return str(int(text.lower() == "true"))
    match = re.fullmatch(r"(-?(?:0|[1-9]\d*))\.0*", text)
    return match[1] if match else text


def _few(names: Sequence[str]) -> str:
    """The first names, long ones cut, and how many more there are."""
    shown = [repr(name if len(name) <= 30 else f"{name[:27]}...") for name in names[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
