"""Scores of a run beside those of baselines on the same test split, and what it has over each of them."""

from collections.abc import Sequence
from pathlib import Path

from dnaspt.baselines.baseline import run_baseline
from dnaspt.checkpoint_config import read_config
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError
from dnaspt.evaluation.results import (
    METRIC_NAMES,
    BootstrapCounts,
    Evaluation,
    evaluation_stem,
    read_counts,
    read_evaluation,
)
from dnaspt.reports.compare import ResampledScore, paired_gain, sign_of
from dnaspt.reports.tables import SIGNED, Table, written

FOLDER = "baselines"
"""Folder in a run that keeps what was scored beside it."""
_STEM = "evaluation-test"


def beside_baselines(run: Path, evaluation: Evaluation, data: Path, names: Sequence[str]) -> Table:
    """Score baselines, where that is not done yet, and compare a run with each of them.

    Args:
        run: run folder of `finetune` or `ensemble`; baselines are kept in it, each in a folder of its own.
        evaluation: its scores on test.
        data: the dataset.
        names: the baselines: kmer, markov or cpg for windows, augustus for genes.

    Returns:
        The primary score of each with its interval, and what the run has over it, by a paired bootstrap over blocks of test.

    Raises:
        ConfigError: scores of another split, a checkpoint instead of a run, or no such baseline.
        InputError: the run does not keep what a bootstrap resamples.
    """
    if evaluation.split != "test":
        raise ConfigError(f"baselines are scored on test; these are scores on {evaluation.split}")
    stem = evaluation_stem(evaluation, both_strands=read_config(run).both_strands)
    if not (run / f"{stem}.npz").is_file():
        raise ConfigError(f"{run}: keeps no scores to compare; give the folder of a run that can be written")
    metric = evaluation.metric
    own = _resampled(evaluation, read_counts(run / f"{stem}.npz"))
    rows = [(run.name, written(evaluation.primary), "", "")]
    for name in names:
        scored, counts = _scored(run / FOLDER / name, evaluation, data, name)
        gain = paired_gain(_resampled(scored, counts), own)
        verdict = {1: "better", -1: "worse", 0: "undecided"}[sign_of(gain)]
        rows.append((name, written(scored.primary), written(gain, SIGNED), verdict))
    columns = ("model", f"{METRIC_NAMES[metric]} [95 %]", f"{run.name} minus it [95 %]", "it is")
    return Table("beside baselines, on test", columns, tuple(rows))


def _scored(folder: Path, beside: Evaluation, data: Path, name: str) -> tuple[Evaluation, BootstrapCounts]:
    """A baseline's scores: those that the folder keeps of the same data and fold, else new ones."""
    file = folder / f"{_STEM}.json"
    fold = beside.fold or 0
    kept = read_evaluation(file) if file.is_file() else None
    if kept is None or kept.data_digest != read_manifest(data, fold).digest:
        kept = run_baseline(data, folder, model=name, fold=fold, overwrite=True)
    return kept, read_counts(folder / f"{_STEM}.npz")


def _resampled(evaluation: Evaluation, counts: BootstrapCounts) -> ResampledScore:
    return ResampledScore.of(evaluation.primary.value, counts, evaluation.metric)
