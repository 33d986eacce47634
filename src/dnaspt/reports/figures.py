"""Numbers of runs to figures as SVG text: scores with intervals, curves by step, and genes along a locus.

Curves differ by line and marker as well as by color, so that they can be told apart in gray. No state outside a figure.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnaspt.browser.igv import INK, RUN_COLORS
from dnaspt.evaluation.loci import Locus
from dnaspt.evaluation.metrics import Score
from dnaspt.genome.transcripts import Transcript

_DASHES: tuple[Any, ...] = (
    (0, (4, 2)),
    "-",
    (0, (1, 1.2)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (8, 3)),
    (0, (2, 2, 8, 2)),
    (0, (12, 2)),
    (0, (1, 4)),
    (0, (5, 1)),
)
_STYLES = tuple(zip(RUN_COLORS, _DASHES, "osD^vPX<>*", strict=True))
"""Color, line and marker of run 1, 2, ...; repeated where there are more."""
_INK, _FAINT = INK, "#d5d9de"
_NAMES = {
    "#ffffff": "paper",
    INK: "ink",
    "#57606a": "soft",
    "#d5d9de": "line",
    "#eef0f2": "ground",
} | {color: f"run{number}" for number, (color, _, _) in enumerate(_STYLES)}
"""Names that a page has for the colors of figures, so that they follow its dark mode."""
DARK = {
    f"run{number}": color
    for number, color in enumerate(
        ("#9aa2ac", "#5aa5dc", "#a9c8f2", "#e08a45", "#85b873", "#b98bd4", "#e07f8e", "#5fb8b2", "#cbb44f", "#b4bcc5")
    )
}
"""Colors of run 1, 2, ... on a dark page, by the names of their variables."""
SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dnaspt",
    "font.family": "sans-serif",
    "text.parse_math": False,
    "font.size": 9.5,
    "text.color": _INK,
    "axes.edgecolor": "#8a8f98",
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#57606a",
    "ytick.color": "#57606a",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.5,
}
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_MAX_POINTS = 240
_TRACK = 1.0
_LONG, _LABEL = 24, 0.2
"""Characters that labels beside rows may have, and inches that those above take."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A named line: x (n,) and y (n,); `style` picks color, line and marker; ends of intervals (2, n), where there are any."""

    name: str
    x: np.ndarray
    y: np.ndarray
    style: int
    ends: np.ndarray | None = None


def score_dots(
    groups: Mapping[str, Sequence[Score]], names: Sequence[str], *, chance: float | None = None, baseline: bool = False
) -> Figure:
    """Scores with 95 % intervals: a row per group (metric or label), in it a marker per name; long labels stand above rows.

    Args:
        groups: scores of all names by group.
        names: names of the series.
        chance: a level to mark.
        baseline: whether the last series is the baseline.
    """
    n_series = len(names)
    is_long = max(map(len, groups), default=0) > _LONG
    row = max(0.30, 0.13 * n_series + 0.1) + _LABEL * is_long
    figure, axes = _panel(0.6 + 0.2 * math.ceil(n_series / 2) + row * len(groups))
    centers = np.arange(len(groups))[::-1].astype(float)
    taken = _LABEL / row * is_long  # of a row, by its label
    gap = 0.72 * (1 - taken) / max(n_series, 1)
    for index, name in enumerate(names):
        is_run = not baseline or index < n_series - 1
        color, _, marker = _style(index) if is_run else (_INK, "-", "X")
        scores = [scores[index] for scores in groups.values()]
        y = centers - taken / 2 + gap * ((n_series - 1) / 2 - index)
        axes.hlines(y, [s.low for s in scores], [s.high for s in scores], color=color, linewidth=1.6)
        x = [score.value for score in scores]
        axes.plot(x, y, marker, color=color, markersize=5, label=name, markeredgecolor="white", mew=0.6)
    for center in centers[:-1]:
        axes.axhline(center - 0.5, color=_FAINT, linewidth=0.6)
    bounds = [v for scores in groups.values() for s in scores for v in (s.low, s.value, s.high) if not math.isnan(v)]
    low, high = min([*bounds, chance or 0.0]), max([*bounds, chance or 0.0, 0.05])
    axes.set_xlim(low - 0.02 * (high - low), high + 0.04 * (high - low))
    if chance is not None:
        axes.axvline(chance, color="#8a8f98", linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set_yticks(centers, [""] * len(groups) if is_long else list(groups))
    for center, label in zip(centers, groups, strict=True):
        if is_long:
            own: dict[str, Any] = {
                "transform": axes.get_yaxis_transform(),
                "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            }
            axes.text(0, center + 0.5 - taken / 2, label, va="center", fontsize=8.5, **own)
    axes.set_ylim(-0.6, len(groups) - 0.4)
    axes.tick_params(axis="y", length=0, labelcolor=_INK)
    axes.grid(axis="x", color=_FAINT, linewidth=0.6)
    axes.spines["left"].set_visible(False)
    _legend(figure, axes, handle_length=1.0)
    return figure


def curves(
    lines: Sequence[Curve],
    y_label: str,
    levels: Mapping[str, float] | None = None,
    *,
    x_label: str = "optimizer step",
) -> Figure:
    """Lines, with intervals or as means of neighbors where they are over 240 points, and named horizontal levels."""
    figure, axes = _panel(2.9)
    steps = np.concatenate([np.zeros(0), *(line.x for line in lines)])
    span = float(np.ptp(steps)) if steps.size else 0.0
    for index, line in enumerate(lines):
        color, dashes, marker = _style(line.style)
        x, y = thinned(line.x, line.y) if line.ends is None else (line.x, line.y)
        every = max(1, len(x) // 8)
        if line.ends is not None:  # side by side where x is the same
            x = x + 0.008 * (index - (len(lines) - 1) / 2) * span
            axes.vlines(x, *line.ends, color=color, linewidth=0.9)
        axes.plot(x, y, color=color, linestyle=dashes, marker=marker, markevery=every, markersize=4, label=line.name)
    for index, (name, value) in enumerate((levels or {}).items()):
        dashes = ((0, (5, 3)), (0, (1.5, 2)))[index % 2]
        axes.axhline(value, color=_INK, linewidth=1.1, linestyle=dashes, label=f"{name}: {value:.3f}")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(axis="y", color=_FAINT, linewidth=0.6)
    _legend(figure, axes, handle_length=3.2)
    return figure


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of runs of neighbors, at most 240 of them: (n,), (n,) -> (m,), (m,)."""
    if len(x) <= _MAX_POINTS:
        return x, y
    cuts = np.linspace(0, len(x), _MAX_POINTS + 1).astype(int)
    width = np.diff(cuts)
    return np.add.reduceat(x.astype(float), cuts[:-1]) / width, np.add.reduceat(y, cuts[:-1]) / width


def locus_tracks(locus: Locus, names: Sequence[str]) -> Figure:
    """Annotation and each run's genes along a locus; a predicted exon is filled where both its ends are annotated."""
    tracks = [("annotation", locus.truth), *zip(names, locus.predicted, strict=True)]
    figure = Figure(figsize=(10.4, 0.75 + 0.56 * len(tracks)), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(locus.start / 1000, locus.end / 1000)
    exons = {(gene.strand, *exon) for gene in locus.truth for exon in gene.cds}
    for start, end in locus.missing:
        axes.axvspan(start / 1000, end / 1000, color="#eef0f2", linewidth=0)
    for index, (name, genes) in enumerate(tracks):
        y = -_TRACK * index
        color = _INK if index == 0 else _style(index - 1)[0]
        _draw_track(axes, genes, y, color, exons)
        axes.text(0, y + 0.33, name, transform=axes.get_yaxis_transform(), fontsize=9.5, color=_INK, fontweight="bold")
        if not genes:
            axes.text(0, y, "no genes", transform=axes.get_yaxis_transform(), va="center", color="#57606a")
    axes.set_ylim(-_TRACK * (len(tracks) - 1) - 0.45, 0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"{locus.chrom}, position in kb")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value == round(value) else f"{value:,.1f}")
    return figure


def _draw_track(
    axes: Axes, genes: Sequence[Transcript], y: float, color: str, exons: set[tuple[str, int, int]]
) -> None:
    """CDS as boxes, introns as lines with chevrons along the strand, and a chevron ahead of each gene."""
    introns = np.array([intron for gene in genes for intron in gene.introns]).reshape(-1, 2) / 1000
    axes.hlines(np.full(len(introns), y), introns[:, 0], introns[:, 1], color=color, linewidth=1.0, zorder=1)
    first, last = axes.get_xlim()
    for strand, ahead in (("+", 1), ("-", -1)):
        x = _chevrons([gene for gene in genes if gene.strand == strand], ahead, (last - first) * 1000 / 90) / 1000
        x = x[(x > first) & (x < last)]
        arrow = [(-0.5 * ahead, 1.0), (0.5 * ahead, 0.0), (-0.5 * ahead, -1.0), (0.5 * ahead, 0.0)]
        axes.plot(
            x, np.full(len(x), y), marker=arrow, markersize=4.5, linestyle="none", color=color, mew=0.9, mfc="none"
        )
    for is_known, fill in ((True, color), (False, "white")):
        boxes = [exon for gene in genes for exon in gene.cds if ((gene.strand, *exon) in exons) == is_known]
        spans = [(start / 1000, (end - start) / 1000) for start, end in boxes]
        axes.broken_barh(spans, (y - 0.17, 0.34), facecolor=fill, edgecolor=color, linewidth=0.9, zorder=2)


def _chevrons(genes: Sequence[Transcript], ahead: int, step: float) -> np.ndarray:
    """Positions of the chevrons of genes of one strand: every `step` bases of an intron, and ahead of each gene."""
    at = [gene.end + step / 2 if ahead > 0 else gene.start - step / 2 for gene in genes]
    for left, right in (intron for gene in genes for intron in gene.introns):
        n_marks = max(int(right - left > step / 2), int((right - left) / step))
        at += [left + (mark + 0.5) * (right - left) / n_marks for mark in range(n_marks)]
    return np.array(at, dtype=float)


def _panel(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, height), layout="constrained")
    return figure, figure.subplots()


def _legend(figure: Figure, axes: Axes, handle_length: float) -> None:
    """Names above the axes, in two columns where they are short; a single one needs none."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        n_columns = 1 if max(map(len, labels)) > 26 else 2
        above: dict[str, Any] = {"loc": "outside upper left", "ncols": n_columns, "borderaxespad": 0.2}
        figure.legend(handles, labels, handlelength=handle_length, **above)


def _style(index: int) -> tuple[str, Any, str]:
    return _STYLES[index % len(_STYLES)]


def to_svg(draw: Callable[[], Figure], name: str) -> str:
    """SVG of the figure that `draw` makes; `name` stands in front of all its ids, so that several fit into one page."""
    text = StringIO()
    with matplotlib.rc_context(cast(Any, SETTINGS)):
        draw().savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = re.sub(r"<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    svg = re.sub(r"font: ([^;\"']*)'[^;\"]*sans-serif", rf"font: \1{_FONTS}", svg)
    svg = re.sub(r"font-family: '[^;\"]*sans-serif", f"font-family: {_FONTS}", svg)
    return svg.replace("<svg ", '<svg style="stroke-linejoin: round; stroke-linecap: butt" ', 1)


def themed(svg: str) -> str:
    """The SVG of `to_svg` as it stands in a page: each color is a variable of the page, and itself where there is none."""

    def named(found: re.Match[str]) -> str:
        color = found[0].lower()
        return f"var(--{_NAMES[color]}, {color})" if color in _NAMES else found[0]

    return re.sub(r'style="[^"]*"', lambda style: re.sub(r"#[0-9a-fA-F]{6}\b", named, style[0]), svg)
