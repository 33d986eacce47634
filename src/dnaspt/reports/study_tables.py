"""Finished runs of a study to its tables: scores, gains and claims as text and as numbers, then the details and the costs.

Details are means over the seeds of the runs with all labels.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from dnaspt.evaluation.metrics import Score, mean_rows
from dnaspt.evaluation.numbers import NUMBER_NAMES, NumberScores
from dnaspt.evaluation.results import Evaluation, GeneEvaluation, WindowEvaluation
from dnaspt.reports.compare import FEWER, LONGER, Difference, Group, with_look
from dnaspt.reports.resamples import level_of
from dnaspt.reports.run_tables import LEVELS
from dnaspt.reports.tables import SIGNED, Table, written
from dnaspt.studies.records import Record
from dnaspt.studies.scheduler import StudyRuns
from dnaspt.studies.settings import OWN_WINDOWS, PRETRAINED, SCRATCH, StudyConfig
from dnaspt.tasks import TASKS
from dnaspt.training.runs import RunResult

Row = dict[str, str | float | int | list[float]]
"""A row of numbers by column, for CSV and Parquet."""

GROUP_COLUMNS = ("arm", "labels", "seeds", "test {metric} [95 %]", "by seed", "learning rate", "minutes")
_DETECTABLE = "detectable gain"
DIFFERENCE_COLUMNS = ("what", "from", "to", "labels", "gain in {metric} [{level}]", _DETECTABLE, "verdict")
_OVER_FOLDS = "folds as repeats [{level}]"
GAIN_VALUES = (
    *("question", "before", "after", "label_fraction", "gain", "low", "high", "n_seeds", "n_blocks", "looks"),
    *("detectable_gain", "verdict", "by_fold", "over_folds", "over_folds_low", "over_folds_high"),
)
"""Columns of `difference_values`, which a table without a row has too."""
CLAIM_VALUES = (*GAIN_VALUES, "claim", "compared")
"""Columns of `claim_values`."""
CLAIM_COLUMNS = (
    *("claim of the paper", "compared", "gain in {metric} [{level}]", "seeds", "test blocks", _DETECTABLE, "verdict"),
)
_PRETRAINING = "self-pretraining"
"""The words of P1 behind which the protocol is named."""
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
"""Claims of arXiv 2506.17766, the comparisons that test them, and how the arm to compare with begins: P4 is about methylation,
all others about all labels."""
_GENE_MEASURES = {"mcc": "MCC", **{level: f"{name} F1" for level, name in LEVELS}}
"""Measures of genes as tables call them."""
IN_THESE_RUNS = (
    "In these runs: so by the interval over blocks, but not with the folds as repeats (each trained once, on other sequence): "
    "other trainings may say otherwise."
)
_QUARTER = 0.25
_UNDECIDED = "undecided"
_CLAIM_VERDICTS = {1: "supported", -1: "not supported", 0: _UNDECIDED}


def study_tables(
    study: StudyConfig, groups: Sequence[Group], differences: Sequence[Difference], metric: str, task: str
) -> tuple[Table, Table, Table]:
    """Scores, gains, and verdicts on the paper's claims.

    Args:
        study: settings of the study.
        groups: runs by arm and label fraction.
        differences: what arms gain over others.
        metric: name of the metric.
        task: task of the dataset.
    """
    note = "Supported or not where the interval excludes 0. P1 to P6: arXiv 2506.17766, numbered as in docs/results.md of dnaspt."
    if any(difference.is_over_folds for difference in differences):
        note += f" {IN_THESE_RUNS}"
    return (
        Table("Arms", _with_metric(GROUP_COLUMNS, metric), tuple(group_rows(groups))),
        gain_table(differences, metric),
        Table(
            "Claims of the paper, on these data",
            _with_metric(CLAIM_COLUMNS, metric, study.looks),
            tuple(claim_rows(study, differences, task)),
            note,
        ),
    )


def gain_table(differences: Sequence[Difference], metric: str, note: str = "") -> Table:
    """What arms gain over others, a row for each comparison; with what the folds say as repeats, where one training made each."""
    columns: tuple[str, ...] = DIFFERENCE_COLUMNS
    rows = difference_rows(differences)
    if any(difference.is_over_folds for difference in differences):
        columns = (*columns, _OVER_FOLDS)
        rows = [(*row, _over_folds(difference)) for row, difference in zip(rows, differences, strict=True)]
    return Table("Gains", _with_metric(columns, metric, _looks_of(differences)), tuple(rows), note)


def _over_folds(difference: Difference) -> str:
    """The gain with the folds as repeats, and in how many of them the second arm is ahead."""
    if not difference.is_over_folds:
        return "–"
    gains = [gain for gain in difference.by_fold if not math.isnan(gain)]
    return f"{written(difference.over_folds, SIGNED)}, ahead in {sum(gain > 0 for gain in gains)} of {len(gains)}"


def gene_tables(
    groups: Mapping[str, Sequence[Group]], differences: Mapping[str, Sequence[Difference]]
) -> tuple[list[Table], list[Table]]:
    """Scores, and gains, by all measures of genes as `predict` writes them; none where there are none.

    Args:
        groups: runs by arm and label fraction, for each measure.
        differences: what arms gain over others, for each measure.
    """
    if not groups:
        return [], []
    measures = [_GENE_MEASURES[measure] for measure in groups]
    scores = tuple(
        (same[0].arm, f"{same[0].fraction:.0%}", *(written(group.score) for group in same))
        for same in zip(*groups.values(), strict=True)
    )
    note = "With codons, where the head knows them. Intervals are over seeds and blocks, as those of the other tables."
    title = "Genes as predict writes them"
    tables = [Table(title, ("arm", "labels", *(f"{name} [95 %]" for name in measures)), scores, note)]
    gains = tuple(
        (*difference_rows(same[:1])[0][:4], *map(_gene_gain, same)) for same in zip(*differences.values(), strict=True)
    )
    level = level_text(_looks_of(next(iter(differences.values()), ())))
    columns = (*DIFFERENCE_COLUMNS[:4], *(f"gain in {name} [{level}]" for name in measures))
    is_marked = any(difference.is_of_these_runs for own in differences.values() for difference in own)
    note = IN_THESE_RUNS if is_marked else ""
    return tables, [Table(f"Gains, {title[0].lower()}{title[1:]}", columns, gains, note)] if gains else []


def _gene_gain(difference: Difference) -> str:
    return difference.gain_and_detectable + (", in these runs" if difference.is_of_these_runs else "")


def _with_metric(columns: Sequence[str], metric: str, looks: int = 1) -> tuple[str, ...]:
    return tuple(column.format(metric=metric, level=level_text(looks)) for column in columns)


def level_text(looks: int) -> str:
    """Level of the intervals of gains, as tables write it: 95 %, or 97.5 % for two looks."""
    return f"{100 * level_of(looks):.3g} %"


def _looks_of(differences: Sequence[Difference]) -> int:
    """How many looks the comparisons of a study have had; all have had the same number."""
    return max((difference.looks for difference in differences), default=1)


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
            "–" if math.isnan(group.minutes) else f"{group.minutes:.0f}",
        )
        for group in groups
    ]


def difference_rows(differences: Sequence[Difference]) -> list[tuple[str, ...]]:
    """One row for each comparison."""
    return [
        (
            difference.question,
            difference.before,
            difference.after,
            ("100% to " if difference.question == FEWER else "") + f"{difference.fraction:.0%}",
            written(difference.gain, SIGNED),
            _detectable(difference, difference.verdict),
            difference.verdict,
        )
        for difference in differences
    ]


def _detectable(difference: Difference, verdict: str) -> str:
    """The smallest gain that would have been seen, where the verdict is undecided; else "–"."""
    is_told = verdict.startswith(_UNDECIDED) and not math.isnan(difference.detectable)
    return f"{difference.detectable:.3f}" if is_told else "–"


def claims_of(study: StudyConfig, differences: Sequence[Difference], task: str) -> list[tuple[str, Difference, str]]:
    """The paper's claims that the study tests, by which comparison, and the verdict on these data; task: of the dataset."""
    inits = {arm.name: arm.init for arm in study.arms}
    claims: list[tuple[str, Difference, str]] = []
    for question, begins, claim in _CLAIMS:
        if question == FEWER and not TASKS[task].few_labels:
            continue
        fraction = _QUARTER if question == FEWER else 1
        sign = -1 if question == LONGER else 1
        for difference in _asked(differences, question, fraction):
            if inits[difference.before] in begins:
                verdict = with_look(
                    _CLAIM_VERDICTS[sign * difference.sign], study.looks, in_these_runs=difference.is_of_these_runs
                )
                claims.append((_by_protocol(study, claim, difference), difference, verdict))
    if marginal := study.marginal_gain:
        claim = f"P5: the gain is marginal (within {marginal:g} of 0)"
        asked = [f"pretraining: {name}" for name in study.label_groups] or ["pretraining"]
        for question in asked:
            of_labels = claim.replace("P5:", f"P5, {name}:") if (name := question[len("pretraining: ") :]) else claim
            claims += [
                (_by_protocol(study, of_labels, plain), plain, _marginal_verdict(plain, marginal))
                for plain in _asked(differences, question, 1)
            ]
    return claims


def _by_protocol(study: StudyConfig, claim: str, difference: Difference) -> str:
    """A claim with the protocol by which the arm is pretrained: P1 always names it, others where it is not on own windows."""
    arms = {arm.name: arm for arm in study.arms}
    pretrained = arms.get(difference.after)
    if pretrained is not None and pretrained.composition:
        pretrained = arms[pretrained.members[0]]
    if pretrained is None or pretrained.init not in PRETRAINED:
        return claim
    protocol = study.protocol_of(pretrained)
    if _PRETRAINING in claim:
        return claim.replace(_PRETRAINING, f"{_PRETRAINING} on {protocol}")
    return claim if protocol == OWN_WINDOWS else f"{claim} (pretrained on {protocol})"


def _asked(differences: Sequence[Difference], question: str, fraction: float) -> list[Difference]:
    """Comparisons that ask a question with a share of the labels."""
    return [asked for asked in differences if (asked.question, asked.fraction) == (question, fraction)]


def _marginal_verdict(difference: Difference, marginal: float) -> str:
    """Verdict on the claim that a gain is marginal; in these runs, where the folds as repeats do not say the same."""
    sign = _marginal_sign(difference.gain, marginal)
    is_repeated = not difference.is_over_folds or _marginal_sign(difference.over_folds, marginal) == sign
    return with_look(_CLAIM_VERDICTS[sign], difference.looks, in_these_runs=bool(sign) and not is_repeated)


def _marginal_sign(gain: Score, marginal: float) -> int:
    """1 for an interval within `marginal` of 0, -1 for one beyond it, 0 for one that is neither."""
    if -marginal < gain.low and gain.high < marginal:
        return 1
    return -1 if gain.low >= marginal or gain.high <= -marginal else 0


def claim_rows(study: StudyConfig, differences: Sequence[Difference], task: str) -> list[tuple[str, ...]]:
    """One row for each claim and comparison."""
    return [
        (
            *(claim, tested.sides(" to "), written(tested.gain, SIGNED), str(tested.n_seeds), str(tested.n_blocks)),
            *(_detectable(tested, verdict), verdict),
        )
        for claim, tested, verdict in claims_of(study, differences, task)
    ]


def group_values(groups: Sequence[Group], metric: str) -> list[Row]:
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


def difference_values(differences: Sequence[Difference]) -> list[Row]:
    """Comparisons as numbers."""
    return [
        {
            "question": difference.question,
            "before": difference.before,
            "after": difference.after,
            "label_fraction": difference.fraction,
            "gain": difference.gain.value,
            "low": difference.gain.low,
            "high": difference.gain.high,
            "n_seeds": difference.n_seeds,
            "n_blocks": difference.n_blocks,
            "looks": difference.looks,
            "detectable_gain": difference.detectable,
            "verdict": difference.verdict,
            "by_fold": list(difference.by_fold),
            "over_folds": difference.over_folds.value,
            "over_folds_low": difference.over_folds.low,
            "over_folds_high": difference.over_folds.high,
        }
        for difference in differences
    ]


def claim_values(study: StudyConfig, differences: Sequence[Difference], task: str) -> list[Row]:
    """Claims of the paper as the comparisons that test them, in numbers."""
    claims = claims_of(study, differences, task)
    rows = difference_values([tested for _, tested, _ in claims])
    return [
        row | {"claim": claim, "compared": tested.sides(" to "), "verdict": verdict}
        for row, (claim, tested, verdict) in zip(rows, claims, strict=True)
    ]


def table_csv(rows: Sequence[Row], columns: Sequence[str] = ()) -> str:
    """Rows as CSV; lists are written with spaces between. The columns are those of the rows; of no rows those that are given."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: " ".join(f"{x:.6f}" for x in v) if isinstance(v, list) else v for k, v in row.items()})
    return text.getvalue()


def records_by_arm(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records of the runs with all labels, by arm."""
    arms: dict[str, list[Record]] = {}
    for record in records:
        if record.job.label_fraction == 1:
            arms.setdefault(record.job.arm, []).append(record)
    return arms


def score_tables(runs: StudyRuns) -> tuple[list[Table], list[Table]]:
    """Tables to show and tables to fold away: of genes or of windows."""
    arms = {arm: [record.scored for record in own] for arm, own in records_by_arm(runs.finals).items()}
    if not arms:
        return [], []
    labels = runs.dataset.labels
    genes = {arm: [test.genes for test in tests if test.genes is not None] for arm, tests in arms.items()}
    if all(genes.values()):
        return [_levels(arms), _classes("f1", "F1", genes, labels)], [
            _classes("precision", "precision", genes, labels),
            _classes("recall", "recall", genes, labels),
            *(_confusion(arm, own, labels) for arm, own in genes.items()),
        ]
    note = _undefined_note(runs)
    numbers = {arm: [test.numbers for test in tests if test.numbers is not None] for arm, tests in arms.items()}
    if all(numbers.values()):
        tables = [_targets(measure, name, numbers, note) for measure, name in NUMBER_NAMES.items()]
        return tables[:1], tables[1:]
    windows = {arm: [test.windows for test in tests if test.windows is not None] for arm, tests in arms.items()}
    has_count = any(record.job.baseline == "cpg" for record in runs.finals)
    return [_labels("auroc", "AUROC", windows, has_count=has_count, note=note)], [
        _labels("auprc", "AUPRC", windows, has_count=has_count, note=note)
    ]


def _levels(arms: Mapping[str, Sequence[Evaluation]]) -> Table:
    """F1 of coding bases, exons and genes; of a CRF also with the grammar of codons, as `predict` decodes."""
    rows = []
    for arm, tests in arms.items():
        rows.append(_level_row(arm, [test.genes for test in tests]))
        if all(test.codons for test in tests):
            rows.append(_level_row(f"{arm}, with codons", [test.codons for test in tests]))
    note = "With codons: as predict decodes. The primary score, and scores by class, are of the heads alone."
    return Table("Gene structures", ("arm", *(f"{name} F1" for _, name in LEVELS), "MCC"), tuple(rows), note)


def _level_row(name: str, evaluations: Sequence[GeneEvaluation | None]) -> tuple[str, ...]:
    scored = [scores for scores in evaluations if scores is not None]
    f1 = (_mean([scores.genes.levels[level].f1.value for scores in scored]) for level, _ in LEVELS)
    return (name, *f1, _mean([scores.mcc.value for scores in scored]))


def _classes(
    key: Literal["f1", "precision", "recall"],
    name: str,
    arms: Mapping[str, Sequence[GeneEvaluation]],
    labels: Sequence[str],
) -> Table:
    """A score of each class."""
    rows = tuple(
        (label, *(_mean([getattr(scores.classes, key)[index] for scores in own]) for own in arms.values()))
        for index, label in enumerate(labels)
    )
    return Table(f"{name[0].upper()}{name[1:]} by class", ("class", *arms), rows)


def _confusion(arm: str, own: Sequence[GeneEvaluation], labels: Sequence[str]) -> Table:
    """Bases by true class (rows) and predicted class, as shares of the row."""
    counts = np.sum([scores.confusion for scores in own], axis=0, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = tuple((label, *(f"{share:.1%}" for share in row)) for label, row in zip(labels, shares, strict=True))
    return Table(f"Confusion, {arm}", ("true class", *labels), rows, "Shares of the bases of each true class.")


def _labels(
    key: Literal["auroc", "auprc"],
    name: str,
    arms: Mapping[str, Sequence[WindowEvaluation]],
    *,
    has_count: bool,
    note: str,
) -> Table:
    """A score of each label, and of the CpG count where it is not one of the arms."""
    first = next(iter(arms.values()))[0]
    rows = []
    for label in getattr(first.labels, key):
        values = [_mean([getattr(scores.labels, key)[label].value for scores in own]) for own in arms.values()]
        count = [] if has_count else [_mean([getattr(first.cpg_count, key)[label].value])]
        rows.append((label, *values, *count))
    return Table(f"{name} by label", ("label", *arms, *([] if has_count else ["CpG count"])), tuple(rows), note)


def _targets(measure: str, name: str, arms: Mapping[str, Sequence[NumberScores]], note: str) -> Table:
    """A score of each number that is predicted."""
    targets = next(iter(arms.values()))[0].targets
    rows = tuple(
        (target, *(_mean([scores.by_target[measure][target].value for scores in own]) for own in arms.values()))
        for target in targets
    )
    return Table(f"{name} by label", ("label", *arms), rows, note)


def _undefined_note(runs: StudyRuns) -> str:
    """What means leave out, in words: labels that have no score on test, or on the test part of some folds."""
    records = runs.of_folds or runs.finals
    first = records[0].job
    same = [
        own.scored
        for own in records
        if (own.job.arm, own.job.seed, own.job.label_fraction) == (first.arm, first.seed, first.label_fraction)
    ]
    scores = [own.numbers or (own.windows and own.windows.labels) for own in same]
    counts = Counter(label for own in scores if own for label in own.undefined)
    named = [label if n == len(same) else f"{label} (in {n} of {len(same)} folds)" for label, n in counts.items()]
    return f"Left out where test has one value only, so that no score is defined: {', '.join(named)}." if named else ""


def _mean(values: Sequence[float]) -> str:
    """Mean of the defined values; "–" where none is."""
    mean = mean_rows(np.array([values], dtype=float))[0]
    return "–" if np.isnan(mean) else f"{mean:.3f}"


def rate_table(tried: Mapping[str, Mapping[float, float]], share: float) -> Table | None:
    """Scores on valid by which the arms' learning rates were chosen.

    Args:
        tried: score of each rate by arm; see `scheduler.rates_on_valid`.
        share: share of the epochs that a trial took.

    Returns:
        The table; None where all rates were given.
    """
    tried = {arm: scores for arm, scores in tried.items() if scores}
    if not tried:
        return None
    rates = sorted({rate for scores in tried.values() for rate in scores})
    rows = []
    for arm, scores in tried.items():
        best = max(scores, key=lambda rate: scores[rate])
        cells = ("–" if r not in scores else "none" if scores[r] == -math.inf else f"{scores[r]:.3f}" for r in rates)
        rows.append((arm, *cells, "–" if scores[best] == -math.inf else f"{best:g}"))
    note = f"One seed, {share:.0%} of the epochs. None: it diverged, or had no score."
    return Table("Learning rates, on valid", ("arm", *(f"{rate:g}" for rate in rates), "chosen"), tuple(rows), note)


def version_table(records: Sequence[Record]) -> Table:
    """Versions, devices and precisions that the final runs of networks were made with."""
    unknown = "not on record"
    rows = Counter(
        (
            record.dnaspt_version,
            *(record.versions.get(name, unknown) for name in ("torch", "Python")),
            *(made_with or unknown for made_with in (record.result.device, record.result.precision)),
        )
        for record in records
        if not record.job.baseline
    )
    note = "Precision 'auto' and rounding differ between devices, and with them a score by more than its last digits."
    columns = ("dnaspt", "torch", "Python", "device", "precision", "runs")
    differ = len({row[-2:] for row in rows}) > 1
    return Table("Made with", columns, tuple((*row, str(n)) for row, n in rows.items()), note if differ else "")


def cost_table(runs: StudyRuns) -> Table:
    """Bases seen and minutes, in pretraining and after it: means over the seeds, and minutes of the fastest seed."""
    rows = []
    for arm, fraction in dict.fromkeys((record.job.arm, record.job.label_fraction) for record in runs.finals):
        own = [r for r in runs.finals if (r.job.arm, r.job.label_fraction) == (arm, fraction)]
        before = [runs.pretraining_of(record) for record in own]
        after = [record.result for record in own]
        cells = (cell for pair in zip(_costs(before), _costs(after), strict=True) for cell in pair)
        rows.append((arm, f"{fraction:.0%}", *cells))
    columns = (
        "arm",
        "labels",
        *(f"{name} {when}" for name in ("Mb", "steps", "minutes") for when in ("pretraining", "after it")),
    )
    note = (
        "Mb: bases read, each as often as it was. Minutes: of the quickest seed, as others may have shared the machine. "
        "Choosing rates is not counted. Of folds the sum, if all were on one device."
    )
    return Table("Cost", columns, tuple(rows), note)


def _costs(results: Sequence[RunResult | None]) -> tuple[str, str, str]:
    """Mean Mb, mean steps and least minutes of runs; "–" where one of them is not known."""
    known = [result for result in results if result is not None]
    if len(known) < len(results):
        return "–", "–", "–"
    mb = float(np.mean([result.n_bp for result in known])) / 1e6
    steps = float(np.mean([result.steps for result in known]))
    minutes = float(np.min([result.minutes for result in known]))  # nan where it is not known of one
    return _short(mb), _short(steps), _short(minutes)


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.1f}".removesuffix(".0")
