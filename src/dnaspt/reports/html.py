"""A report as one HTML file that needs nothing else, figures inline; each figure is also written on its own.

REPORT_figures/NAME.svg beside REPORT.html.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from dnaspt.atomic import atomic_file, write_text_atomically
from dnaspt.output import make_folder
from dnaspt.reports import figures
from dnaspt.reports.tables import Table

log = logging.getLogger(__name__)

_TEMPLATE = "report.html.j2"


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as SVG, what it shows in a sentence, and whether it takes the whole width."""

    name: str
    svg: str
    caption: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report: text, pictures, tables, and tables that stay folded."""

    title: str
    text: str
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A report.

    Attributes:
        title: heading.
        answer: sentences that open it.
        sections: its parts.
        commands: lines that make the results again.
        versions: what made the report.
        settings: settings in full, as text, by what they belong to.
    """

    title: str
    answer: Sequence[str]
    sections: Sequence[Section]
    commands: Sequence[str]
    versions: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def pictures(self) -> list[Picture]:
        """Pictures of all sections."""
        return [picture for section in self.sections for picture in section.pictures]


def make_picture(name: str, draw: Callable[[], Figure], caption: str, *, wide: bool = False) -> Picture:
    """Draw a figure."""
    return Picture(name, figures.to_svg(draw, name), caption, wide)


def write_page(out: Path, page: Page) -> None:
    """Write a report to an HTML file, and its figures into a folder beside it."""
    template = resources.files("dnaspt.reports").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["inline"] = Markup
    content = {name: getattr(page, name) for name in Page.__dataclass_fields__}
    text = environment.from_string(template).render(content)
    folder = out.with_name(f"{out.stem}_figures")
    make_folder(folder)
    for picture in page.pictures:
        write_text_atomically(folder / f"{picture.name}.svg", picture.svg)
    with atomic_file(out) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
    log.info("%s: written, with %d figures in %s", out, len(page.pictures), folder)
