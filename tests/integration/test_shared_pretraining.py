"""One pretraining on genes serves the windows of two datasets: what they hold out is cut out, and each fold has its own."""

from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt as command

import dnaspt
from dnaspt.checkpoint_config import read_config
from dnaspt.config import build_config
from dnaspt.errors import ConfigError
from dnaspt.studies import launch, local_engine
from dnaspt.studies.context import StudyContext
from dnaspt.studies.records import read_records
from dnaspt.studies.scheduler import run_study, stage_jobs
from dnaspt.studies.settings import StudyConfig

STUDY = """
data = ["peaks", "cpg"]
pretrain_data = "genes"
seeds = [0]
learning_rates = [1e-3]
pretrain = { preset = "tiny", epochs = 0.2, batch_bp = 4096, tensorboard = false }
finetune = { epochs = 0.1, batch_bp = 4096, tensorboard = false }

[[arms]]
name = "scratch"

[[arms]]
name = "SPT"
init = "spt"
"""


@pytest.fixture(scope="module")
def folder(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets of genes, peaks (the second contig is valid, the third is test) and methylation, on one genome."""
    out = tmp_path_factory.mktemp("shared")
    genome = simulated / "genome.fa"
    dnaspt.prepare_genes(genome, simulated / "annotation.gff3", out=out / "genes", window_bp=1024)
    split = {"split": "contig", "valid_contigs": ["chr2"], "test_contigs": ["chr3"]}
    dnaspt.prepare_regions(genome, simulated / "peaks_A.bed", out=out / "peaks", window_bp=256, **split)
    dnaspt.prepare_methylation(genome, simulated / "methylation.bedmethyl", out=out / "cpg", window_bp=256)
    return out


@pytest.mark.slow
def test_a_study_over_two_datasets_pretrains_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(local_engine, "in_new_process", launch.in_this_process)
    Path("study.toml").write_text(STUDY)
    ran = command("study", "study.toml", "--out", "out")
    assert ran.code == 0, ran.errors
    (pretraining,) = read_records(folder / "out" / "pretraining" / "records")
    for name in ("peaks", "cpg"):
        records = {record.job.arm: record for record in read_records(folder / "out" / name / "records")}
        assert set(records) == {"scratch", "SPT"} and records["SPT"].job.encoder == pretraining.job.digest
        text = (folder / "out" / name / "study.md").read_text()
        assert "| P1: self-pretraining on gene-finding sequences of genes beats training from scratch" in text
        assert f"dnaspt pretrain genes --out ../pretraining/runs/{pretraining.job.name}" in text
        assert "Pretrained on gene-finding sequences of genes: SPT. What valid and test parts share" in text
    cut = pretraining.result.cut_out
    assert cut is not None and 2 * 17_000 < cut.n_cut_bp < 2 * 17_300 and cut.n_offered_bp == 3 * 17_280
    again = command("study", "study.toml", "--out", "out", "--data", "cpg")
    assert again.code == 0 and "seed 0" not in again.printed
    planned = command("study", "study.toml", "--out", "out", "--dry-run")
    assert planned.code == 0 and planned.printed.count(" 0 to do. ") == 2


@pytest.mark.slow
def test_each_fold_has_a_pretraining_without_what_it_tests(simulated: Path, folder: Path, tmp_path: Path) -> None:
    genome = simulated / "genome.fa"
    data = dnaspt.prepare_regions(
        genome, simulated / "peaks_A.bed", out=tmp_path / "peaks", window_bp=256, folds="contigs"
    )
    quick = {"epochs": 0.1, "batch_bp": 4096, "tensorboard": False, "accelerator": "cpu", "precision": "32"}
    settings = {
        "data": data,
        "pretrain_data": folder / "genes",
        "folds": "contigs",
        "seeds": [0],
        "learning_rates": [1e-3],
    }
    arms = [{"name": "scratch"}, {"name": "SPT", "init": "spt"}]
    study = build_config(
        StudyConfig, settings | {"arms": arms, "pretrain": quick | {"preset": "tiny"}, "finetune": quick}
    )
    context = StudyContext(study, tmp_path / "out", tmp_path / "out" / "records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_engine, "in_new_process", launch.in_this_process)
        runs = run_study(context)
    pretrainings = stage_jobs(context, "pretrain")
    assert [job.fold for job in pretrainings] == [1, 2, 3]
    views = study.views(data.manifest)
    cut = [context.finished_record(job).result.cut_out for job in pretrainings]
    for job, view in zip(pretrainings, views, strict=True):
        config = read_config(context.run_folder(job))
        assert config.data_digest == job.data_digest and view.digest in config.provenance["held_out"]
    assert all(counts is not None and counts.n_cut_bp >= 17_000 for counts in cut)  # the contig that the fold tests
    (pooled,) = {record.job.encoder for record in runs.finals if record.job.arm == "SPT"}
    total = runs.pretrainings[pooled].cut_out
    assert total is not None and total.n_cut_bp == sum(counts.n_cut_bp for counts in cut if counts is not None)
    encoder = context.run_folder(pretrainings[0])
    with pytest.raises(ConfigError, match="was pretrained without what fold 1 tests of this dataset"):
        dnaspt.finetune(data, out=tmp_path / "other", encoder=encoder, fold=2, steps=1)
