"""A model and a split of a dataset to scores with 95 % intervals: BEND's metrics, and gene structures for genes.

PyTorch is imported when a model is loaded, so that a missing run or dataset shows at once.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import SPLITS, Manifest, read_manifest
from dnaspt.data.segments import segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import CheckpointError, DatasetError
from dnaspt.evaluation.calibration import Calibration
from dnaspt.evaluation.metrics import auprc, auroc, confusion, mcc, mean_rows
from dnaspt.evaluation.numbers import MEASURES, measure_numbers
from dnaspt.evaluation.results import BootstrapCounts, Evaluation, GeneEvaluation, write_model_evaluation
from dnaspt.evaluation.score import (
    GenePrediction,
    gene_f1_scores,
    score_gene_predictions,
    score_number_windows,
    score_windows,
)
from dnaspt.genome.gene_states import transcripts_from_labels
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.model import Model, load_unless_loaded, naming_model
from dnaspt.tasks import TASKS

if TYPE_CHECKING:
    from dnaspt.checkpoint import Accelerator
    from dnaspt.models.codons import Grammar
    from dnaspt.models.decoding import GeneRules
    from dnaspt.models.task_model import TaskModel

log = logging.getLogger(__name__)


def evaluate(
    model: str | Path | Model,
    data: str | Path,
    *,
    split: str = "test",
    fold: int = 0,
    any_data: bool = False,
    average_strands: bool | None = None,
    accelerator: "Accelerator" = "auto",
    write: bool = True,
) -> Evaluation:
    """Score a model on a split of a dataset.

    The scores are also written into the run, and logged there (see `evaluation.results`). Into a checkpoint folder nothing is
    written, nor into a run that no longer holds the loaded model: a warning says so.

    Args:
        model: run of `finetune`, checkpoint, or loaded model; for variants of `pretrain` too (see `evaluate_variants`).
        data: dataset folder.
        split: test, valid or train.
        fold: fold whose split is scored, from 1; 0 for the split of the whole dataset.
        any_data: accept a model that was trained on another dataset.
        average_strands: take the mean of both strands; None: models of windows as was better on valid, of genes not.
        accelerator: auto takes a GPU where there is one; of no effect on a model that is loaded already.
        write: write the scores into the run.

    Raises:
        CheckpointError: not a fine-tuned model, of another task, or (unless any_data) trained on another dataset or fold.
        DatasetError: no dataset, or without that split. ConfigError: no GPU where one is asked for.
        NotFiniteError: the model's scores are NaN: its weights are damaged, or its training diverged.
    """
    data = Path(data)
    manifest = read_manifest(data, fold)
    if split not in SPLITS:
        raise DatasetError(f"{data}: no labeled split is called {split!r}; expected {', '.join(SPLITS)}")
    manifest.check_has_labels(data)
    loaded = load_unless_loaded(model, accelerator=accelerator)
    if not TASKS[manifest.task].heads:
        if average_strands is not None or any_data:
            log.warning(
                "--average-strands and --any-data have no effect on variants, which are always scored on both strands"
            )
        from dnaspt.evaluation.variant_benchmark import evaluate_variants

        return evaluate_variants(loaded, data, split=split, write=write)
    network, average_strands = loaded.task_model(), loaded.averages(asked=average_strands)
    _check_fit(loaded, data, manifest, any_data=any_data)
    rows = read_split(data, split, fold)
    header = Evaluation(
        split=split,
        task=manifest.task,
        data_digest=manifest.digest,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        n_windows=len(rows),
        data=str(data),
        checkpoint=str(loaded.checkpoint),
        same_data=loaded.config.data_digest == manifest.digest,
        average_strands=average_strands,
        encoder_read_splits=_encoder_read_splits(loaded.config),
        fold=fold or None,
    )
    if manifest.per_base:
        annotated = read_transcripts(data, split, fold)
        with naming_model(loaded):
            genes, codons, counts = _evaluate_genes(loaded, manifest, rows, annotated, average_strands=average_strands)
        evaluation = replace(header, genes=genes, codons=codons)
    elif TASKS[manifest.task].numbers:
        with naming_model(loaded):
            predicted = window_logits(network, rows, average_strands=average_strands)
        numbers, counts = score_number_windows(rows, network.calibrator.log_odds(predicted), manifest.labels)
        evaluation = replace(header, numbers=numbers)
    else:
        with naming_model(loaded):
            logits = window_logits(network, rows, average_strands=average_strands)
        if manifest.resolution_bp:
            rows = rows.bins(manifest.resolution_bp)
        log_odds = logits.reshape(len(rows), -1)
        log_odds = network.calibrator.log_odds(
            log_odds
        )  # which ranks the windows of a label alike, in every fold on one scale
        windows, counts = score_windows(rows, log_odds, manifest.labels, one_of=TASKS[manifest.task].one_of)
        calibration = Calibration.of(rows.labels.reshape(log_odds.shape), log_odds)
        evaluation = replace(header, windows=replace(windows, calibration=calibration))
    if write:
        write_model_evaluation(loaded, evaluation, counts)
    return evaluation


def _check_fit(model: Model, data: Path, manifest: Manifest, *, any_data: bool) -> None:
    """Refuse a model of another task or of other labels, and (unless any_data) of other data.

    Raises:
        CheckpointError: says which.
    """
    if (model.task, TASKS[model.task].resolution_bp) != (manifest.task, manifest.resolution_bp):
        raise CheckpointError(
            f"{model.path}: of another task: predicts {model.task}, {_resolution(TASKS[model.task].resolution_bp)}; "
            f"{data} holds {manifest.task}, {_resolution(manifest.resolution_bp)}"
        )
    if model.labels != manifest.labels:
        raise CheckpointError(
            f"{model.path}: predicts {_few(model.labels)}; {data} is labeled with {_few(manifest.labels)}"
        )
    if model.config.data_digest != manifest.digest and not any_data:
        own = read_manifest(data).fold_of_digest(model.config.data_digest)
        if own is not None:
            trained = f"for fold {own}; say --fold {own}" if own else "on all folds; leave out --fold"
            raise CheckpointError(
                f"{model.path}: was trained {trained}, or --any-data to evaluate all the same: it may have read this split"
            )
        raise CheckpointError(
            f"{model.path}: was trained on another dataset than {data} (digests differ); "
            "say --any-data to evaluate all the same: its train windows may be in this test split"
        )


def _resolution(resolution_bp: int) -> str:
    """What has labels: bases, bins or windows."""
    return {0: "labels of windows", 1: "a class of each base"}.get(resolution_bp, f"bins of {resolution_bp} bp")


def _few(labels: tuple[str, ...]) -> str:
    """The first labels, and how many more there are."""
    return ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")


def _encoder_read_splits(config: CheckpointConfig) -> tuple[str, ...] | None:
    """Splits whose sequences any encoder was pretrained on that has a part in the model; None where none was pretrained here."""
    splits = list(_read_splits(config.provenance))
    return tuple(dict.fromkeys(chain.from_iterable(splits))) if splits else None


def _read_splits(provenance: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Splits that each encoder has read: its own, and those of a network, a teacher and the models of an ensemble."""
    encoder = provenance.get("encoder", {}).get("provenance", {})
    if "read_splits" in encoder:
        yield encoder["read_splits"]
    parts = [*(provenance.get(name, {}) for name in ("network", "teacher")), *provenance.get("members", ())]
    for part in filter(None, parts):
        yield from _read_splits(part.get("provenance", {}))


def score_model(
    model: "TaskModel",
    split: Split,
    labels: tuple[str, ...],
    *,
    annotated: Sequence[tuple[Transcript, bool]] = (),
    grammar: "Grammar | GeneRules | None" = None,
) -> dict[str, float]:
    """Scores without intervals, for the validations of a training run.

    Args:
        model: a fine-tuned model.
        split: the split to score.
        labels: names of the labels.
        annotated: annotated transcripts of the split, and whether each is the longest isoform of its gene.
        grammar: codons that `predict` has genes keep to; None where the head knows none.

    Returns:
        for classes of bases mcc and accuracy over all labeled bases, by the head alone, and, where transcripts are given,
        exon_f1 and gene_f1 of the genes as `predict` writes them; of numbers the mean pearson, spearman and r2 over the labels;
        else their mean auroc and auprc.

    Raises:
        DatasetError: no label has both positive and negative windows, or different numbers.
        NotFiniteError: the model's scores are NaN.
    """
    if split.per_base:
        grammars = [None, grammar] if annotated and grammar is not None else [None]
        alone, *with_codons = predict_genes(model, split, grammars)
        counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
        for prediction in alone:
            counts += confusion(prediction.segment.labels, prediction.path, len(labels))
        scores = {"mcc": mcc(counts), "accuracy": float(np.trace(counts) / max(1, counts.sum()))}
        return scores | (gene_f1_scores(annotated, with_codons[0] if with_codons else alone) if annotated else {})
    truth = split.labels.reshape(-1, len(labels))
    log_odds = model.calibrator.log_odds(window_logits(model, split))
    return mean_scores(truth, log_odds.reshape(truth.shape))


def mean_scores(truth: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Mean auroc and auprc over the labels of windows, from labels and logits (n, K); of numbers the means of `MEASURES`.

    Raises:
        DatasetError: no label has both positive and negative windows, or different numbers.
    """
    if truth.dtype.kind == "f":
        return _mean_measures(truth, logits)
    values = {"auroc": auroc(truth, logits), "auprc": auprc(truth, logits)}
    if np.isnan(values["auroc"]).all():
        raise DatasetError("no label has both positive and negative windows in this split; AUROC is not defined")
    return {name: float(np.nanmean(value)) for name, value in values.items()}


def _mean_measures(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Mean of `MEASURES` over targets.

    Raises:
        DatasetError: no target has two different values.
    """
    values = mean_rows(measure_numbers(truth, predicted))
    if np.isnan(values).any():
        raise DatasetError("no label has two different numbers in this split; no correlation is defined")
    return dict(zip(MEASURES, values.tolist(), strict=True))


def _evaluate_genes(
    model: Model,
    manifest: Manifest,
    rows: Split,
    annotated: Sequence[tuple[Transcript, bool]],
    *,
    average_strands: bool,
) -> tuple[GeneEvaluation, GeneEvaluation | None, BootstrapCounts]:
    """Scores of genes as the head decodes them and, where it is a CRF, of genes that keep to codons."""
    from dnaspt.inference.genes import grammar_of
    from dnaspt.models.decoding import GeneRules

    network = model.task_model()
    grammars: list[Grammar | GeneRules | None] = [None]
    grammar = grammar_of(network, model.config.model_copy(update={"stop_in_cds": manifest.stop_in_cds}))
    if isinstance(grammar, GeneRules):  # it has no other way to decode
        grammars, grammar = [grammar], None
    if grammar is not None:
        grammars.append(grammar)
    code = model.config.code
    predictions = predict_genes(network, rows, grammars, average_strands=average_strands)
    genes, confusions = score_gene_predictions(manifest, annotated, predictions[0], code)
    if grammar is None:
        return genes, None, BootstrapCounts(confusions=confusions, levels=genes.genes.block_counts)
    codons, confusions_codons = score_gene_predictions(manifest, annotated, predictions[1], code)
    counts = BootstrapCounts(
        confusions=confusions,
        confusions_codons=confusions_codons,
        levels=genes.genes.block_counts,
        levels_codons=codons.genes.block_counts,
    )
    return genes, codons, counts


def predict_genes(
    model: "TaskModel", split: Split, grammars: "Sequence[Grammar | GeneRules | None]", *, average_strands: bool = False
) -> list[list[GenePrediction]]:
    """Predictions for all segments of a split, for each of the grammars (None: the head alone).

    Args:
        model: a model of genes, of any head.
        split: the split.
        grammars: what genes keep to.
        average_strands: take the mean of both strands' emissions.

    Returns:
        For each grammar the predictions of all segments, in their order.
    """
    from dnaspt.inference.decode import decode_path, grouped, predict_emissions
    from dnaspt.inference.emissions import ContigSlice
    from dnaspt.inference.genes import with_frame, with_stop_codons
    from dnaspt.models.decoding import GeneRules

    predictions: list[list[GenePrediction]] = [[] for _ in grammars]
    for group in grouped(segments(split), lambda segment: len(segment.codes)):
        slices = [ContigSlice.whole(segment.codes) for segment in group]
        arrays = predict_emissions(model, slices, average_strands=average_strands)
        for segment, contig_slice, emissions in zip(group, slices, arrays, strict=True):
            for grammar, of_grammar in zip(grammars, predictions, strict=True):
                decoded = decode_path(
                    model,
                    emissions,
                    contig_slice,
                    average_strands=average_strands,
                    grammar=grammar,
                    with_posterior=False,
                )
                path = decoded.path
                first = 1 + sum(len(prediction.transcripts) for prediction in of_grammar)
                genes = transcripts_from_labels(path, segment.chrom, start=segment.start, first_number=first)
                written = None
                if isinstance(
                    grammar, GeneRules
                ):  # they have stop codons, and those that go on beyond the segment are partial
                    whole = with_stop_codons(decoded, grammar).path
                    written = [
                        with_frame(gene, decoded.states, segment.start, grammar)
                        for gene in transcripts_from_labels(whole, segment.chrom, start=segment.start)
                    ]
                of_grammar.append(GenePrediction(segment, path, genes, written))
    return predictions


def window_logits(model: "TaskModel", split: Split, *, average_strands: bool = False) -> np.ndarray:
    """Logits of the labels of all windows (n, K), or of their bins (n, bins * K).

    Args:
        model: a model of windows or bins.
        split: the n windows.
        average_strands: take the mean of both strands' logits.
    """
    from dnaspt.inference.emissions import predict_windows

    return predict_windows(model, (window.codes for window in split), average_strands=average_strands)
