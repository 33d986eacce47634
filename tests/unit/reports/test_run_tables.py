"""Tables of a report say what was measured, beside the baseline, and what a dataset holds."""

from pathlib import Path

import numpy as np
from tests.unit.reports.cases import gene_scores, run_record, window_scores

from dnaspt.data.manifest import read_manifest
from dnaspt.reports.run_tables import dataset_tables, gene_tables, run_table, window_table


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
