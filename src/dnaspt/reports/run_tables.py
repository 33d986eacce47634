"""Records of runs and a manifest to a report's tables, as text, and to the commands that make the runs again."""

import json
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnaspt.config import FinetuneConfig, PretrainConfig, TrainingConfig
from dnaspt.data.manifest import Manifest
from dnaspt.evaluation.gene_faults import INTRON_FAULT
from dnaspt.reports.records import HEAD_NAMES, PretrainRecord, RunRecord, primary_score, score_of
from dnaspt.reports.run_text import metric_name, written
from dnaspt.reports.tables import Table
from dnaspt.tasks import TASKS

_MAX_LABELS = 30
FEW_BLOCKS = 30
LEVELS = (("base", "coding bases"), ("exon", "exons"), ("gene", "genes"))
"""Levels of gene structure that a report shows, and what they are called in it."""


def run_table(runs: Sequence[RunRecord], manifest: Manifest) -> Table:
    """One row per run: how it began, its head, how long it trained, how good it is."""
    metric = TASKS[manifest.task].metric
    shown = metric_name(manifest)
    rows = []
    for run in runs:
        valid = run.result.get(f"valid_{metric}", run.config.provenance.get(f"valid_{metric}"))
        best = run.result.get("best_step", run.config.provenance.get("step"))
        steps = f"{run.steps:,}" + ("" if run.result else ", stopped")
        trained = (steps, "–" if best is None else f"{best:,}", _number(run.minutes, 1))
        scores = (_number(valid, 3), written(primary_score(run)))
        rows.append((run.name, _init(run), HEAD_NAMES[run.head], *trained, *scores))
    columns = ("run", "encoder", "head", "steps", "best at step", "minutes", f"valid {shown}", f"test {shown} [95 %]")
    return Table("Runs", columns, tuple(rows), _run_note(runs, manifest))


def _run_note(runs: Sequence[RunRecord], manifest: Manifest) -> str:
    notes = ["The checkpoint that is best on valid was scored on test."]
    if any(run.init == "SPT" for run in runs):
        notes.insert(0, "SPT is self-pretraining: the encoder was first pretrained on this dataset's own sequences.")
    blocks = sorted({run.scores["n_blocks"] for run in runs if "n_blocks" in run.scores})
    if blocks:
        counted = "–".join(f"{count:,}" for count in blocks)
        rough = " (few, so they are rough)" if blocks[0] < FEW_BLOCKS else ""
        notes.append(f"Intervals resample {counted} blocks of about 10 kb of the test split{rough}.")
    if averaged := [run.name for run in runs if run.scores.get("average_strands")]:
        notes.append(f"Both strands averaged: {', '.join(averaged)}.")
    if foreign := [run.name for run in runs if not run.scores.get("same_data", True)]:
        notes.append(f"Trained on another dataset, whose sequences may be in this test split: {', '.join(foreign)}.")
    return " ".join(notes)


def _init(run: RunRecord) -> str:
    told = {"scratch": "random", "SPT": "self-pretrained", "pretrained": "pretrained on another dataset"}[run.init]
    return told + (", frozen" if run.settings.get("freeze_encoder") else "")


def gene_tables(runs: Sequence[RunRecord]) -> list[Table]:
    """F1 at three levels, and predictions that no gene could have."""
    rows = []
    for run in runs:
        decoded = {run.name: run.scores}
        if "codons" in run.scores:
            decoded[f"{run.name}, with codons"] = run.scores["codons"]
        for name, scores in decoded.items():
            levels = scores["genes"]["levels"]
            f1 = (written(score_of(levels[key]["f1"])) for key, _ in LEVELS)
            rows.append((name, *f1, f"{levels['gene']['n_predicted']:,}"))
    n_true = runs[0].scores["genes"]["levels"]["gene"]["n_true"]
    columns = ("run", *(f"{name} F1 [95 %]" for _, name in LEVELS), "genes predicted")
    note = (
        f"{n_true:,} annotated genes. An exon counts when both ends of its coding part are exact, a gene when all its "
        "coding exons are those of an annotated isoform. With codons: as predict decodes, whole genes keep to start and "
        "stop codons, the frame, and GT-AG or GC-AG introns; all else here is of the heads alone."
    )
    return [Table("Gene structures", columns, tuple(rows), note), _fault_table(runs)]


def level_tables(runs: Sequence[RunRecord]) -> list[Table]:
    """Sensitivity, precision and F1, a table per level."""
    return [_level_table(runs, key, name) for key, name in LEVELS]


def _level_table(runs: Sequence[RunRecord], key: str, name: str) -> Table:
    rows = []
    for run in runs:
        level = run.scores["genes"]["levels"][key]
        scores = (written(score_of(level[kind])) for kind in ("sensitivity", "precision", "f1"))
        rows.append((run.name, *scores, f"{level['n_true']:,}", f"{level['n_predicted']:,}"))
    columns = ("run", "sensitivity", "precision", "F1", "annotated", "predicted")
    return Table(name[0].upper() + name[1:], columns, tuple(rows))


def _fault_table(runs: Sequence[RunRecord]) -> Table:
    kinds = list(runs[0].scores["structures"]["faults"])
    rows = []
    for run in runs:
        found = run.scores["structures"]
        row = [run.name, f"{found['n_transcripts']:,}", _share(found["n_illegal"], found["n_transcripts"])]
        for kind in kinds:
            among = "n_introns" if kind == INTRON_FAULT else "n_transcripts"
            row.append(_share(found["faults"].get(kind, 0), found[among]))
        rows.append(tuple(row))
    columns = ("run", "predicted genes", "with a fault", *kinds)
    note = "Shares are of predicted transcripts; for introns, of predicted introns."
    return Table("Illegal structures", columns, tuple(rows), note)


def window_table(runs: Sequence[RunRecord]) -> Table:
    """Mean AUROC and AUPRC of each run and of the CpG count."""
    rows = [(run.name, *(written(score_of(run.scores[name])) for name in ("mean_auroc", "mean_auprc"))) for run in runs]
    baseline = runs[0].scores["cpg_count"]
    rows.append(("CpG count", *(written(score_of(baseline[name])) for name in ("mean_auroc", "mean_auprc"))))
    undefined = runs[0].scores.get("undefined", [])
    note = f"{len(undefined)} labels with one class only on test are left out of the means." if undefined else ""
    return Table("Means over labels", ("run", "mean AUROC [95 %]", "mean AUPRC [95 %]"), tuple(rows), note)


def pretrain_table(pretraining: PretrainRecord) -> Table:
    """Nats per masked base and masked accuracy beside the n-gram models."""
    result = pretraining.result
    models = (
        ("pretrained model", result["valid_nats"], pretraining.accuracy),
        (f"Markov, order {result['markov_order']}", result["markov_nats"], result["markov_accuracy"]),
        (f"two-sided k-mer, k = {result['two_sided_k']}", result["two_sided_nats"], result["two_sided_accuracy"]),
    )
    rows = tuple((name, _number(nats, 4), _percent(accuracy)) for name, nats, accuracy in models)
    splits = " and ".join(pretraining.read_splits) or "unknown"
    note = (
        f"{result['n_masked']:,} masked bases of valid, the same for all three. The model read: {splits}; "
        f"{result['steps']:,} steps, best at step {result['best_step']:,}, {result['minutes']:.1f} minutes. "
        f"Guessing all four bases alike costs {math.log(4):.4f} nats."
    )
    return Table("Masked bases", ("model", "nats per masked base", "guessed right"), rows, note)


def dataset_tables(manifest: Manifest) -> list[Table]:
    """Sizes, balance of labels, shared sequence between splits, and what was counted and dropped."""
    splits = manifest.splits
    what = "labeled bases" if manifest.per_base else "labels known"
    sizes = tuple(
        (name, f"{s.n_windows:,}", f"{s.n_bp:,}", f"{s.n_labeled:,}", f"{s.n_missing:,}") for name, s in splits.items()
    )
    tables = [Table("Splits", ("split", "windows", "bases", what, "missing"), sizes)]
    balance = []
    for label in manifest.labels[:_MAX_LABELS]:
        among = {name: s.known_counts.get(label, 0) for name, s in splits.items()}
        balance.append((label, *(_share(s.label_counts.get(label, 0), among[name]) for name, s in splits.items())))
    more = len(manifest.labels) - _MAX_LABELS
    tables.append(Table("Labels", ("label", *splits), tuple(balance), f"And {more} more labels." if more > 0 else ""))
    tables.append(_leakage_table(manifest))
    for title, counts in (("Dropped", manifest.dropped), ("Counted", manifest.counts)):
        rows = tuple((name.replace("_", " "), f"{count:,}") for name, count in counts.items())
        tables.append(
            Table(title, ("reason" if title == "Dropped" else "what", "number"), rows, "" if rows else "Nothing.")
        )
    return tables


def _leakage_table(manifest: Manifest) -> Table:
    pairs = manifest.leakage.pairs
    rows = tuple(
        (
            pair.replace("-", " / "),
            *(
                "–" if number is None else f"{number:,}"
                for number in (counts.n_windows, counts.overlapping, counts.exact, counts.near)
            ),
        )
        for pair, counts in pairs.items()
    )
    known = all(counts.overlapping is not None for counts in pairs.values())
    note = (
        "No window of one split shares sequence with another."
        if pairs and known and not manifest.leakage.shares_sequence
        else ""
    )
    if examples := manifest.leakage.examples:
        note = "For example " + "; ".join(examples[:3]) + "."
    columns = ("splits", "windows of the second", "overlapping", "exact copies", "near copies")
    return Table("Sequence shared between splits", columns, rows, note)


# Settings that options of the command line give; all others come from a TOML file.
_OPTIONS = (
    *("head", "preset", "seed", "steps", "epochs", "batch_bp", "learning_rate", "mask_fraction", "repeat_weight"),
    *("encoder_rate", "class_weights", "pool", "label_fraction", "patience", "accumulate", "max_minutes", "precision"),
    *("accelerator", "devices", "num_nodes"),
)


def commands(runs: Sequence[RunRecord], pretraining: PretrainRecord | None, data: Path) -> list[str]:
    """Commands that make the runs and their scores again, with every setting that is not the default."""
    lines = []
    if pretraining is not None:
        lines += _command("pretrain", pretraining.folder, pretraining.settings, PretrainConfig)
    for run in runs:
        lines += _command("finetune", run.folder, run.settings, FinetuneConfig)
        both = ["--average-strands"] if run.scores.get("average_strands") else []
        lines.append(shlex.join(["dnaspt", "evaluate", str(run.folder), "--data", str(data), "--split", "test", *both]))
    return lines


def _command(name: str, folder: Path, settings: dict[str, Any], kind: type[TrainingConfig]) -> list[str]:
    defaults = {key: field.default for key, field in kind.model_fields.items()}
    words, toml = ["dnaspt", name, str(settings.get("data", "DATA")), "--out", str(folder)], {}
    for key, value in settings.items():
        if key in ("data", "out") or value == _plain(defaults.get(key)) or (key == "epochs" and settings.get("steps")):
            continue
        if key == "freeze_encoder":
            words.append("--freeze-encoder")
        elif key in _OPTIONS or (key == "encoder" and isinstance(value, str)):
            words += ["--" + key.replace("_", "-"), str(value)]
        else:
            toml[key] = value
    lines = [shlex.join([*words, "--config", f"{folder.name}.toml"] if toml else words)]
    return [f"# {folder.name}.toml, as JSON: {json.dumps(toml)}", *lines] if toml else lines


def _plain(value: Any) -> Any:
    """A default as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def _share(count: int, among: int) -> str:
    return f"{count:,} ({count / among:.1%})" if among else f"{count:,}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1%}"
