"""Training, scoring and baselines on one fold: nothing that the fold tests is read before it is scored."""

import json
from pathlib import Path

import numpy as np
import pytest

import dnaspt
from dnaspt.checkpoint_config import read_config
from dnaspt.config import FinetuneConfig, PretrainConfig
from dnaspt.data.dataset import Dataset, Split
from dnaspt.errors import CheckpointError, ConfigError, DatasetError
from dnaspt.evaluation.results import read_evaluation
from dnaspt.genome.alphabet import reverse_complement, tokens
from dnaspt.training import train_language_model, train_task_model
from dnaspt.training.finetune import finetune
from dnaspt.training.pretrain import pretrain

QUICK = {"preset": "tiny", "steps": 2, "batch_bp": 4096, "tensorboard": False, "accelerator": "cpu"}
K = 32


@pytest.fixture(scope="module")
def genes(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The genes of the simulated genome in three folds."""
    files = simulated / "genome.fa", simulated / "annotation.gff3"
    return dnaspt.prepare_genes(*files, out=tmp_path_factory.mktemp("folds") / "genes", folds=3, window_bp=1024)


@pytest.fixture(scope="module")
def peaks(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The peaks of the simulated genome in three folds."""
    files = simulated / "genome.fa", simulated / "peaks_A.bed"
    return dnaspt.prepare_regions(*files, out=tmp_path_factory.mktemp("folds") / "peaks", folds=3, window_bp=256)


def kmers(splits: list[Split]) -> np.ndarray:
    """Numbers of the k-mers of the windows, of both strands."""
    powers = np.uint64(4) ** np.arange(K, dtype=np.uint64)
    windows = [tokens(window.codes).astype(np.uint64) for split in splits for window in split if len(window.codes) >= K]
    strands = [*windows, *(reverse_complement(codes.astype(np.uint8)).astype(np.uint64) for codes in windows)]
    return np.concatenate([np.lib.stride_tricks.sliding_window_view(codes, K) @ powers for codes in strands])


def seen_of_test(data: Dataset, read: list[Split], fold: int) -> int:
    """K-mers that are once in the dataset, that the fold tests, and that were read."""
    numbers, counts = np.unique(kmers([data.read("train")]), return_counts=True)
    tested = np.intersect1d(kmers([data.read("test", fold)]), numbers[counts == 1])
    assert len(tested) > 10_000
    return int(np.isin(tested, kmers(read)).sum())


def test_pretraining_and_finetuning_read_no_base_that_the_fold_tests(
    genes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Split] = []

    class Stop(Exception):
        pass

    def pretrained(_: object, data: train_language_model.PretrainingData, *__: object) -> None:
        read.extend(data.splits)
        raise Stop

    def finetuned(_: object, data: train_task_model.FinetuningData, *__: object) -> None:
        read.extend([data.train, data.valid])
        raise Stop

    monkeypatch.setattr(train_language_model, "train_language_model", pretrained)
    monkeypatch.setattr(train_task_model, "train_task_model", finetuned)
    for fold in (1, 3):
        for train, kind in ((pretrain, PretrainConfig), (finetune, FinetuneConfig)):
            settings = {"data": genes.path, "out": tmp_path / f"{kind.__name__}{fold}", "fold": fold, **QUICK}
            with pytest.raises(Stop):
                train(kind.model_validate(settings))  # type: ignore[operator]
            assert seen_of_test(genes, read, fold) == 0
            assert seen_of_test(genes, read, fold % 3 + 1) > 0
            read.clear()


def test_a_fold_is_on_record_from_pretraining_to_scores(genes: Dataset, tmp_path: Path) -> None:
    encoder = dnaspt.pretrain(genes, out=tmp_path / "pre", fold=2, **QUICK)
    run = dnaspt.finetune(genes, out=tmp_path / "run", encoder=encoder, fold=2, **QUICK | {"preset": None})
    scores = dnaspt.evaluate(run, genes, fold=2)
    digest = genes.manifest.of_fold(2).digest
    for folder in (encoder.path, run.path):
        assert json.loads((folder / "run.json").read_text())["fold"] == 2
        config = read_config(folder)
        assert config.data_digest == digest and config.provenance["settings"]["fold"] == 2
    assert read_config(run.path).provenance["encoder"]["data_digest"] == digest
    assert (scores.fold, scores.same_data, scores.data_digest) == (2, True, digest)
    assert scores.genes is not None and "on test of fold 2" in str(scores)
    known = genes.manifest.of_fold(2).splits["test"].n_labeled
    assert np.sum(scores.genes.confusion) == known
    assert read_evaluation(run.path / "evaluation-test.json").fold == 2
    assert json.loads((run.path / "evaluations.jsonl").read_text())["fold"] == 2

    for wrong, message in ((0, r"was trained for fold 2; say --fold 2"), (1, r"was trained for fold 2; say --fold 2")):
        with pytest.raises((CheckpointError, DatasetError), match=message):
            dnaspt.evaluate(run, genes, fold=wrong)
    with pytest.raises(ConfigError, match=r"pretrained on fold 2 of this dataset, and has read what fold 3 tests"):
        dnaspt.finetune(genes, out=tmp_path / "other", encoder=encoder, fold=3, **QUICK | {"preset": None})
    with pytest.raises(CheckpointError, match=r"was started with fold = 2, now 1"):
        dnaspt.pretrain(genes, out=tmp_path / "pre", fold=1, resume=True, **QUICK)


def test_a_dataset_with_folds_asks_for_one(genes: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no valid split.*it has 3 folds: choose one with fold"):
        dnaspt.pretrain(genes, out=tmp_path / "run", **QUICK)
    with pytest.raises(ConfigError, match=r"no valid split.*it has 3 folds"):
        dnaspt.finetune(genes, out=tmp_path / "run", **QUICK)
    with pytest.raises(DatasetError, match="fold 4: the dataset has folds 1 to 3"):
        dnaspt.finetune(genes, out=tmp_path / "run", fold=4, **QUICK)
    assert not (tmp_path / "run").exists()


def test_baselines_learn_from_train_and_score_test_of_a_fold(peaks: Dataset, tmp_path: Path) -> None:
    for fold in (1, 2, 3):
        scores = dnaspt.baseline(peaks, out=tmp_path / str(fold), model="kmer", fold=fold)
        sizes = peaks.manifest.of_fold(fold).splits
        assert (scores.fold, scores.n_windows) == (fold, sizes["test"].n_windows)
        result = json.loads((tmp_path / str(fold) / "result.json").read_text())
        assert result["n_bp"] == sizes["train"].n_bp
    with pytest.raises(DatasetError, match=r"no valid split|no test split"):
        dnaspt.baseline(peaks, out=tmp_path / "whole", model="kmer")


def test_genes_of_another_tool_are_scored_on_the_genes_of_a_fold(
    genes: Dataset, simulated: Path, tmp_path: Path
) -> None:
    n_true = 0
    for fold in (1, 2, 3):
        out = tmp_path / str(fold)
        scores = dnaspt.baseline(genes, out=out, annotation=simulated / "annotation.gff3", fold=fold).genes
        assert scores is not None and scores.mcc.value == pytest.approx(1.0, abs=1e-9)
        assert scores.genes.levels["gene"].f1.value == 1.0
        n_true += scores.genes.levels["gene"].n_true
    text = (simulated / "annotation.gff3").read_text()
    assert n_true == sum("\tgene\t" in line for line in text.splitlines())
