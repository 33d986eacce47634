from dataclasses import replace

import numpy as np
import pytest
from tests.unit.reports.cases import RESULT

from dnaspt.evaluation.gene_faults import StructureReport
from dnaspt.evaluation.gene_metrics import LEVELS, GeneScores
from dnaspt.evaluation.metrics import class_scores, mcc_score
from dnaspt.evaluation.numbers import number_scores
from dnaspt.evaluation.results import BootstrapCounts, Evaluation, GeneEvaluation
from dnaspt.studies.plan import Job
from dnaspt.studies.pool_records import pool_records
from dnaspt.studies.records import Record


def record(arm: str, seed: int, fold: int, rate: float = 1e-3, n_right: int = 8) -> Record:
    """A run on a fold of `fold` blocks, each with ten bases of both classes of which so many are right."""
    confusions = np.tile(np.array([[n_right, 10 - n_right], [10 - n_right, n_right]], np.int64), (fold, 1, 1))
    levels = np.tile(np.array([n_right, 10, n_right, 10]), (fold, len(LEVELS), 1))
    total = confusions.sum(axis=0)
    genes = GeneEvaluation(
        mcc=mcc_score(confusions),
        classes=class_scores(total),
        confusion=tuple(map(tuple, total.tolist())),
        n_blocks=fold,
        genes=GeneScores.of_blocks(levels, {"a": fold}),
        structures=StructureReport(4, 2, fold, {"no start codon": fold}),
    )
    test = Evaluation("test", "genes", f"digest{fold}", "2026", genes=genes, n_windows=1, fold=fold)
    settings = {"seed": seed, "learning_rate": rate, "label_fraction": 1.0, "fold": fold}
    job = Job("final", arm, settings, f"pre{seed}{fold}" if arm == "SPT" else "", f"digest{fold}")
    counts = BootstrapCounts(confusions=confusions, levels=levels)
    return Record(job, RESULT, test=test, counts=counts, curve=((fold, 0.1), (2 * fold, 0.5)), n_test_evaluations=1)


def test_the_runs_of_all_folds_become_one_record_for_each_arm_and_seed() -> None:
    records = [record(arm, seed, fold) for arm in ("scratch", "SPT") for fold in (2, 1) for seed in (0, 1)]
    pretrained = {f"pre{seed}{fold}": replace(RESULT, n_bp=fold) for seed in (0, 1) for fold in (1, 2)}
    pooled, by_encoder = pool_records(records, pretrained, "whole")
    assert [(one.job.arm, one.job.seed) for one in pooled] == [("scratch", 0), ("scratch", 1), ("SPT", 0), ("SPT", 1)]
    first = pooled[0]
    assert "fold" not in first.job.settings and first.job.data_digest == "whole" and first.job.learning_rate == 1e-3
    assert first.scored.genes is not None and first.scored.genes.confusion == ((24, 6), (6, 24))
    assert first.scored.primary.value == pytest.approx(0.6)
    assert first.scored.genes.genes.levels["gene"].n_true == 30 and first.scored.genes.genes.ignored == {"a": 3}
    assert first.scored.genes.structures == StructureReport(8, 4, 3, {"no start codon": 3})
    assert first.counts.n_blocks == 3 and first.n_test_evaluations == 1
    assert first.curve == ((1, 0.1), (3, 0.5))
    assert first.result.n_bp == 2 * RESULT.n_bp and first.result.minutes == 2 * RESULT.minutes
    assert pooled[3].job.encoder == "pre11 pre12" and by_encoder["pre11 pre12"].n_bp == 3
    assert first.job.encoder == "" and len(by_encoder) == 2


def test_a_rate_that_differs_between_folds_is_none_of_the_arm() -> None:
    pooled, _ = pool_records([record("a", 0, 1), record("a", 0, 2, rate=3e-3)], {}, "whole")
    assert pooled[0].job.learning_rate == 0


def test_predicted_numbers_of_folds_stay_numbers() -> None:
    def of_fold(fold: int) -> Record:
        rng = np.random.default_rng(fold)
        truth = rng.normal(5, 2, (60, 1)).astype(np.float32)
        predicted = (truth + rng.normal(0, 1, truth.shape)).astype(np.float32)
        blocks = np.arange(60) // 10
        numbers = number_scores(truth, predicted, blocks, ["a"], n=20)
        whole = record("a", 0, fold)
        test = replace(whole.scored, task="values", genes=None, numbers=numbers)
        counts = BootstrapCounts(truth=truth, logits=predicted, blocks=blocks)
        return replace(whole, test=test, counts=counts)

    records = [of_fold(1), of_fold(2)]
    ((pooled,), _) = pool_records(records, {}, "whole")
    np.testing.assert_array_equal(pooled.counts.logits, np.concatenate([own.counts.logits for own in records]))
    assert pooled.scored.numbers is not None
    pearson = np.corrcoef(pooled.counts.truth[:, 0], pooled.counts.logits[:, 0])[0, 1]
    assert pooled.scored.numbers.mean["pearson"].value == pytest.approx(pearson, abs=1e-6)


def test_folds_are_not_weighed_alike_but_by_what_they_hold() -> None:
    pooled, _ = pool_records([record("a", 0, 1, n_right=5), record("a", 0, 9, n_right=10)], {}, "whole")
    assert pooled[0].scored.scores["gene_f1"].value == pytest.approx(0.95)


def test_minutes_on_several_devices_are_not_summed() -> None:
    records = [record("a", 0, 1), record("a", 0, 2)]
    other = replace(records[1], result=replace(records[1].result, device="cuda"))
    ((pooled,), _) = pool_records([records[0], other], {}, "whole")
    assert np.isnan(pooled.result.minutes) and pooled.result.device == "" and pooled.result.n_bp == 2 * RESULT.n_bp
