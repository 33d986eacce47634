"""result.json of a baseline: what is written is read back, and what is no result is none."""

import json
from pathlib import Path

import pytest

from dnaspt.baselines.results import BaselineResult, read_result


@pytest.mark.parametrize(
    "result",
    [
        BaselineResult("kmer", 0.5, 1200, k=None, chosen=(0.1, None), metric="auroc", valid=0.75),
        BaselineResult("markov", 0.5, 1200, k=3, chosen=(3, 3), metric="auprc", valid=None),
        BaselineResult("augustus:fly", 2.0, left_out={"overlap a longer one": 3}),
    ],
    ids=lambda result: result.baseline,
)
def test_a_result_is_read_back(result: BaselineResult, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(result.to_dict()))
    assert read_result(tmp_path) == result
    assert result.to_dict()["steps"] == 0


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"minutes": 1, "steps": 3}', '{"baseline": "x", "minutes": null, "n_bp": 0}']
)
def test_what_is_no_result_of_a_baseline_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text)
    assert read_result(tmp_path) is None
    assert read_result(tmp_path / "nowhere") is None
