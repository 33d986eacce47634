"""The dataset folder: Parquet tables of windows by split beside a manifest that says where they come from.

`manifest.json` is written last and the whole folder appears by one rename: a folder without a manifest is unfinished.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dnaspt import __version__
from dnaspt.data.leakage import LeakageSketch, Place
from dnaspt.data.tables import decode_windows
from dnaspt.data.window import Window
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.publish import publish_folder, write_text_atomically
from dnaspt.tasks import MISSING, TASKS

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
SPLITS = ("train", "valid", "test")
UNLABELED = "unlabeled"
_ROW_GROUP = 4096
_ROW_GROUP_BP = 1 << 25

SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("sequence", pa.string()),
        ("labels", pa.list_(pa.int8())),
    ]
)


class Source(BaseModel):
    """A file that the dataset was made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str
    sha256: str
    n_bytes: int

    @classmethod
    def of(cls, path: Path) -> "Source":
        """Read the file once and remember its digest."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path=str(path), sha256=digest, n_bytes=path.stat().st_size)


class SplitSummary(BaseModel):
    """What one split holds.

    label_counts: how often each label is true, in bases or windows. known_counts: how often it is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    n_windows: int
    n_bp: int
    n_labeled: int
    n_missing: int
    label_counts: dict[str, int]
    known_counts: dict[str, int] = Field(default_factory=dict)


class Manifest(BaseModel):
    """`manifest.json`: what the folder is, where it comes from, what was dropped and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format_version: int = FORMAT_VERSION
    dnaspt_version: str = __version__
    task: str
    labels: tuple[str, ...]
    resolution_bp: int
    window_bp: int
    sources: tuple[Source, ...]
    settings: dict[str, Any]
    splits: dict[str, SplitSummary] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)
    dropped: dict[str, int] = Field(default_factory=dict)
    leakage: dict[str, Any] = Field(default_factory=dict)
    stop_in_cds: bool | None = None
    digest: str = ""
    """sha256 over the tables' own digests: what a checkpoint remembers as the data it saw."""

    @property
    def per_base(self) -> bool:
        """Whether each base has a class, and not each window or bin its labels."""
        return self.resolution_bp == 1


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
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._summaries: dict[str, dict[str, Any]] = {}
        self._sketch = LeakageSketch(same_genome=same_genome)

    def __enter__(self) -> "DatasetWriter":
        self.folder = self._publishing.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            with suppress(OSError):  # on a full disk a table cannot be closed either
                writer.close()
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
            self._writers[split] = pq.ParquetWriter(self.folder / f"{split}.parquet", SCHEMA, compression="zstd")
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
        pq.write_table(table, self.folder / f"{name}.parquet", compression="zstd")

    def finish(self, manifest: Manifest, *, strict: bool = False) -> Manifest:
        """Write what is pending and the manifest with its leakage report, ; the folder appears with the block's end.

        Raises:
            DatasetError: with `strict`, when splits share sequence.
        """
        leakage = self._sketch.report()
        if strict:
            leakage.refuse(self.out)
        for split in list(self._pending):
            self._flush(split)
        for writer in self._writers.values():
            writer.close()
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
        n_missing = int(raw["counts"][np.array(-100, dtype=np.int8).view(np.uint8)])
        n_labeled = int(raw["counts"].sum()) - n_missing
        if manifest.per_base:
            true, known = raw["counts"][: len(manifest.labels)], np.full(len(manifest.labels), n_labeled)
        else:
            by_label = raw["by_label"] if np.ndim(raw["by_label"]) else np.zeros((2, len(manifest.labels)), np.int64)
            true, known = by_label.reshape(2, -1, len(manifest.labels)).sum(
                axis=1
            )  # over the bins, where there are some
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


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a finished dataset folder.

    Raises:
        DatasetError: no folder, no manifest (unfinished), another format version, or a manifest that does not parse.
    """
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        what = "no manifest.json in it: not a dataset, or unfinished" if path.parent.is_dir() else "no such folder"
        what = "is a file; expected a folder" if path.parent.is_file() else what
        raise DatasetError(f"{folder}: {what}; make it with 'dnaspt prepare'")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        version = raw.get("format_version")
        if version != FORMAT_VERSION:
            raise DatasetError(f"{path}: format version {version}; expected {FORMAT_VERSION}; prepare it again")
        if raw.get("task") not in TASKS:
            raise DatasetError(f"{path}: task {raw.get('task')!r}; expected {', '.join(TASKS)}")
        return Manifest.model_validate(raw)
    except (ValueError, ValidationError, AttributeError) as error:
        raise DatasetError(f"{path}: not a manifest of dnaspt ({str(error).splitlines()[0]})") from error


@dataclass(frozen=True, slots=True)
class Split:
    """All windows of one split as contiguous arrays.

    Window i has codes[offsets[i]:offsets[i+1]] and labels[label_offsets[i]:label_offsets[i+1]].
    """

    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray
    codes: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    label_offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def window(self, index: int) -> Window:
        """Row `index` as a `Window` (views, no copies)."""
        return Window(
            str(self.chrom[index]),
            int(self.start[index]),
            int(self.end[index]),
            str(self.strand[index]),
            self.codes[self.offsets[index] : self.offsets[index + 1]],
            self.labels[self.label_offsets[index] : self.label_offsets[index + 1]],
        )

    def __iter__(self) -> Iterator[Window]:
        return (self.window(index) for index in range(len(self)))

    def bins(self, bin_bp: int) -> "Split":
        """Each bin of the windows as a window of its own, where each has as many labels (views, no copies)."""
        n_bins = np.diff(self.offsets) // bin_bp
        first = np.cumsum(n_bins) - n_bins
        within = (np.arange(n_bins.sum()) - np.repeat(first, n_bins)) * bin_bp
        start = np.repeat(self.start, n_bins) + within
        places = np.repeat(self.offsets[:-1], n_bins) + within
        n_labels = len(self.labels) // max(1, len(start))
        return Split(
            chrom=np.repeat(self.chrom, n_bins),
            start=start,
            end=start + bin_bp,
            strand=np.repeat(self.strand, n_bins),
            codes=self.codes,
            offsets=np.append(places, self.offsets[-1]),
            labels=self.labels,
            label_offsets=np.arange(len(start) + 1) * n_labels,
        )


def read_split(folder: str | Path, split: str) -> Split:
    """Decode one split of a dataset folder into contiguous arrays.

    Raises:
        DatasetError: the split is not there or its table is broken.
    """
    path = Path(folder) / f"{split}.parquet"
    if not path.is_file():
        if split == "train" and read_manifest(folder).task == "variants":
            raise DatasetError(
                f"{folder}: holds variants, which are scored without training; 'dnaspt evaluate' a run on them"
            )
        raise DatasetError(f"{folder}: has no {split} split; expected {path.name} in it")
    try:
        table = pq.read_table(path, schema=SCHEMA)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path}: broken table ({str(error).splitlines()[0]}); prepare it again") from error
    manifest = read_manifest(folder)
    n_classes = len(manifest.labels) if manifest.per_base else 2
    (codes, offsets), (labels, label_offsets) = decode_windows(path, table, n_classes)
    return Split(
        chrom=table["chrom"].to_numpy(),
        start=table["start"].to_numpy(),
        end=table["end"].to_numpy(),
        strand=table["strand"].to_numpy(),
        codes=codes,
        offsets=offsets,
        labels=labels,
        label_offsets=label_offsets,
    )
