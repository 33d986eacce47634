"""`dnaspt inspect`: a dataset folder or a run as tables."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaspt.cli.terminal import mapping_table, show, table
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import DnasptError

if TYPE_CHECKING:
    from dnaspt.evaluation.metrics import Score
    from dnaspt.evaluation.results import Evaluation, GeneEvaluation, WindowEvaluation

_FEW_LABELS = 30


def show_dataset(manifest: Manifest, name: str) -> None:
    """What a dataset is: sizes, class balance, counts, what was dropped and why, leakage, sources."""
    sizes = [
        (split, summary.n_windows, summary.n_bp, summary.n_labeled, summary.n_missing)
        for split, summary in manifest.splits.items()
    ]
    what = "bases" if manifest.per_base else "labels"
    table(f"{name}: {manifest.task}", ("split", "windows", "bp", f"{what} known", "missing"), sizes)
    balance = []
    for index, label in enumerate(manifest.labels[:_FEW_LABELS]):
        row: list[Any] = [f"{index} {label}"]
        for summary in manifest.splits.values():
            count = summary.label_counts.get(label, 0)
            among = summary.known_counts.get(label, 0)
            row += [count, f"{count / among:.2%}" if among else "-"]
        balance.append(row)
    columns = ["label", *(name for split in manifest.splits for name in (split, "share"))]
    table("class balance", columns, balance)
    if len(manifest.labels) > _FEW_LABELS:
        show(f"and {len(manifest.labels) - _FEW_LABELS} more labels, in {name}/manifest.json")
    mapping_table("counted", manifest.counts)
    mapping_table("dropped, by reason", manifest.dropped)
    _show_leakage(manifest.leakage)


def _show_leakage(leakage: dict[str, Any]) -> None:
    pairs = leakage.get("pairs", {})
    rows = [(pair, *counts.values()) for pair, counts in pairs.items()]
    if not rows:
        return
    near = f"near: {leakage['min_containment']:.0%} of the {leakage['k']}-mers" if "k" in leakage else "near copies"
    table(f"leakage between splits, windows ({near})", ("splits", *next(iter(pairs.values()))), rows)
    for example in leakage.get("examples", []):
        show(f"  {example}")


def show_run(run: Path) -> None:
    """What a run is: settings, progress, result, evaluations."""
    from dnaspt.checkpoint import find_checkpoint, read_config, read_json
    from dnaspt.evaluation.results import read_evaluation

    config = read_config(run)
    show(f"{run}: {config.kind} model, checkpoint {find_checkpoint(run)}")
    mapping_table("encoder", config.encoder.model_dump())
    if config.kind == "task":
        mapping_table("task", {"task": config.task, "head": config.head, "labels": ", ".join(config.labels[:9])})
    provenance = {name: value for name, value in config.provenance.items() if not isinstance(value, dict | list)}
    mapping_table("provenance", provenance | {"data digest": config.data_digest[:16]})
    result = run / "result.json"
    if result.is_file():
        mapping_table("result", read_json(result))
    elif (run / "run.json").is_file():
        show("not finished: go on with --resume")
    for file in sorted(run.glob("evaluation-*.json")):
        show_evaluation(read_evaluation(file), str(file))


def show_evaluation(evaluation: "Evaluation", name: str) -> None:
    """Scores of one evaluation, with 95 % intervals."""
    if evaluation.genes is not None:
        _show_genes(evaluation.genes, f"{name}: {evaluation.split}")
    if evaluation.codons is not None:
        _show_genes(evaluation.codons, f"{name}: {evaluation.split}, as predict decodes: with codons")
    if (variants := evaluation.variants) is not None:
        rows = [(kind, _interval(score), _interval(variants.auprc[kind])) for kind, score in variants.auroc.items()]
        table(f"{name}: {evaluation.n_variants:,} variants", ("score", "AUROC", "AUPRC"), rows)
    if evaluation.windows is not None:
        _show_windows(evaluation.windows, f"{name}: {evaluation.split}")


def _show_windows(scores: "WindowEvaluation", title: str) -> None:
    """Scores of each label, beside those of the CpG count."""
    both = (scores.labels, scores.cpg_count)
    rows = [("mean", *(_interval(score) for labels in both for score in (labels.mean_auroc, labels.mean_auprc)))]
    for label in scores.labels.auroc:
        areas = (score for labels in both for score in (labels.auroc[label], labels.auprc[label]))
        rows.append((label, *map(_interval, areas)))
    table(title, ("label", "AUROC", "AUPRC", "CpG count AUROC", "CpG count AUPRC"), rows)


def _show_genes(scores: "GeneEvaluation", title: str) -> None:
    """Scores of bases and of gene structures by one way of decoding."""
    table(title, ("metric", "value [95 % interval]"), [("MCC, all bases", _interval(scores.mcc))])
    levels = [
        (level, _interval(of_level.sensitivity), _interval(of_level.precision), _interval(of_level.f1))
        for level, of_level in scores.genes.levels.items()
    ]
    table("gene structures", ("level", "sensitivity", "precision", "F1"), levels)
    mapping_table("faults of predicted transcripts", scores.structures.faults)


def _interval(score: "Score") -> str:
    """A score with its interval; - where it is not defined."""
    if math.isnan(score.value):
        return "-"
    return f"{score.value:.3f}" if math.isnan(score.low) else f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


def inspect(path: Path) -> None:
    """Describe a dataset folder or a run.

    Raises:
        DnasptError: neither of the two.
    """
    if (path / "manifest.json").is_file():
        show_dataset(read_manifest(path), str(path))
    elif path.is_dir():
        show_run(path)
    else:
        raise DnasptError(f"{path}: no such folder; expected a dataset or a run")
