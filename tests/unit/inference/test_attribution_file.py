"""Attributions as npz files and as a bigWig: what is written is read back, and damaged files are refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pybigtools
import pytest

from dnaspt.errors import InputError, NoSpaceError
from dnaspt.genome.bigwig import read_bigwig
from dnaspt.inference.attribution_file import (
    Attributions,
    onehot_file,
    read_attributions,
    write_attributions,
    write_contributions,
)
from dnaspt.inference.explain import onehot

LENGTHS = [("chr1", 40), ("chr2", 50), ("chr3", 10)]


def example() -> Attributions:
    """Three windows of 10 bp; the first two share five bases, and the second has an N."""
    codes = np.random.default_rng(0).integers(0, 4, (3, 10)).astype(np.uint8)
    codes[1, :5] = codes[0, 5:]
    codes[1, 9] = 4
    start = np.array([4, 9, 40])
    return Attributions(
        names=np.array(["a", "b with blanks", "ü"]),
        chrom=np.array(["chr1", "chr1", "chr2"]),
        start=start,
        end=start + 10,
        strand=np.array(["+", "+", "+"]),
        letters=np.stack([onehot(own) for own in codes]),
        scores=np.random.default_rng(1).normal(size=(3, 4, 10)).astype(np.float32),
        predicted=np.array([1.5, -2.0, 0.0], np.float32),
        label="peaks A",
        method="ism",
        average_strands=True,
        weights="abc",
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    found = replace(example(), is_number=True)
    assert write_attributions(tmp_path / "a b.npz", found) == (tmp_path / "a b.npz", tmp_path / "a b.onehot.npz")
    again = read_attributions(tmp_path / "a b.npz")
    for name in Attributions.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert len(again) == 3 and sorted(path.name for path in tmp_path.iterdir()) == ["a b.npz", "a b.onehot.npz"]


def test_the_first_array_of_each_file_is_what_modisco_reads(tmp_path: Path) -> None:
    found = example()
    write_attributions(tmp_path / "a.npz", found)
    for file, expected in (("a.npz", found.scores), ("a.onehot.npz", found.letters)):
        with np.load(tmp_path / file, allow_pickle=False) as arrays:
            np.testing.assert_array_equal(arrays["arr_0"], expected)


def test_contributions_are_the_attributions_of_the_letters_that_stand_there() -> None:
    found = example()
    assert found.contributions[1, 9] == 0
    assert found.contributions[2, 3] == found.scores[2, found.letters[2, :, 3].argmax(), 3]


def test_a_bigwig_has_the_mean_over_windows_that_share_a_base_and_nothing_at_n(tmp_path: Path) -> None:
    found = example()
    assert write_contributions(tmp_path / "a.bw", found, LENGTHS) == 5
    values = dict(read_bigwig(tmp_path / "a.bw"))
    assert list(values) == ["chr1", "chr2"]
    intervals, levels = values["chr1"]
    np.testing.assert_array_equal(intervals[:, 0], np.arange(4, 18))
    np.testing.assert_array_equal(intervals[:, 1], intervals[:, 0] + 1)
    first, second = found.contributions[:2]
    expected = np.concatenate([first[:5], (first[5:] + second[:5]) / 2, second[5:9]])
    np.testing.assert_allclose(levels, expected, rtol=1e-6)
    np.testing.assert_allclose(values["chr2"].values, found.contributions[2], rtol=1e-6)
    file = pybigtools.open(str(tmp_path / "a.bw"))
    assert file.chroms() == dict(LENGTHS[:2])
    np.testing.assert_allclose(file.values("chr2", 40, 50, fillna=None), found.contributions[2], rtol=1e-6)


def test_windows_of_n_alone_have_no_track(tmp_path: Path) -> None:
    found = example()
    with pytest.raises(InputError, match="no value to write"):
        write_contributions(tmp_path / "a.bw", replace(found, letters=found.letters * 0), LENGTHS)


def test_what_is_no_file_of_attributions_is_refused(tmp_path: Path) -> None:
    found = example()
    write_attributions(tmp_path / "a.npz", found)
    (tmp_path / "text.npz").write_text("no npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:900])
    np.savez(tmp_path / "other.npz", arr_0=np.zeros(3))
    with np.load(tmp_path / "a.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "shape.npz", **arrays | {"onehot": arrays["onehot"][:2]})
    np.savez(tmp_path / "pickle.npz", **arrays | {"names": np.array([{}], dtype=object)})
    for name in ("text.npz", "cut.npz", "other.npz", "shape.npz", "pickle.npz", "missing.npz"):
        with pytest.raises(InputError, match=f"{name}: no attributions; expected a file that 'dnaspt explain' wrote"):
            read_attributions(tmp_path / name)
    for version, do in ((1, "run 'dnaspt explain' again"), (3, "update dnaspt")):
        about = json.dumps(json.loads(str(arrays["about"])) | {"version": version})
        np.savez(tmp_path / "other.npz", **arrays | {"about": np.array(about)})
        with pytest.raises(InputError, match=f"other.npz: is of version {version}; expected 2; {do}"):
            read_attributions(tmp_path / "other.npz")


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(NoSpaceError, match="could not be written"):
        write_attributions(tmp_path / "a.npz", example())
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_letters_has_the_name_of_the_other_one() -> None:
    assert onehot_file(Path("x/peaks.v2.npz")) == Path("x/peaks.v2.onehot.npz")
