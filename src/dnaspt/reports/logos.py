"""Attributions of windows to logos: letters as high as what they contribute, upside down where they speak against the label."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnaspt.atomic import atomic_file, write_text_atomically
from dnaspt.errors import ConfigError
from dnaspt.inference.attribution_file import Attributions
from dnaspt.inference.explain_file import ExplainedWindow
from dnaspt.optional_imports import import_optional
from dnaspt.reports import figures

SHOWN_BP = 100
"""Bases of a logo where no interval is asked for."""
N_LOCI = 5
"""Logos that are drawn where none are asked for: of the windows for which the model predicts most."""
_MOST_BP, _MOST_LOCI = 1_000, 50
_INTERVAL = re.compile(r"(?P<chrom>.+):(?P<first>\d[\d,]*)-(?P<last>\d[\d,]*)")
_TICK_BP = (10, 20, 50, 100, 200)
_MOST_TICKS = 11


class LogoLocus(NamedTuple):
    """What a logo shows: bases start to end of window `row`, counted from its first one; without an end the strongest 100."""

    row: int
    start: int = 0
    end: int | None = None


def top_loci(found: Attributions, n: int = N_LOCI) -> list[LogoLocus]:
    """The windows with the highest log-odds, or numbers."""
    return [LogoLocus(int(row)) for row in np.argsort(-found.predicted, kind="stable")[:n]]


def find_loci(windows: Sequence[ExplainedWindow], asked: Sequence[str]) -> list[LogoLocus]:
    """Where loci lie in windows.

    Args:
        windows: the windows that are explained.
        asked: names of windows, or intervals such as chr1:5001-5100 (1-based, the last base included) within a window.

    Raises:
        ConfigError: no such window, an interval that no window holds, or too much to draw.
    """
    _check_number(asked)
    return [_find_locus(windows, name.strip()) for name in asked]


def _check_number(asked: Sequence[str]) -> None:
    """Refuse more loci than a figure can hold.

    Raises:
        ConfigError: says how many.
    """
    if len(asked) > _MOST_LOCI:
        raise ConfigError(f"{len(asked)} loci to draw; expected {_MOST_LOCI} at most")


def held_loci(found: Attributions, asked: Sequence[str]) -> dict[str, LogoLocus]:
    """Those of the loci that lie in windows whose attributions are kept, by their names; see `find_loci`.

    Raises:
        ConfigError: too much to draw.
    """
    places = zip(found.names, found.chrom, found.start, found.end, found.strand, strict=True)
    none = np.zeros(0, np.uint8)
    windows = [ExplainedWindow(str(n), str(c), int(s), int(e), str(d), none) for n, c, s, e, d in places]
    _check_number(asked)
    held = {name: _locus_in(windows, name.strip()) for name in asked}
    return {name: locus for name, locus in held.items() if locus is not None}


def _find_locus(windows: Sequence[ExplainedWindow], name: str) -> LogoLocus:
    """The locus of a name or an interval.

    Raises:
        ConfigError: see `find_loci`.
    """
    locus = _locus_in(windows, name)
    if locus is None:
        known = f", such as {windows[0].name}" if windows else ""
        raise ConfigError(f"{name}: no window of this name, and none that holds it; expected a window{known}")
    return locus


def _locus_in(windows: Sequence[ExplainedWindow], name: str) -> LogoLocus | None:
    """The locus of a name or an interval, None where no window has or holds it.

    Raises:
        ConfigError: an interval that is too long to draw.
    """
    for row, window in enumerate(windows):
        if window.name == name:
            return LogoLocus(row)
    if match := _INTERVAL.fullmatch(name):
        start, end = int(match["first"].replace(",", "")) - 1, int(match["last"].replace(",", ""))
        if end <= start:
            raise ConfigError(f"{name}: ends before it begins")
        for row, window in enumerate(windows):
            if match["chrom"] == window.chrom and window.start <= start < end <= window.end:
                if end - start > _MOST_BP:
                    raise ConfigError(f"{name}: {end - start:,} bp; a logo shows {_MOST_BP:,} at most")
                if window.strand == "-":
                    return LogoLocus(row, window.end - end, window.end - start)
                return LogoLocus(row, start - window.start, end - window.start)
    return None


def _bounds(found: Attributions, locus: LogoLocus) -> tuple[int, int]:
    """First base and end of what is drawn: without an end the bases with the largest contributions, for good or ill."""
    if locus.end is not None:
        return locus.start, locus.end
    row = locus.row
    length_bp = int(found.end[row] - found.start[row])
    shown_bp = min(SHOWN_BP, length_bp)
    sizes = np.abs((found.scores[row] * found.letters[row]).sum(0))[:length_bp].astype(np.float64)
    sums = np.convolve(sizes, np.ones(shown_bp), mode="valid")
    start = int(sums.argmax())
    return start, start + shown_bp


def draw_logos(found: Attributions, loci: Sequence[LogoLocus]) -> Figure:
    """A logo for each locus, each on its own scale, in the unit of what is explained.

    Raises:
        ConfigError: tangermeme is not installed.
    """
    plot: Any = import_optional("tangermeme.plot", "Logos")
    figure = Figure(figsize=(10.4, 0.4 + 1.35 * len(loci)), layout="constrained")
    panels = figure.subplots(len(loci), squeeze=False)[:, 0]
    for axes, locus in zip(panels, loci, strict=True):
        start, end = _bounds(found, locus)
        heights = (found.scores[locus.row] * found.letters[locus.row])[:, start:end]
        low, high = min(0.0, float(heights.min())), max(0.0, float(heights.max()))
        room = 0.05 * (high - low) or 1.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a window where all is 0 has no range
            plot.plot_logo(heights, ax=axes, ylim=(low - room, high + room))
        axes.axhline(0, color="#8a8f98", linewidth=0.6)
        axes.set_title(
            f"{found.names[locus.row]}, {found.quantity} {found.predicted[locus.row]:.4g}", loc="left", fontsize=9.5
        )
        _label_positions(axes, found, locus.row, start, end)
    figure.supylabel(found.label if found.is_number else f"nats for {found.label}", fontsize=9)
    return figure


def _label_positions(axes: Axes, found: Attributions, row: int, start: int, end: int) -> None:
    """Ticks at round positions of the contig, 1-based."""
    step = next((step for step in _TICK_BP if (end - start) / step <= _MOST_TICKS), _TICK_BP[-1])
    offsets = np.arange(end - start)
    is_reverse = found.strand[row] == "-"
    positions = int(found.end[row]) - start - offsets if is_reverse else int(found.start[row]) + start + offsets + 1
    marked = positions % step == 0
    axes.set_xticks(offsets[marked] + 0.475, [f"{position:,}" for position in positions[marked]])
    axes.tick_params(length=2.5)


def write_logos(out: Path, found: Attributions, loci: Sequence[LogoLocus]) -> None:
    """Draw logos into a file, .svg, .png or .pdf, which appears whole or not at all.

    Raises:
        ConfigError: tangermeme is not installed.
    """
    if out.suffix.lower() == ".svg":
        write_text_atomically(out, figures.to_svg(lambda: draw_logos(found, loci), "logos"))
        return
    with matplotlib.rc_context(cast(Any, figures.SETTINGS)), atomic_file(out) as unfinished:
        draw_logos(found, loci).savefig(unfinished, format=out.suffix.lower()[1:], dpi=200)
