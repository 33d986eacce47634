"""Dataset folders appear whole or not at all, with the sizes and balance of what was written."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dnaspt.data.dataset import Window, read_split
from dnaspt.data.manifest import Manifest, SharedWindows, read_manifest
from dnaspt.errors import DatasetError, InputError, NoSpaceError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import GENE_STATES, MISSING
from dnaspt.prepare.writer import DatasetWriter, check_written

REGIONS = Manifest(task="regions", labels=("x", "y"), resolution_bp=0, window_bp=512, sources=(), settings={})
GENES = Manifest(task="genes", labels=GENE_STATES.names, resolution_bp=1, window_bp=512, sources=(), settings={})


def window(chrom: str, start: int, letters: bytes, *labels: int) -> Window:
    codes = alphabet.encode(letters)
    return Window(chrom, start, start + len(codes), ".", codes, np.array(labels, dtype=np.int8))


def test_labels_of_windows_are_counted_where_they_are_true_and_where_they_are_known(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "out") as writer:
        for start, labels in ((0, (1, 0)), (8, (1, MISSING)), (16, (0, 1))):
            writer.add("train", window("c", start, b"ACGTACGT", *labels))
        writer.add("unlabeled", window("d", 0, b"ACGT"))
        assert writer.n_windows == {"train": 3, "unlabeled": 1}
        manifest = writer.finish(REGIONS)
    train = manifest.splits["train"]
    assert (train.n_windows, train.n_bp, train.n_labeled, train.n_missing) == (3, 24, 5, 1)
    assert (train.label_counts, train.known_counts) == ({"x": 2, "y": 1}, {"x": 3, "y": 2})
    unlabeled = manifest.splits["unlabeled"]
    assert (unlabeled.n_bp, unlabeled.n_labeled, unlabeled.label_counts) == (4, 0, {"x": 0, "y": 0})
    assert read_manifest(tmp_path / "out") == manifest


def test_labels_of_bases_are_counted_base_by_base(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "out") as writer:
        writer.add("train", window("c", 0, b"ACGTA", 8, 8, 0, MISSING, 0))
        writer.add("train", window("c", 9, b"ACG", 4, 7, MISSING))
        summary = writer.finish(GENES).splits["train"]
    assert (summary.n_labeled, summary.n_missing) == (6, 2)
    assert {name: n for name, n in summary.label_counts.items() if n} == {
        "CDS+": 2,
        "CDS-": 1,
        "acceptor-": 1,
        "non-coding": 2,
    }
    assert set(summary.known_counts.values()) == {6}


def test_labels_of_bins_are_added_up_over_the_bins(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "out") as writer:
        writer.add("train", window("c", 0, b"ACGTACGT", 1, 0, 1, MISSING))
        writer.add("train", window("c", 8, b"ACGTACGT", 0, 0, 1, 1))
        summary = writer.finish(REGIONS.model_copy(update={"resolution_bp": 4})).splits["train"]
    assert (summary.label_counts, summary.known_counts) == ({"x": 3, "y": 1}, {"x": 4, "y": 3})


def test_row_groups_stay_small_and_all_are_read_in_order(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "out") as writer:
        for start in range(5000):
            writer.add("train", window("c", start, b"ACGT", start % 2, 0))
        manifest = writer.finish(REGIONS)
    file = pq.ParquetFile(tmp_path / "out" / "train.parquet")
    assert [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)] == [4096, 904]
    assert read_split(tmp_path / "out", "train").start.tolist() == list(range(5000))
    assert manifest.splits["train"].label_counts == {"x": 2500, "y": 0}


def test_leakage_is_reported_in_the_manifest_and_refused_when_strict(tmp_path: Path) -> None:
    codes = np.random.default_rng(15).integers(0, 4, 512).astype(np.uint8)
    labels = np.ones(2, np.int8)
    for strict in (False, True):
        out = tmp_path / f"strict_{strict}"
        with DatasetWriter(out) as writer:
            writer.add("train", Window("a", 0, 512, "+", codes, labels))
            writer.add("test", Window("b", 0, 512, "-", alphabet.reverse_complement(codes), labels))
            if strict:
                with pytest.raises(DatasetError, match="1 exact"):
                    writer.finish(REGIONS, strict=True)
            else:
                writer.finish(REGIONS)
        assert out.exists() is not strict
    shared = read_manifest(tmp_path / "strict_False").leakage.pairs["train-test"]
    assert shared == SharedWindows(n_windows=1, overlapping=0, exact=1, near=0)
    assert [path.name for path in tmp_path.iterdir()] == ["strict_False"]


def test_positions_are_not_compared_where_splits_have_a_genome_of_their_own(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "out", same_genome=False) as writer:
        writer.add("train", window("a", 0, b"ACGTACGT", 1, 0))
        writer.add("test", window("a", 4, b"TTTTGGGG", 1, 0))
        assert writer.finish(REGIONS).leakage.pairs["train-test"].overlapping is None


@pytest.mark.parametrize("fault", ["an error in the block", "finish is not called"])
def test_nothing_is_left_where_the_block_does_not_end_well(tmp_path: Path, fault: str) -> None:
    def write() -> None:
        with DatasetWriter(tmp_path / "out") as writer:
            writer.add("train", window("c", 0, b"ACGT", 1, 0))
            writer._write_pending("train")
            if fault == "an error in the block":
                raise InputError(Path("g.fa"), fault)

    if fault == "an error in the block":
        with pytest.raises(InputError, match=fault):
            write()
    else:
        write()
    assert list(tmp_path.iterdir()) == []


def test_only_a_dataset_is_overwritten_and_only_when_told(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def write(letters: bytes, *, overwrite: bool) -> None:
        with DatasetWriter(out, overwrite=overwrite) as writer:
            writer.add("train", window("c", 0, letters, 1, 0))
            writer.finish(REGIONS)

    write(b"AAAA", overwrite=True)
    with pytest.raises(DatasetError, match="out: already there; choose another --out, or say --overwrite"):
        write(b"CCCC", overwrite=False)
    assert alphabet.decode(read_split(out, "train").codes) == "AAAA"
    write(b"GGGG", overwrite=True)
    assert alphabet.decode(read_split(out, "train").codes) == "GGGG"
    (out / "manifest.json").unlink()
    with pytest.raises(DatasetError, match=r"is there and is no dataset \(no manifest.json in it\)"):
        write(b"TTTT", overwrite=True)
    assert (out / "train.parquet").is_file()


def test_an_empty_folder_may_be_overwritten_and_a_file_may_not(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    DatasetWriter(tmp_path / "folder", overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="file: is there and is no dataset"):
        DatasetWriter(tmp_path / "file", overwrite=True)


def test_the_digest_depends_on_every_table_and_on_nothing_else(tmp_path: Path) -> None:
    digests = []
    for number, (letters, extra) in enumerate(((b"ACGT", 1), (b"ACGT", 1), (b"ACGA", 1), (b"ACGT", 2))):
        with DatasetWriter(tmp_path / str(number)) as writer:
            writer.add("train", window("c", 0, letters, 1, 0))
            writer.add_table("more", pa.table({"n": [extra]}))
            digests.append(writer.finish(REGIONS.model_copy(update={"settings": {"number": number}})).digest)
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_a_dataset_needs_windows_in_each_split_that_training_reads() -> None:
    genome, dropped = Path("g.fa"), {"off_contig": 3, "blacklist": 0}
    check_written(genome, {"train": 1, "valid": 1}, {"train", "valid"}, dropped)
    check_written(genome, {"train": 1}, {"train", "test"}, dropped)
    check_written(genome, {"test": 1}, frozenset(), dropped)
    with pytest.raises(
        InputError,
        match=r"g.fa: no window in the valid split .windows that reach beyond .*: 3.; expected one or more",
    ):
        check_written(genome, {"train": 1, "valid": 0}, {"train", "valid"}, dropped)
    with pytest.raises(InputError, match=r"g.fa: no window left .windows that reach beyond .*: 3.; check window_bp"):
        check_written(genome, {}, {"train"}, dropped)
    with pytest.raises(InputError, match=r"no window left \(nothing was dropped\)"):
        check_written(genome, {}, frozenset(), {})


_OPEN_FILES = Path("/proc/self/fd")


@contextlib.contextmanager
def limited(n_bytes: int) -> Iterator[None]:
    """No file can grow beyond n_bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(not _OPEN_FILES.is_dir(), reason="only Linux lists the files that a process has open")
@pytest.mark.parametrize("n_bytes", [0, 4, 500])  # a Parquet file begins with 4 bytes that say what it is
@pytest.mark.parametrize("name", ["transcripts", "train"])
def test_a_full_disk_leaves_no_file_open(name: str, n_bytes: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # The error and the writer live on to the test's end, and with them all that they refer to.
    with limited(n_bytes), pytest.raises(NoSpaceError) as error, DatasetWriter(tmp_path / "out") as writer:
        if name == "transcripts":
            writer.add_table(name, pa.table({"number": rng.random(1000)}))
        writer.add(name, Window("c", 0, 4000, "+", rng.integers(0, 4, 4000).astype(np.uint8), np.zeros(4000, np.int8)))
        writer._write_pending(name)
    still_open = {os.readlink(file) for file in _OPEN_FILES.iterdir() if file.is_symlink()}
    assert [file for file in still_open if file.startswith(str(tmp_path))] == []
    assert error.value is not None
    assert writer.out == tmp_path / "out"
