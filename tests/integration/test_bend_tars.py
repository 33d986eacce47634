"""BEND's precomputed one-hot tars: letters in its order, labels of bases, windows and bins, and what is refused."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tests.integration.in_process import dnaspt

from dnaspt.bend.prepare import PrepareBendConfig, prepare_bend
from dnaspt.data.dataset import read_split
from dnaspt.errors import InputError
from dnaspt.genome.alphabet import decode

LETTERS = "ACGNT"


def write_tar(path: Path, samples: list[dict[str, np.ndarray]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for number, sample in enumerate(samples):
            for kind, array in sample.items():
                content = io.BytesIO()
                np.save(content, array)
                member = tarfile.TarInfo(f"sample_{number}.{kind}.npy")
                member.size = len(content.getvalue())
                tar.addfile(member, io.BytesIO(content.getvalue()))
    return path


def sample_of(letters: str, labels: np.ndarray, *, one_hot: bool = False) -> dict[str, np.ndarray]:
    numbers = np.array([LETTERS.index(letter) for letter in letters])
    return {"input": np.eye(5, dtype=np.float32)[numbers][None] if one_hot else numbers, "output": labels}


@pytest.mark.parametrize("one_hot", [False, True])
def test_windows_keep_their_letters_and_labels(tmp_path: Path, one_hot: bool) -> None:
    rng, folder, wanted = np.random.default_rng(0), tmp_path / "tars", {}
    for split in ("train", "valid", "test"):
        samples = []
        for number in range(12):
            letters = "".join(rng.choice(list("ACGTN"), 96, p=(0.24, 0.24, 0.24, 0.24, 0.04)))
            labels = rng.integers(0, 2, 7)
            wanted[split, number] = letters, labels
            samples.append(sample_of(letters, labels, one_hot=one_hot))
        write_tar(folder / (f"{split}_0.tar.gz" if split == "train" else f"{split}.tar"), samples)
    ran = dnaspt("prepare", "bend", "cpg_methylation", "--tars", folder, "--out", tmp_path / "data")
    assert ran.code == 0, ran.errors
    for split in ("train", "valid", "test"):
        for number, window in enumerate(read_split(tmp_path / "data", split)):
            letters, labels = wanted[split, number]
            assert decode(window.codes) == letters
            np.testing.assert_array_equal(window.labels, labels)
    options = ("--preset", "tiny", "--steps", "2", "--batch-bp", "1024")
    assert dnaspt("finetune", tmp_path / "data", "--out", tmp_path / "run", *options).code == 0


def test_genes_and_bins(tmp_path: Path) -> None:
    labels = np.full(60, 8)
    labels[10:20], labels[20], labels[21:39], labels[39], labels[40:52] = 0, 1, 2, 3, 0
    spliced = "ACGTT" * 4 + "GT" + "ACGTT" * 3 + "CAG" + "ACGTT" * 4
    for task, output in (("gene_finding", labels), ("enhancer_annotation", np.array([1, 0]))):
        letters = spliced if task == "gene_finding" else ("ACGTT" * 52)[:256]
        for split in ("train", "valid", "test"):
            name = (
                {"train": "part1_0", "valid": "part2_0", "test": "part10_0"}[split] if task.startswith("enh") else split
            )
            write_tar(tmp_path / task / f"{name}.tar", [sample_of(letters, output)] * 2)
        settings = PrepareBendConfig(task=task, tars=tmp_path / task, out=tmp_path / "data" / task, fold=3)
        manifest = prepare_bend(settings).manifest
        for window in read_split(tmp_path / "data" / task, "test"):
            np.testing.assert_array_equal(window.labels, output)
        if task == "gene_finding":
            assert manifest.counts["genes"] == 6 and manifest.stop_in_cds is False
    swapped = labels.copy()
    swapped[20], swapped[39] = 3, 1
    for split in ("train", "valid", "test"):
        write_tar(tmp_path / "swapped" / f"{split}.tar", [sample_of(spliced, swapped)])
    with pytest.raises(InputError, match="of that strand are swapped"):
        prepare_bend(PrepareBendConfig(task="gene_finding", tars=tmp_path / "swapped", out=tmp_path / "no"))


def test_what_does_not_fit_is_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    good = sample_of("ACGT" * 16, np.zeros(7, int))

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(tmp_path / "ran"),))

    pickled = np.empty(1, dtype=object)
    pickled[0] = Trap()
    cases = {
        "has only input.npy": [{"input": good["input"]}],
        "sample_1' has only input.npy": [good, {"input": good["input"]}, good],
        "7 labels": [good | {"output": np.zeros(6)}],
        r"output.npy has 2": [good | {"output": np.full(7, 2)}],
        "expected 0 to 4": [good | {"input": np.full(64, 5)}],
        "without objects": [good | {"input": pickled}],
    }
    for number, (message, samples) in enumerate(cases.items()):
        folder = tmp_path / str(number)
        write_tar(folder / "train.tar", samples)
        write_tar(folder / "valid.tar", [good])
        with pytest.raises(InputError, match=message):
            prepare_bend(PrepareBendConfig(task="cpg_methylation", tars=folder, out=tmp_path / "data"))
    assert not (tmp_path / "ran").exists() and not (tmp_path / "data").exists()
    whole = write_tar(tmp_path / "cut" / "train.tar.gz", [good] * 50)
    write_tar(tmp_path / "cut" / "valid.tar", [good])
    whole.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(InputError, match="no whole tar"):
        prepare_bend(PrepareBendConfig(task="cpg_methylation", tars=tmp_path / "cut", out=tmp_path / "data"))
    with pytest.raises(InputError, match="no tar of the train split"):
        prepare_bend(PrepareBendConfig(task="cpg_methylation", tars=tmp_path, out=tmp_path / "data"))
