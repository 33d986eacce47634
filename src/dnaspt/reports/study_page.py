"""A study to one HTML file: the answer, scores and gains with intervals, fewer labels, learning curves, and how it was made."""

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnaspt import __version__
from dnaspt.data.manifest import read_manifest
from dnaspt.evaluation.loci import example_loci
from dnaspt.evaluation.metrics import Score
from dnaspt.genome.transcripts import Transcript
from dnaspt.reports import figures
from dnaspt.reports.compare import LONGER, Difference, Group
from dnaspt.reports.html import Picture, Section, make_picture, write_page
from dnaspt.reports.run_tables import dataset_tables
from dnaspt.reports.study_tables import bases_seen, cost_table, rate_table, score_tables, version_table, whole_records
from dnaspt.reports.study_text import method, study_tables
from dnaspt.reports.tables import Table
from dnaspt.studies.context import Record
from dnaspt.studies.settings import StudyConfig


def study_sections(
    study: StudyConfig,
    records: Sequence[Record],
    groups: Sequence[Group],
    differences: Sequence[Difference],
    metric: str,
) -> list[Section]:
    """The parts of a study's report, from records, means and differences."""
    scores, gains, claims = study_tables(study, groups, differences, metric, read_manifest(study.data).task)
    sections = [
        _scores(groups, metric, method(study, groups, records), scores),
        _gains(differences, metric, gains, claims),
    ]
    sections += [_details(study, records), *_fewer_labels(groups, metric), _cost(groups, differences, records, metric)]
    return [*sections, _learning(groups, records, metric), *_examples(study, records), _dataset(study)]


def write_study_page(
    out: Path, study: StudyConfig, answer: Sequence[str], sections: Sequence[Section], commands: Sequence[str]
) -> None:
    """Write the page, and its figures beside it."""
    write_page(
        out,
        {
            "title": f"{study.title}: {len(study.arms)} arms, {len(study.seeds)} seeds",
            "answer": answer,
            "sections": sections,
            "commands": commands,
            "settings": {"the study": json.dumps(study.model_dump(mode="json"), indent=1)},
            "versions": versions(),
        },
    )


def versions() -> str:
    """What wrote a report."""
    return f"Written by dnaspt {__version__}, torch {torch.__version__}, Python {platform.python_version()}"


def _scores(groups: Sequence[Group], metric: str, how: str, table: Table) -> Section:
    whole = [group for group in groups if group.fraction == 1]
    shown = whole or list(groups)
    rows, names = {metric: [group.score for group in shown]}, [group.arm for group in shown]
    chance = {"MCC": 0.0, "mean AUROC": 0.5}.get(metric)
    dotted = "; dotted: chance" * (chance is not None)
    caption = f"Test {metric}, mean over seeds, with 95 % intervals over seeds and test blocks{dotted}."
    picture = make_picture("scores", lambda: figures.score_dots(rows, names, chance=chance), caption)
    return Section("Scores on the test split", how, (picture,), (table,))


def _gains(differences: Sequence[Difference], metric: str, gains: Table, claims: Table) -> Section:
    title, picture = "Differences between arms", gains_picture("gains", differences, metric)
    if picture is None:
        return Section(title, "No two arms differ in one thing alone.", (), (gains, claims))
    return Section(title, "", (picture,), (gains, claims))


def gains_picture(name: str, differences: Sequence[Difference], metric: str) -> Picture | None:
    """Gains with their intervals; None where there are none."""
    if not differences:
        return None
    rows = {one.sides(" to "): [one.gain] for one in differences}
    caption = (
        f"Gain in test {metric} from the first to the second, paired by seed and test block; dotted: no difference."
    )
    return make_picture(name, lambda: figures.score_dots(rows, ["gain"], chance=0.0), caption)


def _details(study: StudyConfig, records: Sequence[Record]) -> Section:
    shown, folded = score_tables(records)
    rates = rate_table({record["arm"]: record["trials"] for record in records}, study.tuning_share)
    tables = (*shown, rates) if rates else tuple(shown)
    return Section("In detail", "Means over the seeds, all labels.", (), tables, tuple(folded))


def _cost(
    groups: Sequence[Group], differences: Sequence[Difference], records: Sequence[Record], metric: str
) -> Section:
    """Scores by the bases seen in all: what training for longer, or pretraining, buys."""
    arms = whole_records(records)
    seen = {arm: float(np.mean([bases_seen(record) for record in own])) / 1e6 for arm, own in arms.items()}
    scores = {group.arm: group.score for group in groups if group.fraction == 1 and not group.baseline}
    longer = {one.before: one.after for one in differences if one.question == LONGER}
    lines = []
    for index, arm in enumerate(scores):
        along = [one for one in (arm, longer.get(arm, "")) if not np.isnan(seen.get(one, np.nan))]
        if along and arm not in longer.values():
            lines.append(_with_intervals(" – ".join(along), index, {seen[one]: scores[one] for one in along}))
    tables = (cost_table(records), version_table(records))
    if not lines:
        return Section("Cost", "", (), tables)
    caption = (
        f"Test {metric}, mean over seeds with 95 % intervals, by the bases that a run reads in pretraining and after it, "
        "in Mb; all labels."
    )
    draw = lambda: figures.curves(lines, f"test {metric}", x_label="Mb read")  # noqa: E731
    return Section("Cost", "", (make_picture("cost", draw, caption),), tables)


def _examples(study: StudyConfig, records: Sequence[Record]) -> list[Section]:
    """Places of the test split: annotation, and what the first seed of each arm predicts."""
    firsts = {arm: own[0] for arm, own in whole_records(records).items() if own[0].get("examples")}
    if not firsts:
        return []
    predicted = [[[_transcript(gene) for gene in genes] for genes in r["examples"]] for r in firsts.values()]
    pictures = [
        make_picture(
            f"locus{number}",
            lambda locus=locus: figures.locus_tracks(locus, list(firsts)),  # type: ignore[misc]
            f"{locus.chrom}:{locus.start + 1:,}–{locus.end:,}, {locus.choice}.",
            wide=True,
        )
        for number, locus in enumerate(example_loci(study.data, predicted), start=1)
    ]
    text = (
        f"Seed {study.seeds[0]} of each arm; networks by their heads alone. "
        "Boxes are coding exons, lines introns; a predicted exon is filled "
        "where both its ends are annotated, hollow otherwise."
    )
    return [Section("Example loci", text, tuple(pictures))]


def _transcript(gene: dict[str, Any]) -> Transcript:
    cds = tuple((start, end) for start, end in gene["cds"])
    return Transcript(gene["chrom"], gene["strand"], "", "", cds)


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
    draw = lambda: figures.curves(lines, f"test {metric}", x_label="share of the labels")  # noqa: E731
    return [Section("Fewer labels", "", (make_picture("labels", draw, caption),))]


def _with_intervals(name: str, style: int, scores: Mapping[float, Score]) -> figures.Curve:
    """A line through scores by what they cost."""
    values = list(scores.values())
    ends = np.array([[score.low for score in values], [score.high for score in values]])
    return figures.Curve(name, np.array(list(scores)), np.array([score.value for score in values]), style, ends)


def _learning(groups: Sequence[Group], records: Sequence[Record], metric: str) -> Section:
    """Validation by step, mean over the seeds, with all labels."""
    lines = []
    for index, arm in enumerate(dict.fromkeys(group.arm for group in groups)):
        own = [r["curve"] for r in records if r["arm"] == arm and r["settings"]["label_fraction"] == 1]
        n = min((len(curve) for curve in own), default=0)
        if n:
            steps, values = np.array([curve[:n] for curve in own], dtype=float).mean(axis=0).T
            lines.append(figures.Curve(arm, steps, values, index))
    caption = "Score on the valid split during training, mean over the seeds, all labels."
    return Section(
        "Learning", "", (make_picture("learning", lambda: figures.curves(lines, f"valid {metric}"), caption),)
    )


def _dataset(study: StudyConfig) -> Section:
    sizes, labels, leakage, dropped, counted = dataset_tables(read_manifest(study.data))
    return Section("Dataset", "", (), (sizes, leakage, dropped), (labels, counted))
