"""A study of gene models over folds: estimated without learning rates, planned, made, and reported by whole genes."""

from pathlib import Path

import pytest

import dnaspt
from dnaspt.checkpoint_config import read_config
from dnaspt.config import BASELINE_ENCODERS, PRESETS, FinetuneConfig, build_config
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.gene_metrics import TRUE
from dnaspt.reports.compare import LETTERS as LETTERS_TO_SPT
from dnaspt.reports.study_report import StudyResult, study_report
from dnaspt.studies import cost, launch, local_engine
from dnaspt.studies.context import StudyContext
from dnaspt.studies.dry_run import plan_runs
from dnaspt.studies.scheduler import n_jobs, stage_jobs
from dnaspt.studies.settings import StudyConfig, check_settings

pytestmark = pytest.mark.slow

QUICK = {"epochs": 0.05, "batch_bp": 4096, "tensorboard": False, "accelerator": "cpu", "precision": "32"}
LETTERS = {"name": "gene model, letters", "head": "gene-model"}
RANDOM = {"name": "gene model, random encoder", "head": "gene-model", "finetune": {"preset": "tiny"}}
SPT = {"name": "gene model, SPT", "init": "spt", "head": "gene-model"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Genes of a simulated genome of three contigs in two folds."""
    folder = tmp_path_factory.mktemp("gene_models")
    dnaspt.simulate(folder / "genome", n_contigs=3, contig_bp=30_000, seed=3)
    files = folder / "genome" / "genome.fa", folder / "genome" / "annotation.gff3"
    return dnaspt.prepare_genes(*files, out=folder / "data", folds=2).path


def context_of(data: Path, out: Path, arms: list[dict[str, object]], **settings: object) -> StudyContext:
    given = {"data": data, "folds": 2, "seeds": [0], "arms": arms, "learning_rates": [1e-3, 3e-3]}
    given |= {"pretrain": QUICK | {"preset": "tiny"}, "finetune": QUICK}
    return StudyContext(build_config(StudyConfig, given | settings), out, out / "records")


def test_gene_models_have_no_learning_rates_and_no_settings_of_gradients(data: Path, tmp_path: Path) -> None:
    context = context_of(data, tmp_path, [LETTERS, RANDOM, SPT], label_fractions=[1.0, 0.25])
    check_settings(context.study)
    assert stage_jobs(context, "tune") == [] and n_jobs(context, "pretrain") == 2 and n_jobs(context, "final") == 12
    jobs = {job.arm: job for job in stage_jobs(context, "final") if (job.fold, job.label_fraction) == (2, 0.25)}
    common = {
        "seed": 0,
        "head": "gene-model",
        "label_fraction": 0.25,
        "fold": 2,
        "accelerator": "cpu",
        "precision": "32",
    }
    assert jobs["gene model, letters"].settings == common | {"preset": "onehot"}
    assert jobs["gene model, random encoder"].settings == common | {"preset": "tiny"}
    assert jobs["gene model, SPT"].settings == common
    assert jobs["gene model, SPT"].encoder in {job.digest for job in stage_jobs(context, "pretrain") if job.fold == 2}
    assert jobs["gene model, letters"].learning_rate == 0 and not jobs["gene model, letters"].encoder


@pytest.mark.parametrize(
    ("idle", "name"),
    [
        ({"learning_rate": 1e-3}, "learning_rate"),
        ({"freeze_encoder": True}, "freeze_encoder"),
        ({"extended": True}, "extended"),
        ({"finetune": {"epochs": 3}}, "finetune.epochs"),
        ({"finetune": {"choose_by": "exon_f1"}}, "finetune.choose_by"),
    ],
)
def test_settings_of_gradients_are_refused_on_a_gene_model(
    data: Path, tmp_path: Path, idle: dict[str, object], name: str
) -> None:
    context = context_of(data, tmp_path, [LETTERS | idle])
    with pytest.raises(ConfigError, match=f"{name} has no effect on a gene model"):
        check_settings(context.study)


def test_a_gene_model_is_planned_by_the_bases_that_it_reads(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = []

    def estimated(config: FinetuneConfig) -> None:
        shares.append(config.label_fraction)
        if config.label_fraction < 1:
            raise DatasetError("too few genes")

    monkeypatch.setattr(cost, "finetune", estimated)
    monkeypatch.setattr(cost, "_ESTIMATED_BP", 4096)
    planned = plan_runs(context_of(data, tmp_path, [LETTERS], label_fractions=[1.0, 0.5]))
    assert [(run.steps, run.state, run.is_rate_open) for run in planned] == [(0, "to do", False)] * 4
    assert (planned[0].steps, planned[0].to_dict()["learning_rate"]) == (0, None)
    splits = read_manifest(data, 1).splits
    n_train, n_valid = splits["train"].n_bp, splits["valid"].n_bp
    assert shares == [pytest.approx(4096 / n_train), 1.0]  # measured once, on all genes as a part has too few
    whole, half = (next(r.minutes for r in planned if (r.job.fold, r.job.label_fraction) == (1, f)) for f in (1.0, 0.5))
    assert 0 < half < whole and whole / half == pytest.approx((n_train + n_valid) / (n_train / 2 + n_valid))


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyContext, StudyResult]:
    """A study of letters and SPT with all its runs made, and its report."""
    context = context_of(data, tmp_path_factory.mktemp("study"), [LETTERS, SPT])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_engine, "in_new_process", launch.in_this_process)
        return context, study_report(context)


def test_a_fold_is_estimated_scored_and_put_on_record(data: Path, finished: tuple[StudyContext, StudyResult]) -> None:
    context, result = finished
    jobs = stage_jobs(context, "final")
    expected = [(arm, fold) for arm in ("gene model, letters", "gene model, SPT") for fold in (1, 2)]
    assert [(job.arm, job.fold) for job in jobs] == expected
    encoders = []
    for job in jobs:
        record, fold = context.finished_record(job), read_manifest(data, job.fold)
        config = read_config(context.run_folder(job))
        encoders.append(config.encoder)
        assert config.data_digest == record.scored.data_digest == fold.digest
        assert record.scored.genes is not None and record.scored.codons is None
        assert sum(map(sum, record.scored.genes.confusion)) == fold.splits["test"].n_labeled
        assert record.scored.genes.structures.n_illegal == 0
        assert record.result.steps == 0 and record.curve == () and record.result.scores["valid_exon_f1"] >= 0
    assert encoders == [BASELINE_ENCODERS["onehot"]] * 2 + [PRESETS["tiny"]] * 2
    letters, spt = result.records
    assert letters.scored.scores["exon_f1"].value > 0.3
    assert (letters.counts.levels[..., TRUE] == spt.counts.levels[..., TRUE]).all()  # resamples are paired


def test_a_study_of_gene_models_leads_with_whole_genes(finished: tuple[StudyContext, StudyResult]) -> None:
    context, result = finished
    assert [difference.question for difference in result.differences] == [LETTERS_TO_SPT]
    first, second, *rest = result.answer
    assert first.startswith("On the test split, by F1 of coding bases, of exons and of genes, and MCC: gene model, ")
    sides = "gene model, letters to gene model, SPT"
    assert second.startswith(f"Site scores of a self-pretrained encoder instead of letters ({sides}): ")
    assert all(name in second for name in ("F1 of coding bases ", "of exons ", "of genes ", "MCC "))
    assert rest == ["One seed: the intervals do not cover its choice."]
    text = (context.out / "study.md").read_text()
    assert text.index("## Genes as predict writes them") < text.index("## Arms")
    assert text.index("## Gains, genes as predict writes them") < text.index("## Gains\n")
    assert (
        "learning rate was chosen" not in text
        and "No arm is trained step by step" in (context.out / "study.html").read_text()
    )
