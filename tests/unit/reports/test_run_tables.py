"""Tables of a report say what was measured, beside the baseline, and what a dataset holds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.unit.reports.cases import gene_scores, run_record, window_scores

from dnaspt.config import BASELINE_ENCODERS, PRESETS, EncoderConfig
from dnaspt.data.manifest import read_manifest
from dnaspt.reports.records import RunRecord
from dnaspt.reports.run_tables import dataset_tables, gene_tables, run_table, window_table
from dnaspt.training.runs import RunResult

ESTIMATED = RunResult({"train_mcc": 0.8, "valid_mcc": 0.9}, best_step=0, steps=0, n_bp=2_000_000, minutes=1.5)


def test_a_run_has_one_row_with_its_encoder_head_and_score(gene_data: Path) -> None:
    run = run_record("scratch + softmax", "softmax", gene_scores([8, 9]))
    table = run_table([run], read_manifest(gene_data))
    (row,) = table.rows
    assert row[0] == "scratch + softmax" and row[2] == "softmax"
    assert row[-1].startswith("0.700 [")  # 34 of 40 bases are right: MCC = 2 * 0.85 - 1
    assert "2 blocks" in table.note and "few, so they are rough" in table.note


def test_gene_levels_and_faults_are_those_of_the_evaluation() -> None:
    tables, folded = gene_tables([run_record("SPT + CRF", "crf", gene_scores([8, 9]))])
    cells = [cell for table in (*tables, *folded) for row in table.rows for cell in row]
    assert "0.333" in cells  # F1 of exons, as `cases` has it
    assert any(cell.startswith("3 ") or cell.startswith("50.0%") for cell in cells)  # 3 of 6 introns are at fault


def test_windows_stand_beside_the_cpg_count() -> None:
    truth = np.tile([[0], [1]], (20, 1)).astype(np.int8)
    run = run_record("scratch", "sigmoid", window_scores(truth.astype(np.float32), truth))
    names = [row[0] for row in window_table([run]).rows]
    assert names == ["scratch", "CpG count"]


def test_a_dataset_says_its_splits_labels_and_shared_sequence(gene_data: Path) -> None:
    manifest = read_manifest(gene_data)
    by_title = {table.title: table for table in dataset_tables(manifest)}
    assert [row[0] for row in by_title["Splits"].rows] == ["train", "valid", "test"]
    assert [row[0] for row in by_title["Labels"].rows] == list(manifest.labels)
    assert [row[0] for row in by_title["Sequence shared between splits"].rows] == [
        pair.replace("-", " / ") for pair in manifest.leakage.pairs
    ]


def gene_model_record(name: str, encoder: EncoderConfig, path: str = "") -> RunRecord:
    """A run of a gene model; name begins with how its encoder began, path is that of the encoder's checkpoint."""
    record = replace(run_record(name, "gene-model", gene_scores([8, 9])), result=ESTIMATED)
    provenance = {"encoder": {"path": path}} if path else {}
    return replace(record, config=record.config.model_copy(update={"encoder": encoder, "provenance": provenance}))


def test_the_encoder_of_a_gene_model_is_what_scores_its_sites(gene_data: Path) -> None:
    runs = [
        gene_model_record("scratch letters", BASELINE_ENCODERS["onehot"]),
        gene_model_record("scratch small", PRESETS["small"]),
        gene_model_record("SPT", PRESETS["small"], "runs/pre/best/step-00000100"),
        gene_model_record("pretrained", PRESETS["small"], "models/other"),
    ]
    table = run_table(runs, read_manifest(gene_data))
    assert [row[1] for row in table.rows] == [
        "none (letters)",
        "random weights",
        "self-pretrained: runs/pre",
        "pretrained on another dataset: models/other",
    ]


def test_gene_models_have_no_columns_of_training_and_of_the_head_alone(gene_data: Path) -> None:
    runs = [gene_model_record(f"scratch {name}", BASELINE_ENCODERS["onehot"]) for name in "ab"]
    table = run_table(runs, read_manifest(gene_data))
    assert table.columns == ("run", "encoder", "head", "minutes", "valid MCC", "test MCC [95 %]")
    assert table.rows[0][:5] == ("scratch a", "none (letters)", "gene model", "1.5", "0.900")
    assert table.rows[0][5].startswith("0.700 [") and "checkpoint" not in table.note
    shown, folded = gene_tables(runs)
    assert [table.title for table in shown] == [
        "Genes as predict writes them",
        "Illegal structures, as predict writes genes",
        "Gene structures",
    ]
    assert shown[0].columns == ("run", "F1 of coding bases", "F1 of exons", "MCC")
    assert "where the head knows them" not in shown[0].note
    assert [row[0] for row in shown[2].rows] == ["scratch a", "scratch b"] and "With codons" not in shown[2].note
    assert folded[0].title == "Coding bases, as predict writes genes"


def test_beside_a_network_nothing_stands_where_a_gene_model_has_nothing(gene_data: Path) -> None:
    evaluation, counts = gene_scores([8, 9])
    network = run_record("scratch + CRF", "crf", (replace(evaluation, codons=evaluation.genes), counts))
    runs = [network, gene_model_record("scratch letters", BASELINE_ENCODERS["onehot"])]
    table = run_table(runs, read_manifest(gene_data))
    assert table.columns[3:] == (
        "steps",
        "best at step",
        "minutes",
        "valid MCC of the head alone",
        "test MCC of the head alone [95 %]",
    )
    assert table.rows[0][3:6] == ("9", "3", "1.5")
    assert table.rows[1][3:] == ("–", "–", "1.5", "–", "–")
    assert "Gene models are estimated: they have no steps, and no head alone." in table.note
    shown, _ = gene_tables(runs)
    assert shown[0].columns[-1] == "MCC of the head alone" and shown[0].rows[1][-1] == "–"
    assert [row[0] for row in shown[2].rows] == [
        "scratch + CRF, head alone",
        "scratch + CRF, with codons",
        "scratch letters",
    ]
    assert shown[3].title == "Illegal structures, heads alone"
    assert [row[0] for row in shown[3].rows] == ["scratch + CRF"]
