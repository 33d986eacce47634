import bz2
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dnaspt.baselines.results import BaselineResult
from dnaspt.errors import DatasetError
from dnaspt.evaluation.metrics import auprc, auroc
from dnaspt.evaluation.results import BootstrapCounts
from dnaspt.studies.context import StudyContext
from dnaspt.studies.plan import Job
from dnaspt.studies.records import (
    NO_RESULT,
    Record,
    ranked,
    read_record,
    read_records,
    record_file,
    result_of_baseline,
    write_record,
)
from dnaspt.training.runs import RunResult

STUDIES = Path(__file__).parent.parent.parent.parent / "examples" / "studies"
OLD = Path(__file__).with_name("records_of_0.1")
"""A run with a CRF, AUGUSTUS, and the oldest form of a baseline of windows."""
JOB = Job("tune", "scratch", {"seed": 0, "learning_rate": 1e-3}, "", "digest")


def test_a_record_that_is_written_and_read_is_the_same(finished: StudyContext, tmp_path: Path) -> None:
    for record in read_records(finished.records):
        again = read_record(write_record(tmp_path, record))
        assert again.to_dict() == record.to_dict()
        assert again.job == record.job and again.result == record.result and again.test == record.test
        assert again.examples == record.examples and again.curve == record.curve
        assert len(again.examples_coding) == (0 if record.job.baseline else len(record.examples))
        for own, written in zip(record.examples_coding, again.examples_coding, strict=True):
            np.testing.assert_array_equal(own, written)


def test_the_same_record_is_written_as_the_same_bytes(finished: StudyContext, tmp_path: Path) -> None:
    (record,) = read_records(finished.records, "pretrain")
    first, second = (write_record(tmp_path / name, record).read_bytes() for name in "ab")
    assert first == second


def test_records_of_committed_studies_are_named_by_their_settings() -> None:
    for folder in STUDIES.glob("*/records"):
        for record in read_records(folder):
            assert record_file(folder, record.job.name).is_file()


def test_a_record_of_dnaspt_0_1_is_read(tmp_path: Path) -> None:
    content = {
        "kind": "final",
        "arm": "scratch",
        "settings": {"seed": 1, "learning_rate": 0.001, "label_fraction": 1.0},
        "encoder": "",
        "data_digest": "d",
        "dnaspt_version": "0.1.0",
        "result": {"valid_auroc": 0.7, "best_step": 3, "steps": 4, "n_bp": 100, "minutes": 2.5},
        "test": {
            **{"split": "test", "task": "regions", "data_digest": "d", "date": "2026-01-01", "n_windows": 4},
            "mean_auroc": {"value": 1.0, "low": None, "high": None},
            "mean_auprc": {"value": 1.0, "low": None, "high": None},
            **{"auroc": {}, "auprc": {}, "undefined": [], "n_blocks": 2},
            "cpg_count": {
                "mean_auroc": {"value": 0.5, "low": None, "high": None},
                "mean_auprc": {"value": 0.5, "low": None, "high": None},
                **{"auroc": {}, "auprc": {}, "undefined": []},
            },
        },
        "counted": {"truth": [[0], [1], [0], [1]], "logits": [[-1.5], [0.25], [-1.5], [2]], "blocks": [0, 0, 1, 1]},
        "curve": [[2, 0.6], [4, 0.7]],
        "examples": [[{"chrom": "c", "strand": "-", "cds": [[3, 9], [12, 15]]}]],
    }
    (tmp_path / "final-x.json").write_text(json.dumps(content))
    record = read_record(tmp_path / "final-x.json")
    assert record.job == Job("final", "scratch", content["settings"], "", "d")
    assert record.result.minutes == 2.5 and record.scored.primary.value == 1 and record.scored.metric == "mean_auroc"
    assert record.counts.logits.tolist() == [[0], [1], [0], [2]] and record.counts.n_blocks == 2
    assert record.curve == ((2, 0.6), (4, 0.7)) and record.examples[0][0].cds == ((3, 9), (12, 15))
    assert record.n_test_evaluations is None and record.versions == {}


@pytest.mark.parametrize("runs", [[5], [5, 0], [101, 3], [-1, 3], [5, 10**9], ["a", 2], [5.5, 2], [5, 9] * 20_000])
def test_posteriors_that_are_none_are_refused(runs: list[object], finished: StudyContext, tmp_path: Path) -> None:
    record = next(own for own in read_records(finished.records, "final") if own.examples_coding)
    content = record.to_dict() | {"examples_coding": [[runs, runs]] * len(record.examples)}
    (tmp_path / "final-x.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="is no record of a run"):
        read_record(tmp_path / "final-x.json")
    for codings in ([[[5, 2]]] * len(record.examples), [[[5, 2]] * 2] * (len(record.examples) + 1)):
        (tmp_path / "final-x.json").write_text(json.dumps(content | {"examples_coding": codings}))
        with pytest.raises(DatasetError, match="not of both strands of each stretch"):
            read_record(tmp_path / "final-x.json")


def test_posteriors_are_read_as_they_were_kept(finished: StudyContext, tmp_path: Path) -> None:
    record = next(own for own in read_records(finished.records, "final") if own.examples_coding)
    kept = np.rint(np.random.default_rng(0).random((2, 500)).astype(np.float32) * 20) / np.float32(20)
    again = read_record(write_record(tmp_path, replace(record, examples_coding=(kept,) * len(record.examples))))
    np.testing.assert_array_equal(again.examples_coding[0], kept)


@pytest.mark.parametrize("file", sorted(OLD.glob("*.json")), ids=lambda file: file.stem)
def test_records_that_dnaspt_0_1_wrote_are_read_with_the_same_numbers(file: Path, tmp_path: Path) -> None:
    content, record = json.loads(file.read_text()), read_record(file)
    assert record.job.name == file.stem and record.job.arm == content["arm"]
    assert record.scored.primary.to_dict() == content["test"][record.scored.metric]
    assert record.result.minutes == content["result"]["minutes"] and record.result.n_bp == content["result"]["n_bp"]
    assert [list(point) for point in record.curve] == content["curve"] and len(record.examples) == len(
        content["examples"]
    )
    for name, values in content["counted"].items():
        if name == "logits":
            truth, logits = np.array(content["counted"]["truth"]), np.array(values)
            assert np.array_equal(auroc(truth, record.counts.logits), auroc(truth, logits))
        else:
            assert getattr(record.counts, name).tolist() == values
    assert read_record(write_record(tmp_path, record)).to_dict() == record.to_dict()


def test_ranks_give_the_same_areas_as_logits() -> None:
    rng = np.random.default_rng(0)
    truth, logits = rng.integers(2, size=(200, 3)), rng.normal(size=(200, 3)).round(1)
    counts = ranked(BootstrapCounts(truth=truth, logits=logits, blocks=np.arange(200) // 10))
    assert counts.logits.dtype == np.int64 and counts.logits.min() == 0
    for area in (auroc, auprc):
        assert np.array_equal(area(truth, counts.logits), area(truth, logits))


def test_counts_of_genes_are_kept_as_they_are() -> None:
    counts = BootstrapCounts(confusions=np.ones((2, 9, 9), np.int64))
    assert ranked(counts) is counts


def test_a_trial_that_diverged_has_a_record(tmp_path: Path) -> None:
    record = Record(JOB, NO_RESULT, "step 3: the loss is nan")
    assert read_record(write_record(tmp_path, record)).diverged == "step 3: the loss is nan"


def test_a_score_that_is_not_defined_is_none_in_the_file(tmp_path: Path) -> None:
    record = Record(JOB, RunResult({"valid_auroc": math.nan}, 1, 2, 3, 4.0))
    file = write_record(tmp_path, record)
    assert b"NaN" not in bz2.decompress(file.read_bytes())
    assert math.isnan(read_record(file).result.scores["valid_auroc"])


def test_a_baseline_keeps_what_it_chose(tmp_path: Path) -> None:
    baseline = BaselineResult("kmer", minutes=0.5, n_bp=100, k=4, chosen=(0.1, None), metric="auroc", valid=0.6)
    job = replace(JOB, settings={"baseline": "kmer", "seed": 0})
    record = Record(job, result_of_baseline(baseline), baseline=baseline)
    again = read_record(write_record(tmp_path, record))
    assert again.baseline == baseline
    assert again.result == RunResult({"valid_auroc": 0.6}, 0, 0, 100, 0.5)


def test_the_newer_of_two_forms_of_a_record_is_read(tmp_path: Path) -> None:
    (tmp_path / f"{JOB.name}.json").write_text(json.dumps(Record(JOB, NO_RESULT, "old").to_dict()))
    assert record_file(tmp_path, JOB.name).suffix == ".json"
    write_record(tmp_path, Record(JOB, NO_RESULT, "new"))
    assert record_file(tmp_path, JOB.name).suffix == ".bz2"
    assert [record.diverged for record in read_records(tmp_path)] == ["new"]


def test_a_folder_that_is_not_there_has_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path / "none") == []


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"settings": []},
        {"settings": {"seed": "a"}},
        {"settings": {"seed": 0, "learning_rate": [1]}},
        {"result": {"steps": float("inf")}},
        {"versions": {"torch": 2}},
        {"curve": [[1, "x"]]},
        {"counts": {"confusions": [[[1, float("inf")]]]}},
        {"counts": {"truth": [1, 2]}},
        {"test": {"mcc": {"value": 7}}},
        {"n_test_evaluations": "twice"},
    ],
)
def test_a_record_with_values_of_other_types_is_named(
    finished: StudyContext, tmp_path: Path, change: dict[str, object]
) -> None:
    record = next(record for record in read_records(finished.records) if record.job.kind == "final")
    file = tmp_path / "final-0.json.bz2"
    file.write_bytes(bz2.compress(json.dumps(record.to_dict()).encode()))
    assert read_record(file).job == record.job
    file.write_bytes(bz2.compress(json.dumps(record.to_dict() | change).encode()))
    with pytest.raises(
        DatasetError, match=r"final-0.json.bz2: is no record of a run \(.*\); delete it, and its run"
    ) as told:
        read_record(file)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no record"),
        (bz2.compress(b'{"kind": "final", '), "is no record"),
        (bz2.compress(b"[]"), "is no record of a run"),
        (bz2.compress(b'{"kind": "final"}'), "is no record of a run"),
        (bz2.compress(b'{"format_version": 99}'), "format version 99; expected 1"),
    ],
)
def test_a_damaged_record_is_named_with_what_to_do(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "final-0.json.bz2"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"final-0.json.bz2: .*{said}.*delete it, and its run is made again"):
        read_record(file)


def test_a_record_that_was_cut_off_is_named(finished: StudyContext, tmp_path: Path) -> None:
    (record,) = read_records(finished.records, "pretrain")
    file = write_record(tmp_path, record)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DatasetError, match="is no record"):
        read_record(file)


def test_a_record_may_have_the_name_of_its_arm_in_another_study() -> None:
    renamed = Record(JOB, NO_RESULT).with_arm("from scratch")
    assert renamed.job.arm == "from scratch" and renamed.job.name == JOB.name
