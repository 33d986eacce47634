"""A report as one HTML file that needs nothing else, figures and tables inline; each figure is also written on its own.

REPORT_figures/NAME.svg beside REPORT.html.
"""

import logging
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from dnaspt.atomic import atomic_file, write_text_atomically
from dnaspt.browser.igv import IGV, VIEW, View, content_policy, one_based, script
from dnaspt.output import make_folder
from dnaspt.reports import figures
from dnaspt.reports.tables import Table

log = logging.getLogger(__name__)

_TEMPLATE, _SCRIPT = "report.html.j2", "report.js"


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as SVG, what it shows in a sentence, and whether it takes the whole width."""

    name: str
    svg: str
    caption: str
    wide: bool = False

    @property
    def svg_uri(self) -> str:
        """The figure as an address that holds it whole."""
        return f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report: text, pictures, tables, tables that stay folded, and a view of a genome."""

    title: str
    text: str
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    view: View | None = None


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
    template = _text(_TEMPLATE)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"inline": Markup, "themed": _themed, "locus": lambda place: one_based(*place)}
    content = {name: getattr(page, name) for name in Page.__dataclass_fields__}
    folder = out.with_name(f"{out.stem}_figures")
    scripts = [_text(_SCRIPT)]
    if any(section.view is not None for section in page.sections):
        scripts += [script(IGV), script(VIEW)]
    content |= {"scripts": scripts, "policy": content_policy(scripts=scripts)}
    text = environment.from_string(template).render(content, dark=figures.DARK)
    make_folder(folder)
    for picture in page.pictures:
        write_text_atomically(folder / f"{picture.name}.svg", picture.svg)
    with atomic_file(out) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
    log.info("%s: written, with %d figures in %s", out, len(page.pictures), folder)


def _text(name: str) -> str:
    """A file of this folder; its lines end in one way, as the hash of a script depends on it."""
    return resources.files("dnaspt.reports").joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _themed(svg: str) -> Markup:
    """A figure in a page, whose colors follow the page's."""
    return Markup(figures.themed(svg))
