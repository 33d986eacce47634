"""One network that learns from an ensemble, beside the ensemble and beside a network that learns from the labels; by folds.

`python benchmarks/distill.py arabidopsis_chr3` (or human_brain, human_wgbs) after `python benchmarks/studies.py NAME_folds`
on the same machine, since it reads the weights of its runs. In each fold the ensemble of the study ("scratch and SPT") is the
teacher of a network that begins at the study's own pretraining, with its settings; nothing is chosen. It writes the mean
AUROC (mean over the folds) of the three on test, and the gains with their paired intervals over blocks, into
benchmarks/results/distill-NAME.json. Finished runs in --out are taken as they are, broken ones are resumed.
"""

import argparse
import tomllib
from pathlib import Path

import numpy as np

import dnaspt
import studies
from dnaspt.evaluation.metrics import auroc_and_auprc
from dnaspt.evaluation.pooled import pool_counts
from dnaspt.evaluation.results import BootstrapCounts, read_counts
from dnaspt.reports.compare import paired_gain
from dnaspt.reports.resamples import Resamples
from dnaspt.studies.records import Record, read_records
from record import write_result

TEACHER, ALONE, DISTILLED = "scratch and SPT", "SPT", "distilled"


def main() -> None:
    """Train what is missing, score, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["human_brain", "arabidopsis_chr3", "human_wgbs"])
    parser.add_argument("--out", type=Path, default=Path("runs/distill"))
    given = parser.parse_args()
    name = f"{given.name}_folds"
    studies.prepare(name)
    study = tomllib.loads((studies.STUDIES / f"{name}.toml").read_text())
    records = {
        (record.job.arm, record.job.fold): record
        for record in read_records(studies.STUDIES / name / "records", "final")
        if record.job.label_fraction == 1
    }
    counts: dict[str, list[BootstrapCounts]] = {TEACHER: [], ALONE: [], DISTILLED: []}
    for fold in range(1, study["folds"] + 1):
        for arm in (TEACHER, ALONE):
            counts[arm].append(records[arm, fold].counts)
        run = given.out / given.name / f"fold{fold}"
        if not (run / "evaluation-test.npz").is_file():
            distill(run, study, records[ALONE, fold], records[TEACHER, fold])
        counts[DISTILLED].append(read_counts(run / "evaluation-test.npz"))
    pooled = {arm: pool_counts(own) for arm, own in counts.items()}
    scores = {
        arm: Resamples.of(float(np.nanmean(auroc_and_auprc(own.truth, own.logits, own.folds)[0])), own, "mean_auroc")
        for arm, own in pooled.items()
    }
    gains = {other: paired_gain(scores[other], scores[DISTILLED]) for other in (ALONE, TEACHER)}
    content = {
        "mean AUROC": {arm: round(own.value, 4) for arm, own in scores.items()},
        "blocks": scores[DISTILLED].n_blocks,
        "distilled over [95 %]": {
            other: [round(value, 4) for value in (gain.value, gain.low, gain.high)] for other, gain in gains.items()
        },
    }
    print(content)
    write_result(f"distill-{given.name}", f"python benchmarks/distill.py {given.name}", content)


def distill(run: Path, study: dict[str, object], alone: Record, teacher: Record) -> None:
    """Train a network of a fold on what the ensemble says, as the network alone was trained, and score it on test."""
    runs = studies.STUDIES / Path(str(study["data"])).name / "runs"
    settings = {name: value for name, value in alone.job.settings.items() if name != "label_fraction"}
    dnaspt.finetune(
        str(study["data"]),
        out=run,
        encoder=runs / f"pretrain-{alone.job.encoder}",
        teacher=runs / teacher.job.name,
        resume=run.is_dir(),
        progress=True,
        **settings,
    )
    dnaspt.evaluate(run, str(study["data"]), fold=alone.job.fold)


if __name__ == "__main__":
    main()
