import inspect
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.reports.cases import gene_scores, run_record, window_scores

from dnaspt.baselines.ngram import NgramBaseline
from dnaspt.checkpoint_config import MemberConfig
from dnaspt.cli.main import finetune, pretrain
from dnaspt.config import EncoderConfig, FinetuneConfig, PretrainConfig
from dnaspt.data.manifest import read_manifest
from dnaspt.evaluation.metrics import Score
from dnaspt.reports.records import PretrainRecord, RunRecord, read_pretraining, read_runs
from dnaspt.reports.run_text import OPTIONS, answer, commands

WORSE, BETTER = [7] * 20, [8] * 20
"""Bases that are right in each block: MCC 0.4 and 0.6."""


def told(*records: RunRecord) -> str:
    return " ".join(answer(records))


@pytest.mark.parametrize(("first", "second", "verb"), [(WORSE, BETTER, "raises"), (BETTER, WORSE, "lowers")])
def test_a_difference_is_told_with_its_size_and_direction(first: list[int], second: list[int], verb: str) -> None:
    said = told(run_record("scratch", "softmax", gene_scores(first)), run_record("SPT", "softmax", gene_scores(second)))
    assert f"Self-pretraining {verb} MCC with softmax by 0.200, from 0." in said
    sign = "+" if verb == "raises" else "-"
    assert f": {sign}0.200 [{sign}0.200, {sign}0.200]." in said
    assert "trained once, with seed 0" in said


def test_an_interval_that_holds_0_is_no_clear_difference() -> None:
    noise = [(-1) ** block * 3 for block in range(20)]
    mixed = [right + more for right, more in zip(WORSE, noise, strict=True)]
    said = told(run_record("scratch", "softmax", gene_scores(WORSE)), run_record("SPT", "softmax", gene_scores(mixed)))
    assert (
        "Self-pretraining with softmax: no clear difference in MCC, from 0.400 (scratch) to 0.400 (SPT): +0.000 [-0"
        in said
    )
    assert "raises" not in said


def test_paired_runs_are_told_apart_though_their_own_intervals_overlap() -> None:
    """Both vary much from block to block, and alike: the second is better in every block."""
    first = [4, 9] * 10
    second = [right + 1 for right in first]
    runs = [run_record(name, "softmax", gene_scores(n)) for name, n in (("scratch", first), ("SPT", second))]
    low, high = runs[1].scores.primary.low, runs[0].scores.primary.high
    assert low < high  # a rule of overlapping intervals would not tell them apart
    assert "Self-pretraining raises MCC with softmax by 0.200" in told(*runs)


def test_the_crf_is_asked_about_after_the_same_beginning() -> None:
    runs = [run_record("SPT", "softmax", gene_scores(WORSE)), run_record("SPT + CRF", "crf", gene_scores(BETTER))]
    assert "The CRF head instead of softmax raises MCC after self-pretraining by 0.200" in told(*runs)
    frozen = run_record("SPT + CRF", "crf", gene_scores(BETTER), freeze_encoder=True)
    assert "The CRF" not in told(runs[0], frozen)


def test_a_frozen_encoder_and_another_dataset_are_named() -> None:
    runs = [
        run_record("scratch", "softmax", gene_scores(WORSE)),
        run_record("pretrained", "softmax", gene_scores(BETTER), freeze_encoder=True),
    ]
    assert "Pretraining on another dataset with a frozen encoder raises MCC" in told(*runs)


def test_arms_that_differ_in_another_setting_are_said_to() -> None:
    runs = [
        run_record("scratch", "softmax", gene_scores(WORSE), learning_rate=1e-3),
        run_record("SPT", "softmax", gene_scores(BETTER), learning_rate=2e-3),
    ]
    assert "also differ in learning rate; the difference is +0.200 [+0.200, +0.200]." in told(*runs)
    assert "raises" not in told(*runs)
    runs[1] = replace(runs[1], result=None, settings=runs[0].settings)
    assert "also differ in whether they came to their end" in told(*runs)
    runs[1] = replace(runs[1], settings={"seed": 0, "label_fraction": 0.1})
    assert "Self-pretraining" not in told(*runs)


def test_a_score_that_is_not_defined_makes_no_claim() -> None:
    scores, counts = gene_scores(WORSE)
    assert scores.genes is not None
    undefined = replace(scores, genes=replace(scores.genes, mcc=Score(math.nan)))
    said = told(run_record("scratch", "softmax", (scores, counts)), run_record("SPT", "softmax", (undefined, counts)))
    assert "cannot be told: a score is not defined" in said
    assert "nan" not in said


def test_a_run_without_counts_makes_no_claim() -> None:
    scores, _ = gene_scores(BETTER)
    said = told(run_record("scratch", "softmax", gene_scores(WORSE)), run_record("SPT", "softmax", (scores, None)))
    assert "cannot be told, from 0.400 (scratch) to 0.600 (SPT): a run has no evaluation-test.npz" in said


def test_one_block_has_no_interval() -> None:
    said = told(run_record("scratch", "softmax", gene_scores([7])), run_record("SPT", "softmax", gene_scores([8])))
    assert "the test split is one block, so there is no interval" in said


def test_the_best_run_stands_first_and_many_are_cut_short() -> None:
    runs = [run_record(f"SPT {n}", "softmax", gene_scores([n] * 5)) for n in range(2, 10)]
    first = answer(runs)[0]
    assert first.startswith("On the test split SPT 9 is best: F1 of coding bases 0.333, F1 of exons 0.333, MCC 0.800")
    assert first.count(";") == 5
    assert "SPT 2 0.333, 0.333, -0.600" in first and "SPT 3" not in first


@pytest.mark.parametrize(("n", "said"), [(1, "one training run with one seed (0)"), (2, "2 seeds among them")])
def test_how_far_the_intervals_speak(n: int, said: str) -> None:
    runs = [run_record("SPT", "softmax", gene_scores(WORSE), seed=seed) for seed in range(n)]
    assert said in answer(runs)[-1]


@pytest.mark.parametrize(
    ("noise", "said"), [(0.3, ": SPT is above it, +0."), (30.0, ": no clear difference from SPT, "), (None, ".")]
)
def test_windows_are_compared_with_their_cpg_count(noise: float | None, said: str) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=(300, 1))
    scored = window_scores(truth + rng.normal(0, noise or 1, size=truth.shape), truth)
    count = replace(scored[1], logits=rng.normal(size=truth.shape))
    sentence = answer([run_record("SPT", "sigmoid", scored)], cpg_count=count if noise else None)[1]
    assert sentence.startswith("Counting the CpGs of a window alone reaches mean AUROC 0.500")
    assert said in sentence


def ngram_of(markov: float, two_sided: float) -> NgramBaseline:
    return NgramBaseline(5, markov, 0.4, 3, two_sided, 0.4, (two_sided,), 100)


@pytest.mark.parametrize(
    ("nats", "said"),
    [
        (1.0, "better than both"),
        (1.2, "about as well as the Markov model"),
        (1.25, "worse than the Markov model"),
        (1.4, "worse than both"),
    ],
)
def test_a_language_model_is_compared_with_ngram_models(runs: Path, nats: float, said: str) -> None:
    record = read_pretraining(runs / "pre")
    result = replace(record.result, scores={"valid_nats": nats})
    pretraining = replace(record, result=result, ngram=ngram_of(1.2, 1.3))
    (sentence,) = (s for s in answer([run_record("SPT", "softmax", gene_scores(WORSE))], pretraining) if "nats" in s)
    assert sentence.endswith(f"it predicts {said}.")


def test_commands_hold_every_setting_that_is_not_the_default(runs: Path, gene_data: Path) -> None:
    (record,) = read_runs([runs / "b"], gene_data, read_manifest(gene_data))
    toml, tuned, scored = commands([record], None, gene_data)
    assert json.loads(toml.split("JSON: ")[1]) == {"tensorboard": False}
    for words in (f"--encoder {runs / 'pre'}", "--steps 2", "--batch-bp 2048", "--head softmax", "--config b.toml"):
        assert words in tuned
    assert scored == f"dnaspt evaluate {runs / 'b'} --data {gene_data} --split test"


def test_commands_of_windows_say_what_a_recipe_would_fill_in() -> None:
    record = run_record("scratch", "sigmoid", window_scores(np.arange(20.0)[:, None], (np.arange(20) > 9)[:, None]))
    config = record.config.model_copy(update={"task": "regions"})
    settings = {"seed": 0, "pool": "mean", "composition": False, "learning_rate": 1e-3, "encoder_rate": 1.0}
    *_, line, _ = commands([replace(record, config=config, settings=settings)], None, Path("data/peaks"))
    for words in ("--pool mean", "--no-composition", "--learning-rate 0.001", "--encoder-rate 1.0"):
        assert words in line
    joined = {"data": "data/peaks", "runs": ["a"], "composition": True, "fold": 3}
    members = (MemberConfig(encoder=EncoderConfig()),)
    ensemble = replace(record, config=config.model_copy(update={"members": members}), settings=joined)
    line, _ = commands([ensemble], None, Path("data/peaks"))
    assert line == "dnaspt ensemble a --data data/peaks --out scratch --composition --fold 3"


def test_a_pretraining_has_a_command_too(runs: Path, gene_data: Path) -> None:
    (record,) = read_runs([runs / "a"], gene_data, read_manifest(gene_data))
    pretraining: PretrainRecord = read_pretraining(runs / "pre")
    toml, line, *_ = commands([record], pretraining, gene_data)
    assert json.loads(toml.split("JSON: ")[1])["encoder"]["hidden_size"] == 8
    assert line.startswith(f"dnaspt pretrain {gene_data} --out {runs / 'pre'} --steps 2")


@pytest.mark.parametrize(
    ("command", "kind", "toml_alone"), [(pretrain, PretrainConfig, {"encoder"}), (finetune, FinetuneConfig, set())]
)
def test_settings_with_an_option_are_those_of_the_command_line(
    command: Callable[..., None], kind: type[PretrainConfig | FinetuneConfig], toml_alone: set[str]
) -> None:
    settings = set(kind.model_fields) - {"data", "out"}
    assert OPTIONS & settings - toml_alone == set(inspect.signature(command).parameters) & settings
    assert set(PretrainConfig.model_fields) | set(FinetuneConfig.model_fields) >= OPTIONS


def test_settings_that_have_an_option_need_no_toml_file() -> None:
    record = run_record("a", "softmax", gene_scores(WORSE))
    given = {"fold": 2, "choose_by": "exon_f1", "genetic_code": 4, "start_codons": ["ATG", "CTG"]}
    given |= {"embeddings": "lab/model", "revision": "1234", "freeze_encoder": True}
    line, _ = commands([replace(record, settings=record.settings | given)], None, Path("data/genes"))
    assert line.endswith(
        "--fold 2 --choose-by exon_f1 --genetic-code 4 --start-codons ATG,CTG --embeddings lab/model --revision 1234 "
        "--freeze-encoder"
    )
    pretraining = PretrainRecord(
        Path("pre"), record.config, {"held_out": ["x", "y"]}, record.result, ngram_of(1.2, 1.3), ()
    )
    line, *_ = commands([record], pretraining, Path("data/genes"))
    assert line == "dnaspt pretrain DATA --out pre --held-out x --held-out y"
