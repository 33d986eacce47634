"""Training, scoring and baselines on one fold: nothing that the fold tests is read before it is scored."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import dnaspt
from dnaspt.checkpoint_config import read_config
from dnaspt.config import FinetuneConfig, PretrainConfig, build_config
from dnaspt.data.dataset import Dataset, Split
from dnaspt.errors import CheckpointError, ConfigError, DatasetError, DnasptError
from dnaspt.evaluation.results import read_evaluation
from dnaspt.genome.alphabet import reverse_complement, tokens
from dnaspt.reports.study_report import study_report
from dnaspt.studies import launch, local_engine
from dnaspt.studies.context import StudyContext
from dnaspt.studies.dry_run import plan_runs
from dnaspt.studies.scheduler import n_jobs, run_study, stage_jobs
from dnaspt.studies.settings import StudyConfig, check_settings
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
        for train, kind, head in ((pretrain, PretrainConfig, {}), (finetune, FinetuneConfig, {"head": "crf"})):
            settings = {"data": genes.path, "out": tmp_path / f"{kind.__name__}{fold}", "fold": fold, **QUICK, **head}
            with pytest.raises(Stop):
                train(kind.model_validate(settings))  # type: ignore[operator]
            assert seen_of_test(genes, read, fold) == 0
            assert seen_of_test(genes, read, fold % 3 + 1) > 0
            read.clear()


def test_a_fold_is_on_record_from_pretraining_to_scores(genes: Dataset, tmp_path: Path) -> None:
    encoder = dnaspt.pretrain(genes, out=tmp_path / "pre", fold=2, **QUICK)
    run = dnaspt.finetune(
        genes, out=tmp_path / "run", encoder=encoder, fold=2, **QUICK | {"preset": None, "head": "crf"}
    )
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
        dnaspt.finetune(
            genes, out=tmp_path / "other", encoder=encoder, fold=3, **QUICK | {"preset": None, "head": "crf"}
        )
    with pytest.raises(DnasptError, match=r"scores of fold 2; runs of folds are compared by 'dnaspt study'"):
        dnaspt.report(run, data=genes, out=tmp_path / "report.html")
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


ARMS = [
    {"name": "scratch", "head": "crf"},
    {"name": "SPT", "init": "spt", "head": "crf", "learning_rate": 3e-3},
]


@pytest.fixture(scope="module")
def study(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyContext:
    """A study of two arms in two folds, with all its runs made."""
    out = tmp_path_factory.mktemp("study")
    files = simulated / "genome.fa", simulated / "annotation.gff3"
    data = dnaspt.prepare_genes(*files, out=out / "genes", folds=2, window_bp=1024)
    quick = {"epochs": 0.1, "batch_bp": 4096, "tensorboard": False, "accelerator": "cpu", "precision": "32"}
    settings = {"data": data, "folds": 2, "seeds": [0], "learning_rates": [1e-3, 3e-3], "arms": ARMS}
    config = build_config(StudyConfig, settings | {"pretrain": quick | {"preset": "tiny"}, "finetune": quick})
    context = StudyContext(config, out / "study", out / "study" / "records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_engine, "in_new_process", launch.in_this_process)
        run_study(context)
    return context


@pytest.mark.slow
def test_a_study_with_folds_trains_each_arm_in_each_fold(study: StudyContext) -> None:
    finals, pretrainings, trials = (stage_jobs(study, stage) for stage in ("final", "pretrain", "tune"))
    assert [(job.arm, job.fold) for job in finals] == [("scratch", 1), ("scratch", 2), ("SPT", 1), ("SPT", 2)]
    assert [job.fold for job in pretrainings] == [1, 2]
    assert [(job.fold, job.learning_rate) for job in trials] == [(1, 1e-3), (1, 3e-3), (2, 1e-3), (2, 3e-3)]
    manifest = Dataset.open(study.study.data).manifest
    for job in (*finals, *pretrainings):
        config = read_config(study.run_folder(job))
        assert config.provenance["settings"]["fold"] == job.fold
        assert config.data_digest == job.data_digest == manifest.of_fold(job.fold).digest
    for job in finals[2:]:
        encoder = read_config(study.run_folder(job)).provenance["encoder"]
        assert encoder["provenance"]["settings"]["fold"] == job.fold
        assert encoder["data_digest"] == job.data_digest
        assert study.finished_record(job).scored.fold == job.fold


@pytest.mark.slow
def test_every_base_and_every_gene_is_scored_once_in_the_same_blocks(study: StudyContext, simulated: Path) -> None:
    runs = run_study(study)
    assert [record.job.arm for record in runs.finals] == ["scratch", "SPT"]
    data = Dataset.open(study.study.data)
    n_genes = sum("\tgene\t" in line for line in (simulated / "annotation.gff3").read_text().splitlines())
    scratch, spt = runs.finals
    for record in runs.finals:
        assert record.scored.genes is not None
        assert np.sum(record.scored.genes.confusion) == data.manifest.splits["train"].n_labeled
        assert record.scored.genes.genes.levels["gene"].n_true == n_genes
        assert np.array_equal(record.counts.confusions.sum(axis=0), record.scored.genes.confusion)
    # the same true bases and genes stand in the same blocks of both arms, so that resamples are paired
    assert np.array_equal(scratch.counts.confusions.sum(axis=2), spt.counts.confusions.sum(axis=2))
    assert np.array_equal(scratch.counts.levels[..., 1], spt.counts.levels[..., 1])
    assert (
        scratch.counts.confusions_codons.shape == spt.counts.confusions_codons.shape == scratch.counts.confusions.shape
    )
    of_folds = [study.finished_record(job) for job in stage_jobs(study, "final")][:2]
    assert scratch.counts.n_blocks == sum(record.counts.n_blocks for record in of_folds)
    assert runs.pretraining_of(spt) is not None and runs.pretraining_of(spt).n_bp > 0  # type: ignore[union-attr]
    assert list(runs.trials) == ["scratch, fold 1", "scratch, fold 2", "SPT, fold 1", "SPT, fold 2"]


@pytest.mark.slow
def test_a_study_with_folds_is_reported_and_goes_on_where_it_was(study: StudyContext) -> None:
    before = {file: file.stat().st_mtime_ns for file in study.records.iterdir()}
    result = study_report(study)
    assert {file: file.stat().st_mtime_ns for file in study.records.iterdir()} == before
    assert [len(group.values) for group in result.groups] == [1, 1] and len(result.differences) == 1
    assert result.method.startswith("Cross-validation in 2 folds: every base is tested once")
    text = (study.out / "study.md").read_text()
    assert "## Genes as predict writes them" in text and "## Gains, genes as predict writes them" in text
    assert "scratch, fold 2" in text and "| fold 2 |" in text
    rows = (study.out / "study_gene_gains.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["measure", "mcc", "base", "exon", "gene"]
    commands = text.split("## Commands")[1]
    assert commands.count("--fold 1") == commands.count("--fold 2") == 2 and commands.count("fold = 2") == 5


@pytest.mark.slow
def test_a_study_with_folds_is_planned(study: StudyContext) -> None:
    planned = plan_runs(study)
    assert {run.state for run in planned} == {"finished"}
    assert [(run.job.seed, run.job.fold) for run in planned if run.job.kind == "final"] == [(0, 1), (0, 2)] * 2
    assert n_jobs(study, "final") == 4 and n_jobs(study, "pretrain") == 2 and n_jobs(study, "tune") == 4


@pytest.mark.slow
def test_folds_of_a_study_are_those_of_its_dataset(study: StudyContext, gene_data: Path) -> None:
    def checked(**settings: object) -> None:
        check_settings(study.study.model_copy(update=settings))

    with pytest.raises(ConfigError, match=r"was prepared with folds 2; the study says folds = 5"):
        checked(folds=5)
    with pytest.raises(ConfigError, match=r"was prepared with no folds; the study says folds = 'contigs'"):
        checked(folds="contigs", data=gene_data)
    with pytest.raises(ConfigError, match=r"has no valid split.*it has folds: say folds = 2 in the study"):
        checked(folds=None)
    with pytest.raises(ConfigError, match=r"finetune\.fold is set by the study itself"):
        build_config(StudyConfig, {"data": gene_data, "arms": ARMS, "finetune": {"fold": 1}})


@pytest.mark.slow
def test_a_study_of_windows_has_the_mean_auroc_over_the_folds(peaks: Dataset, tmp_path: Path) -> None:
    arms = [{"name": "4-mers", "init": "kmer"}, {"name": "CpG count", "init": "cpg"}]
    settings = {"data": str(peaks.path), "folds": 3, "seeds": [0], "arms": arms}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_engine, "in_new_process", launch.in_this_process)
        result = dnaspt.study(settings, out=tmp_path / "out")
    kmer = result.records[0]
    truth = np.concatenate([peaks.read("test", fold).labels for fold in (1, 2, 3)])
    runs = (tmp_path / "out" / "runs").glob("final-*")
    own = [run for run in runs if json.loads((run / "result.json").read_text())["baseline"] == "kmer"]
    own.sort(key=lambda run: read_evaluation(run / "evaluation-test.json").fold or 0)
    parts = [np.load(run / "evaluation-test.npz") for run in own]
    assert kmer.counts.truth[:, 0].tolist() == truth.tolist()
    expected = np.mean([roc_auc_score(part["truth"][:, 0], part["logits"][:, 0]) for part in parts])
    assert kmer.scored.primary.value == pytest.approx(expected, abs=1e-4)
    assert np.bincount(kmer.counts.folds).tolist() == [0, *(len(part["truth"]) for part in parts)]
    assert kmer.counts.logits.dtype == np.int64
    assert result.groups[0].n_blocks == result.groups[1].n_blocks == kmer.counts.n_blocks
    assert not (tmp_path / "out" / "study_gene_gains.csv").exists()


def test_an_encoder_that_read_another_fold_among_other_data_is_refused(
    genes: Dataset, peaks: Dataset, tmp_path: Path
) -> None:
    encoder = dnaspt.pretrain(genes, out=tmp_path / "pre", fold=1, more_data=(peaks.path,), **QUICK)
    quick = {name: value for name, value in QUICK.items() if name != "preset"}
    with pytest.raises(ConfigError, match="was pretrained on fold 1 of this dataset, and has read what fold 2 tests"):
        dnaspt.finetune(peaks, out=tmp_path / "run", encoder=encoder, fold=2, **quick)
    assert dnaspt.finetune(peaks, out=tmp_path / "run", encoder=encoder, fold=1, **quick).finished
