import errno
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score
from tests.unit.evaluation.small_runs import make_run

from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.config import EncoderConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.segments import segments
from dnaspt.errors import CheckpointError, ConfigError, DatasetError
from dnaspt.evaluation import results
from dnaspt.evaluation.evaluate import _encoder_read_splits, evaluate
from dnaspt.genome.alphabet import reverse_complement
from dnaspt.inference import decode
from dnaspt.inference.decode import predict_paths
from dnaspt.inference.emissions import ContigSlice, EmissionArray
from dnaspt.inference.model import load
from dnaspt.models.codons import gene_grammar
from dnaspt.models.task_model import TaskModel
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions


@pytest.fixture(scope="module")
def window_data(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "peaks"
    peaks = (simulated / "peaks_A.bed", simulated / "peaks_B.bed")
    prepare_regions(PrepareRegionsConfig(out=out, genome=simulated / "genome.fa", regions=peaks, window_bp=256))
    return out


def logits_of(model: TaskModel, codes: list[np.ndarray]) -> np.ndarray:
    with torch.no_grad():
        rows = [model(torch.from_numpy(window & 7)[None])[0].numpy() for window in codes]
    return np.stack(rows)


def scikit_learn(truth: np.ndarray, scores: np.ndarray, measure: Callable[..., float]) -> list[float]:
    return [measure(truth[known, k], scores[known, k]) for k in range(truth.shape[1]) for known in [truth[:, k] >= 0]]


@pytest.mark.parametrize("average_strands", [False, True])
def test_scores_of_windows_are_those_of_scikit_learn(window_data: Path, tmp_path: Path, average_strands: bool) -> None:
    run, model = make_run(tmp_path / "run", window_data, "sigmoid")
    rows = read_split(window_data, "test")
    windows = [window.codes for window in rows]
    logits = logits_of(model, windows)
    if average_strands:
        logits = (logits + logits_of(model, [reverse_complement(window) for window in windows])) / 2
    truth = rows.labels.reshape(len(rows), -1)
    result = evaluate(run, window_data, average_strands=average_strands)
    for name, measure in (("auroc", roc_auc_score), ("auprc", average_precision_score)):
        expected = scikit_learn(truth, logits, measure)
        scores = result.scores
        values = [scores[f"{name}/{label}"].value for label in read_manifest(window_data).labels]
        assert values == pytest.approx(expected, abs=1e-6)
        assert scores[f"mean_{name}"].value == pytest.approx(np.mean(expected), abs=1e-6)


def test_averaging_over_strands_changes_the_scores_of_windows(window_data: Path, tmp_path: Path) -> None:
    run, _ = make_run(tmp_path / "run", window_data, "sigmoid")
    one, both = (evaluate(run, window_data, average_strands=average).windows for average in (False, True))
    assert one is not None and both is not None and one.labels.auroc != both.labels.auroc


@pytest.mark.parametrize(("average_strands", "shortest_intron_bp"), [(False, None), (True, None), (False, 60)])
def test_mcc_of_genes_is_that_of_scikit_learn(
    gene_data: Path, tmp_path: Path, average_strands: bool, shortest_intron_bp: int | None
) -> None:
    run, model = make_run(tmp_path / "run", gene_data, "crf", shortest_intron_bp=shortest_intron_bp)
    result = evaluate(run, gene_data, average_strands=average_strands)
    codons = gene_grammar(stop_in_cds=True, min_intron_bp=shortest_intron_bp or 10)
    grammars = {"confusions": None, "confusions_codons": codons}
    with np.load(next(run.glob("evaluation-test*.npz"))) as counted:
        for scores, (name, grammar) in zip((result.genes, result.codons), grammars.items(), strict=True):
            truth, found = [], []
            for segment in segments(read_split(gene_data, "test")):
                known = segment.labels >= 0
                truth.append(segment.labels[known])
                whole = [ContigSlice.whole(segment.codes)]
                (path,) = predict_paths(model, whole, average_strands=average_strands, grammar=grammar)
                found.append(path[known])
            expected = matthews_corrcoef(np.concatenate(truth), np.concatenate(found))
            assert scores is not None and scores.mcc.value == pytest.approx(expected, abs=1e-9)
            assert tuple(map(tuple, counted[name].sum(0).tolist())) == scores.confusion


def test_every_segment_is_predicted_once(gene_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = make_run(tmp_path / "run", gene_data, "crf")
    real, calls = decode.predict_sequences, []

    def counted(model: TaskModel, slices: list[ContigSlice], **options: object) -> list[EmissionArray]:
        calls.extend(len(contig_slice) for contig_slice in slices)
        return real(model, slices, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(decode, "predict_sequences", counted)
    evaluate(run, gene_data)
    assert calls == [len(segment.codes) for segment in segments(read_split(gene_data, "test"))]


def test_only_the_default_mode_on_the_own_data_is_called_evaluation_split(window_data: Path, tmp_path: Path) -> None:
    run, _ = make_run(tmp_path / "run", window_data, "sigmoid")
    evaluate(run, window_data)
    own = (run / "evaluation-test.json").read_bytes()
    evaluate(run, window_data, average_strands=True)
    evaluate(run, window_data, split="valid")
    foreign, _ = make_run(tmp_path / "foreign", window_data, "sigmoid", own_data=False)
    with pytest.raises(CheckpointError, match="another dataset"):
        evaluate(foreign, window_data)
    evaluate(foreign, window_data, any_data=True)
    evaluate(foreign, window_data, any_data=True, average_strands=True)
    digest = read_manifest(window_data).digest[:8]
    assert {file.name for file in run.glob("*.json")} == {
        "evaluation-test.json",
        "evaluation-test-both-strands.json",
        "evaluation-valid.json",
    }
    assert {file.name for file in foreign.glob("*.json")} == {
        f"evaluation-test-{digest}.json",
        f"evaluation-test-{digest}-both-strands.json",
    }
    assert (run / "evaluation-test.json").read_bytes() == own
    lines = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    assert [line["average_strands"] for line in lines] == [False, True, False]


def test_nothing_is_written_into_a_checkpoint(
    window_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = make_run(tmp_path / "run", window_data, "sigmoid")
    checkpoint = run / "best" / "step-00000001"
    before = sorted(tmp_path.rglob("*"))
    with caplog.at_level(logging.WARNING):
        result = evaluate(checkpoint, window_data)
    assert result.primary.value > 0
    assert sorted(tmp_path.rglob("*")) == before
    assert "the scores are not written" in caplog.text


def test_a_run_that_was_trained_anew_does_not_get_the_scores_of_the_old_weights(
    window_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = make_run(tmp_path / "run", window_data, "sigmoid")
    model = load(run)
    evaluate(model, window_data)
    shutil.rmtree(run)
    with caplog.at_level(logging.WARNING):
        scores = evaluate(model, window_data)
    assert scores.primary.value > 0 and not run.exists()
    assert "no longer holds the model" in caplog.text
    make_run(run, window_data, "sigmoid", own_data=False)  # other weights or another description: another model
    caplog.clear()
    evaluate(model, window_data)
    assert not list(run.glob("evaluation*")) and "no longer holds the model" in caplog.text


def test_a_model_of_another_task_is_refused_even_if_any_data_are_accepted(window_data: Path, tmp_path: Path) -> None:
    run, _ = make_run(tmp_path / "run", window_data, "sigmoid")
    model = load(run)
    for task in ("methylation", "enhancers"):
        other = replace(model, config=model.config.model_copy(update={"task": task}))
        with pytest.raises(CheckpointError, match=f"of another task: predicts {task}"):
            evaluate(other, window_data, any_data=True)


def test_a_loaded_model_stays_on_its_device(
    window_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = make_run(tmp_path / "run", window_data, "sigmoid")
    with caplog.at_level(logging.WARNING):
        evaluate(load(run, accelerator="cpu"), window_data, accelerator="gpu", write=False)
    assert "accelerator='gpu' has no effect" in caplog.text


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused(window_data: Path, tmp_path: Path) -> None:
    run, _ = make_run(tmp_path / "run", window_data, "sigmoid")
    with pytest.raises(ConfigError, match="no CUDA device"):
        evaluate(run, window_data, accelerator="gpu")


@pytest.mark.parametrize("split", ["unlabeled", "Test", "../data/test"])
def test_a_split_without_labels_is_not_scored(split: str, window_data: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"no labeled split is called '{split}'; expected train, valid, test"):
        evaluate(tmp_path / "no run", window_data, split=split)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_scores_of_a_run_that_can_only_be_read_are_given_and_not_logged(
    number: int,
    window_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run, _ = make_run(tmp_path / "run", window_data, "sigmoid")
    expected = evaluate(run, window_data, write=False)

    def refuse(path: Path) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(results, "atomic_file", refuse)
    before = sorted(run.rglob("*"))
    scores = evaluate(run, window_data)
    assert replace(scores, date="") == replace(expected, date="") and sorted(run.rglob("*")) == before
    why = f"nothing can be written there ({os.strerror(number)})"
    assert caplog.messages[-1] == f"{run}: {why}: these scores of test are not on record in evaluations.jsonl"


def test_a_full_disk_is_told_by_evaluate(window_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = make_run(tmp_path / "run", window_data, "sigmoid")

    def refuse(path: Path) -> None:
        raise OSError(errno.ENOSPC, "full", str(path))

    monkeypatch.setattr(results, "atomic_file", refuse)
    with pytest.raises(OSError, match="full"):
        evaluate(run, window_data)


def test_what_the_encoder_of_a_network_has_read_counts_too() -> None:
    def pretrained_on(*splits: str) -> dict[str, object]:
        return {"encoder": {"provenance": {"read_splits": list(splits)}}}

    def read(provenance: dict[str, object]) -> tuple[str, ...] | None:
        config = CheckpointConfig(kind="task", encoder=EncoderConfig(), task="genes", provenance=provenance)
        return _encoder_read_splits(config)

    assert read({}) is None and read({"network": {"provenance": {}}}) is None
    assert read(pretrained_on("train")) == ("train",)
    assert read({"network": {"provenance": pretrained_on("train", "test")}}) == ("train", "test")
    both = pretrained_on("train") | {"network": {"provenance": pretrained_on("train", "test")}}
    assert read(both) == ("train", "test")
