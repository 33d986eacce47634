"""Runs with made-up scores: what was measured in each block of the test split is given, and nothing was trained."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.config import EncoderConfig
from dnaspt.evaluation.gene_faults import StructureReport
from dnaspt.evaluation.gene_metrics import GeneScores, LevelScores
from dnaspt.evaluation.metrics import LabelScores, Score, class_scores, label_scores, mcc_score
from dnaspt.evaluation.results import BootstrapCounts, Evaluation, GeneEvaluation, WindowEvaluation
from dnaspt.reports.records import RunRecord
from dnaspt.studies.plan import Job
from dnaspt.studies.records import Record
from dnaspt.training.runs import RunResult

RESULT = RunResult({"valid_mcc": 0.5}, best_step=3, steps=9, n_bp=2_000_000, minutes=1.5, device="cpu", precision="32")


def gene_scores(n_right: Sequence[int]) -> tuple[Evaluation, BootstrapCounts]:
    """Scores of genes with two classes: of 10 bases of each class in each block so many are right."""
    confusions = np.array([[[right, 10 - right], [10 - right, right]] for right in n_right], dtype=np.int64)
    total = confusions.sum(axis=0)
    level = LevelScores(Score(0.5), Score(0.25), Score(1 / 3), n_true=4, n_found=2, n_predicted=8, n_right=2)
    scores = GeneEvaluation(
        mcc=mcc_score(confusions),
        classes=class_scores(total),
        confusion=tuple(map(tuple, total.tolist())),
        n_blocks=len(confusions),
        genes=GeneScores(dict.fromkeys(("base", "exon", "gene"), level), {}),
        structures=StructureReport(8, 6, 2, {"intron not GT-AG, GC-AG or AT-AC": 3, "no start codon": 2}),
    )
    return Evaluation("test", "genes", "digest", "2026", genes=scores, average_strands=False), BootstrapCounts(
        confusions
    )


def window_scores(logits: np.ndarray, truth: np.ndarray) -> tuple[Evaluation, BootstrapCounts]:
    """Scores of windows (n, K), ten in a block, beside a CpG count that knows nothing."""
    blocks, names = np.arange(len(truth)) // 10, [f"label{k}" for k in range(truth.shape[1])]
    labels = label_scores(truth, logits, blocks, names, n=50)
    half = {name: Score(0.5) for name in names}
    count = LabelScores(half, half, Score(0.5), Score(0.5), ())
    scores = WindowEvaluation(labels, count, int(blocks.max()) + 1)
    return Evaluation("test", "regions", "digest", "2026", windows=scores), BootstrapCounts(
        truth=truth, logits=logits, blocks=blocks
    )


def run_record(
    name: str, head: str, scored: tuple[Evaluation, BootstrapCounts | None], **settings: object
) -> RunRecord:
    """A run that is called INIT and something, such as "SPT + CRF"."""
    init = name.split()[0]
    provenance = {} if init == "scratch" else {"encoder": {"path": "pre"}}
    config = CheckpointConfig(
        kind="task", encoder=EncoderConfig(), task=scored[0].task, head=head, provenance=provenance
    )
    return RunRecord(Path(name), name, init, head, config, {"seed": 0} | settings, RESULT, (), *scored)


def study_record(
    arm: str, scored: tuple[Evaluation, BootstrapCounts], seed: int = 0, encoder: str = "", **settings: object
) -> Record:
    """A final run of a study."""
    given = {"seed": seed, "learning_rate": 1e-3, "label_fraction": 1.0} | settings
    record = Record(Job("final", arm, given, encoder, "digest"), RESULT, test=scored[0], counts=scored[1])
    return replace(record, curve=((1, 0.1), (2, 0.2)), n_test_evaluations=1, dnaspt_version="0.1.0")
