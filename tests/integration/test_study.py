"""A study on a simulated genome: what is finished is skipped, and the tables follow from the records alone."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.integration.in_process import dnaspt

from dnaspt.config import build_config
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError, DnasptError
from dnaspt.evaluation.metrics import mcc
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.reports.compare import differences_of, groups_of
from dnaspt.reports.study_report import study_report
from dnaspt.studies import launch, local_engine, scheduler
from dnaspt.studies.context import StudyContext
from dnaspt.studies.dry_run import plan_runs
from dnaspt.studies.plan import Job, finals, tuning
from dnaspt.studies.records import read_records, record_file, write_record
from dnaspt.studies.settings import StudyConfig, check_settings
from dnaspt.studies.worker import Finetune, Instruction

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("study")]  # one process makes what these tests start from

PLAN = """
data = "{data}"
seeds = [0, 1]
learning_rates = [1e-3, 3e-3]
[pretrain]
preset = "tiny"
epochs = 0.2
batch_bp = 4096
tensorboard = false
[finetune]
epochs = 0.2
batch_bp = 4096
tensorboard = false
[[arms]]
name = "scratch + CRF"
head = "crf"
label_fractions = [1.0, 0.5]
[[arms]]
name = "SPT + CRF"
init = "spt"
head = "crf"
[[arms]]
name = "longer"
head = "crf"
extended = true
"""


@pytest.fixture(scope="module")
def plan(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("study") / "study.toml"
    file.write_text(PLAN.format(data=gene_data))
    return file


@pytest.fixture(scope="module")
def context(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyContext:
    """A finished study."""
    out = tmp_path_factory.mktemp("studies") / "genes"
    context = StudyContext(build_config(StudyConfig, {}, plan), out, out / "records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_engine, "in_new_process", launch.in_this_process)
        study_report(context)
    return context


def test_every_run_has_a_record_and_the_best_rate_is_trained(context: StudyContext) -> None:
    records = read_records(context.records)
    kinds = [record.job.kind for record in records]
    assert (kinds.count("pretrain"), kinds.count("tune"), kinds.count("final")) == (2, 6, 8)
    dataset = read_manifest(context.study.data)
    for arm in context.study.arms:
        trials = {job.learning_rate: context.record(job).result.scores for job in tuning(context.study, dataset, arm)}
        best = max(trials, key=lambda rate: trials[rate]["valid_mcc"])
        own = [record.job for record in records if record.job.arm == arm.name and record.job.kind == "final"]
        assert {job.learning_rate for job in own} == {best}
    longer = next(r.job for r in records if r.job.arm == "longer" and r.job.kind == "final")
    assert longer.settings["epochs"] == pytest.approx(0.4)
    half = next(r.job for r in records if r.job.label_fraction == 0.5)
    assert half.settings["epochs"] == pytest.approx(0.4)  # as many steps as with all labels


def test_finished_runs_are_skipped_wherever_their_records_lie(
    context: StudyContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nothing is left to run")

    monkeypatch.setattr(local_engine, "run_job", never)
    again = StudyContext(context.study, tmp_path / "elsewhere", context.records)
    answer = study_report(again).answer
    assert (again.out / "study.md").read_text() == (context.out / "study.md").read_text()
    assert "\n".join(f"- {sentence}" for sentence in answer) in (again.out / "study.md").read_text()
    assert {run.state for run in plan_runs(again)} == {"finished"}


def test_a_pretraining_of_which_only_the_record_is_left_is_made_again(
    context: StudyContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_engine, "in_new_process", launch.in_this_process)
    again = StudyContext(context.study, tmp_path / "elsewhere", tmp_path / "records")
    shutil.copytree(context.records, again.records)
    lost = next(
        record_file(again.records, record.job.name)
        for record in read_records(again.records, "final")
        if record.job.encoder
    )
    lost.unlink()
    study_report(again)
    assert lost.is_file()
    assert (again.out / "study_scores.csv").read_text() == (context.out / "study_scores.csv").read_text()


def test_tables_agree_with_the_evaluations(context: StudyContext) -> None:
    rows = list(csv.DictReader((context.out / "study_scores.csv").read_text().splitlines()))
    assert [(row["arm"], float(row["label_fraction"])) for row in rows] == [
        ("scratch + CRF", 1.0),
        ("scratch + CRF", 0.5),
        ("SPT + CRF", 1.0),
        ("longer", 1.0),
    ]
    dataset = read_manifest(context.study.data)
    for row, arm in zip(rows[2:], context.study.arms[1:], strict=True):
        records = [context.record(job) for job in finals(context.study, dataset, arm, float(row["learning_rate"]))]
        values = [mcc(record.counts.confusions.sum(axis=0)) for record in records]
        assert values == pytest.approx([float(value) for value in row["values"].split()], abs=1e-6)
        assert float(row["mean"]) == pytest.approx(np.mean(values))
        assert float(row["low"]) <= float(row["mean"]) <= float(row["high"])


def test_comparisons_are_paired_and_ask_one_thing_each(context: StudyContext) -> None:
    dataset = read_manifest(context.study.data)
    records = []
    for arm, rate in ((arm, rate) for arm in context.study.arms for rate in context.study.learning_rates):
        for job in finals(context.study, dataset, arm, rate):
            if record := context.record(job):
                records.append(record.with_arm(arm.name))
    groups = groups_of(records)
    found = {(one.question, one.before, one.after, one.fraction) for one in differences_of(context.study, groups)}
    assert found == {
        ("pretraining", "scratch + CRF", "SPT + CRF", 1.0),
        ("pretraining, the same bases in all", "longer", "SPT + CRF", 1.0),
        ("training longer", "scratch + CRF", "longer", 1.0),
    }
    same = groups_of([record.with_arm("scratch + CRF") for record in records if record.job.arm == "SPT + CRF"])
    (pair,) = (one for one in differences_of(context.study, [*same, groups[2]]) if one.question == "pretraining")
    assert (pair.gain.value, pair.gain.low, pair.gain.high, pair.sign) == (0, 0, 0, 0)


def test_a_dry_run_trains_nothing(plan: Path, tmp_path: Path) -> None:
    ran = dnaspt("study", plan, "--out", tmp_path / "new", "--dry-run")
    assert ran.code == 0 and not (tmp_path / "new").exists()
    assert "16 runs, 16 to do. One after another:" in ran.printed, ran.errors
    assert "measuring a few steps: pretraining" in ran.printed


def test_a_baseline_joins_the_tables_of_windows(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_engine, "in_new_process", launch.in_this_process)
    data, file = tmp_path / "peaks", tmp_path / "study.toml"
    peaks = (simulated / "peaks_A.bed", simulated / "peaks_B.bed")
    prepare_regions(PrepareRegionsConfig(out=data, genome=simulated / "genome.fa", regions=peaks, window_bp=256))
    arms = '[[arms]]\nname = "scratch"\n[[arms]]\nname = "4-mers"\ninit = "kmer"\n'
    small = 'preset = "tiny"\nepochs = 0.1\nbatch_bp = 4096\ntensorboard = false\n'
    file.write_text(f'data = "{data}"\nseeds = [0, 1]\nlearning_rates = [3e-3]\n[finetune]\n{small}{arms}')
    context = StudyContext(build_config(StudyConfig, {}, file), tmp_path / "out", tmp_path / "out" / "records")
    plan_runs(context)
    said = " ".join(study_report(context).answer)
    assert "A network instead of the best baseline" in said
    rows = list(csv.DictReader((context.out / "study_scores.csv").read_text().splitlines()))
    assert [(row["arm"], row["n_seeds"]) for row in rows] == [("scratch", "2"), ("4-mers", "1")]
    text = (context.out / "study.md").read_text()
    assert "AUROC by label" in text and "| 4-mers |" in text
    assert "dnaspt baseline" in (context.out / "study.html").read_text()
    with pytest.raises(ConfigError, match="is for windows"):
        check_settings(build_config(StudyConfig, {}, _genes_with_kmers(tmp_path, context)))


def _genes_with_kmers(tmp_path: Path, context: StudyContext) -> Path:
    genes = tmp_path / "genes.toml"
    manifest = json.loads((context.study.data / "manifest.json").read_text())
    (tmp_path / "genes").mkdir()
    (tmp_path / "genes" / "manifest.json").write_text(json.dumps(manifest | {"resolution_bp": 1}))
    genes.write_text(f'data = "{tmp_path / "genes"}"\n[[arms]]\nname = "4-mers"\ninit = "kmer"\n')
    return genes


def test_a_rate_at_which_training_diverges_is_not_chosen(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_engine, "in_new_process", launch.in_this_process)
    study = build_config(StudyConfig, {}, plan)
    arm = study.arms[0].model_copy(update={"head": "softmax", "label_fractions": None})
    some = {"arms": (arm,), "seeds": (0,), "learning_rates": (1e30, 1e-3), "tuning_share": 1.0}
    context = StudyContext(study.model_copy(update=some), tmp_path / "out", tmp_path / "records")
    study_report(context)
    kept = read_records(context.records, "tune")
    assert ["the loss is" in record.diverged for record in kept].count(True) == 1
    text = (context.out / "study.md").read_text()
    assert re.search(r"\| scratch \+ CRF \| 0\.\d+ \| none \| 0\.001 \|", text)
    only = replace(context, study=context.study.model_copy(update={"learning_rates": (1e30, 1e31)}))
    with pytest.raises(DnasptError, match=r"no learning rate of 1e\+30, 1e\+31 has a score on valid"):
        study_report(only)


def test_a_trial_with_the_whole_budget_is_not_trained_again(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best one is the first seed's run, and a final run's record says what a trial would."""
    trained: list[str] = []

    def start(context: StudyContext, job: Job, instruction: Instruction, locks: tuple[int, ...]) -> None:
        trained.extend([job.name] * isinstance(instruction, Finetune))
        launch.in_this_process(context, job, instruction, locks)

    monkeypatch.setattr(local_engine, "in_new_process", start)
    study = build_config(StudyConfig, {}, plan)
    arm = study.arms[0].model_copy(update={"label_fractions": None})
    context = StudyContext(
        study.model_copy(update={"arms": (arm,), "tuning_share": 1.0}), tmp_path, tmp_path / "records"
    )
    study_report(context)
    assert [name.split("-")[0] for name in trained] == ["tune", "tune", "final"]
    for job in scheduler.stage_jobs(context, "tune"):
        if record_file(context.records, job.as_kind("final").name).is_file():
            record_file(context.records, job.name).unlink()
    study_report(context)
    assert len(trained) == 3


def test_rates_are_compared_on_valid_alone(context: StudyContext, plan: Path, tmp_path: Path) -> None:
    """Test stays unread: of a recipe that is not chosen it should never be known."""
    records = tmp_path / "records"
    records.mkdir()
    for record in read_records(context.records, "tune"):
        write_record(records, record)
    ran = dnaspt("study", plan, "--out", tmp_path / "out", "--records", records, "--stage", "tune")
    assert ran.code == 0 and "Learning rates, on valid" in ran.printed, ran.errors
    assert all(arm.name in ran.printed for arm in context.study.arms)
    assert not (tmp_path / "out").exists()
    ran = dnaspt("study", plan, "--out", tmp_path / "out", "--task", "0")
    assert ran.code == 2 and "say --stage too" in " ".join(ran.errors)
    ran = dnaspt("study", plan, "--out", tmp_path / "out", "--engine", "slurm", "--stage", "tune")
    assert ran.code == 2 and "leave it out" in " ".join(ran.errors)


def test_the_page_is_whole_and_its_figures_stand_beside_it(context: StudyContext) -> None:
    page = (context.out / "study.html").read_text()
    figures = {file.stem for file in (context.out / "study_figures").iterdir()}
    assert figures >= {"scores", "gains", "labels", "cost", "learning", "locus1"}
    drawn_in_page = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert drawn_in_page.count("<svg") == len(figures)
    assert "://" not in drawn_in_page.replace("http://www.w3.org", "")
    for arm in context.study.arms:
        assert arm.name in page
    gains = list(csv.DictReader((context.out / "study_gains.csv").read_text().splitlines()))
    drawn = (context.out / "study_figures" / "gains.svg").read_text()
    assert all(f"{row['before']} to {row['after']}" in drawn for row in gains)


def test_every_table_is_written_in_each_format(context: StudyContext) -> None:
    """Also what the page folds away, and the commands of all runs."""
    text, page = ((context.out / f"study.{kind}").read_text() for kind in ("md", "html"))
    tables = {file.stem for file in (context.out / "study_tables").glob("*.csv")}
    assert tables >= {
        "arms",
        "gains",
        "learning_rates_on_valid",
        "recall_by_class",
        "confusion_longer",
        "splits",
        "made_with",
    }
    for name in tables:
        rows = list(csv.reader((context.out / "study_tables" / f"{name}.csv").read_text().splitlines()))
        columns = pq.read_table(context.out / "study_tables" / f"{name}.parquet").to_pydict()
        assert [[*columns], *map(list, zip(*columns.values(), strict=True))] == rows
        assert all("| " + " | ".join(row) + " |" in text for row in rows)
    records = read_records(context.records)
    for record in records:
        for name in ("torch", "Python"):
            assert record.versions[name] in text
        command = "pretrain" if record.job.kind == "pretrain" else "finetune"
        assert any(line.startswith(f"dnaspt {command} ") for line in text.splitlines())
    assert text.count("--out runs/") == len(records) == page.count("--out runs/")
    assert "Test was evaluated once for each run, by its own log." in text


def test_several_datasets_have_a_report_each_and_one_over_all(
    context: StudyContext, plan: Path, tmp_path: Path
) -> None:
    names, file, out = ("one", "two"), tmp_path / "several.toml", tmp_path / "out"
    for name in names:
        shutil.copytree(context.study.data, tmp_path / name)
        shutil.copytree(context.records, tmp_path / "records" / name)
    listed = json.dumps([str(tmp_path / name) for name in names])
    file.write_text(plan.read_text().replace(f'"{context.study.data}"', listed))
    run = dnaspt("study", file, "--out", out, "--records", tmp_path / "records")
    assert not run.code, run.errors
    gains = (context.out / "study_gains.csv").read_text()
    assert all((out / name / "study_gains.csv").read_text() == gains for name in names)
    page, text = ((out / f"study.{kind}").read_text() for kind in ("html", "md"))
    said = r"# Study of one, two\n\n- Self-pretraining \(scratch \+ CRF to SPT \+ CRF\): (better|worse|undecided) on one, two\."
    assert re.match(said, text)
    assert page.count("<svg") == 2 and "two/study.html" in page
    planned = dnaspt("study", file, "--out", out, "--records", tmp_path / "records", "--dry-run")
    assert planned.printed.count(" 0 to do. ") == 2
    submitted = dnaspt("study", file, "--out", out, "--engine", "slurm")
    assert submitted.printed.count("submit.sh: written") == 2
    assert f"--out {out} --data {tmp_path / 'two'}" in (out / "two" / "submit.sh").read_text()
    of_one = ("--records", tmp_path / "records", "--data", tmp_path / "two")
    assert (
        "all runs that begin from it are finished"
        in dnaspt(*("study", file, "--out", out, *of_one, "--stage", "pretrain", "--task", "0")).printed
    )
    refused = dnaspt("study", file, "--out", out, "--stage", "final", "--task", "0")
    assert refused.code and "say --data too" in refused.errors[-1]
    missing = file.with_name("missing.toml")
    missing.write_text(file.read_text().replace(str(tmp_path / "two"), str(tmp_path / "none")))
    assert "none: no such folder" in dnaspt("study", missing, "--out", tmp_path / "new").errors[-1]
    assert not (tmp_path / "new").exists()
    file.write_text(plan.read_text().replace(f'"{context.study.data}"', json.dumps([str(context.study.data)] * 2)))
    assert "2 datasets are called" in dnaspt("study", file, "--out", out).errors[-1]
