"""A study to its report: study.html, the same tables in study.md, and each as CSV and Parquet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.atomic import atomic_file, atomic_folder, write_text_atomically
from dnaspt.evaluation.results import METRIC_NAMES
from dnaspt.output import make_folder
from dnaspt.reports.compare import Difference, Group, differences_of, gain_of_arm, groups_by_gene_measure, groups_of
from dnaspt.reports.genes_as_predicted import GenesAsPredicted, PairedGain
from dnaspt.reports.html import Section
from dnaspt.reports.study_page import study_sections, write_study_page
from dnaspt.reports.study_tables import (
    CLAIM_VALUES,
    GAIN_VALUES,
    Row,
    claim_values,
    difference_values,
    group_values,
    records_by_arm,
    table_csv,
)
from dnaspt.reports.study_text import gene_model_sentences, markdown, sentences
from dnaspt.reports.tables import Table
from dnaspt.studies.context import StudyContext
from dnaspt.studies.dry_run import command_lines
from dnaspt.studies.records import Record
from dnaspt.studies.scheduler import checked, finished_part, run_study
from dnaspt.studies.settings import PRETRAINED, StudyConfig
from dnaspt.tasks import GENE_MODEL

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class StudyResult:
    """What a study found.

    Attributes:
        name: name of the dataset.
        path: folder of the report: study.html, study.md and tables.
        answer: sentences, the most important first.
        groups: a `Group` for each arm and share of the labels, with its scores on test by seed.
        differences: what arms gain over others, with intervals over seeds and blocks of the test split.
        metric: name of the metric.
        method: how the study was made, in sentences.
        records: records of the final runs, arm by arm.

    Example:
        >>> arms = [{"name": "CpG count", "init": "cpg"}, {"name": "4-mers", "init": "kmer"}]
        >>> result = dnaspt.study({"data": "data/peaks", "seeds": [0], "arms": arms}, out="studies/baselines")
        >>> result.to_frame()["arm"].tolist()
        ['CpG count', '4-mers']
    """

    name: str
    path: Path
    answer: tuple[str, ...]
    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    metric: str
    method: str
    records: tuple[Record, ...]

    def to_frame(self) -> "pd.DataFrame":
        """Scores of the arms as a table: a row for each arm and label fraction, with its mean, interval and scores by seed."""
        import pandas as pd

        return pd.DataFrame(group_values(self.groups, self.metric))

    def differences_to_frame(self) -> "pd.DataFrame":
        """Differences between arms as a table: a row for each comparison, with the gain, its interval and the verdict."""
        import pandas as pd

        return pd.DataFrame(difference_values(self.differences), columns=list(GAIN_VALUES))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the answer, the scores of the arms and what they gain over others (docs/json.md)."""
        return {
            "name": self.name,
            "path": str(self.path),
            "answer": list(self.answer),
            "metric": self.metric,
            "method": self.method,
            "scores": group_values(self.groups, self.metric),
            "gains": difference_values(self.differences),
        }

    def __str__(self) -> str:
        return " ".join(self.answer)

    def __repr__(self) -> str:
        return (
            f"StudyResult({self.path}: {len(self.groups)} groups, {len(self.differences)} differences in {self.metric})"
        )


def study_report(context: StudyContext, *, report_only: bool = False) -> StudyResult:
    """Make the runs of a study that are missing, and write its report into OUT.

    study.html and its figures; the same tables in study.md, and each as CSV and Parquet in study_tables; scores and gains
    as numbers too, as study_scores, study_gains and study_claims.

    Args:
        context: where the study works.
        report_only: train nothing; arms and shares of the labels that are not finished are left out, and named.

    Raises:
        DnasptError: a run failed; what is finished stays. Or nothing is finished.
    """
    context, left_out = finished_part(context) if report_only else (checked(context), ())
    runs = run_study(context)
    study = context.study.with_heads(runs.dataset)
    groups, metric = (
        groups_of(runs.finals, runs.pretrainings, label_groups=study.label_groups),
        METRIC_NAMES[runs.finals[0].scored.metric],
    )
    differences = differences_of(study, groups)
    by_measure = groups_by_gene_measure(runs.finals)
    of_genes = {name: differences_of(study, own) for name, own in by_measure.items()}
    leading = gene_model_sentences(by_measure, of_genes) if study.has_gene_models and by_measure else []
    exons = {group.arm: group for group in by_measure.get("exon", ()) if group.fraction == 1}

    def gain(before: str, after: str) -> PairedGain | None:
        if before not in exons or after not in exons:
            return None
        gained = gain_of_arm(exons[before], exons[after], study.looks)
        return PairedGain("F1 of exons", gained.gain, gained.is_of_these_runs)

    protocols = {arm.name: study.protocol_of(arm) for arm in study.arms if arm.init in PRETRAINED}
    beside = [difference for own in of_genes.values() for difference in own]
    answer = sentences(
        *(groups, differences, metric, _genes(runs.finals)),
        leading=leading,
        gain=gain,
        protocols=protocols,
        beside=beside,
    )
    if left_out:
        answer.append(f"Not finished, and left out here: {'; '.join(left_out)}.")
    sections = study_sections(study, runs, groups, differences, metric)
    commands = command_lines(context)
    make_folder(context.out)
    write_study_page(context.out / "study.html", context.study, answer, sections, commands)
    tables = [table for section in sections for table in (*section.tables, *section.folded)]
    text = markdown(study.title, answer, sections[0].text, tables, commands)
    write_text_atomically(context.out / "study.md", "\n".join([text, *_figures(sections)]))
    for name, (rows, columns) in number_tables(study, runs.finals, groups, differences, runs.dataset.task).items():
        _write_rows(context.out, f"study_{name}", rows, columns)
    write_tables(context.out / "study_tables", tables)
    return StudyResult(
        name=study.name,
        path=context.out,
        answer=tuple(answer),
        groups=tuple(groups),
        differences=tuple(differences),
        metric=metric,
        method=sections[0].text,
        records=runs.finals,
    )


def number_tables(
    study: StudyConfig, records: Sequence[Record], groups: Sequence[Group], differences: Sequence[Difference], task: str
) -> dict[str, tuple[list[Row], tuple[str, ...]]]:
    """The tables of numbers, which follow from the records: scores, gains, claims and, of genes, gene_scores and gene_gains.

    Args:
        study: settings of the study, with the heads of its arms.
        records: records of the final runs.
        groups: the same by arm and label fraction.
        differences: what arms gain over others.
        task: task of the dataset.

    Returns:
        Rows of each table, and the columns that it has without any.
    """
    metric = METRIC_NAMES[records[0].scored.metric]
    return {
        "scores": (group_values(groups, metric), ()),
        "gains": (difference_values(differences), GAIN_VALUES),
        "claims": (claim_values(study, differences, task), CLAIM_VALUES),
        **_gene_rows(study, records),
    }


def _gene_rows(study: StudyConfig, records: Sequence[Record]) -> dict[str, tuple[list[Row], tuple[str, ...]]]:
    """Rows and columns of the tables by all measures of genes as `predict` writes them; none for windows."""
    groups = groups_by_gene_measure(records)
    if not groups:
        return {}
    scores = [row for measure, own in groups.items() for row in group_values(own, measure)]
    gains: list[Row] = [
        {"measure": measure} | row
        for measure, own in groups.items()
        for row in difference_values(differences_of(study, own))
    ]
    return {"gene_scores": (scores, ()), "gene_gains": (gains, ("measure", *GAIN_VALUES))}


def _genes(records: Sequence[Record]) -> list[GenesAsPredicted]:
    """Scores of the genes of each arm with all labels; none for windows."""
    arms = []
    for arm, own in records_by_arm(records).items():
        is_gene_model = all(
            bool(record.job.baseline) or record.job.settings.get("head") == GENE_MODEL for record in own
        )
        arms.append(GenesAsPredicted.of(arm, [record.scored for record in own], is_gene_model=is_gene_model))
    return [genes for genes in arms if genes is not None]


def _figures(sections: Sequence[Section]) -> list[str]:
    """The figures of a report as Markdown."""
    pictures = [picture for section in sections for picture in section.pictures]
    shown = [f"![{picture.caption}](study_figures/{picture.name}.svg)\n{picture.caption}\n" for picture in pictures]
    return ["## Figures", *shown]


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Write each table as CSV and Parquet, under its title; of two that would have one name the second is numbered."""
    taken: Counter[str] = Counter()
    with atomic_folder(folder) as unfinished:
        for table in tables:
            name = table.file_name
            taken[name] += 1
            stem = f"{name}_{taken[name]}" if taken[name] > 1 else name
            with (unfinished / f"{stem}.csv").open("w", encoding="utf-8", newline="\n") as file:
                file.write(table.csv)
            columns = [pa.array([row[index] for row in table.rows], pa.string()) for index in range(len(table.columns))]
            whole = pa.Table.from_arrays(columns, names=list(table.columns))
            with (unfinished / f"{stem}.parquet").open(
                "wb"
            ) as file:  # a file that pyarrow opens stays open on a full disk
                pq.write_table(whole, file)


def _write_rows(folder: Path, stem: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Write FOLDER/STEM.csv and STEM.parquet; a table without a row has the columns that are given."""
    write_text_atomically(folder / f"{stem}.csv", table_csv(rows, columns))
    table = pa.Table.from_pylist(list(rows)) if rows else pa.table({name: pa.nulls(0) for name in columns})
    with atomic_file(folder / f"{stem}.parquet") as unfinished, unfinished.open("wb") as file:
        pq.write_table(table, file)
