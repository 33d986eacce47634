"""Records of final runs to a study's tables beyond its scores: structures, classes, labels, confusions, and what runs cost.

All are means over the seeds of the runs with all labels.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dnaspt.evaluation.metrics import mean_rows
from dnaspt.reports.run_tables import LEVELS
from dnaspt.reports.tables import Table
from dnaspt.studies.context import Record

_COSTS = (("n_bp", 1e6), ("steps", 1.0), ("minutes", 1.0))
Pick = Callable[[dict[str, Any]], float]


def whole_records(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records with all labels by arm."""
    arms = dict.fromkeys(record["arm"] for record in records)
    found = {arm: [r for r in records if r["arm"] == arm and r["settings"]["label_fraction"] == 1] for arm in arms}
    return {arm: own for arm, own in found.items() if own}


def score_tables(records: Sequence[Record]) -> tuple[list[Table], list[Table]]:
    """Tables to show and tables to fold away: of genes or of windows."""
    arms = whole_records(records)
    if not arms:
        return [], []
    if "confusion" in records[0]["test"]:
        return [_levels(arms), _classes(arms, "f1", "F1")], [
            _classes(arms, "precision", "precision"),
            _classes(arms, "recall", "recall"),
            *(_confusion(arm, own) for arm, own in arms.items()),
        ]
    return [_labels(arms, "auroc", "AUROC")], [_labels(arms, "auprc", "AUPRC")]


def _levels(arms: dict[str, list[Record]]) -> Table:
    """F1 of coding bases, exons and genes; of a CRF also with the grammar of codons, as `predict` decodes."""
    rows = []
    for arm, own in arms.items():
        decoded = {arm: [record["test"] for record in own]}
        if all("codons" in record["test"] for record in own):
            decoded[f"{arm}, with codons"] = [record["test"]["codons"] for record in own]
        for name, tests in decoded.items():
            f1 = (
                _mean([test["genes"]["levels"][key]["f1"] for test in tests], lambda f1: f1["value"])
                for key, _ in LEVELS
            )
            rows.append((name, *f1, _mean(tests, lambda test: test["mcc"]["value"])))
    note = "With codons: as predict decodes. All else in this report is of the heads alone."
    return Table("Gene structures", ("arm", *(f"{name} F1" for _, name in LEVELS), "MCC"), tuple(rows), note)


def _classes(arms: dict[str, list[Record]], key: str, name: str) -> Table:
    labels = next(iter(arms.values()))[0]["labels"]
    rows = []
    for index, label in enumerate(labels):
        values = (_mean([r["test"] for r in own], lambda test: test["classes"][key][index]) for own in arms.values())  # noqa: B023
        rows.append((label, *values))
    return Table(f"{name[0].upper()}{name[1:]} by class", ("class", *arms), tuple(rows))


def _confusion(arm: str, own: Sequence[Record]) -> Table:
    """Bases by true class (rows) and predicted class, as shares of the row."""
    counts = np.sum([record["test"]["confusion"] for record in own], axis=0, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = own[0]["labels"]
    rows = tuple((label, *(f"{share:.1%}" for share in row)) for label, row in zip(labels, shares, strict=True))
    return Table(f"Confusion, {arm}", ("true class", *labels), rows, "Shares of the bases of each true class.")


def _labels(arms: dict[str, list[Record]], key: str, name: str) -> Table:
    """Of each label, and of the CpG count."""
    first = next(iter(arms.values()))[0]["test"]
    is_arm = any(own[0]["settings"].get("baseline") == "cpg" for own in arms.values())
    rows = []
    for label in first[key]:
        values = [_mean([r["test"] for r in own], lambda test: test[key][label]["value"]) for own in arms.values()]  # noqa: B023
        count = [] if is_arm else [_mean([first], lambda test: test["cpg_count"][key][label]["value"])]  # noqa: B023
        rows.append((label, *values, *count))
    return Table(f"{name} by label", ("label", *arms, *([] if is_arm else ["CpG count"])), tuple(rows))


def _mean(tests: Sequence[dict[str, Any]], pick: Pick) -> str:
    values = np.array([[np.nan if pick(test) is None else pick(test)] for test in tests], dtype=float)
    mean = mean_rows(values.T)[0]
    return "–" if np.isnan(mean) else f"{mean:.3f}"


def rate_table(tried: Mapping[str, Mapping[float, float]], share: float) -> Table | None:
    """Scores on valid by which the arms' learning rates were chosen (`rates_on_valid`); None where all were given.

    share: of the epochs, that a trial took.
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
    """Versions, devices and precisions that the final runs were made with."""
    rows = Counter(
        (
            str(record["dnaspt_version"]),
            *(str(record.get("versions", {}).get(name, "not on record")) for name in ("torch", "Python")),
            *(str(record["result"].get(name, "not on record")) for name in ("device", "precision")),
        )
        for record in records
        if "baseline" not in record["settings"]
    )
    note = "Precision 'auto' and rounding differ between devices, and with them a score by more than its last digits."
    columns = ("dnaspt", "torch", "Python", "device", "precision", "runs")
    differ = len({row[-2:] for row in rows}) > 1
    return Table("Made with", columns, tuple((*row, str(n)) for row, n in rows.items()), note if differ else "")


def cost_table(records: Sequence[Record]) -> Table:
    """Bases seen and minutes, in pretraining and after it: means over the seeds, and minutes of the quickest."""
    keys = dict.fromkeys((record["arm"], record["settings"]["label_fraction"]) for record in records)
    rows = []
    for arm, fraction in keys:
        own = [r for r in records if r["arm"] == arm and r["settings"]["label_fraction"] == fraction]
        nothing = {"n_bp": 0, "steps": 0, "minutes": 0.0}
        before = [r["pretraining"] or (None if r["encoder"] else nothing) for r in own]
        after = [r["result"] for r in own]
        cells = [_mean_of(parts, name, scale) for name, scale in _COSTS for parts in (before, after)]
        rows.append((arm, f"{fraction:.0%}", *cells))
    columns = (
        "arm",
        "labels",
        *(f"{name} {when}" for name in ("Mb", "steps", "minutes") for when in ("pretraining", "after it")),
    )
    note = (
        "Mb: bases read, each as often as it was. Minutes: of the quickest seed, as others may have shared the machine. "
        "Choosing rates is not counted."
    )
    return Table("Cost", columns, tuple(rows), note)


def _mean_of(parts: Sequence[dict[str, Any] | None], name: str, scale: float) -> str:
    """Of a number of results, the quickest's minutes or the mean; unknown where one is."""
    values = [part[name] for part in parts if part is not None]
    if len(values) < len(parts):
        return "–"
    value = min(values) if name == "minutes" else np.mean(values)
    return f"{value / scale:,.1f}".removesuffix(".0")


def bases_seen(record: Record) -> float:
    """In pretraining and after it; NaN where the encoder was given."""
    if record["encoder"] and not record["pretraining"]:
        return float("nan")
    before = record["pretraining"]["n_bp"] if record["pretraining"] else 0
    return float(before + record["result"]["n_bp"])
