"""The metadata of a model card: huggingface_hub reads back what was written, with all results."""

import math
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest

from dnaspt.evaluation.metrics import Score
from dnaspt.sharing.card import card_data, write_card
from dnaspt.sharing.options import CardOptions
from dnaspt.sharing.source import ShareableRun, read_shareable

OPTIONS = CardOptions(name="rich", license="cc-by-4.0", datasets=("lab/windows",), hub_name="lab/rich")


def read_back(run: ShareableRun, folder: Path, options: CardOptions = OPTIONS) -> huggingface_hub.ModelCard:
    (folder / "README.md").write_text(write_card(run, options, 1234), encoding="utf-8")
    return huggingface_hub.ModelCard.load(folder / "README.md")


@pytest.mark.parametrize("name", ["pre", "rich", "genes"])
def test_a_card_is_read_back_with_equal_metadata_and_results(name: str, shared: Path, tmp_path: Path) -> None:
    run = read_shareable(shared / name)
    card, written = read_back(run, tmp_path), card_data(run, OPTIONS, huggingface_hub)
    assert card.data.to_dict() == written.to_dict() and card.data.eval_results == written.eval_results
    assert (card.data.library_name, card.data.license, card.data.datasets) == ("dnaspt", "cc-by-4.0", ["lab/windows"])
    assert "dna" in card.data.tags and card.data.pipeline_tag.split("-")[-1] in ("mask", "classification")


def test_results_are_the_scores_of_the_evaluation_with_their_intervals(shared: Path, tmp_path: Path) -> None:
    run = read_shareable(shared / "rich")
    evaluation = run.evaluations[0]
    results = {result.metric_name: result for result in read_back(run, tmp_path).data.eval_results}
    assert {"mean_auroc", "mean_auprc", "mcc", "auroc/rich"} <= set(results)
    for name, result in results.items():
        score = evaluation.scores[name]
        args = {"low": score.low, "high": score.high, "interval": 0.95}
        assert result.metric_value == score.value and result.metric_args.items() >= args.items()
        assert (result.dataset_split, result.dataset_revision) == ("test", evaluation.data_digest)
    assert "auroc/never" not in results  # a label that is never true has no AUROC
    assert results["mean_auroc"].metric_type == "roc_auc" and results["mcc"].metric_type == "matthews_correlation"
    assert not [name for name in results if name.startswith("cpg_count")]  # another predictor's


def test_scores_of_valid_by_which_it_was_chosen_are_no_results(shared: Path, tmp_path: Path) -> None:
    run = read_shareable(shared / "rich")
    valid = replace(run, evaluations=(replace(run.evaluations[0], split="valid"),))
    card = read_back(valid, tmp_path)
    assert card.data.eval_results is None and "not scored on a test split" in card.text and "### valid" in card.text


def test_odd_numbers_names_and_labels_are_read_back_too(shared: Path, tmp_path: Path) -> None:
    run = read_shareable(shared / "rich")
    evaluation = run.evaluations[0]
    assert evaluation.windows is not None
    odd = {"a: 'b' \"c\" #d": Score(1e-7, 1e-300, 1.0), "- né|<x>": Score(0.5), "yes": Score(math.nan)}
    labels = replace(evaluation.windows.labels, auroc=odd, auprc=odd)
    changed = replace(evaluation, fold=3, windows=replace(evaluation.windows, labels=labels))
    odd_run = replace(run, evaluations=(changed,), data="my data: 1")
    options = CardOptions(name="odd: name's", license="mit")
    card, written = read_back(odd_run, tmp_path, options), card_data(odd_run, options, huggingface_hub)
    assert card.data.to_dict() == written.to_dict() and card.data.eval_results == written.eval_results
    results = {result.metric_name: result for result in card.data.eval_results}
    assert results["auroc/a: 'b' \"c\" #d"].metric_value == 1e-7 and "auroc/yes" not in results
    assert "interval" not in (results["auroc/- né|<x>"].metric_args or {})
    assert {result.dataset_config for result in results.values()} == {"fold 3"}


def test_tags_say_what_it_is(shared: Path) -> None:
    tags = {
        name: card_data(read_shareable(shared / name), OPTIONS, huggingface_hub).tags
        for name in ("pre", "rich", "genes")
    }
    assert "masked-language-model" in tags["pre"] and {"regions", "sigmoid"} <= set(tags["rich"])
    assert {"genes", "crf", "self-pretraining"} <= set(tags["genes"]) and "self-pretraining" not in tags["rich"]
