"""A dataset as tables."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.reports.cases import gene_scores

from dnaspt.data.manifest import LeakageReport, Manifest, SharedWindows, SplitSummary
from dnaspt.errors import DnasptError
from dnaspt.reports.describe import describe, describe_dataset, evaluation_tables
from dnaspt.reports.run_tables import dataset_tables


@pytest.fixture
def manifest() -> Manifest:
    train = SplitSummary(
        n_windows=2,
        n_bp=16,
        n_labeled=3,
        n_missing=1,
        label_counts={"one": 1, "two": 1},
        known_counts={"one": 2, "two": 1},
    )
    return Manifest(
        task="methylation",
        labels=("one", "two"),
        resolution_bp=0,
        window_bp=8,
        sources=(),
        settings={},
        splits={"train": train},
        leakage=LeakageReport(
            pairs={"train-test": SharedWindows(n_windows=1234, overlapping=None, exact=3, near=0)},
            examples=("b:0-8 (test) = a:0-8 (train), exact copy",),
            k=16,
            min_containment=0.25,
        ),
    )


def test_the_balance_of_a_label_is_its_share_of_what_is_known(manifest: Manifest) -> None:
    (balance,) = (table for table in describe_dataset(manifest, "data") if table.title == "class balance")
    text = " ".join(str(cell) for row in balance.rows for cell in row)
    assert "50.00%" in text and "100.00%" in text
    (labels,) = (table for table in dataset_tables(manifest) if table.title == "Labels")
    assert "50.0" in labels.rows[0][1] and "100.0" in labels.rows[1][1]


def test_positions_that_cannot_be_compared_have_no_number(manifest: Manifest) -> None:
    (leakage,) = (table for table in describe_dataset(manifest, "data") if table.title.startswith("leakage"))
    assert leakage.title == "leakage between splits, windows (near: 25% of the 16-mers)"
    assert leakage.rows == (("train-test", "1,234", "-", "3", "0"),)
    assert leakage.note == "b:0-8 (test) = a:0-8 (train), exact copy"
    (shared,) = (table for table in dataset_tables(manifest) if table.title.startswith("Sequence shared"))
    assert shared.rows == (("train / test", "1,234", "–", "3", "0"),)


def test_a_file_is_told_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "genome.fa").write_text(">chr1\nACGT\n")
    with pytest.raises(DnasptError, match=r"genome\.fa: is a file; expected a dataset or a run"):
        describe(tmp_path / "genome.fa")


def test_scores_of_the_head_alone_and_with_codons_are_told_apart() -> None:
    evaluation, _ = gene_scores([8, 9])
    titles = [table.title for table in evaluation_tables(evaluation, "run")]
    assert titles[0] == "run: test"
    titles = [table.title for table in evaluation_tables(replace(evaluation, codons=evaluation.genes), "run")]
    assert titles[0] == "run: test, head alone"
    assert titles[len(titles) // 2] == "run: test, as predict decodes: with codons"
