"""A study over several datasets: the same arms on each, a report for each, and one page that sets them side by side."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dnaspt.atomic import write_text_atomically
from dnaspt.reports.html import Page, Section, write_page
from dnaspt.reports.study_page import gains_picture, versions
from dnaspt.reports.study_report import StudyResult
from dnaspt.reports.study_tables import gain_table
from dnaspt.reports.study_text import markdown, sentences_over


def write_overview(out: Path, results: Mapping[str, StudyResult], command: str) -> list[str]:
    """Write OUT/study.html and study.md from what was found on each dataset.

    Args:
        out: folder; the report of each dataset lies in the folder of its name.
        results: results by name of the dataset.
        command: command line of the study.

    Returns:
        The answer over all datasets, in sentences.
    """
    answer = sentences_over({name: result.differences for name, result in results.items()})
    answer = answer or ["The study compares no two arms that differ in one thing alone, but for baselines."]
    title = f"Study of {', '.join(results)}"
    sections = [_section(number, *pair) for number, pair in enumerate(results.items(), start=1)]
    write_page(out / "study.html", Page(title, answer, sections, [command], versions()))
    tables = [
        replace(section.tables[0], title=section.title, note=f"{section.text} {section.tables[0].note}")
        for section in sections
    ]
    how = "Better or worse where the interval excludes 0. Each dataset has a report of its own, in the folder of its name."
    write_text_atomically(out / "study.md", markdown(title, answer, how, tables, [command]))
    return answer


def _section(number: int, name: str, result: StudyResult) -> Section:
    """The first sentence about a dataset, and its gains as a figure and as a table, with how they were measured."""
    table = gain_table(result.differences, result.metric, result.method)
    picture = gains_picture(f"gains{number}", result.differences, result.metric)
    return Section(name, f"{result.answer[0]} More: {name}/study.html.", (picture,) if picture else (), (table,))
