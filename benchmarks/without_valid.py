"""A study of windows by folds, scored once more without the windows on which the recipe was chosen, or that were tested before.

`python benchmarks/without_valid.py human_brain` reads the records of human_brain_folds and leaves out of every fold's test part
what overlaps a window of the valid part of human_brain, the fixed split that `benchmarks/recipes.py` chose on; and then what
overlaps its test part, too. It writes the mean AUROC of every arm (mean over the folds), and what every network has over every
baseline, with and without these windows, into benchmarks/results/without-valid-NAME.json; and both for the windows of all folds
in one order, although different models scored them. Intervals are paired over blocks, of 95 %, or of more where the study's file
says that this was not the first look. It prepares data/NAME and data/NAME_folds where they are not there.
"""

import argparse
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import studies
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.evaluation.metrics import auroc_and_auprc
from dnaspt.evaluation.pooled import pool_counts
from dnaspt.evaluation.results import BootstrapCounts
from dnaspt.reports.resamples import Resamples, level_of
from dnaspt.studies.records import Record, read_records
from record import write_result


def main() -> None:
    """Score the arms that are finished in all folds, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["human_brain", "arabidopsis_chr3", "human_wgbs"])
    name = parser.parse_args().name
    for dataset in (name, f"{name}_folds"):
        studies.prepare(dataset)
    chosen_on, tested_before = (read_split(Path("data") / name, part) for part in ("valid", "test"))
    by_arm: dict[str, dict[int, Record]] = {}
    for record in read_records(studies.STUDIES / f"{name}_folds" / "records", "final"):
        if record.job.label_fraction == 1 and record.job.seed == 0:
            by_arm.setdefault(record.job.arm, {})[record.job.fold] = record
    n_folds = len(read_manifest(Path("data") / f"{name}_folds").folds)
    finished = {arm: [own[fold + 1] for fold in range(n_folds)] for arm, own in by_arm.items() if len(own) == n_folds}
    for arm in by_arm.keys() - finished.keys():
        print(f"{arm}: left out, finished in {len(by_arm[arm])} of {n_folds} folds")
    tested = [read_split(Path("data") / f"{name}_folds", "test", fold + 1) for fold in range(n_folds)]
    kept = [~overlaps(own, chosen_on) for own in tested]
    new = [rows & ~overlaps(own, tested_before) for own, rows in zip(tested, kept, strict=True)]
    looks = tomllib.loads((studies.STUDIES / f"{name}_folds.toml").read_text()).get("looks", 1)
    everything = [np.ones(len(own), dtype=bool) for own in kept]
    content = {
        "windows": {
            "all": sum(map(len, kept)),
            "without valid": int(sum(own.sum() for own in kept)),
            "without valid and test": int(sum(own.sum() for own in new)),
        },
        "looks": looks,
        "all windows": scores(finished, everything, looks),
        "without valid": scores(finished, kept, looks),
        "without valid and test": scores(finished, new, looks),
        "all windows in one order": scores(finished, everything, looks, in_one_order=True),
    }
    write_result(f"without-valid-{name}", f"python benchmarks/without_valid.py {name}", content)


def overlaps(windows: Split, others: Split) -> np.ndarray:
    """Which windows (n,) overlap any of other ones, on the same contig."""
    found = np.zeros(len(windows), dtype=bool)
    for chrom in set(others.chrom.tolist()):
        here, there = windows.chrom == chrom, others.chrom == chrom
        starts, ends = np.sort(others.start[there]), np.sort(others.end[there])
        # as many of them begin before a window's end as end before its start, unless one overlaps it
        found[here] = np.searchsorted(starts, windows.end[here]) > np.searchsorted(ends, windows.start[here], "right")
    return found


def scores(
    records: dict[str, list[Record]], kept: Sequence[np.ndarray], looks: int, *, in_one_order: bool = False
) -> dict[str, Any]:
    """Mean AUROC of each arm over the kept windows of each fold, and gains over baselines with their intervals.

    in_one_order: rank the windows of all folds together, though different models scored them.
    """
    by_arm = {}
    left = [fold for fold, rows in enumerate(kept) if rows.any()]  # a fold of which nothing is left has no score
    records, kept = {arm: [own[fold] for fold in left] for arm, own in records.items()}, [kept[fold] for fold in left]
    for arm, own in records.items():
        pooled = pool_counts([some(record.counts, rows) for record, rows in zip(own, kept, strict=True)])
        pooled = replace(pooled, folds=pooled.folds[:0]) if in_one_order else pooled
        value = float(np.nanmean(auroc_and_auprc(pooled.truth, pooled.logits, pooled.folds)[0]))
        by_arm[arm] = Resamples.of(value, pooled, "mean_auroc")
    baselines = [arm for arm, own in records.items() if own[0].job.baseline]
    gains: dict[str, Any] = {}
    for arm, baseline in product(records, baselines):
        if arm not in baselines:
            gain = by_arm[arm].less(by_arm[baseline]).score(level_of(looks))
            gains.setdefault(arm, {})[baseline] = [round(number, 4) for number in (gain.value, gain.low, gain.high)]
    by_fold = {
        arm: [
            round(float(np.nanmean(auroc_and_auprc(one.counts.truth[rows], one.counts.logits[rows])[0])), 4)
            for one, rows in zip(own, kept)
        ]
        for arm, own in records.items()
    }
    return {
        "folds": [fold + 1 for fold in left],
        "mean AUROC of each fold": by_fold,
        "blocks": next(iter(by_arm.values())).n_blocks,
        "mean AUROC": {arm: round(own.value, 4) for arm, own in by_arm.items()},
        "gain over baselines": gains,
    }


def some(counts: BootstrapCounts, rows: np.ndarray) -> BootstrapCounts:
    """What a bootstrap resamples, of some windows."""
    blocks = np.unique(counts.blocks[rows], return_inverse=True)[1]
    return replace(
        counts, truth=counts.truth[rows], logits=counts.logits[rows], blocks=blocks, cpg_count=counts.cpg_count[rows]
    )


if __name__ == "__main__":
    main()
