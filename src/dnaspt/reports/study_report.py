"""A study to its report: study.html, the same tables in study.md, and each as CSV and Parquet."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.atomic import publish_file, publish_folder, write_text_atomically
from dnaspt.data.manifest import read_manifest
from dnaspt.reports.compare import Difference, differences_of, groups_of, metric_name
from dnaspt.reports.study_page import study_sections, write_study_page
from dnaspt.reports.study_text import claim_values, difference_values, group_values, markdown, sentences, table_csv
from dnaspt.reports.tables import Table
from dnaspt.studies.context import Workshop
from dnaspt.studies.dry_run import command_lines
from dnaspt.studies.scheduler import run_study


class Findings(NamedTuple):
    """What a study found: sentences that answer it, the differences between its arms in a metric, and how they were measured."""

    answer: list[str]
    differences: list[Difference]
    metric: str
    how: str


def study_report(shop: Workshop) -> Findings:
    """Run what is missing, write the report into OUT.

    study.html and its figures; the same tables in study.md, and each as CSV and Parquet in study_tables; scores and gains
    as numbers too, as study_scores, study_gains and study_claims.

    Raises:
        DnasptError: a run failed; what is finished stays.
    """
    records = run_study(shop)
    study = shop.study.with_heads(read_manifest(shop.study.data))
    groups, metric = groups_of(records), metric_name(records)
    differences = differences_of(study, groups)
    task = read_manifest(study.data).task
    answer = sentences(groups, differences, metric)
    sections = study_sections(study, records, groups, differences, metric)
    commands = command_lines(shop)
    shop.out.mkdir(parents=True, exist_ok=True)
    write_study_page(shop.out / "study.html", shop.study, answer, sections, commands)
    tables = [table for section in sections for table in (*section.tables, *section.folded)]
    text = markdown(study.title, answer, sections[0].text, tables, commands)
    pictures = [picture for section in sections for picture in section.pictures]
    shown = [f"![{picture.caption}](study_figures/{picture.name}.svg)\n{picture.caption}\n" for picture in pictures]
    write_text_atomically(shop.out / "study.md", "\n".join([text, "## Figures", *shown]))
    for name, rows in (
        ("scores", group_values(groups, metric)),
        ("gains", difference_values(differences)),
        ("claims", claim_values(study, differences, task)),
    ):
        _write_rows(shop.out / f"study_{name}", rows)
    write_tables(shop.out / "study_tables", tables)
    return Findings(answer, differences, metric, sections[0].text)


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Each table as CSV and Parquet, under its title; of two that would have one name the second is numbered."""
    taken: Counter[str] = Counter()
    with publish_folder(folder) as unfinished:
        for table in tables:
            name = re.sub(r"[^a-z0-9]+", "_", table.title.lower()).strip("_")[:80]
            taken[name] += 1
            place = unfinished / (f"{name}_{taken[name]}" if taken[name] > 1 else name)
            with place.with_name(f"{place.name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([table.columns, *table.rows])
            columns = [pa.array([row[index] for row in table.rows], pa.string()) for index in range(len(table.columns))]
            whole = pa.Table.from_arrays(columns, names=list(table.columns))
            with place.with_name(f"{place.name}.parquet").open("wb") as file:
                pq.write_table(whole, file)


def _write_rows(place: Path, rows: Sequence[dict[str, Any]]) -> None:
    """PLACE.csv and PLACE.parquet."""
    write_text_atomically(place.with_name(f"{place.name}.csv"), table_csv(rows))
    with publish_file(place.with_name(f"{place.name}.parquet")) as unfinished, unfinished.open("wb") as file:
        pq.write_table(pa.Table.from_pylist(rows), file)
