"""A study in words and rows: scores, gains, claims of the paper, how it was made; as Markdown and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from dnaspt.reports.compare import FEWER, LONGER, Difference, Group
from dnaspt.reports.run_tables import FEW_BLOCKS
from dnaspt.reports.run_text import written
from dnaspt.reports.tables import Table
from dnaspt.studies.context import Record
from dnaspt.studies.settings import PRETRAINED, SCRATCH, StudyConfig

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


GROUP_COLUMNS = ("arm", "labels", "seeds", "test {metric} [95 %]", "by seed", "learning rate", "minutes")
DIFFERENCE_COLUMNS = ("what", "from", "to", "labels", "gain in {metric} [95 %]", "verdict")
_VERDICTS = {1: "better", -1: "worse", 0: "undecided"}
CLAIM_COLUMNS = ("claim of the paper", "compared", "gain in {metric} [95 %]", "seeds", "verdict")
_CLAIMS = (
    ("pretraining", (SCRATCH,), "P1: self-pretraining beats training from scratch (pretraining not counted)"),
    (
        "pretraining, the same bases in all",
        (SCRATCH,),
        "P1, P6: self-pretraining beats training from scratch for as many bases in all",
    ),
    ("the CRF", PRETRAINED, "P2: a CRF raises the scores of the self-pretrained model"),
    ("the CRF", (SCRATCH,), "control of P2: a CRF raises the scores from scratch"),
    (FEWER, (SCRATCH,), "P4: with a quarter of the labels it still beats all labels from scratch"),
    (LONGER, (SCRATCH,), "P6: training from scratch for longer does not help"),
)
"""Claims of arXiv 2506.17766, the comparisons that test them, and where the arm before begins: P4 is about methylation, all
others about all labels."""
_QUARTER = 0.25
_CLAIM_VERDICTS = {1: "supported", -1: "not supported", 0: "undecided"}


def group_rows(groups: Sequence[Group]) -> list[tuple[str, ...]]:
    """One row for each arm and fraction."""
    return [
        (
            group.arm,
            f"{group.fraction:.0%}",
            str(len(group.values)),
            written(group.score),
            " ".join(f"{value:.3f}" for value in group.values),
            f"{group.rate:g}" if group.rate else "–",
            f"{group.minutes:.0f}",
        )
        for group in groups
    ]


def difference_rows(differences: Sequence[Difference]) -> list[tuple[str, ...]]:
    """One row for each comparison."""
    return [
        (
            one.question,
            one.before,
            one.after,
            "100% to " * (one.question == FEWER) + f"{one.fraction:.0%}",
            written(one.gain, SIGNED),
            _VERDICTS[one.sign],
        )
        for one in differences
    ]


def claims_of(study: StudyConfig, differences: Sequence[Difference], task: str) -> list[tuple[str, Difference, str]]:
    """The paper's claims that the study tests, by which comparison, and the verdict on these data; task: of the dataset."""
    inits = {arm.name: arm.init for arm in study.arms}
    found: list[tuple[str, Difference, str]] = []
    for question, begins, claim in _CLAIMS:
        if question == FEWER and task != "methylation":
            continue
        fraction = _QUARTER if question == FEWER else 1
        asked = (one for one in differences if one.question == question and one.fraction == fraction)
        sign = -1 if question == LONGER else 1
        found += [(claim, one, _CLAIM_VERDICTS[sign * one.sign]) for one in asked if inits[one.before] in begins]
    if marginal := study.marginal_gain:
        claim = f"P5: the gain is marginal (within {marginal:g} of 0)"
        plain = (one for one in differences if one.question == "pretraining" and one.fraction == 1)
        found += [(claim, one, _size(one, marginal)) for one in plain]
    return found


def claim_rows(study: StudyConfig, differences: Sequence[Difference], task: str) -> list[tuple[str, ...]]:
    """One row for each claim and comparison."""
    return [
        (claim, one.sides(" to "), written(one.gain, SIGNED), str(one.n_seeds), verdict)
        for claim, one, verdict in claims_of(study, differences, task)
    ]


def _size(one: Difference, marginal: float) -> str:
    """Verdict on a gain that is said to be marginal."""
    if -marginal < one.gain.low and one.gain.high < marginal:
        return _CLAIM_VERDICTS[1]
    return _CLAIM_VERDICTS[-1 if one.gain.low >= marginal or one.gain.high <= -marginal else 0]


def study_tables(
    study: StudyConfig, groups: Sequence[Group], differences: Sequence[Difference], metric: str, task: str
) -> tuple[Table, Table, Table]:
    """Scores, gains, and verdicts on the paper's claims."""
    scores, gains, claims = (
        tuple(name.format(metric=metric) for name in columns)
        for columns in (GROUP_COLUMNS, DIFFERENCE_COLUMNS, CLAIM_COLUMNS)
    )
    note = "Supported or not where the interval excludes 0. P1 to P6: arXiv 2506.17766, numbered as in docs/results.md of dnaspt."
    return (
        Table("Arms", scores, tuple(group_rows(groups))),
        Table("Gains", gains, tuple(difference_rows(differences))),
        Table("Claims of the paper, on these data", claims, tuple(claim_rows(study, differences, task)), note),
    )


def markdown(title: str, answer: Sequence[str], how: str, tables: Sequence[Table], commands: Sequence[str]) -> str:
    """The whole report but for its figures."""
    parts = [f"# {title}", " ".join(answer), how]
    for table in tables:
        rows = _table(table.columns, table.rows) if table.rows else ""
        parts += [part for part in (f"## {table.title}", rows, table.note) if part]
    return "\n\n".join([*parts, "## Commands", "```\n" + "\n".join(commands) + "\n```"]) + "\n"


def method(study: StudyConfig, groups: Sequence[Group], records: Sequence[Record]) -> str:
    """What was resampled, how rates were chosen, what is equal, and how often test was scored."""
    n_blocks = min(group.n_blocks for group in groups)
    several = len(study.seeds) > 1
    drawn = "Means over the seeds; intervals cover the seeds (Student's t) and" if several else "Intervals cover"
    end = "." if several else "; with one seed they do not cover its choice."
    few = "; few, so they are rough" if n_blocks < FEW_BLOCKS else ""
    blocks = f"the choice of test sequence (1,000 resamples of its {n_blocks:,} blocks of about 10 kb{few})"
    words = [f"{drawn} {blocks}, paired in comparisons{end}"]
    if n_blocks < 2:
        words = [
            "Means over the seeds, where there are several. The test split is one block of 10 kb: there are no intervals."
        ]
    rates = ", ".join(f"{rate:g}" for rate in study.learning_rates)
    networks = [arm for arm in study.arms if not arm.is_baseline]
    chosen = [arm for arm in networks if not arm.learning_rate]
    if len(study.learning_rates) > 1 and chosen:
        share = f"at {study.tuning_share:.0%} of the budget, with one seed"
        whose = (
            "Each arm's learning rate was" if len(chosen) == len(networks) else "Learning rates of the other arms were"
        )
        words.append(f"{whose} chosen on valid from {rates}, {share}.")
        edges = {min(study.learning_rates), max(study.learning_rates)}
        rates_of = {group.arm: group.rate for group in groups}
        if at_edge := [arm.name for arm in chosen if rates_of.get(arm.name) in edges]:
            words.append(f"At an end of these rates, so that a rate beyond may be better: {', '.join(at_edge)}.")
    given = [f"{arm.name}: {arm.learning_rate:g}" for arm in study.arms if arm.learning_rate]
    if len(study.learning_rates) == 1 and chosen:
        given.append(f"all {'others' if given else 'arms'}: {rates}")
    if given:
        words.append(f"Learning rates that were given: {'; '.join(given)}.")
    stops_early = any("patience" in part for part in (study.pretrain, study.finetune, *_own(study)))
    if any(group.fraction < 1 for group in groups):
        words.append(
            "Fewer labels: a random share of the train windows (by stretches of 10 kb where windows overlap), with checkpoints "
            "chosen on all of valid, rates on all labels"
            + ("." if stops_early else "; they are trained on for about as many bases as all labels.")
        )
    if any(arm.extended for arm in study.arms) and not stops_early:
        words.append(
            "Longer training reads as many bases as pretraining on top; steps differ by the padding of batches."
        )
    words.append("Minutes: the quickest seed's fine-tuning, and the quickest pretraining, where that was made here.")
    words.append(_evaluations(records))
    return " ".join(words)


def _evaluations(records: Sequence[Record]) -> str:
    """How often test was scored, by the logs of the runs."""
    counts = [record["n_test_evaluations"] for record in records if "n_test_evaluations" in record]
    if not counts:
        return "How often test was evaluated is not on record; a study does it once for each run."
    often = "once" if max(counts) == 1 else f"up to {max(counts)} times"
    older = f"; {n} older records do not say" if (n := len(records) - len(counts)) else ""
    return f"Test was evaluated {often} for each run, by its own log{older}."


def _own(study: StudyConfig) -> list[dict[str, Any]]:
    return [part for arm in study.arms for part in (arm.pretrain, arm.finetune)]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def group_values(groups: Sequence[Group], metric: str) -> list[dict[str, Any]]:
    """Arms and fractions as numbers: a row each, with the scores of its seeds."""
    return [
        {
            "arm": group.arm,
            "label_fraction": group.fraction,
            "learning_rate": group.rate,
            "n_seeds": len(group.values),
            "baseline": group.baseline,
            "metric": metric,
            "n_blocks": group.n_blocks,
            "mean": group.score.value,
            "low": group.score.low,
            "high": group.score.high,
            "values": group.values.tolist(),
        }
        for group in groups
    ]


def difference_values(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    """Comparisons as numbers."""
    return [
        {
            "question": one.question,
            "before": one.before,
            "after": one.after,
            "label_fraction": one.fraction,
            "gain": one.gain.value,
            "low": one.gain.low,
            "high": one.gain.high,
            "n_seeds": one.n_seeds,
            "verdict": _VERDICTS[one.sign],
        }
        for one in differences
    ]


def claim_values(study: StudyConfig, differences: Sequence[Difference], task: str) -> list[dict[str, Any]]:
    """Claims of the paper as the comparisons that test them, in numbers."""
    found = claims_of(study, differences, task)
    rows = difference_values([one for _, one, _ in found])
    return [
        row | {"claim": claim, "compared": one.sides(" to "), "verdict": verdict}
        for row, (claim, one, verdict) in zip(rows, found, strict=True)
    ]


def table_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as CSV; lists are written with spaces between."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: " ".join(f"{x:.6f}" for x in v) if isinstance(v, list) else v for k, v in row.items()})
    return text.getvalue()
