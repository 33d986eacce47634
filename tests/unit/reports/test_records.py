import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.reports.cases import gene_scores, run_record

from dnaspt.baselines.baseline import run_baseline
from dnaspt.baselines.results import BaselineResult
from dnaspt.checkpoint_config import NetworkConfig
from dnaspt.config import BASELINE_ENCODERS, PRESETS, EncoderConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import CheckpointError, DnasptError, InputError
from dnaspt.evaluation.metrics import auroc
from dnaspt.evaluation.results import BootstrapCounts
from dnaspt.reports.records import _baseline_name, _plain_name, read_cpg_count, read_pretraining, read_runs
from dnaspt.reports.run_page import write_report


def test_runs_are_named_by_what_was_varied(runs: Path, gene_data: Path) -> None:
    records = read_runs([runs / "a", runs / "b", runs / "c"], gene_data, read_manifest(gene_data))
    assert [record.name for record in records] == ["scratch + softmax", "SPT + softmax", "SPT + CRF"]


def test_runs_alike_are_told_apart_by_their_folders(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "again")
    shutil.copytree(runs / "a", tmp_path / "other" / "a")
    folders = [runs / "a", tmp_path / "again", runs / "c", tmp_path / "other" / "a"]
    names = [record.name for record in read_runs(folders, gene_data, read_manifest(gene_data))]
    assert names[1:3] == ["scratch + softmax (again)", "SPT + CRF"]
    assert names[0] == f"scratch + softmax ({runs / 'a'})"
    assert len(set(names)) == 4


def test_a_run_that_was_not_evaluated_is_an_error_that_names_the_command(
    runs: Path, gene_data: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs / "a", tmp_path / "a")
    (tmp_path / "a" / "evaluation-test.json").unlink()
    with pytest.raises(DnasptError, match=f"dnaspt evaluate {tmp_path / 'a'} --data {gene_data}"):
        write_report(tmp_path / "x.html", gene_data, [tmp_path / "a"], None)
    assert not (tmp_path / "x.html").exists()


def test_scores_of_another_dataset_are_refused(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "a")
    file = tmp_path / "a" / "evaluation-test.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"data_digest": "0"}))
    with pytest.raises(DnasptError, match="another dataset"):
        write_report(tmp_path / "x.html", gene_data, [tmp_path / "a"], None)


def test_a_language_model_is_no_run_to_compare(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds a language model"):
        write_report(tmp_path / "x.html", gene_data, [runs / "pre"], None)
    with pytest.raises(CheckpointError, match="holds a fine-tuned model"):
        write_report(tmp_path / "x.html", gene_data, [runs / "a"], runs / "a")


def test_a_broken_row_of_metrics_is_an_error_with_its_line(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "a")
    file = tmp_path / "a" / "metrics.jsonl"
    whole = file.read_text()
    file.write_text(whole + '{"step": 3, "lo\n')
    with pytest.raises(InputError, match=rf"metrics.jsonl:{len(whole.splitlines()) + 1}: "):
        write_report(tmp_path / "x.html", gene_data, [tmp_path / "a"])
    file.write_text(whole + '{"step": 3, "lo')  # as a process that was killed leaves it
    (record,) = read_runs([tmp_path / "a"], gene_data, read_manifest(gene_data))
    assert [row["step"] for row in record.metrics] == [1, 2][-len(record.metrics) :]


def test_a_run_is_read_as_what_it_is(runs: Path, gene_data: Path) -> None:
    (record,) = read_runs([runs / "c"], gene_data, read_manifest(gene_data))
    assert (record.init, record.head, record.steps, record.label_fraction) == ("SPT", "crf", 2, 1)
    assert record.is_pretrained and not record.is_frozen and record.minutes > 0
    assert record.scores.genes is not None and record.scores.codons is not None
    assert record.counts is not None and record.counts.n_blocks == record.scores.genes.n_blocks


def test_a_run_that_was_stopped_is_read_from_its_metrics(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "a")
    (tmp_path / "a" / "result.json").unlink()
    (tmp_path / "a" / "evaluation-test.npz").unlink()
    (record,) = read_runs([tmp_path / "a"], gene_data, read_manifest(gene_data))
    assert record.result is None and record.counts is None
    assert record.steps == 2 and record.minutes > 0


def test_a_pretraining_is_read_with_its_ngram_models(runs: Path) -> None:
    record = read_pretraining(runs / "pre")
    assert record.nats == record.result.scores["valid_nats"] and record.ngram.markov_order == 5
    assert 0 < record.accuracy < 1 and record.read_splits == ("train",)


def test_a_pretraining_that_is_not_finished_is_refused(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "pre", tmp_path / "pre")
    (tmp_path / "pre" / "result.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no result\.json; finish it with"):
        read_pretraining(tmp_path / "pre")


def test_no_run_is_an_error(gene_data: Path) -> None:
    with pytest.raises(DnasptError, match="no run given"):
        read_runs([], gene_data, read_manifest(gene_data))


def test_cpgs_are_counted_in_the_direction_that_is_right_more_often(windows: Path) -> None:
    """The first label is rich in C and G; with its opposite the count speaks against it."""
    manifest, truth = read_manifest(windows), read_split(windows, "test").labels.reshape(-1, 3)[:, :1]
    for sign, labels in ((1, truth), (-1, 1 - truth)):
        counts = read_cpg_count(windows, manifest, BootstrapCounts(truth=labels, blocks=np.arange(len(labels))))
        assert (sign * counts.logits >= 0).all() and auroc(labels, counts.logits)[0] > 0.5


@pytest.mark.parametrize("change", [{"label_fraction": "x"}, {"label_fraction": 7}, {"freeze_encoder": [1]}])
def test_settings_that_no_run_has_are_named(
    change: dict[str, object], runs: Path, tmp_path: Path, gene_data: Path
) -> None:
    shutil.copytree(runs / "a", tmp_path / "a")
    file = tmp_path / "a" / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(
        InputError, match=r"a/run\.json: label_fraction .*; expected settings of a run of 'dnaspt finetune'"
    ):
        read_runs([tmp_path / "a"], gene_data, read_manifest(gene_data))


@pytest.mark.parametrize(
    ("name", "encoder", "expected"),
    [
        ("scratch", BASELINE_ENCODERS["onehot"], "gene model, letters"),
        ("scratch", PRESETS["small"], "gene model, random encoder"),
        ("SPT", PRESETS["small"], "gene model, SPT"),
        ("pretrained", PRESETS["small"], "gene model, pretrained"),
    ],
)
def test_a_gene_model_is_named_by_what_scores_its_sites(name: str, encoder: EncoderConfig, expected: str) -> None:
    record = run_record(name, "gene-model", gene_scores([9, 8]))
    assert record.config is not None
    config = record.config.model_copy(update={"encoder": encoder})
    assert _plain_name(replace(record, config=config), config) == expected


def test_a_gene_model_with_a_network_names_it() -> None:
    record = run_record("SPT", "gene-model", gene_scores([9, 8]))
    network = NetworkConfig(encoder=PRESETS["small"], head="crf")
    config = record.config.model_copy(update={"encoder": PRESETS["small"], "network": network})
    assert _plain_name(replace(record, config=config), config) == "gene model, SPT, with CRF"


def test_baselines_stand_behind_the_runs_under_names_of_their_own(
    runs: Path, gene_data: Path, simulated: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        run_baseline(gene_data, tmp_path / name, annotation=simulated / "annotation.gff3")
    records = read_runs([runs / "a"], gene_data, read_manifest(gene_data), [tmp_path / "one", tmp_path / "two"])
    assert [record.name for record in records[1:]] == ["annotation.gff3 (one)", "annotation.gff3 (two)"]
    assert [record.is_baseline for record in records] == [False, True, True]
    assert [record.is_network for record in records] == [True, False, False]
    assert not records[1].is_trained and not records[1].is_ensemble and records[1].minutes > 0


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (BaselineResult("augustus"), "AUGUSTUS"),
        (BaselineResult("augustus:arabidopsis"), "AUGUSTUS (arabidopsis)"),
        (BaselineResult("kmer"), "4-mers"),
        (BaselineResult("kmer", k=6), "6-mers"),
        (BaselineResult("markov"), "Markov chains"),
        (BaselineResult("cpg"), "CpG count alone"),
        (BaselineResult("/a/b/helixer.gff3"), "helixer.gff3"),
    ],
)
def test_a_baseline_is_named_by_what_it_is(result: BaselineResult, name: str) -> None:
    assert _baseline_name(result) == name
