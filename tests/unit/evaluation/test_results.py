"""Evaluation files: what is written is read back, files of dnaspt 0.1 too; damaged ones are refused."""

import bz2
import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnaspt.errors import InputError
from dnaspt.evaluation.metrics import Score
from dnaspt.evaluation.results import (
    LOG,
    BootstrapCounts,
    Evaluation,
    VariantEvaluation,
    count_evaluations,
    evaluation_stem,
    read_counts,
    read_evaluation,
    write_evaluation,
)

OLD = json.loads((Path(__file__).parent / "evaluations_of_0.1.json").read_text())
"""One file of dnaspt 0.1 of each kind, from the records of the committed studies: they have no version, some no task."""
RECORDS = sorted((Path(__file__).parents[3] / "examples" / "studies").glob("*/records/final-*.json.bz2"))
COUNTS = BootstrapCounts(
    truth=np.array([[0, 1], [1, 0]], np.int8), logits=np.zeros((2, 2), np.float32), blocks=np.array([0, 1])
)


def variants_of(digest: str = "d" * 64) -> Evaluation:
    scores = {"cosine": Score(0.6, 0.5, 0.7), "cosine, both strands": Score(0.7, 0.6, 0.8)}
    return Evaluation(
        split="test",
        task="variants",
        data_digest=digest,
        date="2026-01-01T00:00:00+00:00",
        variants=VariantEvaluation(scores, dict.fromkeys(scores, Score(0.5)), ()),
        n_variants=12,
        checkpoint="runs/pre/best/step-1",
    )


def without_nulls(raw: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if value is not None}


@pytest.mark.parametrize(
    "raw", OLD, ids=lambda raw: raw.get("task", "no task") + (", codons" if "codons" in raw else "")
)
def test_a_file_of_dnaspt_0_1_keeps_its_content(raw: dict[str, Any]) -> None:
    content = Evaluation.from_dict(raw).to_dict()
    assert content.pop("format_version") == 1
    if "task" not in raw:
        assert content.pop("task") == "regions"
    assert content == without_nulls(raw)


def test_the_committed_records_of_studies_keep_their_content() -> None:
    assert RECORDS
    for file in RECORDS:
        raw = json.loads(bz2.decompress(file.read_bytes()))["test"]
        assert Evaluation.from_dict(raw).to_dict() == raw, file


@pytest.mark.parametrize("evaluation", [*map(Evaluation.from_dict, OLD), variants_of()], ids=lambda one: one.metric)
def test_what_is_written_is_read_back(evaluation: Evaluation, tmp_path: Path) -> None:
    write_evaluation(tmp_path, evaluation, COUNTS)
    stem = evaluation_stem(evaluation)
    again = read_evaluation(tmp_path / f"{stem}.json")
    assert again.to_dict() == evaluation.to_dict()
    assert json.loads((tmp_path / f"{stem}.json").read_text())["format_version"] == 1
    counts = read_counts(tmp_path / f"{stem}.npz")
    assert counts.arrays().keys() == {"truth", "logits", "blocks"}
    np.testing.assert_array_equal(counts.truth, COUNTS.truth)
    assert counts.n_blocks == 2


def test_scores_have_names_and_the_primary_one_is_that_of_the_task() -> None:
    genes = next(Evaluation.from_dict(raw) for raw in OLD if "codons" in raw)
    assert genes.metric == "mcc" and genes.primary == genes.genes.mcc
    assert genes.scores["codons_exon_f1"] == genes.codons.genes.levels["exon"].f1
    windows = next(Evaluation.from_dict(raw) for raw in OLD if "cpg_count" in raw)
    assert windows.metric == "mean_auroc" and windows.primary == windows.windows.labels.mean_auroc
    assert windows.scores["cpg_count_mean_auprc"] == windows.windows.cpg_count.mean_auprc
    assert Evaluation.from_dict(windows.to_dict() | {"task": "enhancers"}).metric == "mean_auprc"
    variants = variants_of()
    assert variants.primary.value == 0.6 and variants.scores["auroc/cosine, both strands"].value == 0.7
    assert variants.intervals["auroc/cosine"] == (0.5, 0.7)
    assert all(map(math.isnan, variants.intervals["auprc/cosine"]))


def test_an_evaluation_is_a_line_and_a_table() -> None:
    evaluation = variants_of()
    assert str(evaluation) == "AUROC 0.600 [0.500, 0.700] on test"
    frame = evaluation.to_frame()
    assert list(frame.columns) == ["metric", "value", "low", "high"]
    assert frame.set_index("metric").loc["auroc", "value"] == 0.6


def test_a_score_without_an_interval_has_no_brackets() -> None:
    texts = [
        Score(0.612, 0.583, 0.6414).with_interval(),
        Score(0.5).with_interval("+.2f"),
        Score(math.nan).with_interval(),
    ]
    assert texts == ["0.612 [0.583, 0.641]", "+0.50", "nan"]


def test_a_file_says_by_its_task_what_was_scored() -> None:
    raw = next(dict(raw) for raw in OLD if "cpg_count" in raw) | {"task": "methylation"}
    assert Evaluation.from_dict(raw | {"n_variants": 3, "mcc": None}).windows is not None
    with pytest.raises(KeyError):
        Evaluation.from_dict(raw | {"task": "introns"})


def test_each_measurement_is_a_line_of_the_log(tmp_path: Path) -> None:
    assert count_evaluations(tmp_path) == 0
    write_evaluation(tmp_path, variants_of(), COUNTS, head="crf")
    write_evaluation(tmp_path, variants_of("e" * 64), COUNTS)
    assert count_evaluations(tmp_path) == 2 and count_evaluations(tmp_path, "valid") == 0
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["data_digest"][0] for line in lines] == ["d", "e"]
    assert lines[0]["head"] == "crf" and "head" not in lines[1]


def test_nothing_is_written_into_a_checkpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "model.safetensors").touch()
    with caplog.at_level(logging.WARNING):
        write_evaluation(tmp_path, variants_of(), COUNTS)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert "is a checkpoint" in caplog.text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "not JSON"),
        ("[1, 2]", "a list"),
        ("{}", "not an evaluation"),
        (json.dumps({"split": "test", "mcc": 3}), "not an evaluation"),
        (json.dumps(OLD[0] | {"auroc": {"A": {"valu": 0.5}}}), "not an evaluation"),
        (json.dumps(OLD[0] | {"format_version": 2}), "format version 2; expected 1"),
        (json.dumps(OLD[0] | {"n_blocks": "many"}), "n_blocks: Input should be a valid integer"),
        (json.dumps(OLD[0] | {"mean_auroc": {"value": 10**400}}), "not an evaluation"),
        (json.dumps(OLD[0] | {"mean_auroc": {"value": 3.0}}), "a score of 3 from nan to nan"),
        (json.dumps(OLD[0] | {"auprc": {}}), "AUROC and AUPRC are of other labels"),
        (json.dumps(OLD[0] | {"cpg_count": None}), "not an evaluation"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_damaged_file_is_an_error_that_says_what_to_do(text: str, found: str, tmp_path: Path) -> None:
    file = tmp_path / "evaluation-test.json"
    file.write_text(text)
    with pytest.raises(InputError, match=found) as caught:
        read_evaluation(file)
    assert str(caught.value).startswith(str(file))
    assert "run 'dnaspt evaluate' again" in str(caught.value)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluation-test\.json: no such file; expected scores of 'dnaspt evaluate'"):
        read_evaluation(tmp_path / "evaluation-test.json")
    with pytest.raises(InputError, match=r"evaluation-test\.npz: cannot be read"):
        read_counts(tmp_path / "evaluation-test.npz")
    (tmp_path / "evaluation-test.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match="cannot be read"):
        read_counts(tmp_path / "evaluation-test.npz")


def test_a_damaged_header_is_not_quoted_whole(tmp_path: Path) -> None:
    file = tmp_path / "evaluation-test.npz"
    np.savez(file, confusions=np.arange(900))
    content = bytearray(file.read_bytes())
    content[26:28] = (2_000).to_bytes(2, "little")  # the length of the first name
    file.write_bytes(bytes(content))
    with pytest.raises(InputError, match="cannot be read") as raised:
        read_counts(file)
    assert len(str(raised.value)) < len(str(file)) + 300


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"confusions": np.zeros((2, 3, 4), np.int64)}, "confusion matrices are not square"),
        ({"confusions": np.zeros(4)}, "confusions is no array of numbers with 3 axes"),
        ({"truth": np.array([["a"]])}, "truth is no array of numbers with 2 axes"),
        ({"truth": np.zeros((3, 1)), "logits": np.zeros((2, 1))}, r"logits \(2, 1\) are of other windows"),
        ({"truth": np.zeros((2, 1)), "blocks": np.array([0, -1])}, "blocks of 2 windows"),
        ({"truth": np.zeros((2, 1)), "blocks": np.array([0, 10**9])}, "block 1000000000 of 2 windows"),
        ({"else": np.zeros(1)}, "unexpected keyword"),
    ],
)
def test_counts_that_do_not_belong_together_are_refused(arrays: dict[str, Any], found: str, tmp_path: Path) -> None:
    file = tmp_path / "evaluation-test.npz"
    np.savez(file, **arrays)
    with pytest.raises(
        InputError, match=rf"evaluation-test\.npz: cannot be read \(.*{found}.*run 'dnaspt evaluate' again"
    ):
        read_counts(file)


def test_a_line_of_the_log_without_a_split_counts_for_none(tmp_path: Path) -> None:
    (tmp_path / LOG).write_text('{"split": "test"}\n{}\n{"split": "test"}\n')
    assert count_evaluations(tmp_path) == 2
