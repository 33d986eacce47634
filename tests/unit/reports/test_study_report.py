import csv
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import dnaspt
from dnaspt.reports.study_report import StudyResult, study_report, write_tables
from dnaspt.reports.tables import Table
from dnaspt.studies.context import StudyContext


@pytest.fixture(scope="module")
def result(finished: StudyContext, tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """The report of the finished study, in another folder than its runs."""
    return study_report(replace(finished, out=tmp_path_factory.mktemp("reports") / "genes"))


def test_what_was_found_is_a_result(result: StudyResult) -> None:
    assert result.name == "genes" and result.metric == "MCC" and str(result) == " ".join(result.answer)
    assert result.answer[0].startswith("On the test split none is better than all others by these three together: ")
    assert result.answer[1].startswith("Does self-pretraining help here, for as many bases of fine-tuning? ")
    assert [group.arm for group in result.groups] == ["scratch", "SPT"]
    assert [difference.question for difference in result.differences] == ["pretraining"]
    assert result.method.startswith("Intervals cover the choice of test sequence")
    assert repr(result) == f"StudyResult({result.path}: 2 groups, 1 differences in MCC)"
    assert [record.job.arm for record in result.records] == ["scratch", "SPT"]


def test_a_result_is_a_table_for_arms_and_for_differences(result: StudyResult) -> None:
    scores, gains = result.to_frame(), result.differences_to_frame()
    assert scores["arm"].tolist() == ["scratch", "SPT"] and scores["mean"].tolist() == [
        group.score.value for group in result.groups
    ]
    assert gains[["before", "after"]].to_numpy().tolist() == [["scratch", "SPT"]]
    assert gains["gain"][0] == pytest.approx(scores["mean"][1] - scores["mean"][0])


def test_the_report_is_written_in_each_form(result: StudyResult) -> None:
    files = {file.name for file in result.path.iterdir()}
    numbers = {
        f"study_{name}.{kind}"
        for name in (*("scores", "gains", "claims"), "gene_scores", "gene_gains")
        for kind in ("csv", "parquet")
    }
    assert files == numbers | {"study.html", "study.md", "study_tables", "study_figures"}
    rows = list(csv.DictReader((result.path / "study_gains.csv").read_text().splitlines()))
    assert [float(row["gain"]) for row in rows] == result.differences_to_frame()["gain"].tolist()
    assert pq.read_table(result.path / "study_scores.parquet")["arm"].to_pylist() == ["scratch", "SPT"]
    text = (result.path / "study.md").read_text()
    answer = "\n".join(f"- {sentence}" for sentence in result.answer)
    assert text.startswith(f"# Study of genes\n\n{answer}\n\n{result.method}\n\n## Arms\n")
    assert "## Figures" in text and "](study_figures/gains.svg)" in text


def test_tables_keep_every_column_and_file(tmp_path: Path) -> None:
    """Also where arms are called alike, or a table is empty."""
    for _ in range(2):
        write_tables(tmp_path / "tables", [Table("SPT + x", ("a", "a"), (("1", "2"),)), Table("SPT x", ("b",), ())])
    texts = {file.name: file.read_text() for file in (tmp_path / "tables").glob("*.csv")}
    assert texts == {"spt_x.csv": "a,a\n1,2\n", "spt_x_2.csv": "b\n"}
    assert pq.read_table(tmp_path / "tables" / "spt_x_2.parquet").column_names == ["b"]
    assert pq.ParquetFile(tmp_path / "tables" / "spt_x.parquet").metadata.num_columns == 2


def test_a_study_without_comparisons_has_tables_with_columns(windows: Path, tmp_path: Path) -> None:
    settings = {"data": windows, "seeds": [0], "learning_rates": [1e-3], "arms": [{"name": "CpG count", "init": "cpg"}]}
    alone = dnaspt.study(settings, out=tmp_path / "study")
    columns = ["question", "before", "after", "label_fraction", "gain", "low", "high", "n_seeds", "n_blocks", "looks"]
    columns += ["detectable_gain", "verdict", "by_fold", "over_folds", "over_folds_low", "over_folds_high"]
    assert len(alone.differences_to_frame()) == 0 and list(alone.differences_to_frame().columns) == columns
    assert (tmp_path / "study" / "study_gains.csv").read_text() == ",".join(columns) + "\n"
    assert pq.read_table(tmp_path / "study" / "study_gains.parquet").column_names == columns
    assert pq.read_table(tmp_path / "study" / "study_claims.parquet").column_names == [*columns, "claim", "compared"]
