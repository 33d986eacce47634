"""Reading the windows of a dataset folder, one split as contiguous arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.data.manifest import read_manifest
from dnaspt.data.tables import SCHEMA, decode_windows
from dnaspt.data.window import Window
from dnaspt.errors import DatasetError


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
