"""A study to one HTML file: the answer, scores and gains with intervals, fewer labels, learning curves, and how it was made."""

import json
import platform
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnaspt import __version__
from dnaspt.data.manifest import read_manifest
from dnaspt.genome.transcripts import Transcript
from dnaspt.report import figures
from dnaspt.report.html import Picture, Section, make_picture, write_page
from dnaspt.report.locus import example_loci
from dnaspt.report.tables import Table, dataset_tables
from dnaspt.study.answer import sentences
from dnaspt.study.plan import Job, StudyConfig
from dnaspt.study.report import (
    CLAIM_COLUMNS,
    DIFFERENCE_COLUMNS,
    GROUP_COLUMNS,
    claim_rows,
    difference_rows,
    group_rows,
    method,
)
from dnaspt.study.summary import Difference, Group
from dnaspt.study.tables import bases_seen, cost_table, score_tables, whole_records

Record = dict[str, Any]


def write_study_page(
    out: Path,
    study: StudyConfig,
    records: Sequence[Record],
    groups: Sequence[Group],
    differences: Sequence[Difference],
    metric: str,
) -> list[Picture]:
    """Write the page, and its figures, which are returned, beside it."""
    sections = [_scores(study, groups, metric), _gains(study, differences, metric), _details(records)]
    sections += [*_fewer_labels(groups, metric), _cost(groups, records, metric), _learning(groups, records, metric)]
    sections += [*_examples(study, records), _dataset(study)]
    write_page(
        out,
        {
            "title": f"{study.title}: {len(study.arms)} arms, {len(study.seeds)} seeds",
            "answer": sentences(groups, differences, metric),
            "sections": sections,
            "commands": [f"dnaspt study study.toml --out {out.parent}", "", *_commands(study, records)],
            "settings": {"the study": json.dumps(study.model_dump(mode="json"), indent=1)},
            "versions": f"dnaspt {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
        },
    )
    return [picture for section in sections for picture in section.pictures]


def _scores(study: StudyConfig, groups: Sequence[Group], metric: str) -> Section:
    whole = [group for group in groups if group.fraction == 1]
    shown = whole or list(groups)
    caption = f"Test {metric}, mean over seeds, with 95 % intervals over seeds and test blocks."
    picture = make_picture(
        "scores",
        lambda: figures.score_dots({metric: [group.score for group in shown]}, [group.arm for group in shown]),
        caption,
    )
    table = Table("Arms", tuple(name.format(metric=metric) for name in GROUP_COLUMNS), tuple(group_rows(groups)))
    return Section("Scores on the test split", method(study, groups), (picture,), (table,))


def _gains(study: StudyConfig, differences: Sequence[Difference], metric: str) -> Section:
    title = "Differences between arms"
    if not differences:
        return Section(title, "No two arms differ in one thing alone.")
    rows = {f"{one.after} – {one.before}, {one.fraction:.0%}": [one.gain] for one in differences}
    caption = f"Gain in test {metric}, paired by seed and test block; the dotted line is no difference."
    picture = make_picture("gains", lambda: figures.score_dots(rows, ["gain"], chance=0.0), caption)
    columns = tuple(name.format(metric=metric) for name in DIFFERENCE_COLUMNS)
    claims = Table(
        "Claims of the paper, on these data",
        tuple(name.format(metric=metric) for name in CLAIM_COLUMNS),
        tuple(claim_rows(differences, study.marginal_gain)),
        "Supported or not where the interval excludes 0. P1 to P6: arXiv 2506.17766, numbered as in docs/results.md of dnaspt.",
    )
    return Section(title, "", (picture,), (Table("Gains", columns, tuple(difference_rows(differences))), claims))


def _details(records: Sequence[Record]) -> Section:
    shown, folded = score_tables(records)
    return Section("In detail", "Means over the seeds, all labels.", (), tuple(shown), tuple(folded))


def _cost(groups: Sequence[Group], records: Sequence[Record], metric: str) -> Section:
    """Scores by the bases seen in all: what training from scratch for longer, or pretraining, buys."""
    lines = []
    for index, group in enumerate(group for group in groups if group.fraction == 1):
        own = whole_records(records)[group.arm]
        seen = np.array([np.mean([bases_seen(record) for record in own]) / 1e6])
        if not np.isnan(seen[0]):
            lines.append(figures.Curve(group.arm, seen, np.array([group.values.mean()]), index))
    if not lines:
        return Section("Cost", "", (), (cost_table(records),))
    caption = f"Mean test {metric} by the bases that a run reads in pretraining and after it, in Mb; all labels."
    draw = lambda: figures.curves(lines, f"test {metric}", x_label="Mb read")  # noqa: E731
    return Section("Cost", "", (make_picture("cost", draw, caption),), (cost_table(records),))


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
        f"Seed {study.seeds[0]} of each arm, heads alone. Boxes are coding exons, lines introns; a predicted exon is filled "
        "where both its ends are annotated, hollow otherwise."
    )
    return [Section("Example loci", text, tuple(pictures))]


def _commands(study: StudyConfig, records: Sequence[Record]) -> list[str]:
    """What the study ran for each final run, after the settings that its file holds."""
    lines = []
    for record in records:
        job = Job(record["kind"], record["arm"], record["settings"], record["encoder"], record["data_digest"])
        if "baseline" in job.settings:
            command = job.baseline_command(study.data, Path("runs") / job.name)
            lines += [f"# {job.arm}", shlex.join(["dnaspt", *command])]
            continue
        encoder = ["--encoder", job.encoder if record["pretraining"] is None else f"runs/pretrain-{job.encoder}"]
        words = [
            "dnaspt",
            "finetune",
            str(study.data),
            "--out",
            f"runs/{job.name}",
            "--config",
            f"configs/{job.name}.toml",
        ]
        lines.append(f"# {job.arm}; configs/{job.name}.toml: {job.toml().strip()}".replace("\n", "; "))
        lines.append(shlex.join([*words, *(encoder if job.encoder else [])]))
        lines.append(shlex.join(["dnaspt", "evaluate", f"runs/{job.name}", "--data", str(study.data)]))
    return lines


def _transcript(gene: dict[str, Any]) -> Transcript:
    cds = tuple((start, end) for start, end in gene["cds"])
    return Transcript(gene["chrom"], gene["strand"], "", "", cds)


def _fewer_labels(groups: Sequence[Group], metric: str) -> list[Section]:
    """The score by the share of the labels, where an arm has more than one."""
    lines = []
    for index, arm in enumerate(dict.fromkeys(group.arm for group in groups)):
        own = sorted((group for group in groups if group.arm == arm), key=lambda group: group.fraction)
        if len(own) > 1:
            shares, scores = np.array([g.fraction for g in own]), np.array([g.values.mean() for g in own])
            lines.append(figures.Curve(arm, shares, scores, index))
    if not lines:
        return []
    names = ", ".join(line.name for line in lines)
    caption = (
        f"{names}: mean test {metric} by the share of the train windows whose labels were used, for as many bases."
    )
    draw = lambda: figures.curves(lines, f"test {metric}", x_label="share of the labels")  # noqa: E731
    return [Section("Fewer labels", "", (make_picture("labels", draw, caption),))]


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
