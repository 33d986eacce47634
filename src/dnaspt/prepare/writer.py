"""Writing a dataset folder: Parquet tables of windows by split, beside their manifest.

`manifest.json` is written last and the whole folder appears by one rename: a folder without a manifest is unfinished.
"""

import hashlib
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.atomic import publish_folder, write_text_atomically
from dnaspt.data.dataset import SCHEMA, Window
from dnaspt.data.manifest import SPLITS, UNLABELED, Manifest, Source, SplitSummary
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.prepare.leakage import LeakageSketch, Place
from dnaspt.tasks import MISSING

_ROW_GROUP = 4096
_ROW_GROUP_BP = 1 << 25


class DatasetWriter:
    """Write a dataset folder whole or not at all: a context manager, whose folder appears at its end after `finish`.

    Args:
        out: the folder.
        overwrite: whether a folder that is there may be replaced.
        same_genome: whether equal contig names in two splits mean the same contig (false where each split has a FASTA
            of its own): then windows that overlap across splits are leakage.

    Attributes:
        n_windows: windows by split so far.
    """

    def __init__(self, out: Path, *, overwrite: bool = False, same_genome: bool = True) -> None:
        if out.exists() and not overwrite:
            raise DatasetError(f"{out}: already there; choose another --out, or say --overwrite")
        if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / "manifest.json").is_file()):
            raise DatasetError(f"{out}: is there and is no dataset (no manifest.json in it); choose another --out")
        self.out = out
        self.n_windows: Counter[str] = Counter()
        self._publishing = publish_folder(out)
        self._finished = False
        self._labels: tuple[str, ...] = ()
        self._pending: dict[str, list[Window]] = {}
        self._files = ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._summaries: dict[str, dict[str, Any]] = {}
        self._sketch = LeakageSketch(same_genome=same_genome)

    def __enter__(self) -> "DatasetWriter":
        self.folder = self._publishing.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # on a full disk a table cannot be ended either
            self._files.close()
        if error is None and not self._finished:
            error = RuntimeError(f"{self.out}: finish was not called")  # what is written so far is thrown away
        self._publishing.__exit__(type(error) if error else None, error, trace)

    def add(self, split: str, window: Window, place: Place | None = None) -> None:
        """Append one window to a split (train, valid, test or unlabeled).

        place: where it lies in its genome, where the window is called otherwise; the leakage report compares places.
        """
        self._sketch.add(split, window, place)
        self.n_windows[split] += 1
        pending = self._pending.setdefault(split, [])
        pending.append(window)
        if len(pending) >= _ROW_GROUP or len(pending) * len(window.codes) >= _ROW_GROUP_BP:
            self._flush(split)

    def _flush(self, split: str) -> None:
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
            schema=SCHEMA,
        )
        if split not in self._writers:
            # Opened here, not by ParquetWriter: where the disk is full at the first byte, that one never closes its file.
            file = self._files.enter_context((self.folder / f"{split}.parquet").open("wb"))
            self._writers[split] = self._files.enter_context(pq.ParquetWriter(file, SCHEMA, compression="zstd"))
            self._summaries[split] = {"n_windows": 0, "n_bp": 0, "counts": np.zeros(256, dtype=np.int64), "by_label": 0}
        self._writers[split].write_table(table)
        summary = self._summaries[split]
        summary["n_windows"] += len(windows)
        summary["n_bp"] += sum(len(window.codes) for window in windows)
        labels = np.concatenate([window.labels for window in windows])
        summary["counts"] += np.bincount(labels.view(np.uint8), minlength=256)
        if len(windows[0].labels) and len({len(window.labels) for window in windows}) == 1:
            matrix = np.stack([window.labels for window in windows])
            true_and_known = np.stack([(matrix == 1).sum(axis=0), (matrix != MISSING).sum(axis=0)])
            if np.shape(summary["by_label"]) in ((), true_and_known.shape):
                summary["by_label"] = summary["by_label"] + true_and_known

    def add_table(self, name: str, table: pa.Table) -> None:
        """Add a table of another kind (for genes: `transcripts`), as NAME.parquet."""
        with (self.folder / f"{name}.parquet").open("wb") as file:
            pq.write_table(table, file, compression="zstd")

    def finish(self, manifest: Manifest, *, strict: bool = False) -> Manifest:
        """Write what is pending and the manifest with its leakage report; the folder appears with the block's end.

        Raises:
            DatasetError: with `strict`, when splits share sequence.
        """
        leakage = self._sketch.report()
        if strict:
            leakage.refuse(self.out)
        for split in list(self._pending):
            self._flush(split)
        self._files.close()
        digests = hashlib.sha256()
        for file in sorted(self.folder.glob("*.parquet")):
            digests.update(f"{file.stem} {Source.of(file).sha256}\n".encode())
        splits = {split: self._summary(manifest, split) for split in (*SPLITS, UNLABELED) if split in self._writers}
        self._writers.clear()
        found = {"splits": splits, "leakage": leakage.as_dict(), "digest": digests.hexdigest()}
        manifest = manifest.model_copy(update=found)
        write_text_atomically(self.folder / "manifest.json", manifest.model_dump_json(indent=1) + "\n")
        self._finished = True
        return manifest

    def _summary(self, manifest: Manifest, split: str) -> SplitSummary:
        raw = self._summaries[split]
        n_missing = int(raw["counts"][np.array(MISSING, dtype=np.int8).view(np.uint8)])
        n_labeled = int(raw["counts"].sum()) - n_missing
        if manifest.per_base:
            true, known = raw["counts"][: len(manifest.labels)], np.full(len(manifest.labels), n_labeled)
        else:
            by_label = raw["by_label"] if np.ndim(raw["by_label"]) else np.zeros((2, len(manifest.labels)), np.int64)
            by_bin = by_label.reshape(2, -1, len(manifest.labels))  # one bin, where a window is the unit
            true, known = by_bin.sum(axis=1)
        return SplitSummary(
            n_windows=raw["n_windows"],
            n_bp=raw["n_bp"],
            n_labeled=n_labeled,
            n_missing=n_missing,
            label_counts=dict(zip(manifest.labels, true.tolist(), strict=True)),
            known_counts=dict(zip(manifest.labels, known.tolist(), strict=True)),
        )


def _list_array(arrays: list[np.ndarray]) -> pa.ListArray:
    offsets = np.zeros(len(arrays) + 1, dtype=np.int32)
    np.cumsum([len(array) for array in arrays], out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(arrays).astype(np.int8, copy=False)))
