"""Gains between the arms of a study to the sentences that open its report, drawn from their intervals alone."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from dnaspt.report.answer import written
from dnaspt.study.summary import Difference, Group

SIGNED = "+.3f"
_SUBJECTS = {
    "pretraining": "Self-pretraining",
    "pretraining, the same bases in all": "Self-pretraining instead of training longer",
    "pretraining, fewer labels": "Self-pretraining with fewer labels",
    "pretraining with more sequence": "Pretraining on more sequence than the task's own",
    "pretraining with more sequence, the same bases in all": "Pretraining on more sequence instead of training longer",
    "more sequence for pretraining": "More sequence than the task's own in pretraining",
    "another encoder": "The given encoder instead of a random one",
    "the CRF": "The CRF instead of softmax",
    "training longer": "Training longer",
    "the encoder trained too": "Training the encoder too",
    "other settings": "Another choice of settings",
    "a network": "A network instead of the best baseline",
}
"""Questions in the order of their sentences."""
_EFFECTS = {1: "raises test {metric}", -1: "lowers test {metric}", 0: "no evidence of a difference in test {metric}"}


def sentences(groups: Sequence[Group], differences: Sequence[Difference], metric: str) -> list[str]:
    """The answer in a word, then a sentence for each question and verdict; of the baselines with these labels, the best alone."""
    if not differences:
        return ["The study compares no two arms that differ in one thing alone."]
    baselines = {one.before for one in differences if one.question == "a network"}
    learned = [group for group in groups if group.arm in baselines]  # from the same labels, where any has
    learned = [group for group in learned if ":" not in group.baseline] or learned
    means = {group.arm: group.score.value for group in learned}
    best = max(means, key=lambda arm: means[arm], default="")
    told = [one for one in differences if one.question != "a network" or one.before == best]
    told.sort(key=lambda one: (list(_SUBJECTS).index(one.question), -one.sign))
    found = [_headline(differences)] if _headline(differences) else []
    for (question, sign), same in groupby(told, key=lambda one: (one.question, one.sign)):
        gains = "; ".join(_gain(one) for one in same)
        effect = _EFFECTS[sign].format(metric=metric)
        found.append(f"{_SUBJECTS[question]}{' ' if sign else ': '}{effect}{': ' if sign else ', '}{gains}.")
    if all(one.n_seeds == 1 for one in differences):
        found.append("One seed: the intervals do not cover its choice.")
    return found


def sentences_over(datasets: Mapping[str, Sequence[Difference]]) -> list[str]:
    """For each comparison, on which datasets it is better, worse or undecided; those with baselines are left out."""
    verdicts: dict[tuple[str, str], dict[int, list[str]]] = {}
    for name, differences in datasets.items():
        for one in differences:
            if one.question != "a network":
                of_pair = verdicts.setdefault((one.question, one.sides(" to ")), {})
                of_pair.setdefault(one.sign, []).append(name)
    words = {1: "better on", -1: "worse on", 0: "undecided on"}
    return [
        f"{_SUBJECTS[question]} ({sides}): "
        + "; ".join(f"{word} {', '.join(of_pair[sign])}" for sign, word in words.items() if sign in of_pair)
        + "."
        for (question, sides), of_pair in sorted(verdicts.items(), key=lambda item: list(_SUBJECTS).index(item[0][0]))
    ]


def _headline(differences: Sequence[Difference]) -> str:
    """What self-pretraining does with all labels, for equal fine-tuning and for equal bases; "" where no arms say so."""
    told = _verdict(differences, "pretraining")
    in_all = _verdict(differences, "pretraining, the same bases in all")
    if not told and not in_all:
        return ""
    told, in_all = told or "Not tested.", in_all or "Not tested."
    return (
        f"Does self-pretraining help here, for as many bases of fine-tuning? {told} For as many bases in all? {in_all}"
    )


def _verdict(differences: Sequence[Difference], question: str) -> str:
    signs = [one.sign for one in differences if one.question == question and one.fraction == 1]
    if not signs:
        return ""
    told = {1: "yes", -1: "no, it hurts", 0: "no evidence that it does"}
    several = {1: "in {n} of {all} comparisons it does", -1: "in {n} it hurts", 0: "in {n} there is no evidence"}
    counts = [(sign, signs.count(sign)) for sign in (1, -1, 0) if sign in signs]
    words = told[signs[0]] if len(counts) == 1 else ", ".join(several[s].format(n=n, all=len(signs)) for s, n in counts)
    return f"{words.capitalize()}."


def _gain(one: Difference) -> str:
    return f"{written(one.gain, SIGNED)} ({one.sides(' to ')})"
