"""A fine-tuned model and a split of a dataset to scores with 95 % intervals: BEND's metrics, and gene structures for genes."""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dnaspt.atomic import publish_file, write_text_atomically
from dnaspt.checkpoint import TENSORS, Accelerator, CheckpointConfig, find_checkpoint, load_task_model
from dnaspt.data.bootstrap_blocks import blocks_outside_genes, sum_blocks, window_blocks
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.data.segments import Segment, segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import CheckpointError, DatasetError
from dnaspt.evaluation import gene_metrics as genes
from dnaspt.evaluation.gene_faults import structure_report
from dnaspt.evaluation.metrics import (
    auprc,
    auroc,
    block_confusions,
    class_scores,
    confusion,
    label_scores,
    mcc,
    mcc_score,
    primary_metric,
)
from dnaspt.evaluation.variant_benchmark import evaluate_variants
from dnaspt.genome.alphabet import cpg_positions
from dnaspt.genome.gene_states import transcripts_from_labels
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.decode import decode_path, grouped, predict_emissions, predict_paths
from dnaspt.inference.emissions import Stretch, predict_windows
from dnaspt.models.codons import Grammar, gene_grammar
from dnaspt.models.heads import CRFHead
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import TASKS


def score_model(model: TaskModel, split: Split, labels: tuple[str, ...]) -> dict[str, float]:
    """Scores by name: mcc over all labeled bases, or mean auroc and auprc over the labels of windows."""
    if len(split.labels) == len(split.codes):
        counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
        known = list(segments(split))
        paths = predict_paths(model, (Stretch.whole(segment.codes) for segment in known))
        for segment, path in zip(known, paths, strict=True):
            counts += confusion(segment.labels, path, len(labels))
        return {"mcc": mcc(counts), "accuracy": float(np.trace(counts) / max(1, counts.sum()))}
    truth = split.labels.reshape(-1, len(labels))
    scores = window_scores(model, split).reshape(truth.shape)
    values = {"auroc": auroc(truth, scores), "auprc": auprc(truth, scores)}
    if np.isnan(values["auroc"]).all():
        raise DatasetError("no label has both positive and negative windows in this split; AUROC is not defined")
    return {name: float(np.nanmean(value)) for name, value in values.items()}


def window_scores(model: TaskModel, split: Split, *, average_strands: bool = False) -> np.ndarray:
    """Logits of the labels of all windows: (n, K), or (n, bins * K)."""
    return predict_windows(model, (window.codes for window in split), average_strands=average_strands)


log = logging.getLogger(__name__)

LOG = "evaluations.jsonl"


@dataclass(frozen=True, slots=True)
class GenePrediction:
    """A segment, its decoded path (L,) int8, and the transcripts it means."""

    segment: Segment
    path: np.ndarray
    transcripts: list[Transcript]


def evaluate(
    run: Path,
    data: Path,
    *,
    split: str = "test",
    any_data: bool = False,
    average_strands: bool = False,
    accelerator: Accelerator = "auto",
) -> dict[str, Any]:
    """Score a run's best checkpoint on a split; the result is also written into the run, and logged there.

    `evaluation-SPLIT.json` holds the scores on the run's own data, without averaging over strands; those of another
    dataset or of both strands are called so by the file's name. Beside it, as .npz, lies what resampling reads: confusion
    matrices (B, K, K) of the blocks, or truth and logits (n, K) and blocks (n,) of the windows. Into a checkpoint folder
    nothing is written.

    Args:
        run: run of `finetune`, or one of its checkpoints; for variants of `pretrain` too (see `evaluate_variants`).
        data: dataset folder.
        split: test or valid, or train.
        any_data: accept a model that was trained on another dataset.
        average_strands: mean of both strands.
        accelerator: auto takes a GPU where there is one.

    Raises:
        CheckpointError: not a fine-tuned model, of another task, or (unless any_data) trained on another dataset.
        DatasetError: no dataset, or without that split. ConfigError: no GPU where one is asked for.
    """
    manifest = read_manifest(data)
    if not TASKS[manifest.task].heads:
        if average_strands or any_data:
            log.warning("--average-strands and --any-data have no effect on variants, which are scored by both ways")
        return evaluate_variants(run, data, split=split, accelerator=accelerator)
    model, config = load_task_model(run, accelerator)
    if config.labels != manifest.labels:
        raise CheckpointError(f"{run}: predicts {_few(config.labels)}; {data} is labeled with {_few(manifest.labels)}")
    if config.data_digest != manifest.digest and not any_data:
        raise CheckpointError(
            f"{run}: was trained on another dataset than {data} (digests differ); "
            "say --any-data to evaluate all the same: its train windows may be in this test split"
        )
    rows = read_split(data, split)
    if TASKS[manifest.task].per_base:
        annotated = read_transcripts(data, split)
        scores, counted = _evaluate_genes(model, manifest, rows, annotated, average_strands=average_strands)
    else:
        scores, counted = _evaluate_windows(model, manifest, rows, average_strands=average_strands)
    result = {
        "split": split,
        "task": manifest.task,
        "data": str(data),
        "data_digest": manifest.digest,
        "checkpoint": str(find_checkpoint(run)),
        "same_data": config.data_digest == manifest.digest,
        "average_strands": average_strands,
        "encoder_read_splits": _encoder_read(config),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_windows": len(rows),
        **scores,
    }
    _log(run, result, counted, config)
    return result


def _encoder_read(config: CheckpointConfig) -> list[str] | None:
    """Splits whose sequences the encoder was pretrained on, None where it was not pretrained here."""
    pretrained = config.provenance.get("encoder", {}).get("provenance", {})
    return pretrained.get("read_splits")  # type: ignore[no-any-return]


def _few(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")


def predict_genes(
    model: TaskModel, split: Split, grammars: Iterable[Grammar | None], *, average_strands: bool = False
) -> list[list[GenePrediction]]:
    """Decoded segments of a per-base split, for each of the grammars (None: the head alone)."""
    rules = list(grammars)
    predictions: list[list[GenePrediction]] = [[] for _ in rules]
    for group in grouped(segments(split), lambda segment: len(segment.codes)):
        stretches = [Stretch.whole(segment.codes) for segment in group]
        found = predict_emissions(model, stretches, average_strands=average_strands)
        for segment, stretch, emissions in zip(group, stretches, found, strict=True):
            for grammar, known in zip(rules, predictions, strict=True):
                path = decode_path(model, emissions, stretch, grammar=grammar, with_posterior=False).path
                first = 1 + sum(len(prediction.transcripts) for prediction in known)
                genes = transcripts_from_labels(path, segment.chrom, start=segment.start, first_number=first)
                known.append(GenePrediction(segment, path, genes))
    return predictions


def _evaluate_genes(
    model: TaskModel,
    manifest: Manifest,
    rows: Split,
    annotated: Iterable[tuple[Transcript, bool]],
    *,
    average_strands: bool,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Scores of the head alone and, as `codons`, of the genes that keep to the grammar of codons, where it is a CRF."""
    grammars: list[Grammar | None] = [None]
    if isinstance(model.head, CRFHead) and model.head.constrained:
        grammars.append(gene_grammar(stop_in_cds=manifest.stop_in_cds is not False))
    known = list(annotated)
    predictions = predict_genes(model, rows, grammars, average_strands=average_strands)
    scores, counted = score_gene_predictions(manifest, known, predictions[0])
    for found in predictions[1:]:
        with_codons, of_codons = score_gene_predictions(manifest, known, found)
        scores |= {"codons": with_codons}
        counted |= {"confusions_codons": of_codons["confusions"]}
    return scores, counted


def score_gene_predictions(
    manifest: Manifest, annotated: Iterable[tuple[Transcript, bool]], predictions: list[GenePrediction]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Scores of bases, genes and structures of predicted stretches, and the confusion matrices that resampling reads."""
    counts = _block_counts(predictions, len(manifest.labels))
    return _score_genes(manifest, list(annotated), predictions, counts), {"confusions": counts}


def _block_counts(predictions: list[GenePrediction], n_labels: int) -> np.ndarray:
    """Confusion matrices (B, K, K) of all segments' blocks; segments that overlap on the genome make one."""
    counts = [
        block_confusions(p.segment.labels, p.path, blocks_outside_genes(p.segment.labels), n_labels)
        for p in predictions
    ]
    return sum_blocks(counts, [(p.segment.chrom, p.segment.start, p.segment.end) for p in predictions])


def _score_genes(
    manifest: Manifest,
    annotated: list[tuple[Transcript, bool]],
    predictions: list[GenePrediction],
    confusions: np.ndarray,
) -> dict[str, Any]:
    total = confusions.sum(axis=0)
    found = [transcript for prediction in predictions for transcript in prediction.transcripts]
    scored = genes.score_genes(
        annotated,
        found,
        [genes.Segment.of(p.segment.chrom, p.segment.start, p.segment.labels) for p in predictions],
    )
    # Every segment is a contig of its own here: structures are looked up in its codes.
    local = [_moved(t, str(n), p.segment.start) for n, p in enumerate(predictions) for t in p.transcripts]
    structures = structure_report(
        local,
        {str(n): p.segment.codes for n, p in enumerate(predictions)},
        stop_in_cds=manifest.stop_in_cds is not False,
    )
    return {
        "mcc": mcc_score(confusions).to_dict(),
        "classes": class_scores(total).to_dict(),
        "confusion": total.tolist(),
        "n_blocks": len(confusions),
        "genes": scored.to_dict(),
        "structures": structures.to_dict(),
    }


def _moved(transcript: Transcript, chrom: str, start: int) -> Transcript:
    """The same transcript on a contig of its own that begins at `start`."""
    return replace(transcript, chrom=chrom, cds=tuple((left - start, right - start) for left, right in transcript.cds))


def _evaluate_windows(
    model: TaskModel, manifest: Manifest, rows: Split, *, average_strands: bool
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    scores = window_scores(model, rows, average_strands=average_strands)
    if manifest.resolution_bp:
        rows = rows.bins(manifest.resolution_bp)
    return score_windows(rows, scores.reshape(len(rows), -1), manifest.labels)


def score_windows(
    rows: Split, scores: np.ndarray, labels: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """AUROC and AUPRC of scores (n, K) of windows, beside the CpG count, and what resampling reads."""
    truth = rows.labels.reshape(len(rows), -1)
    blocks = window_blocks(rows.chrom.astype(str), rows.start, rows.end)
    scored = label_scores(truth, scores, blocks, labels)
    baseline = np.repeat(cpg_counts(rows)[:, None], truth.shape[1], axis=1)
    by_count = label_scores(truth, baseline, blocks, labels, n=200)
    # A label that CpGs speak against is as well predicted by their absence: the better direction is the bar.
    flipped = label_scores(truth, -baseline, blocks, labels, n=200)
    better = max(by_count, flipped, key=lambda scores: scores.mean_auroc.value)
    counted = {"truth": truth, "logits": scores, "blocks": blocks}
    return scored.to_dict() | {"cpg_count": better.to_dict(), "n_blocks": int(blocks.max()) + 1}, counted


def cpg_counts(rows: Split) -> np.ndarray:
    """CpG dinucleotides in each window: (n,)."""
    is_cpg = np.zeros(len(rows.codes), dtype=bool)
    is_cpg[cpg_positions(rows.codes)] = True
    is_cpg[rows.offsets[1:] - 1] = False
    sums = np.concatenate([[0], np.cumsum(is_cpg)])
    return np.asarray(sums[rows.offsets[1:]] - sums[rows.offsets[:-1]])


def _log(run: Path, result: dict[str, Any], counted: dict[str, np.ndarray], config: CheckpointConfig) -> None:
    """Write the result into the run, and a line of every measurement made."""
    if (run / TENSORS).is_file():
        log.warning("%s: is a checkpoint, which stays as it is: the scores are not written into it", run)
        return
    text = json.dumps(result, indent=1) + "\n"
    with publish_file(run / f"{_file_stem(result)}.npz") as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **counted)  # type: ignore[arg-type]
    write_text_atomically(run / f"{_file_stem(result)}.json", text)
    metric = primary_metric(result)
    line = {name: result[name] for name in ("date", "split", "data", "checkpoint", "average_strands", metric)}
    with (run / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line | {"head": config.head}) + "\n")


def _file_stem(result: dict[str, Any]) -> str:
    """evaluation-SPLIT, with the beginning of a foreign dataset's digest and the word both-strands where they apply."""
    words = ["evaluation", result["split"]]
    if not result["same_data"]:
        words.append(result["data_digest"][:8])
    if result["average_strands"]:
        words.append("both-strands")
    return "-".join(words)
