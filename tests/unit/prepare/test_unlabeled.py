"""`prepare_unlabeled`: every base of a FASTA in one window, for pretraining alone."""

from pathlib import Path

import numpy as np
import pytest

import dnaspt
from dnaspt.data.dataset import read_split
from dnaspt.errors import ConfigError, DatasetError, InputError
from dnaspt.genome import alphabet

QUICK = {"preset": "tiny", "steps": 2, "batch_bp": 2048, "tensorboard": False, "accelerator": "cpu"}


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    letters = ["".join(own) for own in np.random.default_rng(0).choice(list("ACGT"), (2, 5_000))]
    letters[1] = letters[1][:2_000] + "N" * 500 + "r" + letters[1][2_501:]
    (tmp_path / "g.fa").write_text("".join(f">chr{n}\n{own}\n" for n, own in enumerate(letters, start=1)))
    return tmp_path / "g.fa"


def test_every_base_is_in_one_window_and_stretches_of_n_are_left_out(genome: Path, tmp_path: Path) -> None:
    data = dnaspt.prepare_unlabeled(genome, out=tmp_path / "data", window_bp=500)
    assert (data.task, data.labels, set(data.splits)) == ("unlabeled", (), {"train", "valid"})
    counts, dropped = data.manifest.counts, data.manifest.dropped
    assert (counts["contigs"], counts["windows"], counts["ambiguous_letters"]) == (2, 19, 1)
    assert dropped == {"unknown_bases": 1}
    seen = {"chr1": np.zeros(5_000, int), "chr2": np.zeros(5_000, int)}
    for name in ("train", "valid"):
        split = read_split(data.path, name)
        assert not len(split.labels)
        for row in range(len(split)):
            window = split.window(row)
            seen[window.chrom][window.start : window.end] += 1
    assert seen["chr1"].tolist() == [1] * 5_000
    assert seen["chr2"].tolist() == [1] * 2_000 + [0] * 500 + [1] * 2_500
    assert data.manifest.splits["valid"].n_bp == 1_000


def test_a_model_is_pretrained_on_it_and_nothing_else_is_done(genome: Path, tmp_path: Path) -> None:
    data = dnaspt.prepare_unlabeled(genome, out=tmp_path / "data")
    run = dnaspt.pretrain(data, out=tmp_path / "pre", **QUICK)
    assert run.scores["valid_nats"] > 0
    assert dnaspt.load(run).embed("ACGT" * 30).shape[0] == 1
    for step in (
        lambda: dnaspt.finetune(data, out=tmp_path / "run", **QUICK),
        lambda: dnaspt.baseline(data, out=tmp_path / "kmer"),
        lambda: dnaspt.study({"data": str(data.path), "arms": [{"name": "a"}]}, out=tmp_path / "study"),
    ):
        with pytest.raises(DatasetError, match="has no labels; it is for 'dnaspt pretrain' alone"):
            step()
    with pytest.raises(DatasetError, match="has no labels"):
        dnaspt.report(run, data=data, out=tmp_path / "report.html")
    assert "class balance" not in str(dnaspt.inspect(data))
    with pytest.raises(DatasetError, match="has no unlabeled split"):
        dnaspt.pretrain(data, out=tmp_path / "other", splits=["unlabeled"], **QUICK)
    only_test = dnaspt.prepare_unlabeled(genome, out=tmp_path / "test", split="test")
    with pytest.raises(DatasetError, match="has no train split"):
        dnaspt.pretrain(data, out=tmp_path / "other", more_data=[only_test.path], **QUICK)


def test_contigs_of_test_are_not_read_by_pretraining(genome: Path, tmp_path: Path) -> None:
    data = dnaspt.prepare_unlabeled(
        genome, out=tmp_path / "data", split="contig", valid_contigs=["chr2"], test_contigs=[]
    )
    train = data.read("train")
    assert set(train.chrom) == {"chr1"}
    assert alphabet.decode(train.window(0).codes[:10]) == Path(genome).read_text().splitlines()[1][:10]


def test_what_makes_no_sense_is_refused(genome: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folds are for datasets with labels"):
        dnaspt.prepare_unlabeled(genome, out=tmp_path / "data", folds=3)
    with pytest.raises(ConfigError, match="fractions are for split 'position'; split is 'train'"):
        dnaspt.prepare_unlabeled(genome, out=tmp_path / "data", fractions=(0.5, 0.25, 0.25))
    (tmp_path / "n.fa").write_text(">chr1\n" + "N" * 900 + "\n")
    with pytest.raises(InputError, match="no window left"):
        dnaspt.prepare_unlabeled(tmp_path / "n.fa", out=tmp_path / "data")
    assert not (tmp_path / "data").exists()
