"""A study to one HTML file: the answer, scores and gains with intervals, fewer labels, learning curves, and how it was made."""

import json
import logging
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dnaspt import __version__
from dnaspt.data.manifest import Manifest
from dnaspt.errors import DatasetError
from dnaspt.evaluation.loci import example_loci
from dnaspt.evaluation.metrics import Score
from dnaspt.evaluation.results import BootstrapCounts
from dnaspt.reports import figures
from dnaspt.reports.compare import LONGER, Difference, Group, differences_of, groups_by_gene_measure
from dnaspt.reports.genome_view import gene_view
from dnaspt.reports.html import Page, Picture, Section, make_picture, write_page
from dnaspt.reports.run_tables import dataset_tables
from dnaspt.reports.study_tables import (
    cost_table,
    gene_tables,
    rate_table,
    records_by_arm,
    score_tables,
    study_tables,
    version_table,
)
from dnaspt.reports.study_text import method
from dnaspt.reports.tables import Table
from dnaspt.reports.window_sections import calibration_sections, curve_sections, stretch_sections
from dnaspt.studies.records import Record
from dnaspt.studies.scheduler import StudyRuns
from dnaspt.studies.settings import StudyConfig
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)


def study_sections(
    study: StudyConfig, runs: StudyRuns, groups: Sequence[Group], differences: Sequence[Difference], metric: str
) -> list[Section]:
    """The parts of a study's report.

    Args:
        study: settings of the study.
        runs: its finished runs.
        groups: the same by arm and label fraction.
        differences: what arms gain over others.
        metric: name of the metric.
    """
    scores, gains, claims = study_tables(study, groups, differences, metric, runs.dataset.task)
    by_measure = groups_by_gene_measure(runs.finals)
    of_genes, gains_of_genes = gene_tables(
        by_measure, {measure: differences_of(study, own) for measure, own in by_measure.items()}
    )
    tables_of_scores, tables_of_gains = (scores, *of_genes), (gains, *gains_of_genes, claims)
    if study.has_gene_models:  # whole genes come first
        tables_of_scores, tables_of_gains = (*of_genes, scores), (*gains_of_genes, gains, claims)
    sections = [
        _scores(groups, metric, method(study, groups, runs.finals, runs.pretrainings), tables_of_scores),
        _gains(differences, metric, tables_of_gains),
    ]
    sections += [_details(study, runs), *_fewer_labels(groups, metric), _cost(groups, differences, runs, metric)]
    if not runs.dataset.per_base and not TASKS[runs.dataset.task].numbers:
        sections += _windows(study, runs.finals)
    if not runs.dataset.per_base:
        sections += _stretches(study, runs)
    return [*sections, _learning(groups, runs.finals, metric), *_examples(study, runs.finals), _dataset(runs.dataset)]


def write_study_page(
    out: Path, study: StudyConfig, answer: Sequence[str], sections: Sequence[Section], commands: Sequence[str]
) -> None:
    """Write the page, and its figures beside it."""
    page = Page(
        title=f"{study.title}: {len(study.arms)} arms, {len(study.seeds)} seeds",
        answer=answer,
        sections=sections,
        commands=commands,
        versions=versions(),
        settings={"the study": json.dumps(study.model_dump(mode="json"), indent=1)},
    )
    write_page(out, page)


def versions() -> str:
    """Versions of the software that wrote a report."""
    return f"Written by dnaspt {__version__}, torch {torch.__version__}, Python {platform.python_version()}"


def _scores(groups: Sequence[Group], metric: str, how: str, tables: tuple[Table, ...]) -> Section:
    """Scores of the arms with all labels, or of all where none has them."""
    shown = [group for group in groups if group.fraction == 1] or list(groups)
    rows, names = {metric: [group.score for group in shown]}, [group.arm for group in shown]
    chance = {"MCC": 0.0, "mean AUROC": 0.5}.get(metric)
    dotted = "" if chance is None else "; dotted: chance"
    caption = f"Test {metric}, mean over seeds, with 95 % intervals over seeds and test blocks{dotted}."
    picture = make_picture("scores", lambda: figures.score_dots(rows, names, chance=chance), caption)
    return Section("Scores on the test split", how, (picture,), tables)


def _gains(differences: Sequence[Difference], metric: str, tables: tuple[Table, ...]) -> Section:
    title, picture = "Differences between arms", gains_picture("gains", differences, metric)
    if picture is None:
        return Section(title, "No two arms differ in one thing alone.", (), tables)
    return Section(title, "", (picture,), tables)


def gains_picture(name: str, differences: Sequence[Difference], metric: str) -> Picture | None:
    """Gains with their intervals; None where there are none."""
    if not differences:
        return None
    rows = {difference.sides(" to "): [difference.gain] for difference in differences}
    caption = (
        f"Gain in test {metric} from the first to the second, paired by seed and test block; dotted: no difference."
    )
    return make_picture(name, lambda: figures.score_dots(rows, ["gain"], chance=0.0), caption)


def _details(study: StudyConfig, runs: StudyRuns) -> Section:
    shown, folded = score_tables(runs)
    rates = rate_table(runs.trials, study.tuning_share)
    tables = (*shown, rates) if rates else tuple(shown)
    return Section("In detail", "Means over the seeds, all labels.", (), tables, tuple(folded))


def _cost(groups: Sequence[Group], differences: Sequence[Difference], runs: StudyRuns, metric: str) -> Section:
    """Scores by the total of bases seen, with pretraining: the effect of longer training and of pretraining."""
    seen_mb = {
        arm: float(np.mean([_bases_seen(runs, record) for record in own])) / 1e6
        for arm, own in records_by_arm(runs.finals).items()
    }
    scores = {group.arm: group.score for group in groups if group.fraction == 1 and not group.baseline}
    longer = {difference.before: difference.after for difference in differences if difference.question == LONGER}
    lines = []
    for index, arm in enumerate(scores):
        along = [name for name in (arm, longer.get(arm, "")) if not math.isnan(seen_mb.get(name, math.nan))]
        if along and arm not in longer.values():
            points = {seen_mb[name]: scores[name] for name in along}
            lines.append(_with_intervals(" – ".join(along), index, points))
    tables = (cost_table(runs), version_table(runs.of_folds or runs.finals))
    if not lines:
        return Section("Cost", "", (), tables)
    caption = (
        f"Test {metric}, mean over seeds with 95 % intervals, by the bases that a run reads in pretraining and after it, "
        "in Mb; all labels."
    )
    draw = partial(figures.curves, lines, f"test {metric}", x_label="Mb read")
    return Section("Cost", "", (make_picture("cost", draw, caption),), tables)


def _bases_seen(runs: StudyRuns, record: Record) -> float:
    """Bases read in pretraining and after it; nan where the encoder was given."""
    pretraining = runs.pretraining_of(record)
    return math.nan if pretraining is None else float(pretraining.n_bp + record.result.n_bp)


def _examples(study: StudyConfig, records: Sequence[Record]) -> list[Section]:
    """Stretches of the test split: annotation, and what the first seed of each arm predicts."""
    firsts = {arm: own[0] for arm, own in records_by_arm(records).items() if own[0].examples}
    if not firsts:
        return []
    fold = int(study.folds is not None)
    examples, coding = [own.examples for own in firsts.values()], [own.examples_coding for own in firsts.values()]
    loci = example_loci(study.data, examples, fold, coding)
    pictures = [
        make_picture(
            f"locus{number}",
            partial(figures.locus_tracks, locus, list(firsts)),
            f"{locus.chrom}:{locus.start + 1:,}–{locus.end:,}, {locus.choice}.",
            wide=True,
        )
        for number, locus in enumerate(loci, start=1)
    ]
    alone = [arm for arm, own in firsts.items() if not own.job.baseline and not own.examples_as_predicted]
    decoded = "networks as predict writes genes"
    if alone:
        decoded = f"by their heads alone: {', '.join(alone)}"
    text = (
        f"Seed {study.seeds[0]}{', fold 1,' if fold else ''} of each arm; {decoded}. "
        "Boxes are coding exons, lines introns; a predicted exon is filled "
        "where both its ends are annotated, hollow otherwise."
    )
    return [Section("Example loci", text, tuple(pictures), view=gene_view(loci, list(firsts)))]


def _windows(study: StudyConfig, records: Sequence[Record]) -> list[Section]:
    """Curves of the first seed of each arm, with all labels."""
    firsts = {arm: own[0] for arm, own in records_by_arm(records).items()}
    which = f"Seed {study.seeds[0]} of each arm, all labels."
    return [
        *curve_sections({arm: record.counts for arm, record in firsts.items()}, which),
        *calibration_sections({arm: record.scored for arm, record in firsts.items()}, which),
    ]


def _stretches(study: StudyConfig, runs: StudyRuns) -> list[Section]:
    """Stretches of test with what the first seed of each arm says of their windows, all labels; of folds, of the first one.

    None, and a line in the log, where the test split is not there: the rest of the page needs the records alone.
    """
    counts = {arm: own[0].counts for arm, own in records_by_arm(runs.finals).items()}
    fold = int(study.folds is not None)
    if fold:
        counts = {arm: _of_fold(own, fold) for arm, own in counts.items() if own is not None}
    which = f"Seed {study.seeds[0]} of each arm, all labels."
    try:
        return stretch_sections(counts, study.data, runs.dataset, fold, ranks=True, which=which)
    except DatasetError as error:
        log.warning("%s; stretches of test are not shown", error)
        return []


def _of_fold(counts: BootstrapCounts, fold: int) -> BootstrapCounts:
    """The windows that a fold tests, of those of all folds together."""
    own = counts.folds == fold
    return replace(counts, truth=counts.truth[own], logits=counts.logits[own]) if own.any() else BootstrapCounts()


def _fewer_labels(groups: Sequence[Group], metric: str) -> list[Section]:
    """The score by the share of the labels, where an arm has more than one."""
    lines = []
    for index, arm in enumerate(dict.fromkeys(group.arm for group in groups)):
        own = sorted((group for group in groups if group.arm == arm), key=lambda group: group.fraction)
        if len(own) > 1:
            lines.append(_with_intervals(arm, index, {group.fraction: group.score for group in own}))
    if not lines:
        return []
    names = ", ".join(line.name for line in lines)
    caption = (
        f"{names}: test {metric}, mean over seeds with 95 % intervals, by the share of the train windows with labels, for as "
        "many bases."
    )
    draw = partial(figures.curves, lines, f"test {metric}", x_label="share of the labels")
    return [Section("Fewer labels", "", (make_picture("labels", draw, caption),))]


def _with_intervals(name: str, style: int, scores: Mapping[float, Score]) -> figures.Curve:
    """A line through scores by their cost."""
    values = list(scores.values())
    ends = np.array([[score.low for score in values], [score.high for score in values]])
    return figures.Curve(name, np.array(list(scores)), np.array([score.value for score in values]), style, ends)


def _learning(groups: Sequence[Group], records: Sequence[Record], metric: str) -> Section:
    """Validation by step, mean over the seeds, with all labels."""
    lines = []
    whole = records_by_arm(records)
    for index, arm in enumerate(dict.fromkeys(group.arm for group in groups)):
        own = [record.curve for record in whole.get(arm, [])]
        n = min((len(curve) for curve in own), default=0)
        if n:
            steps, values = np.array([curve[:n] for curve in own], dtype=float).mean(axis=0).T
            lines.append(figures.Curve(arm, steps, values, index))
    if not lines:
        return Section("Learning", "No arm is trained step by step.", (), ())
    caption = "Score on the valid split during training, mean over the seeds, all labels."
    draw = partial(figures.curves, lines, f"valid {metric}")
    return Section("Learning", "", (make_picture("learning", draw, caption),))


def _dataset(dataset: Manifest) -> Section:
    sizes, labels, leakage, dropped, counted = dataset_tables(dataset)
    return Section("Dataset", "", (), (sizes, leakage, dropped), (labels, counted))
