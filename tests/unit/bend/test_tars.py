"""BEND's precomputed tars: which files are which, letters, labels, and samples that are broken."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from dnaspt.bend.tars import TarLabels, part_files, read_tar, split_files
from dnaspt.data.dataset import Window
from dnaspt.errors import InputError
from dnaspt.genome.alphabet import decode

LETTERS = "ACGNT"
"""BEND's order."""


def write(path: Path, *samples: dict[str, np.ndarray]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for number, sample in enumerate(samples):
            for kind, array in sample.items():
                content = io.BytesIO()
                np.save(content, array)
                member = tarfile.TarInfo(f"folder/sample_{number}.{kind}.npy")
                member.size = len(content.getvalue())
                tar.addfile(member, io.BytesIO(content.getvalue()))
    return path


def sample(letters: str, labels: object) -> dict[str, np.ndarray]:
    return {"input": np.array([LETTERS.index(letter) for letter in letters]), "output": np.asarray(labels)}


def read(path: Path, expected: TarLabels) -> list[Window]:
    return list(read_tar(path, expected))


def test_the_number_of_labels_follows_from_what_has_them() -> None:
    assert (TarLabels(9, per_base=True).count(100), TarLabels(9, per_base=True).n_classes) == (100, 9)
    assert (TarLabels(7).count(100), TarLabels(7).n_classes) == (7, 2)
    assert TarLabels(1, bin_bp=128).count(512) == 4


def test_letters_are_in_bends_order_as_numbers_and_as_one_hot_codes(tmp_path: Path) -> None:
    plain = sample("ACGNT", [1, 0])
    hot = {"input": np.eye(5)[plain["input"]], "output": np.array([[0, -100]])}
    batched = {"input": np.eye(5)[plain["input"]][None], "output": np.array([1.0, 0.0])}
    first, second, third = read(write(tmp_path / "train_0.tar.gz", plain, hot, batched), TarLabels(2))
    assert [decode(window.codes) for window in (first, second, third)] == ["ACGNT"] * 3
    assert [window.labels.tolist() for window in (first, second, third)] == [[1, 0], [0, -100], [1, 0]]
    assert (first.chrom, first.start, first.end, first.strand) == ("train_0:sample_0", 0, 5, ".")


def test_a_single_label_and_members_that_are_none_of_ours_are_read_well(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    write(path, sample("ACGT", 1) | {"extra": np.zeros(3)})
    assert [window.labels.tolist() for window in read(path, TarLabels(1))] == [[1]]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([{"input": np.zeros(4, int)}], r"sample 'sample_0' has only input\.npy; expected input\.npy and output\.npy"),
        ([{"output": np.zeros(1)}, sample("A", [0])], r"sample 'sample_0' has only output\.npy"),
        ([sample("ACGT", [0, 0])], r"output\.npy is \(2,\); expected 1 labels"),
        ([sample("ACGT", [2])], r"output\.npy has 2; expected 0 to 1, or -100"),
        ([{"input": np.array([0, 5]), "output": np.zeros(1)}], r"input\.npy is int64 \(2,\); expected 0 to 4"),
        ([{"input": np.zeros((0,)), "output": np.zeros(1)}], r"expected 0 to 4 \(A C G N T\), or one-hot"),
        ([{"input": np.ones((3, 5)), "output": np.zeros(1)}], r"input\.npy is float64 \(3, 5\)"),
    ],
)
def test_samples_that_do_not_fit_are_refused(
    samples: list[dict[str, np.ndarray]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / "x.tar", *samples), TarLabels(1))


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(InputError, match=r"sample_0\.input\.npy is no array .*expected \.npy without objects"):
        read(write(tmp_path / "x.tar", {"input": objects, "output": np.zeros(1)}), TarLabels(1))


def test_a_tar_that_is_cut_short_is_told_as_such(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar.gz", *[sample("ACGT" * 50, [0])] * 30)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"no whole tar .*download it again"):
        read(path, TarLabels(1))
    (tmp_path / "y.tar").write_text("text")
    with pytest.raises(InputError, match="no whole tar"):
        read(tmp_path / "y.tar", TarLabels(1))


def test_files_are_sorted_into_splits_and_parts(tmp_path: Path) -> None:
    for name in ("train_1.tar.gz", "train_0.tgz", "valid.tar", "notes.txt", "train.txt"):
        (tmp_path / name).touch()
    files = split_files(tmp_path)
    assert [file.name for file in files["train"]] == ["train_0.tgz", "train_1.tar.gz"] and files["test"] == []
    for name in ("part1_0.tar.gz", "part1_1.tar.gz", "part2_0.tar.gz", "part10_0.tar.gz"):
        (tmp_path / name).touch()
    parts = part_files(tmp_path)
    assert {part: len(files) for part, files in parts.items()} == {"part1": 2, "part2": 1, "part10": 1}


def test_folders_without_the_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no tar of the train split; expected train"):
        split_files(tmp_path)
    with pytest.raises(InputError, match="tars of 0 parts; expected part1"):
        part_files(tmp_path)
    for find in (split_files, part_files):
        with pytest.raises(InputError, match="no such folder"):
            find(tmp_path / "no")
