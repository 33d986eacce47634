"""Scores of runs to the sentences that open a report: every claim is a comparison of numbers that the report shows.

Two scores differ clearly only where their 95 % intervals do not overlap.
"""

import math
from collections.abc import Sequence

from dnaspt.data.manifest import Manifest
from dnaspt.evaluation.metrics import Score
from dnaspt.reports.records import HEAD_NAMES, PretrainRecord, RunRecord, primary_score, score_of
from dnaspt.tasks import TASKS

_SAME_NATS = 0.005
_MANY = 6
# Settings that may differ between two arms without the comparison being about anything else.
_NEUTRAL = frozenset(
    {"out", "data", "encoder", "preset", "head", "devices", "num_nodes", "accelerator", "tensorboard", "save_every"}
    | {"max_minutes", "freeze_encoder", "seed"}
)


def answer(runs: Sequence[RunRecord], manifest: Manifest, pretraining: PretrainRecord | None) -> list[str]:
    """Sentences, the most important first."""
    metric = metric_name(manifest)
    sentences = [_standing(runs, metric), *_pairs(runs, metric)]
    if not manifest.per_base:
        sentences.append(_against_count(runs))
    if pretraining is not None:
        sentences.append(_language(pretraining))
    return [*sentences, _seeds(runs)]


def metric_name(manifest: Manifest) -> str:
    """The metric that the report compares by."""
    return {"mcc": "MCC", "auroc": "mean AUROC", "auprc": "mean AUPRC"}[TASKS[manifest.task].metric]


def written(score: Score, form: str = ".3f") -> str:
    """A score and its 95 % interval: "0.612 [0.583, 0.641]"; "–" where it is not defined."""
    if math.isnan(score.value):
        return "–"
    if math.isnan(score.low):
        return f"{score.value:{form}}"
    return f"{score.value:{form}} [{score.low:{form}}, {score.high:{form}}]"


def overlap(first: Score, second: Score) -> bool:
    """Whether two 95 % intervals share a value; a score without an interval overlaps everything."""
    bounds = (first.low, first.high, second.low, second.high)
    return any(map(math.isnan, bounds)) or (first.low <= second.high and second.low <= first.high)


def _standing(runs: Sequence[RunRecord], metric: str) -> str:
    ranked = sorted(runs, key=lambda run: _rank(primary_score(run)), reverse=True)
    if len(ranked) > _MANY:
        ranked = [*ranked[: _MANY - 1], ranked[-1]]
    best, *others = ranked
    sentence = f"On the test split {best.name} reaches {metric} {written(primary_score(best))}"
    if others:
        sentence += "; " + "; ".join(f"{run.name} {written(primary_score(run))}" for run in others)
    return sentence + "."


def _rank(score: Score) -> float:
    return -math.inf if math.isnan(score.value) else score.value


def _pairs(runs: Sequence[RunRecord], metric: str) -> list[str]:
    """What pretraining changes under one head, and what the CRF changes under one initialization."""
    sentences = []
    for start, run in ((a, b) for a in runs for b in runs):
        one_head = start.head == run.head and not start.is_pretrained and run.is_pretrained
        one_init = start.init == run.init and (start.head, run.head) == ("softmax", "crf")
        if one_head and start.head != "sigmoid":
            subject, place = _subject(run), f"with {HEAD_NAMES[run.head]}"
        elif one_head:
            subject, place = _subject(run), ""
        elif one_init and start.settings.get("freeze_encoder") == run.settings.get("freeze_encoder"):
            subject = "The CRF head instead of softmax"
            place = "from scratch" if run.init == "scratch" else f"after {_pretraining(run)}"
        else:
            continue
        if start.settings.get("label_fraction", 1.0) == run.settings.get("label_fraction", 1.0):
            sentences.append(_change(subject, place, metric, start, run))
    return sentences


def _pretraining(run: RunRecord) -> str:
    return "self-pretraining" if run.init == "SPT" else "pretraining on another dataset"


def _subject(run: RunRecord) -> str:
    frozen = " with a frozen encoder" if run.settings.get("freeze_encoder") else ""
    return _pretraining(run).capitalize() + frozen


def _change(subject: str, place: str, metric: str, start: RunRecord, run: RunRecord) -> str:
    before, after = primary_score(start), primary_score(run)
    where = f" {place}" if place else ""
    effect = f"The effect of {subject[0].lower()}{subject[1:]}{where}"
    if math.isnan(before.value) or math.isnan(after.value):
        return f"{effect} cannot be told: a score is not defined."
    if differing := _differing(start, run):
        apart = "their 95 % intervals overlap" if overlap(before, after) else "their 95 % intervals do not overlap"
        return (
            f"{effect} cannot be told from these runs: {start.name} ({before.value:.3f}) and {run.name} "
            f"({after.value:.3f}) also differ in {' and '.join(differing)}; {apart}."
        )
    between = f"from {before.value:.3f} ({start.name}) to {after.value:.3f} ({run.name})"
    if overlap(before, after):
        return f"{subject}{where}: no clear difference in {metric}, {between}; the 95 % intervals overlap."
    verb = "raises" if after.value > before.value else "lowers"
    return f"{subject} {verb} {metric}{where} by {abs(after.value - before.value):.3f}, {between}."


def _differing(start: RunRecord, run: RunRecord) -> list[str]:
    """Settings in which two runs differ though the comparison is not about them."""
    names = set(start.settings) | set(run.settings)
    # Steps, where given, make epochs idle.
    names -= _NEUTRAL | ({"epochs"} if start.settings.get("steps") and run.settings.get("steps") else set())
    found = sorted(name.replace("_", " ") for name in names if start.settings.get(name) != run.settings.get(name))
    if start.config.encoder != run.config.encoder:
        found.append("encoder size")
    return found + (["whether they came to their end"] if bool(start.result) != bool(run.result) else [])


def _against_count(runs: Sequence[RunRecord]) -> str:
    best = max(runs, key=lambda run: _rank(primary_score(run)))
    score, baseline = primary_score(best), score_of(best.scores["cpg_count"]["mean_auroc"])
    told = f"Counting the CpGs of a window alone reaches mean AUROC {written(baseline)}"
    if overlap(score, baseline):
        return f"{told}: no clear difference from {best.name}, since the 95 % intervals overlap."
    return f"{told}: {best.name} is {'above' if score.value > baseline.value else 'below'} it."


def _language(pretraining: PretrainRecord) -> str:
    result = pretraining.result
    nats, markov, two_sided = result["valid_nats"], result["markov_nats"], result["two_sided_nats"]
    told = (
        f"The pretrained model needs {nats:.3f} nats per masked base, an order-{result['markov_order']} Markov model "
        f"{markov:.3f} and the best two-sided k-mer model {two_sided:.3f}"
    )
    better = "the Markov model" if markov < two_sided else "the k-mer model"
    if nats < min(markov, two_sided) - _SAME_NATS:
        return f"{told}: it predicts better than both."
    if nats <= min(markov, two_sided) + _SAME_NATS:
        return f"{told}: it predicts about as well as {better}."
    worse = "both" if nats > max(markov, two_sided) + _SAME_NATS else better
    return f"{told}: it predicts worse than {worse}."


def _seeds(runs: Sequence[RunRecord]) -> str:
    """How far the intervals speak."""
    seeds = {run.settings.get("seed") for run in runs}
    if len(runs) == 1:
        told = f"This is one training run with one seed ({seeds.pop()})"
    elif len(seeds) == 1:
        told = f"Each run was trained once, with seed {seeds.pop()}"
    else:
        told = f"Each run was trained once; there are {len(seeds)} seeds among them"
    return f"{told}. The intervals resample the test split; they do not show how scores vary between seeds."
