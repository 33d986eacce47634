"""Records of the runs of all folds to one record for each arm, seed and share of the labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dnaspt.baselines.results import BaselineResult
from dnaspt.evaluation.pooled import pool_folds
from dnaspt.prepare.held_out import sum_of
from dnaspt.studies.plan import Job
from dnaspt.studies.records import Record, ranked
from dnaspt.training.runs import RunResult


def pool_records(
    records: Sequence[Record], pretrainings: Mapping[str, RunResult], data_digest: str
) -> tuple[list[Record], dict[str, RunResult]]:
    """Join the runs of all folds.

    Args:
        records: final runs of all folds.
        pretrainings: results of the pretrainings of all folds, by digest.
        data_digest: digest of the whole dataset.

    Returns:
        A record for each arm, share of the labels and seed, whose scores are over all folds together (`pool_folds`), and whose
        steps, bases and minutes are sums; and the same sums of the pretrainings, by what the jobs of these records name as
        their encoder.

    Raises:
        DatasetError: records of different kinds of scores.
    """
    groups: dict[tuple[str, float, int], list[Record]] = {}
    for record in records:
        groups.setdefault((record.job.arm, record.job.label_fraction, record.job.seed), []).append(record)
    pooled = [_pool(sorted(own, key=lambda record: record.job.fold), data_digest) for own in groups.values()]
    by_encoder = {}
    for record in pooled:
        digests = record.job.encoder.split(" ")
        if all(digest in pretrainings for digest in digests):
            by_encoder[record.job.encoder] = _pool_results([pretrainings[digest] for digest in digests])
    return pooled, by_encoder


def _pool(records: Sequence[Record], data_digest: str) -> Record:
    """The runs of all folds of one arm, seed and share of the labels, in the order of the folds."""
    first = records[0]
    scored, counts = pool_folds(
        [record.scored for record in records], [record.counts for record in records], data_digest
    )
    n_evaluations = [record.n_test_evaluations for record in records if record.n_test_evaluations is not None]
    return replace(
        first,
        job=_pool_jobs([record.job for record in records], data_digest),
        result=_pool_results([record.result for record in records]),
        baseline=_pool_baselines([record.baseline for record in records if record.baseline is not None]),
        test=scored,
        counts=counts if counts.truth.dtype.kind == "f" else ranked(counts),
        curve=_mean_curve([record.curve for record in records]),
        n_test_evaluations=max(n_evaluations) if len(n_evaluations) == len(records) else None,
    )


def _pool_jobs(jobs: Sequence[Job], data_digest: str) -> Job:
    """What the runs have in common: no fold, and no learning rate (0) where each fold has chosen another one."""
    settings = {name: value for name, value in jobs[0].settings.items() if name != "fold"}
    if len({job.learning_rate for job in jobs}) > 1:
        settings["learning_rate"] = 0.0
    encoder = " ".join(dict.fromkeys(job.encoder for job in jobs))
    return replace(jobs[0], settings=settings, encoder=encoder, data_digest=data_digest)


def _pool_results(results: Sequence[RunResult]) -> RunResult:
    """Sums of steps, bases and minutes, and mean scores on valid; no minutes (nan) and no device where that differs."""
    first = results[0]
    is_one_device = len({result.device for result in results}) == 1
    return RunResult(
        scores={name: float(np.mean([result.scores.get(name, np.nan) for result in results])) for name in first.scores},
        best_step=sum(result.best_step for result in results),
        steps=sum(result.steps for result in results),
        n_bp=sum(result.n_bp for result in results),
        minutes=sum(result.minutes for result in results) if is_one_device else math.nan,
        device=first.device if is_one_device else "",
        precision=first.precision,
        cut_out=sum_of([result.cut_out for result in results if result.cut_out is not None]),
    )


def _pool_baselines(baselines: Sequence[BaselineResult]) -> BaselineResult | None:
    """Sums of bases and minutes; None for networks. What each fold chose is in its own record."""
    if not baselines:
        return None
    n_bp, minutes = sum(own.n_bp for own in baselines), sum(own.minutes for own in baselines)
    return replace(baselines[0], n_bp=n_bp, minutes=minutes, chosen=())


def _mean_curve(curves: Sequence[Sequence[tuple[int, float]]]) -> tuple[tuple[int, float], ...]:
    """Mean steps and scores of the validations that all folds have."""
    n = min(map(len, curves))
    if not n:
        return ()
    means = np.array([curve[:n] for curve in curves], dtype=float).mean(axis=0)
    return tuple((int(step), float(score)) for step, score in means)
