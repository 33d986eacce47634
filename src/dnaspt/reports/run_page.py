"""Evaluated runs, their pretraining and their dataset to a page that compares them; see `html`."""

import json
import platform
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from dnaspt import __version__
from dnaspt.atomic import sha256_of_file
from dnaspt.browser.igv import one_based
from dnaspt.checkpoint_config import TENSORS, find_checkpoint
from dnaspt.data.manifest import Manifest, read_manifest
from dnaspt.errors import ConfigError, DnasptError
from dnaspt.evaluation.loci import choose_loci
from dnaspt.evaluation.metrics import Score
from dnaspt.evaluation.numbers import NUMBER_NAMES
from dnaspt.evaluation.results import METRIC_NAMES, GeneEvaluation, WindowEvaluation
from dnaspt.inference.attribution_file import read_attributions
from dnaspt.output import refuse_existing, refuse_inputs
from dnaspt.reports import figures
from dnaspt.reports.explanation import kept_in_run
from dnaspt.reports.genome_view import gene_view
from dnaspt.reports.html import Page, Section, make_picture, write_page
from dnaspt.reports.logos import SHOWN_BP, draw_logos, held_loci, top_loci
from dnaspt.reports.records import (
    MetricsRow,
    PretrainRecord,
    RunRecord,
    read_cpg_count,
    read_pretraining,
    read_runs,
)
from dnaspt.reports.run_tables import (
    LEVELS,
    dataset_tables,
    gene_tables,
    number_table,
    pretrain_table,
    run_table,
    window_table,
)
from dnaspt.reports.run_text import answer, commands
from dnaspt.reports.window_sections import calibration_sections, curve_sections, stretch_sections
from dnaspt.tasks import TASKS

_MAX_LABELS_DRAWN = 30
_COUNT = "CpG count"
_ATTRIBUTIONS = "What the model reads"
_N_LOGOS = 3
"""Windows of each run whose logos are drawn."""
N_LOCI = 3
"""Loci of genes that a page holds."""


def write_report(
    out: Path,
    data: Path,
    runs: Sequence[Path],
    pretrain: Path | None = None,
    baselines: Sequence[Path] = (),
    *,
    loci: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Compare evaluated runs of one dataset in an HTML file.

    Args:
        out: the file; figures are also written into a folder beside it.
        data: the dataset that all runs were evaluated on.
        runs: run folders of 'dnaspt finetune', in the order to show them.
        pretrain: run folder of 'dnaspt pretrain'.
        baselines: folders of 'dnaspt baseline', to show after the runs.
        loci: of attributions that runs keep: what to draw, names of windows or chr1:5001-5100; none for the highest predictions.
        overwrite: replace a report that is there.

    Returns:
        The file.

    Raises:
        DnasptError: a run is not evaluated on the test split of this dataset, or a folder is not what it should be.
        ConfigError: the file would replace one that is read, or is there already.
    """
    refuse_inputs(out, {"run": runs, "data": data, "pretraining": pretrain, "baseline": baselines}, is_file=True)
    if out.is_dir():
        raise DnasptError(f"{out}: is a folder; expected the name of an HTML file")
    if out.suffix.lower() not in (".html", ".htm"):
        raise DnasptError(f"{out}: a report is an HTML file; expected a name that ends in .html")
    refuse_existing(out, overwrite=overwrite)
    manifest = read_manifest(data)
    records = read_runs(runs, data, manifest, baselines)
    pretraining = None if pretrain is None else read_pretraining(pretrain)
    counts = next((record.counts for record in records if record.counts is not None), None)
    has_numbers = TASKS[manifest.task].numbers
    has_count = not manifest.per_base and not has_numbers and counts is not None
    cpg_count = read_cpg_count(data, manifest, counts) if has_count and counts is not None else None
    sections = [_scores(records, manifest)]
    if has_numbers:
        sections.append(_number_labels(records, manifest))
    else:
        sections.append(_loci(records, data) if manifest.per_base else _labels(records, manifest))
    counts_of = {record.name: record.counts for record in records}
    if not manifest.per_base and not has_numbers:
        sections += [
            *curve_sections(counts_of | {_COUNT: cpg_count}),
            *calibration_sections({record.name: record.scores for record in records}),
        ]
    if not manifest.per_base:
        sections += stretch_sections(counts_of, data, manifest)
    sections += _attributions(records, manifest, loci)
    if pretraining is not None:
        sections.append(_pretraining(pretraining, manifest))
    if any(record.is_trained for record in records):
        sections.append(_training(records, manifest))
    sections.append(_dataset(manifest))
    compared = _counted(len(runs), "run") + (f" and {_counted(len(baselines), 'baseline')}" if baselines else "")
    page = Page(
        title=f"{data.resolve().name}: comparison of {compared}",
        answer=answer(records, pretraining, cpg_count),
        sections=sections,
        commands=commands(records, pretraining, data),
        versions=_versions(records),
        settings=_settings(records, pretraining, manifest),
    )
    write_page(out, page)
    return out


def _counted(number: int, what: str) -> str:
    """Such as "2 runs"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _windows_of(records: Sequence[RunRecord]) -> list[WindowEvaluation]:
    return [record.scores.windows for record in records if record.scores.windows is not None]


def _scores(records: Sequence[RunRecord], manifest: Manifest) -> Section:
    names = [record.name for record in records]
    caption = "Scores on the test split with 95 % intervals."
    groups: dict[str, list[Score]]
    if manifest.per_base:
        shown_genes = _genes_shown(records)
        names = list(shown_genes)
        groups = {f"{name} F1": [own.genes.levels[level].f1 for own in shown_genes.values()] for level, name in LEVELS}
        groups["MCC"] = [own.mcc for own in shown_genes.values()]
        if any(record.scores.codons for record in records):
            caption += " Genes as predict writes them, with codons, and of the head alone."
        shown, folded = gene_tables(records)
        picture = make_picture("scores", partial(figures.score_dots, groups, names), caption)
        return Section(
            "Scores on the test split", "", (picture,), (run_table(records, manifest), *shown), tuple(folded)
        )
    if TASKS[manifest.task].numbers:
        numbers = [own for record in records if (own := record.scores.numbers) is not None]
        groups = {f"mean {name}": [own.mean[measure] for own in numbers] for measure, name in NUMBER_NAMES.items()}
        picture = make_picture("scores", partial(figures.score_dots, groups, names), caption)
        return Section(
            "Scores on the test split", "", (picture,), (run_table(records, manifest), number_table(records))
        )
    windows = _windows_of(records)
    scored = [*(scores.labels for scores in windows), windows[0].cpg_count]
    groups = {
        "mean AUROC": [labels.mean_auroc for labels in scored],
        "mean AUPRC": [labels.mean_auprc for labels in scored],
    }
    draw = partial(figures.score_dots, groups, [*names, _COUNT], baseline=True)
    tables = (run_table(records, manifest), window_table(records))
    return Section("Scores on the test split", "", (make_picture("scores", draw, caption),), tables)


def _genes_shown(records: Sequence[RunRecord]) -> dict[str, GeneEvaluation]:
    """Scores of the genes of each run as `predict` writes them, and behind them those of its head alone."""
    shown: dict[str, GeneEvaluation] = {}
    for record in records:
        if record.scores.codons is not None:
            shown[record.name] = record.scores.codons
        if record.scores.genes is not None:
            alone = f"{record.name}, head alone" if record.scores.codons is not None else record.name
            shown[alone] = record.scores.genes
    return shown


def _loci(records: Sequence[RunRecord], data: Path) -> Section:
    title = "Example loci"
    loci = choose_loci(data, [(record.folder, bool(record.scores.average_strands)) for record in records], N_LOCI)
    if not loci:
        return Section(title, "The test split has no annotated gene: none is drawn.")
    first, names = loci[0], [record.name for record in records]
    caption = (
        "Boxes are coding exons, lines introns; chevrons point along the strand. A predicted exon is filled where both "
        "its ends are annotated, hollow otherwise. Genes are drawn as predict writes them: with codons where the head knows them."
    )
    if first.missing:
        caption += " Labels are not known where the ground is gray."
    draw = partial(figures.locus_tracks, first, names)
    where = one_based(first.chrom, first.start, first.end)
    text = f"{where} of the test split: {first.choice}."
    if len(loci) > 1:
        text += (
            f" The view has the next {len(loci) - 1}, too. It shows the probability of coding bases beside the genes."
        )
    return Section(title, text, (make_picture("locus", draw, caption, wide=True),), view=gene_view(loci, names))


def _labels(records: Sequence[RunRecord], manifest: Manifest) -> Section:
    """AUROC of each label; where there are many, of some, evenly spread from the best to the worst by CpG count."""
    windows = _windows_of(records)
    scored = [*(scores.labels.auroc for scores in windows), windows[0].cpg_count.auroc]
    by_count = scored[-1]
    labels = [label for label in manifest.labels if by_count[label].value >= 0]
    if not labels:
        return Section("AUROC by label", "No label has both classes on the test split.")
    text = ""
    if len(labels) > _MAX_LABELS_DRAWN:
        ordered = sorted(labels, key=lambda label: -by_count[label].value)
        spread = np.linspace(0, len(labels) - 1, _MAX_LABELS_DRAWN).round().astype(int)
        text = f"{_MAX_LABELS_DRAWN} of {len(labels)} labels, evenly spread from the best to the worst by CpG count."
        labels = [ordered[index] for index in spread]
    groups = {label: [scores[label] for scores in scored] for label in labels}
    names = [*(record.name for record in records), _COUNT]
    caption = "AUROC on the test split with 95 % intervals; the dotted line is chance."
    draw = partial(figures.score_dots, groups, names, chance=0.5, baseline=True)
    return Section("AUROC by label", text, (make_picture("labels", draw, caption),))


def _number_labels(records: Sequence[RunRecord], manifest: Manifest) -> Section:
    """Pearson correlation of each label that is a number, the first ones where there are many."""
    numbers = [own for record in records if (own := record.scores.numbers) is not None]
    shown = manifest.labels[:_MAX_LABELS_DRAWN]
    more = len(manifest.labels) - len(shown)
    text = f"The first {len(shown)} of {len(manifest.labels)} labels." if more else ""
    groups = {label: [own.by_target["pearson"][label] for own in numbers] for label in shown}
    caption = "Pearson correlation on the test split with 95 % intervals."
    draw = partial(figures.score_dots, groups, [record.name for record in records])
    return Section("Pearson correlation by label", text, (make_picture("labels", draw, caption),))


def _attributions(records: Sequence[RunRecord], manifest: Manifest, loci: Sequence[str]) -> list[Section]:
    """Logos of some windows of the test split, of runs that keep attributions; none where no run does.

    Attributions of other weights than the run has now, or of another dataset, are not drawn, and named.

    Raises:
        InputError: a file of attributions that is damaged. ConfigError: loci that there are no attributions of.
    """
    kept = [(record, kept_in_run(record.folder, "test")) for record in records]
    kept = [(record, file) for record, file in kept if file.is_file()]
    if not kept and not loci:
        return []
    if not kept:
        explained = "gene models and bins are not explained" if manifest.per_base or manifest.resolution_bp else ""
        do = explained or "run 'dnaspt explain RUN --data DATA' first"
        raise ConfigError(f"{loci[0]}: no run keeps attributions to draw; {do}")
    if find_spec("tangermeme") is None:
        if loci:
            raise ConfigError(f"{loci[0]}: logos need tangermeme, which is not installed; pip install tangermeme")
        return [Section(_ATTRIBUTIONS, "Logos need tangermeme, which is not installed; pip install tangermeme.")]
    pictures, others, shown, drawn = [], [], list[str](), set[str]()
    for number, (record, file) in enumerate(kept, start=1):
        found = read_attributions(file)
        weights = sha256_of_file(find_checkpoint(record.folder) / TENSORS)
        if (found.weights, found.data_digest) != (weights, manifest.digest):
            others.append(record.name)
            continue
        strands = "both strands averaged" if found.average_strands else "the forward strand"
        highest = f"Of {len(found)} windows that have the label, those with the highest {found.quantity}"
        own_loci = held_loci(found, loci)
        shown += map(str, found.names[:1])
        drawn |= own_loci.keys()
        if loci and not own_loci:
            continue
        which = f"Asked for: {', '.join(own_loci)}" if loci else highest
        caption = (
            f"{record.name}: what each base contributes to the {found.quantity} of {found.label}, {found.unit}, by "
            f"{found.method}, {strands}. {which}; of whole windows the {SHOWN_BP} bases that contribute most. "
            "Letters that stand on their heads make it smaller."
        )
        draw = partial(draw_logos, found, list(own_loci.values()) if loci else top_loci(found, _N_LOGOS))
        pictures.append(make_picture(f"logos{number}", draw, caption, wide=True))
    if missing := [name for name in loci if name not in drawn]:
        stale = (
            f" (those of {', '.join(others)} are of other weights or data: run 'dnaspt explain' again)"
            if others
            else ""
        )
        such = f"; there are windows such as {shown[0]}" if shown else ""
        raise ConfigError(f"{missing[0]}: no run has attributions of it{stale}{such}")
    text = "Attributions say what the model reads, not what the cell does (docs/explain.md)."
    if others:
        text += f" Those of {', '.join(others)} are of other weights or data than here: run 'dnaspt explain' again."
    return [Section(_ATTRIBUTIONS, text, tuple(pictures))]


def _pretraining(pretraining: PretrainRecord, manifest: Manifest) -> Section:
    ngram = pretraining.ngram
    line = _curve("pretrained model", pretraining.metrics, "valid_nats", 1)
    levels = {
        f"Markov, order {ngram.markov_order}": ngram.markov_nats,
        f"two-sided k-mer, k = {ngram.two_sided_k}": ngram.two_sided_nats,
    }
    caption = "Validation during pretraining: nats per masked base, lower is better."
    picture = make_picture("pretraining", lambda: figures.curves([line], "nats per masked base", levels), caption)
    is_same = pretraining.config.data_digest == manifest.digest
    text = "" if is_same else "This model was pretrained on another dataset than the one the runs were evaluated on."
    held_out = [name for name in pretraining.read_splits if name in ("valid", "test")]
    if is_same and held_out:
        text = f"This model has read the sequences (not the labels) of {' and '.join(held_out)}."
    return Section("Pretraining", text, (picture,), (pretrain_table(pretraining),))


def _training(records: Sequence[RunRecord], manifest: Manifest) -> Section:
    """Curves of the runs that were trained: gene models are estimated, and ensembles joined."""
    metric, shown = TASKS[manifest.task].metric, METRIC_NAMES[records[0].scores.metric]
    networks = [(index, record) for index, record in enumerate(records) if record.is_trained]
    loss = [_curve(record.name, record.metrics, "loss", index) for index, record in networks]
    valid = [_curve(record.name, record.metrics, f"valid_{metric}", index) for index, record in networks]
    scale = " Losses of different heads are on different scales." if len({r.head for _, r in networks}) > 1 else ""
    unit = "labeled base" if manifest.per_base else "label of a window"
    of_loss = "training loss" if TASKS[manifest.task].numbers else "training loss (nats)"
    pictures = [
        make_picture("loss", lambda: figures.curves(loss, of_loss), f"Training loss per {unit}.{scale}"),
        make_picture("valid", lambda: figures.curves(valid, f"valid {shown}"), "Score on the valid split."),
    ]
    exons = [_curve(record.name, record.metrics, "valid_exon_f1", index) for index, record in networks]
    if exons := [curve for curve in exons if len(curve.x)]:
        caption = "F1 of exons on the valid split, as predict writes genes."
        pictures.append(make_picture("valid_exons", lambda: figures.curves(exons, "valid exon F1"), caption))
    without = sorted({record.name for record in records if not record.is_trained})
    text = f"Without curves, since no steps were trained: {', '.join(without)}." if without else ""
    return Section("Training", text, tuple(pictures))


def _curve(name: str, metrics: Sequence[MetricsRow], key: str, style: int) -> figures.Curve:
    """A number of metrics.jsonl by step."""
    points = [(row["step"], row[key]) for row in metrics if row.get(key) is not None]
    x, y = np.array(points, dtype=float).reshape(-1, 2).T
    return figures.Curve(name, x, y, style)


def _dataset(manifest: Manifest) -> Section:
    sizes, labels, leakage, dropped, counted = dataset_tables(manifest)
    words = [f"Task {manifest.task}, windows of {manifest.window_bp:,} bp."]
    if manifest.stop_in_cds is not None:
        words.append(f"The stop codon is {'part' if manifest.stop_in_cds else 'no part'} of the coding sequence.")
    return Section("Dataset", " ".join(words), (), (sizes, leakage, dropped), (labels, counted))


def _settings(
    records: Sequence[RunRecord], pretraining: PretrainRecord | None, manifest: Manifest
) -> Mapping[str, str]:
    """Settings in full, as JSON, by what they belong to."""
    settings: dict[str, Any] = {
        "dataset": {
            "digest": manifest.digest,
            "settings": manifest.settings,
            "sources": [source.model_dump() for source in manifest.sources],
        }
    }
    if pretraining is not None:
        settings[f"pretraining ({pretraining.folder})"] = pretraining.settings
    settings |= {f"{record.name} ({record.folder})": record.settings for record in records}
    return {name: json.dumps(content, indent=1) for name, content in settings.items()}


def _versions(records: Sequence[RunRecord]) -> str:
    trained = sorted({record.config.dnaspt_version for record in records if record.config is not None})
    return (
        f"dnaspt {__version__} (checkpoints: {', '.join(trained)}), torch {torch.__version__}, "
        f"matplotlib {matplotlib.__version__}, Python {platform.python_version()} on {platform.system()}"
    )
