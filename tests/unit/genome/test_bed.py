"""Readers and writer of BED, narrowPeak and BEND's tables."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaspt.errors import InputError
from dnaspt.genome import bed, columns
from dnaspt.genome.bed import LabeledRegions, has_labels, read_bed, read_labeled_bed, write_bed


def _file(folder: Path, text: str, name: str = "a.bed") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def _rows(path: Path) -> list[tuple[str, int, int, str]]:
    regions = read_bed(path)
    return list(zip(regions.chrom.tolist(), regions.start.tolist(), regions.end.tolist(), regions.strand.tolist()))


@pytest.mark.parametrize(
    "text",
    [
        "chr1\t1\t5\nchr2\t0\t3\n",
        "chr1\t1\t5\nchr2\t0\t3",
        "chr1\t1\t5\r\nchr2\t0\t3\r\n",
        "# made by hand\ntrack name=a\nbrowser position chr1\nchr1\t1\t5\n\nchr2\t0\t3\n\n",
        "chrom\tstart\tend\nchr1\t1\t5\nchr2\t0\t3\n",
        "#chrom\tstart\tend\nchr1\t1\t5\nchr2\t0\t3\n",
        "chr1 1 5\nchr2 0   3\n",
        "chr1\t1\t5\tpeak 1\nchr2\t0\t3\t#2\n",
        'chr1\t1\t5\t"\nchr2\t0\t3\t"\n',
    ],
)
def test_valid_but_unusual_bed_is_read(tmp_path: Path, text: str) -> None:
    assert _rows(_file(tmp_path, text)) == [("chr1", 1, 5, "."), ("chr2", 0, 3, ".")]


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    path.write_bytes(gzip.compress(b"NA\t1\t5\tn\t0\t-\n", mtime=0))
    assert _rows(path) == [("NA", 1, 5, "-")]


def test_lines_are_counted_across_comments_and_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# one\n" + "".join(f"chr1\t{i}\t{i + 1}\n" + ("\n" if i % 3 == 0 else "") for i in range(50))
    path = _file(tmp_path, text)
    whole = read_bed(path)
    monkeypatch.setattr(columns, "_BLOCK_BYTES", 37)
    blocks = read_bed(path)
    lines = text.split("\n")
    assert [lines[line - 1].split("\t")[1] for line in whole.line] == [str(i) for i in range(50)]
    assert np.array_equal(whole.line, blocks.line) and np.array_equal(whole.start, blocks.start)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("chr1\t1\t5\nchr1\tx\t5\n", 2, "start 'x'; expected an integer in column 2"),
        ("# c\nchr1\t1\t5.5\n", 2, "end '5.5'"),
        ("chr1\t5\t5\n", 1, "interval 5-5; expected 0 <= start < end"),
        ("chr1\t1\t5\nchr1\t9\t5\n", 2, "interval 9-5"),
        ("chr1\t-1\t5\n", 1, "interval -1-5"),
        ("chr1\t1\t5\n\nchr1\t5\n", 3, "2 columns"),
        ("chr1\t1\n", 1, "2 columns"),
        ("chr1\t1\t99999999999999999999\n", 1, "end '99999999999999999999'"),
        ("chr1\t1\t1,000\n", 1, "end '1,000'"),
        ("a b\n", 1, "2 columns"),
    ],
)
def test_malformed_rows_are_named_with_their_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_bed(path)
    assert str(error.value).startswith(f"{path}:{line}: ") and message in str(error.value)


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n", gzip.compress(b"chr1\t1\t5\n" * 99, mtime=0)[:-9]])
def test_files_without_a_whole_row_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.bed"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"no row in it|broken gzip"):
        read_bed(path)


def test_a_folder_or_a_binary_file_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_bed(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        read_bed(tmp_path / "none.bed")
    path = tmp_path / "binary.bed"
    path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(InputError):
        read_bed(path)


def test_the_center_of_a_narrow_peak_is_its_summit(tmp_path: Path) -> None:
    row = "chr1\t100\t200\tp\t0\t.\t5.5\t-1\t-1\t"
    regions = read_bed(_file(tmp_path, f"{row}10\n{row}-1\n", "a.narrowPeak"))
    assert regions.center.tolist() == [110, 150]
    with pytest.raises(InputError, match=":1: summit 100 of a peak of 100 bp"):
        read_bed(_file(tmp_path, f"{row}100\n"))


def test_labels_of_bend_are_lists_of_indices(tmp_path: Path) -> None:
    header = "chromosome\tstart\tend\tstrand\tlabel\tsplit\n"
    path = _file(tmp_path, f"{header}chr1\t0\t4\t+\t\ttrain\nchr1\t4\t8\t-\t0,2\tvalid\nchr2\t0\t4\t.\t1\ttest\n")
    labeled = read_labeled_bed(path)
    assert has_labels(path)
    assert labeled.n_labels() == 3
    assert labeled.split is not None and labeled.split.tolist() == ["train", "valid", "test"]
    assert labeled.regions.strand.tolist() == ["+", "-", "."]
    assert labeled.matrix(np.array([1, 0, 2]), 3).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert labeled.matrix(np.array([], dtype=int), 3).shape == (0, 3)


def test_bend_table_without_labels_or_strand_has_none(tmp_path: Path) -> None:
    labeled = read_labeled_bed(_file(tmp_path, "chromosome\tstart\tend\tsplit\nchr1\t0\t4\ttrain\n"))
    assert labeled.n_labels() == 0 and labeled.regions.strand.tolist() == ["."]
    assert not has_labels(_file(tmp_path, "chr1\t0\t4\n", "plain.bed"))


@pytest.mark.parametrize(
    "label", ["a", "1,", ", 1", "1 2", "\x0c1", "-1", "1.5", "0;1", "100000", "99999999999999999999"]
)
def test_a_label_that_is_no_list_of_indices_is_refused(tmp_path: Path, label: str) -> None:
    path = _file(tmp_path, f"chromosome\tstart\tend\tlabel\nchr1\t0\t4\t0\nchr1\t0\t4\t{label}\n")
    with pytest.raises(InputError, match=":3: label"):
        read_labeled_bed(path)


def test_a_row_that_ends_before_its_label_has_none(tmp_path: Path) -> None:
    path = _file(tmp_path, "chromosome\tstart\tend\tlabel\nchr1\t0\t4\nchr1\t4\t8\t1\nchr1\t8\t9\t\n")
    assert read_labeled_bed(path).matrix(np.arange(3), 2).tolist() == [[0, 0], [0, 1], [0, 0]]


def test_a_strand_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=":2: strand 'x'"):
        read_labeled_bed(_file(tmp_path, "chromosome\tstart\tend\tstrand\nchr1\t0\t4\tx\n"))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["chr1", "2", "NA"]), st.integers(0, 10**9), st.integers(1, 10**6)), min_size=1)
)
def test_bed_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("bed") / "a.bed.gz"
    frame = pd.DataFrame([(chrom, start, start + n) for chrom, start, n in rows], columns=["chrom", "start", "end"])
    write_bed(path, [frame, frame])
    regions = read_bed(path)
    columns = [regions.chrom.tolist(), regions.start.tolist(), regions.end.tolist()]
    assert columns == [(2 * list(frame[name])) for name in frame]


def test_a_bed_that_cannot_be_finished_is_not_there(tmp_path: Path) -> None:
    frame = pd.DataFrame({"chrom": ["chr1"], "start": [0], "end": [4], "score": [0.123456789]})
    write_bed(tmp_path / "a.bed", [frame])
    assert (tmp_path / "a.bed").read_text() == "chr1\t0\t4\t0.123457\n"
    with pytest.raises(ValueError, match="expected chrom, start, end"):
        write_bed(tmp_path / "b.bed", [frame, frame[["start", "end"]]])
    assert [path.name for path in tmp_path.iterdir()] == ["a.bed"]


def test_rows_are_selected_and_grouped_by_contig(tmp_path: Path) -> None:
    regions = read_bed(_file(tmp_path, "b\t1\t5\na\t0\t3\tx\t0\t+\nb\t2\t9\n"))
    assert {chrom: rows.tolist() for chrom, rows in regions.rows_by_contig().items()} == {"b": [0, 2], "a": [1]}
    assert list(regions.rows_by_contig()) == ["b", "a"]
    assert regions.intervals(np.array([2, 0])).tolist() == [[2, 9], [1, 5]]
    chosen = regions.take(regions.chrom == "b")
    assert (len(chosen), chosen.line.tolist(), chosen.path) == (2, [1, 3], regions.path)


def test_a_row_that_ends_off_its_contig_is_refused_with_its_line(tmp_path: Path) -> None:
    regions = read_bed(_file(tmp_path, "# c\na\t1\t10\nb\t1\t99\na\t1\t11\n"))
    rows = regions.rows_by_contig()
    regions.check_inside("a", rows["a"], 11)
    with pytest.raises(InputError, match=r"a\.bed:4: a:1-11 ends off the contig; expected at most 10 bp; was it made"):
        regions.check_inside("a", rows["a"], 10)


def _labeled(folder: Path, *labels: str) -> LabeledRegions:
    rows = "".join(f"chr1\t{i}\t{i + 1}\t{label}\n" for i, label in enumerate(labels))
    return read_labeled_bed(_file(folder, f"chromosome\tstart\tend\tlabel\n{rows}"))


@pytest.mark.parametrize(
    ("labels", "is_binary"),
    [(["0", "1", "1"], True), (["0", "0"], False), (["0", "1", ""], False), (["0", "1", "2"], False), (["0,1"], False)],
)
def test_labels_of_0_and_1_alone_are_known(tmp_path: Path, labels: list[str], is_binary: bool) -> None:
    assert _labeled(tmp_path, *labels).is_binary() == is_binary


def test_no_and_yes_become_one_label(tmp_path: Path) -> None:
    labeled = _labeled(tmp_path, "1", "0", "0", "1").with_one_label()
    assert labeled.n_labels() == 1
    assert labeled.matrix(np.arange(4), 1)[:, 0].tolist() == [1, 0, 0, 1]


def test_labels_are_parsed_alike_however_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ["0,2", "", "1", "2, 1", ""] * 3
    whole = _labeled(tmp_path, *labels)
    monkeypatch.setattr(bed, "_LABEL_ROWS", 2)
    blocks = _labeled(tmp_path, *labels)
    assert np.array_equal(whole.indices, blocks.indices) and np.array_equal(whole.offsets, blocks.offsets)
    assert whole.matrix(np.arange(5), 3).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_a_table_of_labels_without_a_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=":1: no header; expected chromosome, start, end"):
        read_labeled_bed(_file(tmp_path, "chr1\t0\t4\t1\n"))


def test_a_label_of_thousands_of_digits_is_no_index(tmp_path: Path) -> None:
    path = tmp_path / "t.bed"
    path.write_text("chromosome\tstart\tend\tstrand\tlabel\tsplit\nchr1\t0\t90\t+\t" + "9" * 5000 + "\ttrain\n")
    with pytest.raises(InputError, match="expected indices"):
        read_labeled_bed(path)


def test_two_columns_of_labels_are_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, "chrom\tstart\tend\tlabel\tlabel\nchr1\t0\t4\t1\t0\n")
    with pytest.raises(InputError, match=":1: two columns 'label'; expected one"):
        read_labeled_bed(path)
