"""The folder of a baseline: what is written is read back, nobody's folder is replaced, and what does not fit is refused."""

import json
from pathlib import Path

import pytest

from dnaspt.baselines.baseline import run_baseline
from dnaspt.baselines.results import read_result
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.evaluation.results import LOG, count_evaluations, read_counts, read_evaluation


def test_scores_are_returned_and_written(windows: Path, tmp_path: Path) -> None:
    scores = run_baseline(windows, tmp_path / "cpg", model="cpg")
    assert read_evaluation(tmp_path / "cpg" / "evaluation-test.json").to_dict() == scores.to_dict()
    assert read_counts(tmp_path / "cpg" / "evaluation-test.npz").logits.shape == (120, 3)
    assert (scores.checkpoint, scores.same_data, scores.n_windows, scores.task) == ("", None, 120, "regions")
    result = read_result(tmp_path / "cpg")
    assert result is not None and result.baseline == "cpg" and result.metric == "auroc" and result.minutes > 0


def test_the_log_of_a_folder_that_is_replaced_goes_on(windows: Path, tmp_path: Path) -> None:
    for n in (1, 2):
        run_baseline(windows, tmp_path / "cpg", model="cpg", overwrite=True)
        assert count_evaluations(tmp_path / "cpg") == n
    assert len((tmp_path / "cpg" / LOG).read_text().splitlines()) == 2


def test_a_folder_is_replaced_only_where_that_is_asked_for_and_it_holds_a_baseline(
    windows: Path, tmp_path: Path
) -> None:
    run_baseline(windows, tmp_path / "cpg", model="cpg")
    with pytest.raises(DatasetError, match="already there; choose another --out, or say --overwrite"):
        run_baseline(windows, tmp_path / "cpg", model="cpg")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_text('{"steps": 100, "minutes": 3, "n_bp": 5}')
    (tmp_path / "file").touch()
    for name in ("run", "file"):
        with pytest.raises(DatasetError, match="is there and holds no baseline"):
            run_baseline(windows, tmp_path / name, model="cpg", overwrite=True)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["steps"] == 100


def test_options_that_do_not_fit_the_task_are_refused(windows: Path, gene_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for options in ({"model": "augustus"}, {"species": "fly"}, {"annotation": "genes.gff3"}):
        with pytest.raises(DatasetError, match="has labels per window; this baseline is for genes"):
            run_baseline(windows, out, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no baseline is called 'forest'; known: kmer, markov, cpg"):
        run_baseline(windows, out, model="forest")
    with pytest.raises(ConfigError, match="k = 7; expected 1 to 6"):
        run_baseline(windows, out, k=7)
    for options in ({}, {"model": "markov"}):
        with pytest.raises(
            DatasetError, match=rf"--model {options.get('model', 'kmer')} is for windows; say --model augustus"
        ):
            run_baseline(gene_data, out, **options)  # type: ignore[arg-type]
    for options in ({"species": "fly", "model": "augustus"}, {"species": "fly", "model": "kmer"}):
        with pytest.raises(ConfigError, match="give one of --annotation, --species or --model augustus"):
            run_baseline(gene_data, out, **options)  # type: ignore[arg-type]
    assert not out.exists()
