"""Names of labels: which belongs to which file or index."""

from pathlib import Path

import numpy as np
import pytest

from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bed import LabeledRegions, read_labeled_bed
from dnaspt.prepare.region_labels import peak_labels, row_labels, row_splits


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("liver\n\n heart \n")
    return path


def table(folder: Path, header: str, *rows: str) -> LabeledRegions:
    path = folder / "table.bed"
    path.write_text("\n".join("\t".join(row.split(" ")) for row in (header, *rows)) + "\n")
    return read_labeled_bed(path)


def test_files_give_their_names_without_suffix_and_gz() -> None:
    files = [Path("a/liver.bed"), Path("b/heart.narrowPeak.gz"), Path("lung")]
    assert peak_labels(files, None) == (("liver", "heart", "lung"), [0, 1, 2])
    with pytest.raises(ConfigError, match="two region files are named 'liver'; rename one, or give labels_file"):
        peak_labels([Path("a/liver.bed"), Path("b/liver.bed.gz")], None)
    with pytest.raises(
        ConfigError, match=r"a region file is named 'start'; expected a name that .* is not chrom, start, end"
    ):
        peak_labels([Path("liver.bed"), Path("start.bed.bgz")], None)


def test_names_that_are_those_of_the_files_put_them_in_order(names: Path) -> None:
    assert peak_labels([Path("heart.bed"), Path("liver.bed")], names) == (("liver", "heart"), [1, 0])


def test_other_names_name_the_files_as_they_are_given(names: Path) -> None:
    assert peak_labels([Path("x.bed"), Path("y.bed")], names) == (("liver", "heart"), [0, 1])


@pytest.mark.parametrize("files", [["heart.bed", "y.bed"], ["x.bed"], ["x.bed", "y.bed", "z.bed"]])
def test_names_that_fit_some_files_or_are_too_many_or_few_are_refused(names: Path, files: list[str]) -> None:
    with pytest.raises(InputError, match=rf"2 names \(liver, ...\) for {len(files)} region files"):
        peak_labels([Path(file) for file in files], names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "no label; expected one name a line"),
        ("a\na\n", "a label that stands here twice"),
        ("a/b\n", "label 'a/b'; expected a name that can stand in the name of a file"),
        ("chrom\n", "label 'chrom'; expected .* is not chrom, start, end"),
    ],
)
def test_names_that_cannot_be_used_are_refused(names: Path, text: str, message: str) -> None:
    names.write_text(text)
    with pytest.raises(InputError, match=message):
        peak_labels([Path("x.bed")], names)


def test_indices_of_a_table_get_names_or_numbers(tmp_path: Path, names: Path) -> None:
    labeled = table(tmp_path, "chrom start end label", "a 0 9 0,1", "a 9 18 ", "a 20 30 1")
    assert row_labels(labeled, names) == (labeled, ("liver", "heart"))
    assert row_labels(labeled, None) == (labeled, ("label_0", "label_1"))
    assert row_labels(labeled, None, n_labels=3)[1] == ("label_0", "label_1", "label_2")


def test_an_index_without_a_name_is_refused_with_its_line(tmp_path: Path, names: Path) -> None:
    labeled = table(tmp_path, "chrom start end label", "a 0 9 0,1", "a 9 18 ", "a 20 30 1,2")
    with pytest.raises(InputError, match=r"table.bed:4: label 2; expected an index below 2, the number of names in"):
        row_labels(labeled, names)


def test_0_and_1_are_no_and_yes_unless_there_are_two_names(
    tmp_path: Path, names: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labeled = table(tmp_path, "chrom start end label", "a 0 9 1", "a 9 18 0", "a 20 30 1")
    read, labels = row_labels(labeled, None)
    assert labels == ("label",) and read.matrix(np.arange(3), 1).tolist() == [[1], [0], [1]]
    assert "read as no and yes" in caplog.text
    read, labels = row_labels(labeled, names)
    assert labels == ("liver", "heart") and read.matrix(np.arange(3), 2).tolist() == [[0, 1], [1, 0], [0, 1]]
    names.write_text("peak\n")
    assert row_labels(labeled, names)[1] == ("peak",)


@pytest.mark.parametrize("rows", [["1", "0", "", "0"], ["", "1", "0"]])
def test_a_row_without_a_label_beside_0_and_1_is_refused_unless_there_are_two_labels(
    tmp_path: Path, names: Path, rows: list[str]
) -> None:
    labeled = table(
        tmp_path, "chrom start end label", *(f"a {10 * k} {10 * k + 9} {row}" for k, row in enumerate(rows))
    )
    message = rf"table\.bed:{rows.index('') + 2}: no label in this row, though others have 0 or 1; leave out rows .* n_labels = 2"
    for n_labels in (None, 1):
        with pytest.raises(InputError, match=message):
            row_labels(labeled, None, n_labels)
    assert row_labels(labeled, None, 2) == (labeled, ("label_0", "label_1"))
    assert row_labels(labeled, names) == (labeled, ("liver", "heart"))
    names.write_text("peak\n")
    with pytest.raises(InputError, match=message):
        row_labels(labeled, names)


@pytest.mark.parametrize("rows", [["0", "", "0"], ["0,1", "", "1"], ["0", "", "1", "2"]])
def test_rows_without_a_label_beside_other_indices_have_none(tmp_path: Path, rows: list[str]) -> None:
    labeled = table(
        tmp_path, "chrom start end label", *(f"a {10 * k} {10 * k + 9} {row}" for k, row in enumerate(rows))
    )
    assert row_labels(labeled, None)[0] == labeled


def test_splits_of_rows_are_indices_and_a_wrong_one_has_its_line(tmp_path: Path) -> None:
    labeled = table(tmp_path, "chrom start end label split", "a 0 9 1 test", "a 9 18 0 train", "a 20 30 1 valid")
    splits = row_splits(labeled)
    assert splits is not None and splits.tolist() == [2, 0, 1]
    assert row_splits(table(tmp_path, "chrom start end label", "a 0 9 1")) is None
    with pytest.raises(InputError, match=r"table\.bed:3: split 'dev'; expected train, valid or test"):
        row_splits(table(tmp_path, "chrom start end label split", "a 0 9 1 test", "a 9 18 0 dev"))


@pytest.mark.parametrize("header", ["chrom start end label split", "chrom start end class split"])
def test_a_table_without_any_label_is_refused(tmp_path: Path, names: Path, header: str) -> None:
    labeled = table(tmp_path, header, "a 0 9  train", "a 9 18  test")
    for labels_file in (None, names):
        with pytest.raises(InputError, match=r"table.bed: no row has a label; expected a column 'label' with indices"):
            row_labels(labeled, labels_file)
