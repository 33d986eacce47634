"""The answer of a study in words, and its tables as Markdown and CSV."""

import csv
import io
from collections.abc import Sequence

from dnaspt.evaluation.metrics import Score
from dnaspt.study.plan import StudyConfig
from dnaspt.study.summary import Difference, Group

_SUBJECTS = {
    "pretraining": "Self-pretraining",
    "pretraining, the same steps in all": "Self-pretraining instead of training longer",
    "pretraining, fewer labels": "Self-pretraining with fewer labels",
    "training longer": "Training longer",
    "the CRF": "The CRF instead of softmax",
}
GROUP_COLUMNS = ("arm", "labels", "seeds", "test {metric} [95 %]", "by seed", "learning rate", "minutes")
DIFFERENCE_COLUMNS = ("what", "from", "to", "labels", "gain in {metric} [95 %]", "verdict")
_VERDICTS = {1: "better", -1: "worse", 0: "undecided"}


def answer(differences: Sequence[Difference], metric: str) -> str:
    """What the study says, drawn from its intervals alone."""
    return " ".join(sentences(differences, metric))


def sentences(differences: Sequence[Difference], metric: str) -> list[str]:
    """One sentence for each comparison."""
    if not differences:
        return ["The study compares no two arms that differ in one thing alone."]
    return [_sentence(difference, metric) for difference in differences]


def _sentence(difference: Difference, metric: str) -> str:
    subject = _SUBJECTS[difference.question]
    gain = difference.gain
    between = f"({difference.before} to {difference.after}"
    between += f", {difference.fraction:.0%} of the labels)" if difference.fraction != 1 else ")"
    interval = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
    if difference.sign == 0:
        return f"{subject}: no evidence of a difference in test {metric}, {interval} {between}."
    return f"{subject} {'raises' if difference.sign > 0 else 'lowers'} test {metric} by {interval} {between}."


def group_rows(groups: Sequence[Group]) -> list[tuple[str, ...]]:
    """One row for each arm and fraction."""
    return [
        (
            group.arm,
            f"{group.fraction:.0%}",
            str(len(group.values)),
            written(group.score),
            " ".join(f"{value:.3f}" for value in group.values),
            f"{group.rate:g}",
            f"{group.minutes:.0f}",
        )
        for group in groups
    ]


def difference_rows(differences: Sequence[Difference]) -> list[tuple[str, ...]]:
    """One row for each comparison."""
    return [
        (one.question, one.before, one.after, f"{one.fraction:.0%}", written(one.gain, sign=True), _VERDICTS[one.sign])
        for one in differences
    ]


def written(score: Score, *, sign: bool = False) -> str:
    """A score with its interval."""
    form = "+.3f" if sign else ".3f"
    return f"{score.value:{form}} [{score.low:{form}}, {score.high:{form}}]"


def markdown(study: StudyConfig, groups: Sequence[Group], differences: Sequence[Difference], metric: str) -> str:
    """The whole report."""
    return "\n\n".join(
        [
            f"# Study of {study.data.name}",
            answer(differences, metric),
            "Means over the seeds; intervals resample seeds and test blocks, paired in comparisons (1,000 resamples). "
            f"Each arm's learning rate was chosen on valid from {', '.join(f'{rate:g}' for rate in study.learning_rates)}.",
            _table(tuple(name.format(metric=metric) for name in GROUP_COLUMNS), group_rows(groups)),
            _table(tuple(name.format(metric=metric) for name in DIFFERENCE_COLUMNS), difference_rows(differences)),
        ]
    ) + "\n"  # fmt: skip


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def table_csv(groups: Sequence[Group]) -> str:
    """Arms and fractions, a row for each seed's score and for their mean."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("arm", "label_fraction", "learning_rate", "n_seeds", "mean", "low", "high", "values"))
    for group in groups:
        score = group.score
        values = " ".join(f"{value:.6f}" for value in group.values)
        row = (group.arm, group.fraction, group.rate, len(group.values), score.value, score.low, score.high, values)
        writer.writerow(row)
    return text.getvalue()
