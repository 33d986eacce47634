"""Our scores beside the published ones, and the mean over the folds of a cross-validation."""

from pathlib import Path

import numpy as np
import pytest

from dnaspt.bend.protocol import BendStudy
from dnaspt.bend.published import PUBLISHED, ResultRow
from dnaspt.bend.results import ArmScore, mean_over_folds, read_scores, results
from dnaspt.errors import DatasetError, InputError
from dnaspt.evaluation.metrics import label_scores
from dnaspt.evaluation.results import BootstrapCounts, Evaluation, WindowEvaluation
from dnaspt.studies.plan import Job
from dnaspt.studies.records import Record, ranked, write_record
from dnaspt.training.runs import RunResult


def score(model: str, fold: int, value: float, protocol: str = "spt") -> ArmScore:
    return ArmScore(
        ResultRow("enhancer_annotation", "mean AUPRC", model, f"{value}", "ours", ""), protocol, fold, value
    )


def test_the_mean_is_over_the_folds_of_one_model_and_protocol() -> None:
    scores = [score("SPT", 2, 0.5), score("SPT", 1, 0.3), score("SPT", 1, 0.9, "other"), score("CNN", 3, 0.1)]
    (row,) = mean_over_folds(scores)
    assert row == ResultRow(
        "enhancer_annotation", "mean AUPRC", "SPT", "0.400 ± 0.141", "our runs, spt", "mean ± SD of the folds 1, 2"
    )
    assert mean_over_folds([score("SPT", 0, 0.5), score("SPT", 0, 0.7)]) == []  # a task without folds


def test_without_studies_all_published_scores_are_shown_task_by_task() -> None:
    rows = results([])
    assert sorted(rows) == sorted(PUBLISHED)
    tasks = [row.task for row in rows]
    assert tasks == sorted(tasks, key=tasks.index)


def write_final(folder: Path, logits: list[float], seed: int, *, fraction: float = 1.0) -> str:
    """The record of a run that has scored four bins in two blocks; its name."""
    truth, blocks = np.array([[0], [1], [0], [1]], np.int8), np.array([0, 0, 1, 1])
    scores = np.array(logits)[:, None]
    labels = label_scores(truth, scores, blocks, ("enhancer",))
    record = Record(
        job=Job("final", "an arm", {"label_fraction": fraction, "seed": seed, "learning_rate": 1e-3}, "", "digest"),
        result=RunResult({"valid_auprc": 0.5}, 1, 1, 9, 1.0),
        test=Evaluation("test", "enhancers", "digest", "today", windows=WindowEvaluation(labels, labels, 2)),
        counts=ranked(BootstrapCounts(truth=truth, logits=scores, blocks=blocks)),
    )
    write_record(folder / "records", record)
    return record.job.name


RIGHT, HALF = [0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]
"""Logits of an AUPRC of 1 and of 0.5."""


def study(folder: Path, task: str, *logits: list[float], fraction: float = 1.0, fold: int | None = None) -> Path:
    """A folder of 'dnaspt bend run' with a run for each of the logits; one more has no record."""
    names = [write_final(folder, values, seed, fraction=fraction) for seed, values in enumerate(logits)]
    folder.mkdir(exist_ok=True)
    BendStudy(task, "spt", "bend", fold, dict.fromkeys(names, "SPT") | {"lost": "gone"}).write(folder)
    return folder


def test_the_mean_over_the_folds_is_a_row_of_its_own(tmp_path: Path) -> None:
    one = study(tmp_path / "fold1", "enhancer_annotation", RIGHT, fold=1)
    two = study(tmp_path / "fold2", "enhancer_annotation", HALF, fold=2)
    rows = [row for row in results([one, two]) if row.model == "SPT"]
    assert [row.note for row in rows] == ["fold 1", "fold 2", "mean ± SD of the folds 1, 2"]
    assert rows[2][1:5] == ("mean AUPRC", "SPT", "0.750 ± 0.354", "our runs, spt")
    assert len(results([one])) == 1


def test_a_study_has_a_row_for_each_arm_and_share_of_the_labels(tmp_path: Path) -> None:
    (found,) = read_scores(study(tmp_path / "one", "gene_finding", RIGHT, HALF, fraction=0.5))
    assert (found.row.task, found.row.model) == ("gene_finding", "SPT, 50% of the labels")
    assert found.row.source == "our runs on bend, spt, 2 seeds" and found.row.note == ""
    assert found.value == pytest.approx(0.75) and found.fold == 0
    rows = results([tmp_path / "one"])
    assert rows[0] == found.row and {row.task for row in rows} == {"gene_finding"} and len(rows) == 9


def test_a_folder_without_scores_is_told_and_the_others_are_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done, empty = study(tmp_path / "done", "gene_finding", RIGHT), study(tmp_path / "empty", "gene_finding")
    assert results([tmp_path, empty, done])[0].model.startswith("SPT")
    assert "has no bend.json" in caplog.text and "its records are not there" in caplog.text
    with pytest.raises(DatasetError, match="its records are not there; go on with 'dnaspt bend run'"):
        results([empty])


def test_a_task_without_published_scores_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(results([study(tmp_path / "x", "cpg_methylation", RIGHT)])) == 1
    assert "cpg_methylation: no published value is on our list" in caplog.text


def test_a_bend_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = BendStudy("enhancer_annotation", "spt", "bend", 3, {"final-1": "SPT"})
    written.write(tmp_path)
    assert BendStudy.read(tmp_path) == written
    (tmp_path / "bend.json").write_text('{"task": "x"}')
    with pytest.raises(InputError, match=r"bend\.json: not the study of 'dnaspt bend run'"):
        BendStudy.read(tmp_path)
