"""Windows to a dataset folder: a Parquet table for each split, and their manifest.

`manifest.json` is written last, and the folder appears under its name when all is done: one without a manifest is unfinished.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from dnaspt.atomic import atomic_folder, write_text_atomically
from dnaspt.data.dataset import Window, fold_columns, split_file, window_schema
from dnaspt.data.manifest import MANIFEST_FILE, SPLITS, UNLABELED, Fold, Manifest, NumberSummary, Source, SplitSummary
from dnaspt.errors import DatasetError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING
from dnaspt.output import locked_output, refuse_existing, refuse_inputs
from dnaspt.prepare.folds import FoldPlan
from dnaspt.prepare.leakage import LeakageSketch, fold_name, refuse_leakage
from dnaspt.words import words_of

if TYPE_CHECKING:  # takes long to import, so it is imported where it is used
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROW_GROUP = 4096
"""Most windows in a row group of Parquet."""
_ROW_GROUP_BP = 1 << 25
"""Most bases in a row group, about."""
_N_CONTIGS = 10
"""Contigs of a fold that the manifest names."""


class DatasetWriter:
    """Write a dataset folder, whole or not at all.

    A context manager: the folder appears at the end of the block, after `finish` was called in it.

    Args:
        out: the folder.
        overwrite: whether an existing dataset folder may be replaced.
        same_genome: whether equal contig names in two splits mean the same contig. Then windows that overlap across
            splits count as leakage. False where splits have a FASTA of their own.
        inputs: files that are read: `out` must be none of them, and hold none.

    Attributes:
        n_windows: windows of each split so far.
        folds: folds that the train split is divided into; None for none. Set it before the first window is added.

    Raises:
        DatasetError: `out` exists, and may not be replaced or is not a dataset. ConfigError: `out` is, or holds, an input.
        BusyError: at the beginning of the block: another process writes `out`.
    """

    def __init__(
        self, out: Path, *, overwrite: bool = False, same_genome: bool = True, inputs: Iterable[Path] = ()
    ) -> None:
        self.out = out
        self.n_windows: Counter[str] = Counter()
        self.folds: FoldPlan | None = None
        self._overwrite = overwrite
        refuse_inputs(out, {"input": inputs})
        self._check()
        self._publishing = ExitStack()
        self._finished = False
        self._pending: dict[str, list[Window]] = {}
        self._files = ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._totals: dict[str, _SplitTotals] = {}
        self._totals_by_block: dict[tuple[int, int], _SplitTotals] = {}
        self._sketch = LeakageSketch(same_genome=same_genome)

    def _check(self) -> None:
        """Refuse a folder that may not be replaced."""
        out = self.out
        refuse_existing(out, overwrite=self._overwrite, error=DatasetError)
        if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / MANIFEST_FILE).is_file()):
            raise DatasetError(f"{out}: is there and is no dataset (no {MANIFEST_FILE} in it); choose another --out")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(locked_output(self.out))
            self._check()  # another process may have written it since
            self.folder = stack.enter_context(atomic_folder(self.out))
            self._publishing = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # on a full disk a table cannot be ended either
            self._files.close()
        if error is None and not self._finished:
            error = RuntimeError(f"{self.out}: finish was not called")  # what was written so far is thrown away
        self._publishing.__exit__(type(error) if error else None, error, trace)

    def add(self, split: str, window: Window, origin: tuple[str, int] | None = None) -> None:
        """Append a window to a split.

        Args:
            split: train, valid, test or unlabeled.
            window: the window. Its arrays are kept until they are written.
            origin: contig and 0-based start of the window in its genome, where the window itself has another name and
                position; the leakage report compares origins.
        """
        fold, _ = self._fold_of(split, window)
        self._sketch.add(fold_name(fold) if fold else split, window, origin)
        self.n_windows[split] += 1
        pending = self._pending.setdefault(split, [])
        pending.append(window)
        if len(pending) >= _ROW_GROUP or len(pending) * len(window.codes) >= _ROW_GROUP_BP:
            self._write_pending(split)

    def _fold_of(self, split: str, window: Window) -> tuple[int, int]:
        """Fold and block of a window; 0 and 0 where it is in no fold."""
        if self.folds is None or split != "train":
            return 0, 0
        return self.folds.at(window.chrom, window.start, window.end)

    def _write_pending(self, split: str) -> None:
        """Write the windows of a split that are pending as one row group."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        windows = self._pending.pop(split, [])
        if not windows:
            return
        table = pa.table(
            {
                "chrom": [window.chrom for window in windows],
                "start": [window.start for window in windows],
                "end": [window.end for window in windows],
                "strand": [window.strand for window in windows],
                "sequence": [alphabet.decode(window.codes) for window in windows],
                "labels": _list_array([window.labels for window in windows]),
            },
            schema=window_schema(numbers=windows[0].labels.dtype.kind == "f"),
        )
        if self.folds is not None and split == "train":
            blocks = [self._fold_of(split, window) for window in windows]
            for column, values in zip(fold_columns(), zip(*blocks, strict=True), strict=True):
                table = table.append_column(column, pa.array(values, column.type))
            by_block: dict[tuple[int, int], list[Window]] = {}
            for block, window in zip(blocks, windows, strict=True):
                by_block.setdefault(block, []).append(window)
            for block, own in by_block.items():
                self._totals_by_block.setdefault(block, _SplitTotals()).add(own)
        if split not in self._writers:
            # Opened here, not by ParquetWriter: where the disk is full at the first byte, that one never closes its file.
            file = self._files.enter_context(split_file(self.folder, split).open("wb"))
            self._writers[split] = self._files.enter_context(pq.ParquetWriter(file, table.schema, compression="zstd"))
            self._totals[split] = _SplitTotals()
        self._writers[split].write_table(table)
        self._totals[split].add(windows)

    def add_table(self, name: str, table: "pa.Table") -> None:
        """Add a table of another kind, such as `transcripts`, as NAME.parquet."""
        import pyarrow.parquet as pq

        with (self.folder / f"{name}.parquet").open("wb") as file:
            pq.write_table(table, file, compression="zstd")

    def finish(self, manifest: Manifest, *, strict: bool = False) -> Manifest:
        """Write the pending windows and the manifest; the folder appears at the end of the block.

        Args:
            manifest: the manifest without sizes, leakage report and digest.
            strict: whether sequence that splits share is an error.

        Returns:
            The manifest as written.

        Raises:
            DatasetError: with `strict`, splits share sequence.
        """
        leakage = self._sketch.report()
        if strict:
            refuse_leakage(leakage, self.out)
        for split in list(self._pending):
            self._write_pending(split)
        self._files.close()
        splits = {
            split: self._totals[split].summary(manifest) for split in (*SPLITS, UNLABELED) if split in self._writers
        }
        folds = self._summaries_of_folds(manifest, splits)
        self._writers.clear()
        digest = hashlib.sha256()
        for file in sorted(self.folder.glob("*.parquet")):
            digest.update(f"{file.stem} {Source.of(file).sha256}\n".encode())
        update = {"splits": splits, "leakage": leakage, "digest": digest.hexdigest(), "folds": folds}
        manifest = manifest.model_copy(update=update)
        write_text_atomically(self.folder / MANIFEST_FILE, manifest.model_dump_json(indent=1) + "\n")
        self._finished = True
        return manifest

    def _summaries_of_folds(self, manifest: Manifest, splits: dict[str, SplitSummary]) -> tuple[Fold, ...]:
        """What the models of each fold are trained, chosen and tested on.

        Raises:
            ConfigError: too few blocks have windows. DatasetError: one of these has no window.
        """
        if self.folds is None:
            return ()
        folds = []
        present = {block for _, block in self._totals_by_block}
        for number in range(1, self.folds.n_folds + 1):
            valid_blocks = self.folds.valid_blocks(number, present)
            totals = {name: _SplitTotals() for name in SPLITS}
            for (fold, block), own in self._totals_by_block.items():
                totals["test" if fold == number else "valid" if block in valid_blocks else "train"].merge(own)
            own_splits = {name: total.summary(manifest) for name, total in totals.items()}
            if not valid_blocks and "valid" in splits:
                own_splits["valid"] = splits["valid"]
            if empty := [name for name, split in own_splits.items() if not split.n_windows]:
                do = "say fewer folds, or shorter windows"
                raise DatasetError(f"{self.out}: fold {number} would have no window in {empty[0]}; {do}")
            contigs = self.folds.contigs_of(number)[:_N_CONTIGS]
            folds.append(Fold(contigs=contigs, valid_blocks=valid_blocks, splits=own_splits))
        return tuple(folds)


@dataclass(slots=True)
class _SplitTotals:
    """Sums over the windows of one split, for the manifest.

    Attributes:
        n_windows: windows.
        n_bp: bases.
        by_value: how often each label value occurs (256,), as unsigned bytes.
        true_and_known: for each label of a window how often it is true and how often it is known (2, labels); None
            where windows differ in their number of labels.
        numbers: the known values of labels that are numbers (n, labels), some windows each.
    """

    n_windows: int = 0
    n_bp: int = 0
    by_value: np.ndarray = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    true_and_known: np.ndarray | None = None
    numbers: list[np.ndarray] = field(default_factory=list)

    def add(self, windows: list[Window]) -> None:
        """Add up some windows."""
        self.n_windows += len(windows)
        self.n_bp += sum(len(window.codes) for window in windows)
        labels = np.concatenate([window.labels for window in windows])
        if labels.dtype.kind == "f":
            self.numbers.append(np.stack([window.labels for window in windows]))
            return
        self.by_value += np.bincount(labels.view(np.uint8), minlength=256)
        if len(windows[0].labels) and len({len(window.labels) for window in windows}) == 1:
            matrix = np.stack([window.labels for window in windows])
            added = np.stack([(matrix == 1).sum(axis=0), (matrix != MISSING).sum(axis=0)])
            if self.true_and_known is None:
                self.true_and_known = added
            elif self.true_and_known.shape == added.shape:
                self.true_and_known = self.true_and_known + added

    def merge(self, other: "_SplitTotals") -> None:
        """Add up the sums over other windows."""
        self.n_windows += other.n_windows
        self.n_bp += other.n_bp
        self.by_value += other.by_value
        self.numbers += other.numbers
        if self.true_and_known is None or other.true_and_known is None:
            self.true_and_known = other.true_and_known if self.true_and_known is None else self.true_and_known
        elif self.true_and_known.shape == other.true_and_known.shape:
            self.true_and_known = self.true_and_known + other.true_and_known

    def summary(self, manifest: Manifest) -> SplitSummary:
        """Size and class balance of the split."""
        n_labels = len(manifest.labels)
        if self.numbers:
            return self._summary_of_numbers(manifest)
        n_missing = int(self.by_value[np.array(MISSING, dtype=np.int8).view(np.uint8)])
        n_labeled = int(self.by_value.sum()) - n_missing
        if manifest.per_base:
            true, known = self.by_value[:n_labels], np.full(n_labels, n_labeled)
        else:
            totals = self.true_and_known
            if totals is None or not n_labels:
                totals = np.zeros((2, n_labels), np.int64)
            true, known = totals.reshape(2, -1, max(1, n_labels)).sum(axis=1)[:, :n_labels]  # over the bins of windows
        return SplitSummary(
            n_windows=self.n_windows,
            n_bp=self.n_bp,
            n_labeled=n_labeled,
            n_missing=n_missing,
            label_counts=dict(zip(manifest.labels, true.tolist(), strict=True)),
            known_counts=dict(zip(manifest.labels, known.tolist(), strict=True)),
        )

    def _summary_of_numbers(self, manifest: Manifest) -> SplitSummary:
        """Size of the split, and what its numbers are like."""
        values = np.concatenate(self.numbers)
        known = (~np.isnan(values)).sum(axis=0)
        summaries = {name: _number_summary(column) for name, column in zip(manifest.labels, values.T, strict=True)}
        return SplitSummary(
            n_windows=self.n_windows,
            n_bp=self.n_bp,
            n_labeled=int(known.sum()),
            n_missing=int(values.size - known.sum()),
            label_counts={},
            known_counts=dict(zip(manifest.labels, known.tolist(), strict=True)),
            numbers={name: own for name, own in summaries.items() if own is not None},
        )


def _number_summary(values: np.ndarray) -> NumberSummary | None:
    """What values (n,) are like, nan left out; None where all are."""
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return None
    return NumberSummary(
        mean=float(known.mean()), sd=float(known.std()), least=float(known.min()), most=float(known.max())
    )


def _list_array(arrays: list[np.ndarray]) -> "pa.ListArray":
    """Label arrays of windows as one column of lists."""
    import pyarrow as pa

    offsets = np.zeros(len(arrays) + 1, dtype=np.int32)
    np.cumsum([len(array) for array in arrays], out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, pa.array(_one_type(np.concatenate(arrays))))


def _one_type(labels: np.ndarray) -> np.ndarray:
    """Labels as tables hold them: int8, or float32 where they are numbers."""
    return labels.astype(np.float32 if labels.dtype.kind == "f" else np.int8, copy=False)


def check_written(genome: Path, n_windows: Mapping[str, int], wanted: Set[str], dropped: Mapping[str, int]) -> None:
    """Refuse a dataset without windows, or without windows in a split that training needs.

    Args:
        genome: the file that the error names.
        n_windows: windows of each split.
        wanted: splits that were asked for; of these, train and valid must have windows.
        dropped: numbers of windows that were dropped, by reason; the error lists them.

    Raises:
        InputError: a split has no window.
    """
    empty = [split for split in ("train", "valid") if split in wanted and not n_windows.get(split)]
    if any(n_windows.values()) and not empty:
        return
    reasons = (
        "; ".join(f"{words_of(reason)}: {count:,}" for reason, count in dropped.items() if count)
        or "nothing was dropped"
    )
    if not any(n_windows.values()):
        raise InputError(genome, f"no window left ({reasons})", do="check window_bp, the split and the filters")
    do = "choose another --split or a smaller window_bp"
    raise InputError(genome, f"no window in the {empty[0]} split ({reasons})", expected="one or more", do=do)
