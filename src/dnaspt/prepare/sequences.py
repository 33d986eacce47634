"""Sequences with labels, and no genome, to a dataset: tables (CSV, TSV, JSON lines, Parquet) and FASTA files."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from dnaspt.config import MOST_FOLDS, MOST_SEED, Names, Paths, Settings
from dnaspt.data.dataset import Dataset, Window
from dnaspt.data.manifest import SPLITS, Manifest, Source
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.sequence_tables import SequenceTable, encoded_sequence, read_sequence_table
from dnaspt.prepare.folds import FoldPlan
from dnaspt.prepare.sequence_labels import (
    ClassLabels,
    ColumnNames,
    LabeledRows,
    LabelKind,
    NumberLabels,
    check_class_files,
    class_of_file,
    labeled_rows,
    rows_of_class,
    understood_labels,
)
from dnaspt.prepare.sequence_splits import draw_folds, draw_splits, near_copy_groups
from dnaspt.prepare.windows import LABEL_NAME, unfit_names
from dnaspt.prepare.writer import DatasetWriter, check_written
from dnaspt.tasks import TASKS, Task

log = logging.getLogger(__name__)

LONGEST_BP = 100_000
"""Bases of the longest sequence that can have labels."""


class PrepareSequencesConfig(Settings):
    """Settings of `prepare sequences`."""

    out: Path
    """Dataset folder to write."""
    sequences: Paths = Field(min_length=1)
    """Tables (CSV, TSV, JSON lines, Parquet) or FASTA files of sequences with labels, plain or gzip. Without `valid` and `test`,
    or a column of splits, they are divided here. Of several FASTA files each is a class, named by the file. Or a folder with a
    file for each sequence, SPLIT/CLASS/NAME.txt."""
    valid: Paths = ()
    """Files of the sequences that weights are chosen on, in the same format. Give them where the data bring them (dev.csv)."""
    test: Paths = ()
    """Files of the sequences that are tested on, in the same format. Give them where the data bring them."""
    sequence_column: str | None = None
    """Column of the sequences; left out, the one with a usual name (docs/files.md), such as sequence."""
    label_columns: Names = ()
    """Columns of the labels; left out, the one called label, labels, class, target or y. Name several, each true or false, for
    several labels of each sequence. One with more than two values has classes, of which each sequence has one."""
    name_column: str | None = None
    """Column of the names of the sequences; left out, the one with a usual name, such as name or id, if any."""
    split_column: str | None = None
    """Column that says train, valid (or dev) or test; left out, the one called split, set, partition or subset, if any."""
    positive: str | None = None
    """Value of the label that is true, such as enhancer; left out, 1, or the one that is not called negative, control or the
    like. With more than two values, all others are then false."""
    kind: LabelKind = "auto"
    """What the labels are: labels (each true or false), classes (of which each sequence has one) or numbers (regression). auto:
    numbers where all values are numbers and one has decimals, classes where one label has more than two values, else labels."""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of train, valid and test where the sequences are divided here. Near copies, on either strand, stay in one part."""
    folds: int | None = Field(None, ge=2, le=MOST_FOLDS)
    """Folds of a cross-validation, instead of train, valid and test. Near copies stay in one fold. Take 5 where you have few
    sequences, so that all of them are tested."""
    max_n_fraction: float = Field(0.5, ge=0, le=1)
    """Sequences with a larger share of N are left out and counted."""
    seed: int = Field(0, ge=0, le=MOST_SEED)
    """Seed of the division. Change it for another one."""
    strict: bool = False
    """Make it an error that splits share sequence, or that a sequence stands twice with different labels; else these are
    counted, with a warning."""
    overwrite: bool = False
    """Whether to replace the dataset folder `out` if it exists. Turn it on to prepare again with other settings."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.fractions) < 0 or not np.isclose(sum(self.fractions), 1) or self.fractions[0] == 0:
            raise ValueError(f"fractions {self.fractions}; expected three shares that sum to 1, the first above 0")
        if (self.valid or self.test) and self.split_column is not None:
            raise ValueError("split_column divides the sequences; leave it out, or leave out valid and test")
        if self.folds is not None and (self.valid or self.test or self.split_column is not None):
            raise ValueError("folds divide all sequences; leave it out, or leave out valid, test and split_column")
        if self.folds is not None and "fractions" in self.model_fields_set:
            raise ValueError("fractions have no effect beside folds; leave one of them out")
        if len(set(self.label_columns)) < len(self.label_columns):
            raise ValueError(f"label_columns {', '.join(self.label_columns)}: one stands there twice")
        return self

    def files(self) -> tuple[Path, ...]:
        """Every file that is read, in the order in which the manifest lists them."""
        return (*self.sequences, *self.valid, *self.test)

    @property
    def columns(self) -> ColumnNames:
        """Names of columns that were given."""
        return ColumnNames(self.sequence_column, self.label_columns, self.name_column, self.split_column)


@dataclass(frozen=True, slots=True)
class _Row:
    """A sequence that is kept.

    Attributes:
        name: its name.
        codes: its letters (L,).
        labels: its labels (K,) int8, or float32 numbers.
        split: its split; "" where it is to be drawn.
    """

    name: str
    codes: np.ndarray
    labels: np.ndarray
    split: str


def prepare_sequences(config: PrepareSequencesConfig, about: Mapping[str, Any] | None = None) -> Dataset:
    """Write the dataset folder `config.out`. Where this fails, nothing is left behind.

    Dropped and counted: rows without a sequence (`empty_sequence`), and with too many N (`unknown_bases`). Counted: letters that
    are IUPAC codes other than N and are read as N (`ambiguous_letters`), sequences that stand more than once (`repeated`), and
    those of them with different labels (`contradicting`).

    Args:
        config: the settings.
        about: more settings for the manifest to record.

    Raises:
        InputError: a file cannot be used, a letter is no nucleotide, a sequence is longer than 100 kb, or a split that training
            needs is empty. ConfigError: it is not clear which value of a label is true.
        DatasetError: `config.out` exists, or, with `strict`, splits share sequence.
    """
    counts, dropped = Counter[str](), Counter[str]()
    with DatasetWriter(config.out, overwrite=config.overwrite, same_genome=False, inputs=config.files()) as writer:
        tables = _read(config)
        labels = understood_labels([rows for _, rows in tables], config.positive, config.kind)
        task = TASKS[{ClassLabels: "classes", NumberLabels: "values"}.get(type(labels), "sequences")]
        rows = [
            row for split, own in tables for row in _kept_rows(config, own, labels.matrix(own), split, counts, dropped)
        ]
        _check_names(config, labels.names)
        given = {row.split for row in rows}
        is_divided = "" in given or "valid" not in given
        rows = _with_splits(config, _with_names(rows))
        if config.folds is not None:
            writer.folds = _folds_of(rows, config.folds, config.seed)
        _check_train(config, rows, labels.names, task)
        _check_repeats(config, rows, counts)
        counts["sequences"] = len(rows)
        if not task.numbers:
            counts["sequences_with_a_label"] = int(sum((row.labels == 1).any() for row in rows))
        for row in rows:
            writer.add(row.split, Window(row.name, 0, len(row.codes), ".", row.codes, row.labels))
        not_recorded = {"out", "overwrite", *(() if is_divided else ("fractions",))}
        wanted = {"train"} if writer.folds else {"train", "valid"}
        check_written(config.sequences[0], writer.n_windows, wanted, dropped)
        manifest = Manifest(
            task=task.name,
            labels=labels.names,
            resolution_bp=task.resolution_bp,
            window_bp=max(len(row.codes) for row in rows),
            sources=tuple(map(Source.of, config.files())),
            settings={**config.model_dump(mode="json", exclude=not_recorded), **(about or {})},
            counts={name: number for name, number in counts.items() if number},
            dropped={reason: number for reason, number in dropped.items() if number},
        )
        manifest = writer.finish(manifest, strict=config.strict)
    return Dataset(config.out, manifest)


def _read(config: PrepareSequencesConfig) -> list[tuple[str, LabeledRows]]:
    """The rows of all files, each with the split that its role says: "" where `sequences` is still to be divided.

    Raises:
        InputError: a file cannot be used. ConfigError: a column of splits beside files of splits.
    """
    found: list[tuple[str, LabeledRows]] = []
    given = {"train": config.sequences, "valid": config.valid, "test": config.test}
    by_role = {role: [read_sequence_table(file) for file in files] for role, files in given.items()}
    are_classes = any(_are_classes(tables) for tables in by_role.values())
    if are_classes:
        is_given = bool(config.valid or config.test)
        fasta = {role: [own for own in tables if own.is_fasta] for role, tables in by_role.items()}
        check_class_files(fasta if is_given else {"": fasta["train"]})
    for role, tables in by_role.items():
        names = [class_of_file(table.path) for table in tables]
        for name, table in zip(names, tables, strict=True):
            if are_classes and not table.is_fasta:
                raise ConfigError(f"{table.path}: is a table, but other files are FASTA, each of one class")
            if are_classes and names.count(name) > 1:
                raise ConfigError(f"{table.path}: is of class {name!r}, as another file is; rename one of them")
            rows = rows_of_class(table, name) if are_classes else labeled_rows(table, config.columns)
            if rows.splits is not None and (config.valid or config.test):
                raise ConfigError(f"{table.path}: has a split for each sequence; give it alone, or without that column")
            found.append((role if config.valid or config.test else "", rows))
    return found


def _are_classes(tables: Sequence[SequenceTable]) -> bool:
    """Whether each of several FASTA files is a class."""
    return len(tables) > 1 and all(table.is_fasta for table in tables)


def _kept_rows(
    config: PrepareSequencesConfig,
    rows: LabeledRows,
    labels: np.ndarray,
    split: str,
    counts: Counter[str],
    dropped: Counter[str],
) -> list[_Row]:
    """The rows of a table that are kept, with their letters as codes.

    Raises:
        InputError: a letter that is no nucleotide, or a sequence that is too long.
    """
    path, kept = rows.table.path, []
    for index, (name, letters) in enumerate(zip(rows.names, rows.sequences, strict=True)):
        line = rows.table.lines[index]
        codes, n_ambiguous = encoded_sequence(rows.table, index, letters)
        if len(codes) > LONGEST_BP:
            found = f"a sequence of {len(codes):,} bases"
            do = "for a genome with peaks say 'dnaspt prepare regions'"
            raise InputError(path, found, expected=f"at most {LONGEST_BP:,}", do=do, line=line)
        if not len(codes):
            dropped["empty_sequence"] += 1
            continue
        counts["ambiguous_letters"] += n_ambiguous
        if int(alphabet.is_unknown(codes).sum()) > config.max_n_fraction * len(codes):
            dropped["unknown_bases"] += 1
            continue
        own_split = rows.splits[index] if rows.splits is not None else split
        kept.append(_Row(name, codes, labels[index], own_split))
    return kept


def _with_names(rows: list[_Row]) -> list[_Row]:
    """All rows with names that are unique: a name that stands before gets a number."""
    taken: Counter[str] = Counter()
    named = []
    reserved = {row.name for row in rows}
    for row in rows:
        taken[row.name] += 1
        name = row.name
        while taken[row.name] > 1 and name in reserved:
            name = f"{row.name}_{taken[row.name]}"
            taken[row.name] += name in reserved
        reserved.add(name)
        named.append(replace(row, name=name))
    return named


def _folds_of(rows: Sequence[_Row], n_folds: int, seed: int) -> FoldPlan:
    """Which fold, and which block of it, each row is in; near copies are together."""
    groups = near_copy_groups([row.codes for row in rows])
    strata = _strata(np.stack([row.labels for row in rows]))
    return draw_folds([row.name for row in rows], [len(row.codes) for row in rows], groups, strata, n_folds, seed)


def _with_splits(config: PrepareSequencesConfig, rows: list[_Row]) -> list[_Row]:
    """All rows with a split: what no file divides is divided here, near copies together; with folds all are in train."""
    shares = dict(zip(SPLITS, config.fractions, strict=True))
    present = {row.split for row in rows}
    if config.folds is not None:
        if present - {""}:
            raise ConfigError(f"{config.sequences[0]}: has a split for each sequence; leave it out, or leave out folds")
        return [replace(row, split="train") for row in rows]
    if "" in present and len(present) > 1:
        raise ConfigError(f"{config.sequences[0]}: some files have a split for each sequence, others have none")
    if "" in present:
        drawn = list(range(len(rows)))
    elif "valid" not in present:  # weights are chosen on a part of train
        share = config.fractions[1] / (config.fractions[0] + config.fractions[1])
        drawn, shares = [index for index, row in enumerate(rows) if row.split == "train"], {"train": 1 - share}
        shares["valid"] = share
    else:
        drawn = []
    splits = [row.split for row in rows]
    if drawn:
        groups = near_copy_groups([rows[index].codes for index in drawn])
        strata = _strata(np.stack([rows[index].labels for index in drawn]))
        given = {name: share for name, share in shares.items() if share}
        for index, split in zip(drawn, draw_splits(groups, strata, given, config.seed).tolist(), strict=True):
            splits[index] = split
    order = sorted(range(len(rows)), key=lambda index: SPLITS.index(splits[index]))
    return [replace(rows[index], split=splits[index]) for index in order]


def _strata(labels: np.ndarray) -> list[bytes]:
    """What is to be alike in all splits, of each row: its labels (n, K), or in which tenth of all rows its first number lies."""
    if labels.dtype.kind != "f":
        return [row.tobytes() for row in labels]
    first = labels[:, 0]
    known = first[~np.isnan(first)]
    edges = np.quantile(known, np.linspace(0.1, 0.9, 9)) if len(known) else np.zeros(0)
    return [bytes([tenth]) for tenth in np.where(np.isnan(first), 255, np.searchsorted(edges, first)).tolist()]


def _check_names(config: PrepareSequencesConfig, names: Sequence[str]) -> None:
    """Refuse labels that no table of predictions, and no file, can be named after.

    Raises:
        InputError: names the first one.
    """
    unfit = [*unfit_names(names), *(name for name in names if not name.isprintable())]
    if unfit:
        raise InputError(config.sequences[0], f"a label is called {unfit[0]!r}", expected=LABEL_NAME, do="rename it")


def _check_train(config: PrepareSequencesConfig, rows: Sequence[_Row], names: Sequence[str], task: Task) -> None:
    """Refuse a class, or a label of numbers, that no sequence of train has, and an empty train or valid split.

    It warns of a label that is always or never true in train, or always the same number, and of an empty test split.

    Raises:
        InputError: says which.
    """
    found = {row.split for row in rows}
    needed = ("train",) if config.folds is not None else ("train", "valid")
    if rows and (missing := [split for split in needed if split not in found]):
        do = "give more sequences, other fractions, or files for the splits"
        raise InputError(config.sequences[0], f"no sequence in the {missing[0]} split ({len(rows)} in all)", do=do)
    if not rows:
        return
    matrix = np.stack([row.labels for row in rows if row.split == "train"])
    counts = (matrix == 1).sum(axis=0), (matrix == 0).sum(axis=0)
    for name, n_true, n_false in zip(names, *counts, strict=True):
        if task.one_of and not n_true:
            do = "is it misspelt? else divide the sequences otherwise"
            raise InputError(config.sequences[0], f"class {name!r} has no sequence in train", do=do)
        if task.is_binary and not (n_true and n_false):
            what = "always true" if n_true else "never true" if n_false else "not known"
            log.warning("%s: label %r is %s in train", config.sequences[0], name, what)
    for name, column in zip(names, matrix.T, strict=True):
        if task.numbers and np.isnan(column).all():
            raise InputError(config.sequences[0], f"label {name!r} has no number in train", do="leave it out")
        if task.numbers and len(np.unique(column[~np.isnan(column)])) < 2:
            log.warning("%s: label %r has no two different numbers in train", config.sequences[0], name)
    if "test" not in found and config.folds is None:
        log.warning("%s: no sequence in the test split, so that nothing can be scored on it", config.sequences[0])


def _check_repeats(config: PrepareSequencesConfig, rows: Sequence[_Row], counts: Counter[str]) -> None:
    """Count sequences that stand more than once, and say which of them have different labels.

    Raises:
        InputError: with `strict`, one has different labels.
    """
    seen: dict[bytes, _Row] = {}
    examples = []
    for row in rows:
        letters = alphabet.tokens(row.codes).tobytes()
        first = seen.setdefault(letters, row)
        if first is row:
            continue
        counts["repeated"] += 1
        if first.labels.dtype.kind != "f" and not np.array_equal(first.labels, row.labels):
            counts["contradicting"] += 1
            examples.append(f"{first.name} and {row.name}")
    if not examples:
        return
    found = f"{len(examples)} sequences stand twice with different labels, such as {examples[0]}"
    if config.strict:
        raise InputError(config.sequences[0], found, do="leave out all but one, or leave out strict")
    log.warning("%s: %s; all are kept", config.sequences[0], found)
