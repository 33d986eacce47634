"""Scores of a run beside those of baselines on the same test split, and what it has over each of them."""

from collections.abc import Sequence
from pathlib import Path

from dnaspt.baselines.augustus import check_installed
from dnaspt.baselines.baseline import AUGUSTUS, check_models, run_baseline
from dnaspt.checkpoint_config import TENSORS, find_checkpoint, read_config
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import CheckpointError, ConfigError, DnasptError
from dnaspt.evaluation.metrics import Score
from dnaspt.evaluation.results import (
    METRIC_NAMES,
    BesideBaseline,
    BootstrapCounts,
    Evaluation,
    evaluation_stem,
    read_counts,
    read_evaluation,
)
from dnaspt.reports.compare import paired_gain
from dnaspt.reports.genes_as_predicted import as_predicted
from dnaspt.reports.resamples import Resamples
from dnaspt.reports.tables import SIGNED, Table, written

FOLDER = "baselines"
"""Folder in a run that keeps what was scored beside it."""
_STEM = "evaluation-test"


def check_beside(run: Path, data: Path, names: Sequence[str], *, split: str, fold: int) -> None:
    """Refuse what `beside_baselines` cannot compare, before test is scored.

    Raises:
        ConfigError: another split than test, no such baseline, or no AUGUSTUS here.
        CheckpointError: no run, or a checkpoint instead of one.
        DatasetError: a baseline for genes and labels of windows, or the other way round.
    """
    if split != "test":
        raise ConfigError(f"baselines are scored on test; leave them out, or leave out split {split}")
    check_models(data, read_manifest(data, fold), names)
    if AUGUSTUS in names and not (run / FOLDER / AUGUSTUS).is_dir():
        check_installed()
    find_checkpoint(run)
    if (run / TENSORS).is_file():
        raise CheckpointError(f"{run}: keeps no scores to compare; give the folder of a run of 'dnaspt finetune'")


def beside_baselines(run: Path, evaluation: Evaluation, data: Path, names: Sequence[str]) -> list[BesideBaseline]:
    """Score baselines, where that is not done yet, and compare a run with each of them.

    Args:
        run: run folder of `finetune` or `ensemble`; baselines are kept in it, each in a folder of its own.
        evaluation: its scores on test.
        data: the dataset.
        names: the baselines: kmer, markov or cpg for windows, augustus for genes; see `check_beside`.

    Raises:
        ConfigError: the run does not keep what a bootstrap resamples.
    """
    stem = evaluation_stem(evaluation, both_strands=read_config(run).both_strands)
    if not (run / f"{stem}.npz").is_file():
        raise ConfigError(f"{run}: keeps no scores to compare; give the folder of a run that can be written")
    counts = read_counts(run / f"{stem}.npz")
    found = []
    for name in dict.fromkeys(names):
        scored, of_baseline = _scored(run / FOLDER / name, evaluation, data, name)
        measure = "exon" if evaluation.genes and counts.levels.size and of_baseline.levels.size else evaluation.metric
        own, other = (_resampled(*pair, measure) for pair in ((evaluation, counts), (scored, of_baseline)))
        shown = "F1 of exons" if measure == "exon" else METRIC_NAMES[measure]
        scores = (_score(evaluation, measure), _score(scored, measure))
        found.append(BesideBaseline(name, shown, *scores, paired_gain(other, own)))
    return found


def beside_table(run: Path, found: Sequence[BesideBaseline]) -> Table:
    """A row for the run, and one for each baseline."""
    name, measure = run.resolve().name, found[0].measure
    rows = [(name, written(found[0].own), "", "")]
    rows += [(own.baseline, written(own.score), written(own.gain, SIGNED), own.verdict) for own in found]
    columns = ("model", f"{measure} [95 %]", f"{name} minus it [95 %]", f"{name} is")
    return Table("beside baselines, on test", columns, tuple(rows))


def _scored(folder: Path, beside: Evaluation, data: Path, name: str) -> tuple[Evaluation, BootstrapCounts]:
    """A baseline's scores: those that the folder keeps of the same data and fold, else new ones."""
    file = folder / f"{_STEM}.json"
    fold = beside.fold or 0
    try:
        kept, counts = read_evaluation(file), read_counts(file.with_suffix(".npz"))
        if kept.data_digest == read_manifest(data, fold).digest:
            return kept, counts
    except (DnasptError, OSError):
        pass  # none is kept, or it is damaged
    kept = run_baseline(data, folder, model=name, fold=fold, overwrite=True)
    return kept, read_counts(file.with_suffix(".npz"))


def _score(evaluation: Evaluation, measure: str) -> Score:
    genes = as_predicted(evaluation)
    return evaluation.primary if genes is None else genes.genes.levels["exon"].f1 if measure == "exon" else genes.mcc


def _resampled(evaluation: Evaluation, counts: BootstrapCounts, measure: str) -> Resamples:
    if evaluation.genes is not None:
        return Resamples.of_genes(counts, measure)
    return Resamples.of(evaluation.primary.value, counts, measure)
