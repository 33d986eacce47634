"""A study on a simulated genome: what is finished is skipped, and the tables follow from the records alone."""

import csv
import json
import re
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.integration.in_process import dnaspt

from dnaspt.config import build_config
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError, DatasetError, DnasptError
from dnaspt.evaluation.metrics import mcc
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.reports.compare import differences_of, groups_of
from dnaspt.reports.study_report import study_report, write_tables
from dnaspt.reports.tables import Table
from dnaspt.studies import cost
from dnaspt.studies import dry_run as command
from dnaspt.studies import job as run
from dnaspt.studies import scheduler as execute
from dnaspt.studies import worker as process
from dnaspt.studies.context import Workshop
from dnaspt.studies.dry_run import planned
from dnaspt.studies.plan import Job, finals, tuning
from dnaspt.studies.settings import StudyConfig, check_settings

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
def shop(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A finished study."""
    out = tmp_path_factory.mktemp("studies") / "genes"
    shop = Workshop(build_config(StudyConfig, {}, plan), out, out / "records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "in_new_process", process.in_this_process)
        study_report(shop)
    return shop


def test_every_run_has_a_record_and_the_best_rate_is_trained(shop: Workshop) -> None:
    records = [json.loads(file.read_text()) for file in shop.records.glob("*.json")]
    kinds = [record["kind"] for record in records]
    assert (kinds.count("pretrain"), kinds.count("tune"), kinds.count("final")) == (2, 6, 8)
    dataset = read_manifest(shop.study.data)
    for arm in shop.study.arms:
        trials = {job.settings["learning_rate"]: shop.record(job) for job in tuning(shop.study, dataset, arm)}
        best = max(trials, key=lambda rate: trials[rate]["result"]["valid_mcc"])
        assert {r["settings"]["learning_rate"] for r in records if r["arm"] == arm.name and r["kind"] == "final"} == {
            best
        }
    longer = next(r for r in records if r["arm"] == "longer" and r["kind"] == "final")
    assert longer["settings"]["epochs"] == pytest.approx(0.4)
    half = next(r for r in records if r["settings"].get("label_fraction") == 0.5)
    assert half["settings"]["epochs"] == pytest.approx(0.4)  # as many steps as with all labels


def test_finished_runs_are_skipped_wherever_their_records_lie(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nothing is left to run")

    monkeypatch.setattr(execute, "run_job", never)
    again = Workshop(shop.study, tmp_path / "elsewhere", shop.records)
    said = " ".join(study_report(again).answer)
    assert (again.out / "study.md").read_text() == (shop.out / "study.md").read_text()
    assert said in (again.out / "study.md").read_text()
    assert {row[6] for row in planned(again)} == {"finished"}


def test_a_pretraining_of_which_only_the_record_is_left_is_made_again(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "in_new_process", process.in_this_process)
    again = Workshop(shop.study, tmp_path / "elsewhere", tmp_path / "records")
    shutil.copytree(shop.records, again.records)
    lost = next(file for file in again.records.glob("final-*.json") if json.loads(file.read_text())["encoder"])
    lost.unlink()
    study_report(again)
    assert lost.is_file()
    assert (again.out / "study_scores.csv").read_text() == (shop.out / "study_scores.csv").read_text()


def test_tables_agree_with_the_evaluations(shop: Workshop) -> None:
    rows = list(csv.DictReader((shop.out / "study_scores.csv").read_text().splitlines()))
    assert [(row["arm"], float(row["label_fraction"])) for row in rows] == [
        ("scratch + CRF", 1.0),
        ("scratch + CRF", 0.5),
        ("SPT + CRF", 1.0),
        ("longer", 1.0),
    ]
    dataset = read_manifest(shop.study.data)
    for row, arm in zip(rows[2:], shop.study.arms[1:], strict=True):
        records = [shop.record(job) for job in finals(shop.study, dataset, arm, float(row["learning_rate"]))]
        values = [mcc(np.sum(record["counted"]["confusions"], axis=0)) for record in records]
        assert values == pytest.approx([float(value) for value in row["values"].split()], abs=1e-6)
        assert float(row["mean"]) == pytest.approx(np.mean(values))
        assert float(row["low"]) <= float(row["mean"]) <= float(row["high"])


def test_comparisons_are_paired_and_ask_one_thing_each(shop: Workshop) -> None:
    dataset = read_manifest(shop.study.data)
    records = []
    for arm, rate in ((arm, rate) for arm in shop.study.arms for rate in shop.study.learning_rates):
        for job in finals(shop.study, dataset, arm, rate):
            if record := shop.record(job):
                records.append(record | {"arm": arm.name})
    groups = groups_of(records)
    found = {(one.question, one.before, one.after, one.fraction) for one in differences_of(shop.study, groups)}
    assert found == {
        ("pretraining", "scratch + CRF", "SPT + CRF", 1.0),
        ("pretraining, the same bases in all", "longer", "SPT + CRF", 1.0),
        ("training longer", "scratch + CRF", "longer", 1.0),
    }
    same = groups_of([record | {"arm": "scratch + CRF"} for record in records if record["arm"] == "SPT + CRF"])
    (pair,) = (one for one in differences_of(shop.study, [*same, groups[2]]) if one.question == "pretraining")
    assert (pair.gain.value, pair.gain.low, pair.gain.high, pair.sign) == (0, 0, 0, 0)


def test_a_dry_run_trains_nothing(plan: Path, tmp_path: Path) -> None:
    ran = dnaspt("study", plan, "--out", tmp_path / "new", "--dry-run")
    assert ran.code == 0 and not (tmp_path / "new").exists()
    assert "16 runs; to do, one after another:" in ran.printed, ran.errors
    assert "measuring a few steps: pretraining" in ran.printed


def test_a_dry_run_charges_what_will_be_made_alone(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best trial at the whole budget is the final run; a pretraining without weights is made again where it is needed."""
    monkeypatch.setattr(command, "measure", lambda *_: cost.Cost(1.0, 0.0, 100.0))
    records = tmp_path / "records"
    shutil.copytree(shop.records, records)
    for file in records.glob("*.json"):
        if '"arm": "SPT + CRF"' in file.read_text():
            file.unlink()
    study = shop.study.model_copy(update={"tuning_share": 1.0})
    rows = planned(Workshop(study, tmp_path / "elsewhere", records))
    assert [row[6] for row in rows if row[0] == "pretrain"] == ["to do", "to do"]
    final = [row[6] for row in rows if row[:2] == ("final", "SPT + CRF")]
    assert final == ["its best trial", "to do"]


def test_a_damaged_record_is_named(shop: Workshop, tmp_path: Path) -> None:
    shutil.copytree(shop.records, tmp_path / "records")
    damaged = min((tmp_path / "records").glob("tune-*.json"))
    damaged.write_text(damaged.read_text()[:100])
    with pytest.raises(DatasetError, match=f"{damaged.name}: is no record"):
        study_report(Workshop(shop.study, tmp_path, tmp_path / "records"))


def test_a_run_waits_for_its_own_pretraining_alone(plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Workshop(build_config(StudyConfig, {}, plan), tmp_path, tmp_path / "records", jobs=2)
    pretraining = Job("pretrain", "", {"seed": 0, "epochs": 1}, "", "")
    settings = {"seed": 0, "epochs": 1, "label_fraction": 1}
    slow, after = Job("final", "slow", settings, "", ""), Job("final", "after", settings, pretraining.digest, "")
    done: list[str] = []
    begun = threading.Event()

    def run_job(_: Workshop, job: Job, __: object) -> None:
        if job.arm == "slow":
            assert begun.wait(30)  # for the run that begins from the pretraining
        if job.arm == "after":
            assert done == [pretraining.name]
            begun.set()
        done.append(job.name)

    monkeypatch.setattr(execute, "run_job", run_job)
    execute.run_here(shop, [pretraining, slow, after])
    assert set(done) == {pretraining.name, slow.name, after.name}


def test_a_signal_ends_a_dry_run(plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = iter([True])
    monkeypatch.setattr(cost._Clock, "update", lambda *_: next(once, False) and signal.raise_signal(signal.SIGINT))
    shop = Workshop(build_config(StudyConfig, {}, plan), tmp_path, tmp_path / "records")
    with pytest.raises(KeyboardInterrupt):
        planned(shop)


def test_a_baseline_joins_the_tables_of_windows(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "in_new_process", process.in_this_process)
    data, file = tmp_path / "peaks", tmp_path / "study.toml"
    peaks = (simulated / "peaks_A.bed", simulated / "peaks_B.bed")
    prepare_regions(PrepareRegionsConfig(out=data, genome=simulated / "genome.fa", regions=peaks, window_bp=256))
    arms = '[[arms]]\nname = "scratch"\n[[arms]]\nname = "4-mers"\ninit = "kmer"\n'
    small = 'preset = "tiny"\nepochs = 0.1\nbatch_bp = 4096\ntensorboard = false\n'
    file.write_text(f'data = "{data}"\nseeds = [0, 1]\nlearning_rates = [3e-3]\n[finetune]\n{small}{arms}')
    shop = Workshop(build_config(StudyConfig, {}, file), tmp_path / "out", tmp_path / "out" / "records")
    planned(shop)
    said = " ".join(study_report(shop).answer)
    assert "A network instead of the best baseline" in said
    rows = list(csv.DictReader((shop.out / "study_scores.csv").read_text().splitlines()))
    assert [(row["arm"], row["n_seeds"]) for row in rows] == [("scratch", "2"), ("4-mers", "1")]
    text = (shop.out / "study.md").read_text()
    assert "AUROC by label" in text and "| 4-mers |" in text
    assert "dnaspt baseline" in (shop.out / "study.html").read_text()
    with pytest.raises(ConfigError, match="is for windows"):
        check_settings(build_config(StudyConfig, {}, _genes_with_kmers(tmp_path, shop)))


def _genes_with_kmers(tmp_path: Path, shop: Workshop) -> Path:
    genes = tmp_path / "genes.toml"
    manifest = json.loads((shop.study.data / "manifest.json").read_text())
    (tmp_path / "genes").mkdir()
    (tmp_path / "genes" / "manifest.json").write_text(json.dumps(manifest | {"resolution_bp": 1}))
    genes.write_text(f'data = "{tmp_path / "genes"}"\n[[arms]]\nname = "4-mers"\ninit = "kmer"\n')
    return genes


def test_a_rate_at_which_training_diverges_is_not_chosen(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "in_new_process", process.in_this_process)
    study = build_config(StudyConfig, {}, plan)
    arm = study.arms[0].model_copy(update={"head": "softmax", "label_fractions": None})
    some = {"arms": (arm,), "seeds": (0,), "learning_rates": (1e30, 1e-3), "tuning_share": 1.0}
    shop = Workshop(study.model_copy(update=some), tmp_path / "out", tmp_path / "records")
    study_report(shop)
    kept = [json.loads(file.read_text()) for file in shop.records.glob("tune-*.json")]
    assert ["the loss is" in record["result"].get("diverged", "") for record in kept].count(True) == 1
    text = (shop.out / "study.md").read_text()
    assert re.search(r"\| scratch \+ CRF \| 0\.\d+ \| none \| 0\.001 \|", text)
    only = replace(shop, study=shop.study.model_copy(update={"learning_rates": (1e30, 1e31)}))
    with pytest.raises(DnasptError, match=r"no learning rate of 1e\+30, 1e\+31 has a score on valid"):
        study_report(only)


def test_a_trial_with_the_whole_budget_is_not_trained_again(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best one is the first seed's run, and a final run's record says what a trial would."""
    trained: list[str] = []

    def call(shop: Workshop, job: Job, arguments: tuple[str, ...], locks: tuple[int, ...]) -> None:
        trained.extend([job.name] * (arguments[0] == "finetune"))
        process.in_this_process(shop, job, arguments, locks)

    monkeypatch.setattr(execute, "in_new_process", call)
    study = build_config(StudyConfig, {}, plan)
    arm = study.arms[0].model_copy(update={"label_fractions": None})
    shop = Workshop(study.model_copy(update={"arms": (arm,), "tuning_share": 1.0}), tmp_path, tmp_path / "records")
    study_report(shop)
    assert [name.split("-")[0] for name in trained] == ["tune", "tune", "final"]
    for job in execute.stage_jobs(shop, "tune"):
        if shop.record_file(job.as_kind("final")).is_file():
            shop.record_file(job).unlink()
    study_report(shop)
    assert len(trained) == 3


def test_rates_are_compared_on_valid_alone(shop: Workshop, plan: Path, tmp_path: Path) -> None:
    """Test stays unread: of a recipe that is not chosen it should never be known."""
    records = tmp_path / "records"
    records.mkdir()
    for file in shop.records.glob("tune-*.json"):
        shutil.copy(file, records)
    ran = dnaspt("study", plan, "--out", tmp_path / "out", "--records", records, "--stage", "tune")
    assert ran.code == 0 and "Learning rates, on valid" in ran.printed, ran.errors
    assert all(arm.name in ran.printed for arm in shop.study.arms)
    assert not (tmp_path / "out").exists()
    ran = dnaspt("study", plan, "--out", tmp_path / "out", "--task", "0")
    assert ran.code == 2 and "say --stage too" in " ".join(ran.errors)
    ran = dnaspt("study", plan, "--out", tmp_path / "out", "--engine", "slurm", "--stage", "tune")
    assert ran.code == 2 and "leave it out" in " ".join(ran.errors)


def test_tables_keep_every_column_and_file(tmp_path: Path) -> None:
    """Also where arms are called alike, or a table is empty."""
    write_tables(tmp_path / "tables", [Table("SPT + x", ("a", "a"), (("1", "2"),)), Table("SPT x", ("b",), ())])
    write_tables(tmp_path / "tables", [Table("SPT + x", ("a", "a"), (("1", "2"),)), Table("SPT x", ("b",), ())])
    texts = {file.name: file.read_text() for file in (tmp_path / "tables").glob("*.csv")}
    assert texts == {"spt_x.csv": "a,a\n1,2\n", "spt_x_2.csv": "b\n"}
    assert pq.read_table(tmp_path / "tables" / "spt_x_2.parquet").column_names == ["b"]
    assert pq.ParquetFile(tmp_path / "tables" / "spt_x.parquet").metadata.num_columns == 2


def test_a_stopped_study_begins_nothing(shop: Workshop, tmp_path: Path) -> None:
    """A run that waited, or was between two commands, when the signal came."""
    elsewhere = replace(shop, out=tmp_path, records=tmp_path / "records")
    (job, *_) = execute.stage_jobs(shop, "pretrain")
    with pytest.raises(SystemExit), process.stopping_with_this_process():
        raise SystemExit(143)
    with pytest.raises(DnasptError, match="the study was stopped"):
        run.run_job(elsewhere, job, process.in_new_process)
    with process.stopping_with_this_process():
        assert not process._stopping.is_set()


def test_records_of_other_data_are_told_of(
    shop: Workshop, windows: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    execute._tell_of_other_data(shop)
    assert not caplog.text
    execute._tell_of_other_data(replace(shop, study=shop.study.model_copy(update={"data": windows})))
    assert "all records are of other data" in caplog.text


def test_a_pretraining_that_no_run_needs_is_not_made_again(shop: Workshop, tmp_path: Path) -> None:
    said: list[str] = []
    elsewhere = replace(shop, out=tmp_path / "elsewhere", say=said.append)
    execute.run_task(elsewhere, "pretrain", 0)
    assert "all runs that begin from it are finished" in said[0] and not elsewhere.out.exists()


def test_a_run_that_fails_is_named_with_its_log(plan: Path, tmp_path: Path) -> None:
    settings = build_config(StudyConfig, {}, plan)
    shop = Workshop(settings, tmp_path / "out", tmp_path / "records")
    job = Job("final", "scratch + CRF", {"seed": 0, "head": "sigmoid"}, "", "digest")
    with pytest.raises(DnasptError, match=r"'dnaspt finetune' ended with 2: .*head 'sigmoid' does not fit.*\.log"):
        run.run_job(shop, job, process.in_new_process)
    assert not list((tmp_path / "out" / "runs").glob("*/result.json"))


def test_the_page_is_whole_and_its_figures_stand_beside_it(shop: Workshop) -> None:
    page = (shop.out / "study.html").read_text()
    figures = {file.stem for file in (shop.out / "study_figures").iterdir()}
    assert figures >= {"scores", "gains", "labels", "cost", "learning", "locus1"}
    assert page.count("<svg") == len(figures) and "http" not in page.replace("http://www.w3.org", "")
    for arm in shop.study.arms:
        assert arm.name in page
    gains = list(csv.DictReader((shop.out / "study_gains.csv").read_text().splitlines()))
    drawn = (shop.out / "study_figures" / "gains.svg").read_text()
    assert all(f"{row['before']} to {row['after']}" in drawn for row in gains)


def test_every_table_is_written_in_each_format(shop: Workshop) -> None:
    """Also what the page folds away, and the commands of all runs."""
    text, page = ((shop.out / f"study.{kind}").read_text() for kind in ("md", "html"))
    tables = {file.stem for file in (shop.out / "study_tables").glob("*.csv")}
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
        rows = list(csv.reader((shop.out / "study_tables" / f"{name}.csv").read_text().splitlines()))
        columns = pq.read_table(shop.out / "study_tables" / f"{name}.parquet").to_pydict()
        assert [[*columns], *map(list, zip(*columns.values(), strict=True))] == rows
        assert all("| " + " | ".join(row) + " |" in text for row in rows)
    records = [json.loads(file.read_text()) for file in shop.records.glob("*.json")]
    for record in records:
        for name in ("torch", "Python"):
            assert record["versions"][name] in text
        command = "pretrain" if record["kind"] == "pretrain" else "finetune"
        assert any(line.startswith(f"dnaspt {command} ") for line in text.splitlines())
    assert text.count("--out runs/") == len(records) == page.count("--out runs/")
    assert "Test was evaluated once for each run, by its own log." in text


def test_several_datasets_have_a_report_each_and_one_over_all(shop: Workshop, plan: Path, tmp_path: Path) -> None:
    names, file, out = ("one", "two"), tmp_path / "several.toml", tmp_path / "out"
    for name in names:
        shutil.copytree(shop.study.data, tmp_path / name)
        shutil.copytree(shop.records, tmp_path / "records" / name)
    listed = json.dumps([str(tmp_path / name) for name in names])
    file.write_text(plan.read_text().replace(f'"{shop.study.data}"', listed))
    run = dnaspt("study", file, "--out", out, "--records", tmp_path / "records")
    assert not run.code, run.errors
    gains = (shop.out / "study_gains.csv").read_text()
    assert all((out / name / "study_gains.csv").read_text() == gains for name in names)
    page, text = ((out / f"study.{kind}").read_text() for kind in ("html", "md"))
    said = r"# Study of one, two\n\nSelf-pretraining \(scratch \+ CRF to SPT \+ CRF\): (better|worse|undecided) on one, two\."
    assert re.match(said, text)
    assert page.count("<svg") == 2 and "two/study.html" in page
    planned = dnaspt("study", file, "--out", out, "--records", tmp_path / "records", "--dry-run")
    assert planned.printed.count("to do, one after another: 0 minutes") == 2
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
    file.write_text(plan.read_text().replace(f'"{shop.study.data}"', json.dumps([str(shop.study.data)] * 2)))
    assert "2 datasets are called" in dnaspt("study", file, "--out", out).errors[-1]
