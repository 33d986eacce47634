"""Dataset folders: reading a split, and the type that users meet."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import Dataset, Window, read_split, split_file, window_schema
from dnaspt.data.manifest import Manifest
from dnaspt.data.segments import segments
from dnaspt.errors import DatasetError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING
from dnaspt.prepare.writer import DatasetWriter

REGIONS = Manifest(task="regions", labels=("x", "y"), resolution_bp=0, window_bp=8, sources=(), settings={})
VARIANTS = Manifest(task="variants", labels=("effect",), resolution_bp=0, window_bp=8, sources=(), settings={})


def window(start: int, letters: bytes, *labels: int, strand: str = ".") -> Window:
    codes = alphabet.encode(letters)
    return Window("chr1", start, start + len(codes), strand, codes, np.array(labels, dtype=np.int8))


WINDOWS = [window(0, b"ACGTacgN", 1, 0), window(4, b"TTTT", 0, MISSING, strand="-")]


def write(folder: Path, manifest: Manifest, **splits: list[Window]) -> Dataset:
    with DatasetWriter(folder) as writer:
        for split, windows in splits.items():
            for row in windows:
                writer.add(split, row)
        manifest = writer.finish(manifest)
    return Dataset(folder, manifest)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return write(tmp_path / "data", REGIONS, train=WINDOWS, unlabeled=[window(0, b"ACGT")])


def test_windows_are_read_as_they_were_written(data: Dataset) -> None:
    split = data.read("train")
    assert len(split) == 2 and not split.per_base
    for written, read in zip(WINDOWS, split, strict=True):
        assert (read.chrom, read.start, read.end, read.strand) == (
            *(written.chrom, written.start, written.end, written.strand),
        )
        assert np.array_equal(read.codes, written.codes) and np.array_equal(read.labels, written.labels)
    assert split.intervals.tolist() == [[0, 8], [4, 8]]
    assert split.codes.dtype == np.uint8 and split.labels.dtype == np.int8


def test_as_many_labels_as_a_window_has_bases_are_labels_of_the_window(tmp_path: Path) -> None:
    manifest = REGIONS.model_copy(update={"labels": ("w", "x", "y", "z"), "window_bp": 4})
    windows = [window(4 * n, b"ACGT", n % 2, 1, 0, 1) for n in range(6)]
    split = write(tmp_path / "data", manifest, train=windows).read("train")
    assert not split.per_base and not split.take(np.arange(3)).per_base
    (joined,) = segments(split)
    assert (joined.labels == MISSING).all()
    for batch in TrainingBatches([split], 4, BatchOptions(batch_bp=8, n_labels=4)).batches(0):
        assert sorted(set(batch.labels[:, 0].tolist())) <= [0, 1] and (batch.labels[:, 1:] == [1, 0, 1]).all()


def test_taken_windows_stand_in_the_order_that_was_asked_for(data: Dataset) -> None:
    taken = data.read("train").take(np.array([1, 0, 1]))
    assert taken.start.tolist() == [4, 0, 4] and taken.strand.tolist() == ["-", ".", "-"]
    assert alphabet.decode(taken.codes) == "TTTTACGTacgNTTTT"
    assert taken.labels.tolist() == [0, MISSING, 1, 0, 0, MISSING]
    assert taken.offsets.tolist() == [0, 4, 12, 16] and taken.label_offsets.tolist() == [0, 2, 4, 6]


def test_each_bin_is_a_window_with_its_own_labels(tmp_path: Path) -> None:
    rows = [window(8, b"AACCGGTT", 1, 0, 0, 1, MISSING, 0, 1, 1), window(32, b"TTGGCCAA", *[0] * 8, strand="+")]
    split = write(tmp_path / "data", REGIONS, train=rows).read("train")
    bins = split.bins(2)
    assert bins.start.tolist() == [8, 10, 12, 14, 32, 34, 36, 38] and (bins.end - bins.start == 2).all()
    assert [alphabet.decode(row.codes) for row in bins] == ["AA", "CC", "GG", "TT", "TT", "GG", "CC", "AA"]
    assert [row.labels.tolist() for row in bins][:4] == [[1, 0], [0, 1], [MISSING, 0], [1, 1]]
    assert bins.strand.tolist() == ["."] * 4 + ["+"] * 4
    assert np.shares_memory(bins.codes, split.codes)


def test_a_dataset_says_what_it_holds(data: Dataset) -> None:
    assert (data.task, data.labels, data.splits) == ("regions", ("x", "y"), ("train", "unlabeled"))
    assert repr(data) == f"Dataset({str(data.path)!r}, task='regions', train=2, unlabeled=1)"


def test_a_dataset_can_be_given_wherever_a_path_can(data: Dataset) -> None:
    assert os.fspath(data) == str(data.path) and Path(data) == data.path
    assert np.array_equal(read_split(data, "train").codes, data.read("train").codes)
    assert Dataset.open(data) == Dataset.open(str(data.path)) == data


def test_datasets_are_values_that_can_be_hashed_and_sent_to_another_process(data: Dataset) -> None:
    assert {data: 1}[Dataset.open(data.path)] == 1
    assert pickle.loads(pickle.dumps(data)) == data
    changed: Any = data
    with pytest.raises(AttributeError):
        changed.path = Path("elsewhere")


def test_a_frame_has_a_row_for_each_window_in_letters(data: Dataset) -> None:
    frame = data.to_frame("train")
    assert frame.columns.tolist() == ["chrom", "start", "end", "strand", "sequence", "labels"]
    assert frame["sequence"].tolist() == ["ACGTacgN", "TTTT"] and frame["end"].tolist() == [8, 8]
    assert [labels.tolist() for labels in frame["labels"]] == [[1, 0], [0, MISSING]]


def test_an_absent_split_is_refused(data: Dataset) -> None:
    for read in (data.read, data.to_frame):
        with pytest.raises(DatasetError, match=r"data: has no test split; expected test\.parquet in it"):
            read("test")


def test_variants_are_not_trained_on_and_the_error_says_what_to_do(tmp_path: Path) -> None:
    data = write(tmp_path / "data", VARIANTS, test=[window(0, b"ACGTACGT", 1)])
    with pytest.raises(DatasetError, match=r"holds variants, which are scored without training; 'dnaspt evaluate'"):
        data.read("train")


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("sequence", ["ACGTacgN", None], "column 'sequence' has no value in 1 rows"),
        ("sequence", ["ACGTacgN", "TT-T"], "column 'sequence' has letters other than A C G T N"),
        ("sequence", ["ACGTacgN", "TTT"], "column 'sequence' is not as long as start and end say"),
        ("labels", [[1, 0], [1]], "column 'labels' has neither one label a base nor the same number in each window"),
        ("labels", [[1, 0], [1, None]], "column 'labels' has an empty label"),
        ("labels", [[1, 0], [1, 2]], "column 'labels' has label 2; expected 0 to 1, or -100 where missing"),
        ("labels", [[1, 0], [-1, 0]], "column 'labels' has label -1; expected 0 to 1"),
    ],
)
def test_a_damaged_table_is_refused_with_its_column(
    data: Dataset, column: str, values: list[Any], message: str
) -> None:
    path = split_file(data, "train")
    table = pq.read_table(path)
    index = window_schema().get_field_index(column)
    changed = pa.array(values, type=window_schema().field(column).type)
    pq.write_table(table.set_column(index, window_schema().field(column), changed), path)
    with pytest.raises(DatasetError, match=rf"train\.parquet: {message}.*prepare it again"):
        data.read("train")


def test_a_table_cut_short_is_refused(data: Dataset) -> None:
    path = split_file(data, "train")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=r"train\.parquet: broken table .*; prepare it again"):
        data.read("train")


@pytest.mark.parametrize("split", ["Test", "", "../other/train", None])
def test_a_split_that_no_dataset_has_is_refused_with_the_names_there_are(split: Any, data: Dataset) -> None:
    write(data.path.parent / "other", REGIONS, train=WINDOWS)
    for read in (data.read, data.to_frame):
        with pytest.raises(
            DatasetError, match=f"no split is called {split!r}; expected train, valid, test or unlabeled"
        ):
            read(split)


def test_windows_are_counted_from_the_end_too_and_others_are_an_error(tmp_path: Path) -> None:
    split = write(tmp_path / "data", REGIONS, train=WINDOWS).read("train")
    last = split.window(-1)
    assert (last.start, alphabet.decode(last.codes), last.labels.tolist()) == (4, "TTTT", [0, MISSING])
    for index in (2, -3):
        with pytest.raises(IndexError, match=f"window {index}; the split has 2"):
            split.window(index)
