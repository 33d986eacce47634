"""How the share of the composition is best chosen where valid is small: compared on valid alone.

`python benchmarks/composition_share.py human_brain` after `python benchmarks/studies.py human_brain_folds` on the same machine,
since it reads the weights of its networks. Of the valid part of each fold only windows are taken that lie in the valid part of
human_brain, the fixed split on which recipes are chosen; folds with fewer than 15 such blocks of 10 kb are left out. A few blocks
are drawn; the share is fitted on them in different ways; and the mean AUROC of the other blocks is compared with that of the
composition alone. It writes benchmarks/results/composition_share-NAME.json: of each way the mean and the smallest gain over all
draws and networks, and how often there is a loss; and the share that all valid blocks of a fold give. Test is not read. The
checkpoints of the networks were chosen on the same valid parts, which flatters them beside the composition.
"""

import argparse
import sys
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

import studies
from dnaspt.checkpoint import load_model
from dnaspt.checkpoint_config import read_config
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.evaluation.evaluate import window_logits
from dnaspt.evaluation.metrics import auroc
from dnaspt.models.task_model import TaskModel
from dnaspt.studies.records import read_records
from dnaspt.training.finish_windows import blocks_of, fit_weights
from dnaspt.training.fit_composition import fit_composition
from record import write_result
from without_valid import overlaps

N_BLOCKS = (2, 3, 5)
"""Blocks that the share is fitted on."""
N_DRAWS = 20
LEAST_BLOCKS = 15
"""Fewest blocks of a fold's valid part that are taken."""
FIXED = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares that nothing is fitted for."""
USUAL, HOLD = (0.5, 0.75, 1.0), (0.25, 1.0, 4.0)
"""Shares that few blocks are held near, and how strongly."""


class Scored(NamedTuple):
    """Windows with the log-odds (2, n, K) of a network and of their composition."""

    arm: str
    fold: int
    log_odds: np.ndarray
    truth: np.ndarray
    blocks: np.ndarray


def main() -> None:
    """Fit shares on some blocks, score the others, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["human_brain", "human_wgbs", "arabidopsis_chr3"])
    name = parser.parse_args().name
    for dataset in (name, f"{name}_folds"):
        studies.prepare(dataset)
    generator = np.random.default_rng(0)
    networks = score_networks(name)
    if not networks:
        sys.exit(f"{name}: no fold has {LEAST_BLOCKS} blocks of valid in the valid part of the fixed split")
    rows = []
    for n_blocks in N_BLOCKS:
        gains: dict[str, list[float]] = {}
        for own, _ in product(networks, range(N_DRAWS)):
            drawn = generator.choice(np.unique(own.blocks), n_blocks, replace=False)
            for way, gain in gains_of(own, np.isin(own.blocks, drawn)).items():
                gains.setdefault(way, []).append(gain)
        for way, all_gains in gains.items():
            row = {"blocks": n_blocks, "way": way, "mean gain": round(float(np.mean(all_gains)), 4)}
            row |= {
                "smallest gain": round(min(all_gains), 4),
                "losses": round(float(np.mean(np.array(all_gains) < 0)), 3),
            }
            print(row, flush=True)
            rows.append(row)
    about = [{"arm": own.arm, "fold": own.fold, "blocks": int(own.blocks.max()) + 1} for own in networks]
    content = {
        "networks": about,
        "draws of each": N_DRAWS,
        "rows": rows,
        "shares by all of valid": shares_by_valid(name),
    }
    write_result(f"composition_share-{name}", f"python benchmarks/composition_share.py {name}", content)


def score_networks(name: str) -> list[Scored]:
    """What the networks of a study, learned from all labels, and the composition say of windows of valid."""
    data, study = Path("data") / f"{name}_folds", studies.STUDIES / f"{name}_folds"
    chosen_on = read_split(Path("data") / name, "valid")
    n_labels = len(read_manifest(data).labels)
    compositions = {}
    found = []
    for record in read_records(study / "records", "final"):
        job = record.job
        if job.baseline or job.members or job.label_fraction < 1:
            continue
        valid = read_split(data, "valid", job.fold)
        rows = np.flatnonzero(overlaps(valid, chosen_on))
        if len(np.unique(blocks_of(valid)[rows])) < LEAST_BLOCKS:
            continue
        valid = valid.take(rows)
        blocks = blocks_of(valid)
        if job.fold not in compositions:
            compositions[job.fold] = fit_composition(read_split(data, "train", job.fold), n_labels)
        model, config = load_model(study / "runs" / job.name)
        assert isinstance(model, TaskModel)
        truth = valid.labels.reshape(len(valid), n_labels)
        network = window_logits(model, valid, average_strands=config.both_strands).reshape(truth.shape)
        log_odds = np.stack([network, compositions[job.fold].log_odds(valid)])
        found.append(Scored(job.arm, job.fold, log_odds, truth, blocks))
        print(f"{job.arm}, fold {job.fold}: {len(truth)} windows, {blocks.max() + 1} blocks", flush=True)
    return found


def shares_by_valid(name: str) -> dict[str, float]:
    """Share of the composition of each finished model with one, learned from all labels, by arm and fold."""
    study = studies.STUDIES / f"{name}_folds"
    found = {}
    for record in read_records(study / "records", "final"):
        job = record.job
        if job.settings.get("composition") and job.label_fraction == 1 and (study / "runs" / job.name).is_dir():
            found[f"{job.arm}, fold {job.fold}"] = read_config(study / "runs" / job.name).composition
    return dict(sorted(found.items()))


def gains_of(own: Scored, drawn: np.ndarray) -> dict[str, float]:
    """Mean AUROC over that of the composition, of windows that are not drawn (n,), for each way to choose the share."""
    shares = {f"always {share}": share for share in FIXED}
    for usual, hold in product(USUAL, HOLD):
        weights = fit_weights(
            own.log_odds[:, drawn], own.truth[drawn], own.blocks[drawn], np.array([1 - usual, usual]), hold
        )
        shares[f"fitted, held near {usual} by {hold}"] = weights[1]
    each_window = np.arange(int(drawn.sum()))
    weights = fit_weights(own.log_odds[:, drawn], own.truth[drawn], each_window, np.array([0.25, 0.75]))
    shares["fitted, held near 0.75 by 1.0, by windows"] = weights[1]
    return {way: mean_auroc(own, ~drawn, share) - mean_auroc(own, ~drawn, 1.0) for way, share in shares.items()}


def mean_auroc(own: Scored, rows: np.ndarray, share: float) -> float:
    """Mean AUROC of the labels with this share of the composition."""
    log_odds = (1 - share) * own.log_odds[0, rows] + share * own.log_odds[1, rows]
    return float(np.nanmean(auroc(own.truth[rows], log_odds)))


if __name__ == "__main__":
    main()
