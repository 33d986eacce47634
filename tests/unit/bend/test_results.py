"""Our scores beside the published ones, and the mean over the folds of a cross-validation."""

import json
from pathlib import Path

import pytest

from dnaspt.bend.protocol import BendStudy
from dnaspt.bend.published import PUBLISHED, ResultRow
from dnaspt.bend.results import ArmScore, mean_over_folds, read_scores, results
from dnaspt.errors import DatasetError, InputError


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


def study(folder: Path, records: dict[str, float]) -> Path:
    folder.mkdir()
    BendStudy("gene_finding", "spt", "bend", None, dict.fromkeys(records, "SPT") | {"lost": "gone"}).write(folder)
    (folder / "records").mkdir()
    for name, seed in zip(records, range(9), strict=False):
        content = {
            "settings": {"label_fraction": 0.5, "seed": seed, "learning_rate": 1e-3},
            "result": {"minutes": 1.0},
            "test": {"task": "genes", "mcc": {"value": records[name]}},
            "counted": {"confusions": [[[5, 1], [1, 5]], [[4, 0], [2, 6]]]},
        }
        (folder / "records" / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_a_study_has_a_row_for_each_arm_and_share_of_the_labels(tmp_path: Path) -> None:
    (found,) = read_scores(study(tmp_path / "one", {"a": 0.5, "b": 0.7}))
    assert (found.row.task, found.row.metric, found.row.model) == ("gene_finding", "MCC", "SPT, 50% of the labels")
    assert found.row.source == "our runs on bend, spt, 2 seeds" and found.row.note == ""
    assert found.value == pytest.approx(0.6) and found.fold == 0
    rows = results([tmp_path / "one"])
    assert rows[0] == found.row and {row.task for row in rows} == {"gene_finding"} and len(rows) == 9


def test_a_folder_without_scores_is_told_and_the_others_are_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done, empty = study(tmp_path / "done", {"a": 0.5}), study(tmp_path / "empty", {})
    assert results([tmp_path, empty, done])[0].model.startswith("SPT")
    assert "has no bend.json" in caplog.text and "its records are not there" in caplog.text
    with pytest.raises(DatasetError, match="its records are not there; go on with 'dnaspt bend run'"):
        results([empty])


def test_a_task_without_published_scores_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = study(tmp_path / "x", {"a": 0.5})
    BendStudy("cpg_methylation", "spt", "bend", None, {"a": "SPT"}).write(folder)
    assert len(results([folder])) == 1
    assert "cpg_methylation: no published value is on our list" in caplog.text


def test_a_bend_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = BendStudy("enhancer_annotation", "spt", "bend", 3, {"final-1": "SPT"})
    written.write(tmp_path)
    assert BendStudy.read(tmp_path) == written
    (tmp_path / "bend.json").write_text('{"task": "x"}')
    with pytest.raises(InputError, match=r"bend\.json: not the study of 'dnaspt bend run'"):
        BendStudy.read(tmp_path)
