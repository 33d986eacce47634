"""Evaluated runs, their pretraining and their dataset to the tables of a report, as text."""

import math
from collections.abc import Mapping, Sequence

from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.data.manifest import Manifest, SplitSummary
from dnaspt.evaluation.gene_faults import INTRON_FAULT
from dnaspt.evaluation.metrics import LabelScores
from dnaspt.evaluation.numbers import MEASURES, NUMBER_NAMES
from dnaspt.evaluation.results import METRIC_NAMES, GeneEvaluation
from dnaspt.reports.genes_as_predicted import GenesAsPredicted, as_predicted, as_predicted_table
from dnaspt.reports.records import HEAD_NAMES, PretrainRecord, RunRecord, encoder_run, site_scorer
from dnaspt.reports.tables import Table, written
from dnaspt.tasks import TASKS
from dnaspt.words import words_of

_MAX_LABELS = 30
FEW_BLOCKS = 30
"""Blocks below which intervals are rough."""
LEVELS = (("base", "coding bases"), ("exon", "exons"), ("gene", "genes"))
"""Levels of gene structure that a report shows, and what they are called in it."""


def run_table(runs: Sequence[RunRecord], manifest: Manifest) -> Table:
    """One row for each run: how it began, its head, how long it trained, how good it is.

    Of a gene model, which is estimated, there are no steps and no head alone: nothing stands there, or, where no run has them,
    there are no such columns.
    """
    metric, shown = TASKS[manifest.task].metric, METRIC_NAMES[runs[0].scores.metric]
    has_networks = any(run.is_network for run in runs)
    rows = []
    for run in runs:
        provenance = {} if run.config is None else run.config.provenance
        valid = run.result.scores.get(f"valid_{metric}") if run.result else provenance.get(f"valid_{metric}")
        best = run.result.best_step if run.result else provenance.get("step")
        if run.baseline is not None:
            valid = run.baseline.valid
        steps = f"{run.steps:,}" + ("" if run.result else ", stopped")
        trained: tuple[str, ...] = (steps, "–" if best is None else f"{best:,}")
        scores: tuple[str, ...] = (_number(valid, 3), written(run.scores.primary))
        if run.is_ensemble:
            trained = ("–", "–")
        if not run.is_network:
            trained = ("–", "–") if has_networks else ()
            if manifest.per_base and has_networks:
                scores = ("–", "–")
        rows.append((run.name, _init(run), HEAD_NAMES.get(run.head, "–"), *trained, _number(run.minutes, 1), *scores))
    shown = f"{shown} of the head alone" if manifest.per_base and has_networks else shown
    steps_columns = ("steps", "best at step") if has_networks else ()
    columns = ("run", "encoder", "head", *steps_columns, "minutes", f"valid {shown}", f"test {shown} [95 %]")
    return Table("Runs", columns, tuple(rows), _run_note(runs))


def _run_note(runs: Sequence[RunRecord]) -> str:
    """Notes on the scores: what SPT means, what intervals resample, what is unusual."""
    notes = ["The checkpoint that is best on valid was scored on test."]
    if not any(run.is_network for run in runs):
        notes = []
    elif any(run.is_gene_model for run in runs):
        notes.append("Gene models are estimated: they have no steps, and no head alone.")
    if any(run.init == "SPT" for run in runs):
        notes.insert(0, "SPT is self-pretraining: the encoder was first pretrained on this dataset's own sequences.")
    if baselines := [run.name for run in runs if run.is_baseline]:
        notes.append(f"Baselines, scored on the same test split: {', '.join(baselines)}.")
    blocks = sorted(
        {scores.n_blocks for run in runs if (scores := run.scores.genes or run.scores.windows or run.scores.numbers)}
    )
    if blocks:
        counted = "–".join(f"{count:,}" for count in blocks)
        rough = " (few, so they are rough)" if blocks[0] < FEW_BLOCKS else ""
        drawn = TASKS[runs[0].scores.task].drawn
        notes.append(f"Intervals resample {counted} {drawn} of the test split{rough}.")
    if averaged := [run.name for run in runs if run.scores.average_strands]:
        notes.append(f"Both strands averaged: {', '.join(averaged)}.")
    if foreign := [run.name for run in runs if run.scores.same_data is False]:
        notes.append(f"Trained on another dataset, whose sequences may be in this test split: {', '.join(foreign)}.")
    return " ".join(notes)


def _init(run: RunRecord) -> str:
    if run.config is None:
        return "none (baseline)"
    if run.is_gene_model:
        return _site_encoder(run.config, run.init)
    if run.is_ensemble:
        return f"{len(run.config.members)} models"
    told = {"scratch": "random", "SPT": "self-pretrained", "pretrained": "pretrained on another dataset"}[run.init]
    return told + (", frozen" if run.is_frozen else "")


def _site_encoder(config: CheckpointConfig, init: str) -> str:
    """The encoder that scores the sites of a gene model: none, where letters do; a pretrained one by its run."""
    scorer = site_scorer(config, init)
    known = {"letters": "none (letters)", "random encoder": "random weights"}
    if init != "scratch":
        known = {
            "SPT": f"self-pretrained: {encoder_run(config)}",
            "pretrained": f"pretrained on another dataset: {encoder_run(config)}",
        }
    return known.get(scorer, scorer)


def gene_tables(runs: Sequence[RunRecord]) -> tuple[list[Table], list[Table]]:
    """Tables of genes to show and to fold away: F1 and faults; then sensitivity, precision and F1, a table for each level.

    What `predict` writes comes first, the heads alone after it.
    """
    heads = {run.name: genes for run in runs if (genes := run.scores.genes)}
    if not heads:
        return [], []
    predicted = {run.name: genes for run in runs if (genes := as_predicted(run.scores))}
    rows = []
    for run in runs:
        alone = f"{run.name}, head alone" if run.is_network else run.name
        codons = f"{run.name}, with codons"
        for name, scores in ((alone, run.scores.genes), (codons, run.scores.codons)):
            if scores is not None:
                levels = scores.genes.levels
                f1 = (written(levels[level].f1) for level, _ in LEVELS)
                rows.append((name, *f1, f"{levels['gene'].n_predicted:,}"))
    n_true = next(iter(heads.values())).genes.levels["gene"].n_true
    columns = ("run", *(f"{name} F1 [95 %]" for _, name in LEVELS), "genes predicted")
    note = (
        f"{n_true:,} annotated genes. An exon counts when both ends of its coding part are exact, a gene when all its "
        "coding exons are those of an annotated isoform."
    )
    if any(run.scores.codons for run in runs):
        note += (
            " With codons: as predict decodes, whole genes keep to start and stop codons, the frame, GT-AG or GC-AG introns, "
            "and their shortest length."
        )
    scored = [own for run in runs if (own := GenesAsPredicted.of_run(run))]
    has_codons = any(own.has_codons for own in scored)
    is_written = has_codons or any(not run.is_network for run in runs)
    written_by = "as predict writes genes" if is_written else "heads alone"
    shown = [as_predicted_table(scored), _fault_table(predicted, written_by)]
    shown.append(Table("Gene structures", columns, tuple(rows), note))
    heads = {run.name: heads[run.name] for run in runs if run.name in heads and run.is_network}
    if has_codons:
        shown.append(_fault_table(heads, "heads alone"))
    folded = [_level_table(predicted, level, f"{name}, {written_by}") for level, name in LEVELS]
    if has_codons:
        folded += [_level_table(heads, level, f"{name}, heads alone") for level, name in LEVELS]
    return shown, folded


def _level_table(runs: Mapping[str, GeneEvaluation], level: str, name: str) -> Table:
    rows = []
    for run, scores in runs.items():
        of_level = scores.genes.levels[level]
        values = (written(score) for score in (of_level.sensitivity, of_level.precision, of_level.f1))
        rows.append((run, *values, f"{of_level.n_true:,}", f"{of_level.n_predicted:,}"))
    columns = ("run", "sensitivity", "precision", "F1", "annotated", "predicted")
    return Table(name[0].upper() + name[1:], columns, tuple(rows))


def _fault_table(runs: Mapping[str, GeneEvaluation], decoded: str) -> Table:
    """Predictions that no gene could have; decoded: how they were decoded, in words."""
    kinds = list(next(iter(runs.values())).structures.faults)
    rows = []
    for run, scores in runs.items():
        report = scores.structures
        row = [run, f"{report.n_transcripts:,}", _share(report.n_illegal, report.n_transcripts)]
        for kind in kinds:
            among = report.n_introns if kind == INTRON_FAULT else report.n_transcripts
            row.append(_share(report.faults.get(kind, 0), among))
        rows.append(tuple(row))
    columns = ("run", "predicted genes", "with a fault", *kinds)
    note = "Shares are of predicted transcripts; for introns, of predicted introns."
    return Table(f"Illegal structures, {decoded}", columns, tuple(rows), note)


def window_table(runs: Sequence[RunRecord]) -> Table:
    """Mean AUROC and AUPRC of each run and of the CpG count."""
    scored = {run.name: windows for run in runs if (windows := run.scores.windows)}
    first = next(iter(scored.values()))
    rows = [_window_row(name, windows.labels) for name, windows in scored.items()]
    rows.append(_window_row("CpG count", first.cpg_count))
    errors = [None if own.calibration is None else own.calibration.error for own in scored.values()]
    columns: tuple[str, ...] = ("run", "mean AUROC [95 %]", "mean AUPRC [95 %]")
    n = len(first.labels.undefined)
    notes = [f"{n} labels with one class only on test are left out of the means."] if n else []
    decisions = [own.decisions for own in scored.values()]
    if any(own is not None for own in decisions):
        columns += ("MCC [95 %]", "accuracy [95 %]", "F1 [95 %]")
        cells = [
            ("–",) * 3 if own is None else (written(own.mcc), written(own.accuracy), written(own.f1))
            for own in decisions
        ]
        rows = [(*row, *own) for row, own in zip(rows, [*cells, ("–",) * 3], strict=True)]
        which = "the most probable class" if TASKS[runs[0].scores.task].one_of else "probability one half"
        notes.append(f"MCC, accuracy and F1: decisions by {which}.")
    if any(error is not None for error in errors):
        columns += ("calibration error",)
        rows = [(*row, _number(error, 4)) for row, error in zip(rows, [*errors, None], strict=True)]
        notes.append(
            "Calibration error: the mean difference between a probability and how often such predictions are true."
        )
    return Table("Means over labels", columns, tuple(rows), " ".join(notes))


def number_table(runs: Sequence[RunRecord]) -> Table:
    """Means over the labels that are numbers, of each run."""
    scored = {run.name: own for run in runs if (own := run.scores.numbers)}
    rows = tuple((name, *(written(own.mean[measure]) for measure in MEASURES)) for name, own in scored.items())
    n = len(next(iter(scored.values())).undefined)
    note = f"{n} labels for which no correlation is defined on test are left out of the means." if n else ""
    return Table("Means over labels", ("run", *(f"{name} [95 %]" for name in NUMBER_NAMES.values())), rows, note)


def _window_row(name: str, scores: LabelScores) -> tuple[str, ...]:
    return (name, written(scores.mean_auroc), written(scores.mean_auprc))


def pretrain_table(pretraining: PretrainRecord) -> Table:
    """Nats per masked base and masked accuracy beside the n-gram models."""
    result, ngram = pretraining.result, pretraining.ngram
    models = (
        ("pretrained model", pretraining.nats, pretraining.accuracy),
        (f"Markov, order {ngram.markov_order}", ngram.markov_nats, ngram.markov_accuracy),
        (f"two-sided k-mer, k = {ngram.two_sided_k}", ngram.two_sided_nats, ngram.two_sided_accuracy),
    )
    rows = tuple((name, _number(nats, 4), _percent(accuracy)) for name, nats, accuracy in models)
    splits = " and ".join(pretraining.read_splits) or "unknown"
    note = (
        f"{ngram.n_masked:,} masked bases of valid, the same for all three. The model read: {splits}; "
        f"{result.steps:,} steps, best at step {result.best_step:,}, {result.minutes:.1f} minutes. "
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
    tested = ((f"fold {number}", fold.splits["test"]) for number, fold in enumerate(manifest.folds, start=1))
    sizes += tuple(
        (name, f"{s.n_windows:,}", f"{s.n_bp:,}", f"{s.n_labeled:,}", f"{s.n_missing:,}") for name, s in tested
    )
    tables = [Table("Splits", ("split", "windows", "bases", what, "missing"), sizes)]
    balance = []
    for label in manifest.labels[:_MAX_LABELS]:
        balance.append((label, *(_likeness(s, label) for s in splits.values())))
    more = len(manifest.labels) - _MAX_LABELS
    title = "Labels, mean (standard deviation)" if TASKS[manifest.task].numbers else "Labels"
    tables.append(Table(title, ("label", *splits), tuple(balance), f"And {more} more labels." if more > 0 else ""))
    tables.append(_leakage_table(manifest))
    for title, counts in (("Dropped", manifest.dropped), ("Counted", manifest.counts)):
        rows = tuple((words_of(name), f"{count:,}") for name, count in counts.items())
        tables.append(
            Table(title, ("reason" if title == "Dropped" else "what", "number"), rows, "" if rows else "Nothing.")
        )
    return tables


def _likeness(split: SplitSummary, label: str) -> str:
    """How often a label is true, or what its numbers are like."""
    if split.numbers:
        own = split.numbers.get(label)
        return "–" if own is None else f"{own.mean:.4g} ({own.sd:.3g})"
    return _share(split.label_counts.get(label, 0), split.known_counts.get(label, 0))


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


def _share(count: int, among: int) -> str:
    return f"{count:,} ({count / among:.1%})" if among else f"{count:,}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1%}"
