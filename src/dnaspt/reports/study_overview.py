"""A study over several datasets: the same arms on each, a report for each, and one page that sets them side by side."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dnaspt.atomic import write_text_atomically
from dnaspt.reports.html import Section, write_page
from dnaspt.reports.study_page import gains_picture, versions
from dnaspt.reports.study_report import Findings
from dnaspt.reports.study_text import DIFFERENCE_COLUMNS, difference_rows, markdown, sentences_over
from dnaspt.reports.tables import Table


def write_overview(out: Path, found: Mapping[str, Findings], command: str) -> list[str]:
    """Write OUT/study.html and study.md from what was found on each dataset; the answer over all of them."""
    answer = sentences_over({name: one.differences for name, one in found.items()})
    answer = answer or ["The study compares no two arms that differ in one thing alone, but for baselines."]
    title, sections = (
        f"Study of {', '.join(found)}",
        [_section(n, *pair) for n, pair in enumerate(found.items(), start=1)],
    )
    content = {"title": title, "answer": answer, "sections": sections, "commands": [command], "settings": {}}
    write_page(out / "study.html", content | {"versions": versions()})
    tables = [
        replace(section.tables[0], title=section.title, note=f"{section.text} {section.tables[0].note}")
        for section in sections
    ]
    how = "Better or worse where the interval excludes 0. Each dataset has a report of its own, in the folder of its name."
    write_text_atomically(out / "study.md", markdown(title, answer, how, tables, [command]))
    return answer


def _section(number: int, name: str, one: Findings) -> Section:
    """The first sentence about a dataset, and its gains as a figure and as a table, with how they were measured."""
    columns = tuple(column.format(metric=one.metric) for column in DIFFERENCE_COLUMNS)
    table = Table("Gains", columns, tuple(difference_rows(one.differences)), one.how)
    picture = gains_picture(f"gains{number}", one.differences, one.metric)
    return Section(name, f"{one.answer[0]} More: {name}/study.html.", (picture,) if picture else (), (table,))
