"""A dataset folder, a run or an evaluation as tables: what `dnaspt inspect` prints and `dnaspt.inspect` returns.

What needs torch is imported late: a dataset is described without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaspt.data.manifest import LeakageReport, Manifest, read_manifest
from dnaspt.errors import DnasptError
from dnaspt.reports.tables import Table, cell, value_table
from dnaspt.tasks import GENE_MODEL, TASKS
from dnaspt.words import LEVELS, words_of

if TYPE_CHECKING:
    from dnaspt.baselines.results import BaselineResult
    from dnaspt.checkpoint_config import CheckpointConfig, SplitRates
    from dnaspt.evaluation.decisions import DecisionScores
    from dnaspt.evaluation.metrics import Score
    from dnaspt.evaluation.numbers import NumberScores
    from dnaspt.evaluation.results import Evaluation, GeneEvaluation, VariantEvaluation, WindowEvaluation

_FEW_LABELS = 30
"""Labels that are listed one by one."""


@dataclass(frozen=True, slots=True)
class Description:
    """Tables that describe a dataset, a run or a baseline.

    Attributes:
        title: path of what is described.
        tables: tables with a title, columns, rows and a note.
        content: what the tables are made of, as `--json` prints it (docs/json.md).

    Example:
        >>> about = dnaspt.inspect("runs/genes")
        >>> print(about.tables[0].title)
        runs/genes: model for genes
    """

    title: str
    tables: tuple[Table, ...]
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what the tables are made of, with numbers that are not rounded (docs/json.md)."""
        return dict(self.content)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables))

    def _repr_html_(self) -> str:
        """The tables as a notebook shows them."""
        import pandas as pd

        parts = []
        for table in self.tables:
            frame = pd.DataFrame(table.rows, columns=list(table.columns))
            parts.append(f"<h4>{escape(table.title)}</h4>{frame.to_html(index=False)}<p>{escape(table.note)}</p>")
        return "".join(parts)


def describe(path: Path) -> Description:
    """Describe a dataset folder, a run or the folder of a baseline.

    Raises:
        DnasptError: none of these.
    """
    if (path / "manifest.json").is_file():
        manifest = read_manifest(path)
        return Description(str(path), tuple(describe_dataset(manifest, str(path))), dataset_content(manifest, path))
    if path.is_dir():
        from dnaspt.baselines.results import read_result

        if (result := read_result(path)) is not None:
            content = {"path": str(path), "result": result.to_dict(), "evaluations": _evaluations_content(path)}
            return Description(str(path), tuple(_baseline_tables(path, result)), content)
        return Description(str(path), tuple(_run_tables(path)), run_content(path))
    problem = "is a file" if path.is_file() else "no such folder"
    raise DnasptError(f"{path}: {problem}; expected a dataset or a run")


def dataset_content(manifest: Manifest, path: Path) -> dict[str, Any]:
    """A dataset for JSON: its path, and all that its manifest.json says."""
    return {"path": str(path)} | manifest.model_dump(mode="json")


def run_content(run: Path) -> dict[str, Any]:
    """A run for JSON: checkpoint with its description, result (None where it is not finished) and evaluations, by file.

    Raises:
        DnasptError: no run.
    """
    from dnaspt.checkpoint_config import find_checkpoint, read_config
    from dnaspt.json_files import read_json

    config, result = read_config(run), run / "result.json"
    content = {
        "path": str(run),
        "checkpoint": str(find_checkpoint(run)),
        "config": config.model_dump(mode="json"),
        "result": read_json(result) if result.is_file() else None,
        "evaluations": _evaluations_content(run),
    }
    if config.head == GENE_MODEL:
        content["weights"] = {name: value for name, value, _ in _weights_of(find_checkpoint(run))}
    return content


def _evaluations_content(folder: Path) -> dict[str, Any]:
    """Evaluations of a folder by the name of their file."""
    from dnaspt.evaluation.results import read_evaluation

    return {file.stem: read_evaluation(file).to_dict() for file in sorted(folder.glob("evaluation-*.json"))}


def describe_dataset(manifest: Manifest, name: str) -> list[Table]:
    """Tables of a dataset: sizes, class balance, counts, what was dropped and why, leakage between splits."""
    sizes = [
        (split, f"{s.n_windows:,}", f"{s.n_bp:,}", f"{s.n_labeled:,}", f"{s.n_missing:,}")
        for split, s in manifest.splits.items()
    ]
    unit = "bases" if manifest.per_base else "labels"
    columns = ("split", "windows", "bp", f"{unit} known", "missing")
    tables = [Table(f"{name}: {manifest.task}", columns, tuple(sizes))]
    if manifest.labels:
        tables.append(_class_balance(manifest, name))
    if manifest.folds:
        tables.append(_folds(manifest, unit))
    counts = {name: f"{number:,}" for name, number in manifest.counts.items()}
    dropped = {reason: f"{number:,}" for reason, number in manifest.dropped.items()}
    tables += [*value_table("counted", counts), *value_table("dropped, by reason", dropped)]
    return tables + _leakage(manifest.leakage)


def _folds(manifest: Manifest, unit: str) -> Table:
    """What each fold tests, and what its models are trained and chosen on."""
    rows = []
    for number, fold in enumerate(manifest.folds, start=1):
        train, valid, test = (fold.splits[name] for name in ("train", "valid", "test"))
        contigs = ", ".join(fold.contigs[:3]) + (", ..." if len(fold.contigs) > 3 else "")
        rows.append(
            (str(number), contigs, f"{train.n_bp:,}", f"{valid.n_bp:,}", f"{test.n_bp:,}", f"{test.n_labeled:,}")
        )
    columns = ("fold", "tested on", "bp train", "bp valid", "bp test", f"{unit} known in test")
    return Table("folds", columns, tuple(rows))


def _number_summaries(manifest: Manifest, name: str) -> Table:
    """Mean and standard deviation of each label in each split, and its range over all of them."""
    rows = []
    for label in manifest.labels[:_FEW_LABELS]:
        known = [own.numbers[label] for own in manifest.splits.values() if label in own.numbers]
        cells = []
        for summary in manifest.splits.values():
            own = summary.numbers.get(label)
            cells.append("-" if own is None else f"{own.mean:.4g} ({own.sd:.3g})")
        span = (
            (f"{min(own.least for own in known):.4g}", f"{max(own.most for own in known):.4g}") if known else ("-", "-")
        )
        rows.append((label, *cells, *span))
    more = len(manifest.labels) - _FEW_LABELS
    note = f"and {more} more labels, in {name}/manifest.json" if more > 0 else ""
    return Table("numbers: mean (sd)", ("label", *manifest.splits, "least", "most"), tuple(rows), note)


def _class_balance(manifest: Manifest, name: str) -> Table:
    """How often each label is true, in each split; of numbers what they are like."""
    if TASKS[manifest.task].numbers:
        return _number_summaries(manifest, name)
    rows = []
    for number, label in enumerate(manifest.labels[:_FEW_LABELS]):
        row = [f"{number} {label}"]
        for summary in manifest.splits.values():
            count, known = summary.label_counts.get(label, 0), summary.known_counts.get(label, 0)
            row += [f"{count:,}", f"{count / known:.2%}" if known else "-"]
        rows.append(tuple(row))
    columns = ("label", *(column for split in manifest.splits for column in (split, "share")))
    more = len(manifest.labels) - _FEW_LABELS
    note = f"and {more} more labels, in {name}/manifest.json" if more > 0 else ""
    return Table("class balance", columns, tuple(rows), note)


def _leakage(leakage: LeakageReport) -> list[Table]:
    """Windows that two splits share."""
    if not leakage.pairs:
        return []
    names = ("n_windows", "overlapping", "exact", "near")
    rows = tuple(
        (pair, *("-" if (number := getattr(counts, name)) is None else f"{number:,}" for name in names))
        for pair, counts in leakage.pairs.items()
    )
    title = f"leakage between splits, windows (near: {leakage.min_containment:.0%} of the {leakage.k}-mers)"
    return [Table(title, ("splits", "windows", *names[1:]), rows, "\n".join(leakage.examples))]


def _run_tables(run: Path) -> list[Table]:
    """Tables of a run: its model, its result and its evaluations."""
    from dnaspt.checkpoint_config import find_checkpoint, read_config
    from dnaspt.evaluation.results import read_evaluation
    from dnaspt.json_files import read_json

    config = read_config(run)
    if config.head == GENE_MODEL:
        tables = _gene_model_tables(run, config)
        for file in sorted(run.glob("evaluation-*.json")):
            tables += evaluation_tables(read_evaluation(file), str(file))
        return tables
    kind = "language model" if config.kind == "language" else f"model for {config.task}"
    model: dict[str, Any] = {"checkpoint": find_checkpoint(run)} | config.encoder.model_dump()
    if config.kind == "task":
        model |= {"head": config.head, "labels": ", ".join(config.labels[:9])}
        model |= {"share of the composition": f"{config.composition:.2f}"} if config.composition is not None else {}
        if config.slopes:
            model |= {"slopes of its numbers": ", ".join(f"{slope:.3g}" for slope in config.slopes[:_FEW_LABELS])}
        elif config.biases and not TASKS[config.task].numbers:
            model |= {"temperature": f"{config.temperature:.3f}"}
        model |= {"averages both strands": "yes, better on valid"} if config.both_strands else {}
    provenance = {name: value for name, value in config.provenance.items() if not isinstance(value, dict | list)}
    tables = value_table(f"{run}: {kind}", model)
    if config.members:
        tables = [_members_table(run, config)]
        if config.composition is not None:
            tables += value_table("composition", {"share of the composition": f"{config.composition:.2f}"})
    tables += value_table("provenance", provenance | {"data digest": config.data_digest[:16]})
    if (run / "result.json").is_file():
        content = read_json(run / "result.json")
        tables += value_table("result", {name: value for name, value in content.items() if name != "format_version"})
    elif (run / "run.json").is_file():
        tables.append(Table("not finished: go on with --resume", (), ()))
    for file in sorted(run.glob("evaluation-*.json")):
        tables += evaluation_tables(read_evaluation(file), str(file))
    return tables


def _baseline_tables(folder: Path, result: "BaselineResult") -> list[Table]:
    """Tables of a baseline: what it is and what was chosen on valid, what was left out, its evaluations."""
    from dnaspt.evaluation.results import read_evaluation

    known = {name: value for name, value in result.to_dict().items() if name not in ("left_out", "steps")}
    tables = value_table(f"{folder}: baseline", known)
    tables += value_table("left out or odd in the annotation", {name: n for name, n in result.left_out.items() if n})
    for file in sorted(folder.glob("evaluation-*.json")):
        tables += evaluation_tables(read_evaluation(file), str(file))
    return tables


def _members_table(run: Path, config: "CheckpointConfig") -> Table:
    """The models of an ensemble, and their weights."""
    sources = config.provenance.get("members", [])
    rows = tuple(
        (str(own.get("path", "-")), cell(own.get("weight")), f"{part.encoder.architecture}, {part.encoder.hidden_size}")
        for own, part in zip(sources, config.members, strict=False)
    )
    title = f"{run}: ensemble of {len(config.members)} models for {config.task}, head {config.head}"
    return Table(title, ("model", "weight", "encoder, hidden size"), rows)


def _gene_model_tables(run: Path, config: "CheckpointConfig") -> list[Table]:
    """Tables of a gene model: what it was estimated from, what scores its sites, its scores and its weights."""
    from dnaspt.checkpoint_config import find_checkpoint
    from dnaspt.reports.records import encoder_run, init_of, site_scorer
    from dnaspt.training.runs import RESULT, SETTINGS, read_result

    provenance, pretrained = config.provenance, encoder_run(config)
    result = read_result(run) if (run / RESULT).is_file() else None
    settings, network = provenance.get("settings", {}), provenance.get("network", {})
    fraction = settings.get("label_fraction")
    scorer = site_scorer(config, init_of(config, config.data_digest))
    scorers = {
        "random encoder": "an encoder of random weights (a control)",
        "SPT": f"the self-pretrained encoder of {pretrained}",
        "pretrained": f"the encoder of {pretrained}, pretrained on another dataset",
    }
    known = {
        "checkpoint": find_checkpoint(run),
        "genes learned from": provenance.get("n_genes"),
        "bases learned from": provenance.get("n_bp", None if result is None else result.n_bp),
        "sites scored by": scorers.get(scorer, scorer),
        "label fraction": f"{fraction:g}" if isinstance(fraction, int | float) else fraction,
        "seed": settings.get("seed"),
        "genetic code": config.genetic_code,
        "start codons": ", ".join(config.start_codons),
        "shortest intron, bp": config.min_intron_bp,
        "data digest": config.data_digest[:16],
    }
    if config.network is not None:
        size = f"{config.network.encoder.architecture}, hidden size {config.network.encoder.hidden_size}"
        known["network"] = f"{config.network.head} ({size}) of {network.get('path', 'a run that is not on record')}"
    if result is not None:
        known |= {"minutes": result.minutes, "device": result.device or None}
    tables = value_table(f"{run}: gene model", {name: value for name, value in known.items() if value is not None})
    tables += _estimated_scores(provenance)
    tables.append(_gene_weights(find_checkpoint(run)))
    if config.operating_points:
        tables.append(_offsets_table(config))
    if "valid_by_weight" in network:
        tables.append(_weights_table(network))
    if result is None and (run / SETTINGS).is_file():
        tables.append(Table("not finished: go on with --resume", (), ()))
    return tables


def _estimated_scores(provenance: dict[str, Any]) -> list[Table]:
    """Scores of train, out of fold, and of valid, side by side; none where they are not on record."""
    splits = ("train", "valid")
    names = {name.split("_", 1)[1]: None for name in provenance if name.startswith(tuple(f"{s}_" for s in splits))}
    rows = tuple((words_of(name), *(cell(provenance.get(f"{split}_{name}")) for split in splits)) for name in names)
    return [Table("scores; train: out of fold", ("score", "train, out of fold", "valid"), rows)] if rows else []


def _gene_weights(checkpoint: Path) -> Table:
    """The weights of a gene model, by name."""
    rows = tuple((name, f"{value:.3f}", f"{begun:.3f}") for name, value, begun in _weights_of(checkpoint))
    note = "The last one is in nats, added to the log-odds of a gene's beginning; the others are factors."
    return Table("weights", ("weight", "value", "where the search began"), rows, note)


def _weights_of(checkpoint: Path) -> list[tuple[str, float, float]]:
    """Name of each weight of a gene model, its value, and where the search began.

    Raises:
        CheckpointError: the checkpoint has no such weights.
    """
    from dnaspt.checkpoint import read_tensors
    from dnaspt.checkpoint_config import TENSORS
    from dnaspt.errors import CheckpointError
    from dnaspt.models.gene_model import PRIOR_WEIGHTS, WEIGHT_NAMES

    weights = read_tensors(checkpoint / TENSORS).get("head.weights")
    if weights is None or weights.shape != PRIOR_WEIGHTS.shape:
        raise CheckpointError(
            f"{checkpoint / TENSORS}: has no {len(WEIGHT_NAMES)} weights of a gene model; is it whole?"
        )
    return list(zip(WEIGHT_NAMES, weights.tolist(), PRIOR_WEIGHTS.tolist(), strict=True))


def _offsets_table(config: "CheckpointConfig") -> Table:
    """Sensitivity and precision of exons for each gene offset."""

    def exons(rates: "SplitRates") -> tuple[str, str]:
        return cell(rates.exon.sensitivity), cell(rates.exon.precision)

    rows = tuple(
        (f"{point.gene_offset:+g}", *exons(point.valid), *exons(point.train)) for point in config.operating_points
    )
    columns = (
        "gene offset, nats",
        *(f"{kind}, {split}" for split in ("valid", "train") for kind in ("sensitivity", "precision")),
    )
    note = "--sensitivity of 'dnaspt predict' chooses among these."
    return Table("exons by gene offset; train: out of fold", columns, rows, note)


def _weights_table(network: dict[str, Any]) -> Table:
    """Scores on valid for each weight of a gene model's network."""
    rows = network["valid_by_weight"]
    names = [name for name in rows[0] if name != "weight"]
    written = tuple(
        (f"{row['weight']:g}", *("-" if row[name] is None else f"{row[name]:.4f}" for name in names)) for row in rows
    )
    title = f"scores on valid by the weight of the network; {network['weight']:g} was chosen"
    return Table(title, ("weight", *map(words_of, names)), written)


def evaluation_tables(evaluation: "Evaluation", name: str) -> list[Table]:
    """Tables of one evaluation: scores with 95 % intervals."""
    title = f"{name}: {evaluation.split}"
    if evaluation.genes is not None:
        if evaluation.codons is None:
            return _gene_tables(evaluation.genes, title)
        alone = _gene_tables(evaluation.genes, f"{title}, head alone")
        return alone + _gene_tables(evaluation.codons, f"{title}, as predict decodes: with codons")
    if evaluation.variants is not None:
        return [_variant_table(evaluation.variants, f"{name}: {evaluation.n_variants or 0:,} variants")]
    if evaluation.numbers is not None:
        return _number_tables(evaluation.numbers, title)
    assert evaluation.windows is not None
    tables = _window_tables(evaluation.windows, title)
    if (decisions := evaluation.windows.decisions) is not None:
        tables.insert(1, _decision_table(decisions, one_of=TASKS[evaluation.task].one_of))
    return tables


def _gene_tables(scores: "GeneEvaluation", title: str) -> list[Table]:
    levels = tuple(
        (LEVELS[name], *map(_interval, (level.sensitivity, level.precision, level.f1)))
        for name, level in scores.genes.levels.items()
    )
    of_genes = scores.genes.levels["gene"]
    counted = (
        f"{of_genes.n_true:,} annotated genes, {of_genes.n_found:,} of them exact; {of_genes.n_predicted:,} predicted"
    )
    note = f"intervals are over {scores.n_blocks:,} blocks of about 10 kb"
    return [
        Table(title, ("metric", "value [95 % interval]"), (("MCC, all bases", _interval(scores.mcc)),), note),
        Table("gene structures", ("level", "sensitivity", "precision", "F1"), levels, counted),
        *value_table("faults of predicted transcripts", scores.structures.faults),
    ]


def _variant_table(scores: "VariantEvaluation", title: str) -> Table:
    rows = tuple((name, _interval(score), _interval(scores.auprc[name])) for name, score in scores.auroc.items())
    return Table(title, ("score", "AUROC", "AUPRC"), rows)


def _window_tables(scores: "WindowEvaluation", title: str) -> list[Table]:
    """AUROC and AUPRC of the model, and of the CpG count: two tables, so that no interval is cut at 80 columns."""
    error = scores.calibration.error if scores.calibration is not None else None
    note = "" if error is None else f"expected calibration error {error:.4f}"
    tables = []
    for name, labels, own_note in (
        (title, scores.labels, note),
        ("CpG count, which a model has to beat", scores.cpg_count, ""),
    ):
        rows = [("mean", _interval(labels.mean_auroc), _interval(labels.mean_auprc))]
        rows += [(label, _interval(area), _interval(labels.auprc[label])) for label, area in labels.auroc.items()]
        tables.append(Table(name, ("label", "AUROC", "AUPRC"), tuple(rows), own_note))
    return tables


def _number_tables(scores: "NumberScores", title: str) -> list[Table]:
    """Correlations and R2 of each target, and their means: two tables, so that no interval is cut at 80 columns."""
    from dnaspt.evaluation.numbers import NUMBER_NAMES

    tables = []
    for name, measures in ((title, ("pearson", "spearman")), ("R2", ("r2",))):
        rows = [("mean", *(_interval(scores.mean[measure]) for measure in measures))]
        if len(scores.targets) > 1:
            rows += [
                (target, *(_interval(scores.by_target[measure][target]) for measure in measures))
                for target in scores.targets
            ]
        tables.append(Table(name, ("label", *(NUMBER_NAMES[measure] for measure in measures)), tuple(rows)))
    return tables


def _decision_table(scores: "DecisionScores", *, one_of: bool) -> Table:
    """MCC, accuracy and F1 of what is decided, over all labels; and F1 of each, where there are several."""
    title = "decisions: the most probable class" if one_of else "decisions at probability one half"
    over = "all" if one_of else "mean"
    rows = [(over, *map(_interval, (scores.mcc, scores.accuracy, scores.f1)))]
    if len(scores.by_label) > 1:
        rows += [(name, "", "", _interval(score)) for name, score in scores.by_label.items()]
    return Table(title, ("label", "MCC", "accuracy", "F1"), tuple(rows))


def _interval(score: "Score") -> str:
    """0.612 [0.583, 0.641], or - where it is not defined."""
    return score.with_interval(undefined="-")
