"""Logos: the chosen loci lie where they are asked for, and letters are as high as their contributions."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnaspt.errors import ConfigError
from dnaspt.inference.attribution_file import Attributions
from dnaspt.inference.explain import onehot
from dnaspt.inference.explain_file import ExplainedWindow
from dnaspt.reports.logos import LogoLocus, draw_logos, find_loci, top_loci, write_logos

N, LENGTH = 4, 300


def example() -> tuple[Attributions, list[ExplainedWindow]]:
    """Windows whose contributions are 1 at bases 150 to 160 and small elsewhere; the last one is on the reverse strand."""
    codes = np.random.default_rng(0).integers(0, 4, (N, LENGTH)).astype(np.uint8)
    letters = np.stack([onehot(own) for own in codes])
    scores = np.full((N, 4, LENGTH), 0.01, np.float32)
    scores[:, :, 150:160] = 1
    scores[2] = 0
    start = np.array([1_000, 2_000, 3_000, 4_000])
    names = np.array([f"chr1:{first + 1}-{first + LENGTH}" for first in start])
    strand = np.array(["+", "+", ".", "-"])
    found = Attributions(
        names=names,
        chrom=np.full(N, "chr1"),
        start=start,
        end=start + LENGTH,
        strand=strand,
        letters=letters,
        scores=scores,
        predicted=np.array([0.5, 2.0, -1.0, 1.0], np.float32),
        label="A",
        method="ism",
        average_strands=False,
        weights="",
    )
    rows = zip(names, start, strand, codes, strict=True)
    return found, [
        ExplainedWindow(str(name), "chr1", int(first), int(first) + LENGTH, str(own), code)
        for name, first, own, code in rows
    ]


def test_the_windows_with_the_highest_log_odds_are_drawn() -> None:
    found, _ = example()
    assert top_loci(found, 2) == [LogoLocus(1), LogoLocus(3)]
    assert len(top_loci(found, 9)) == N


def test_logos_say_what_is_explained_and_in_which_unit() -> None:
    found, _ = example()
    texts = {}
    for is_number in (False, True):
        figure = draw_logos(replace(found, is_number=is_number), [LogoLocus(1)])
        texts[is_number] = (figure.get_supylabel(), figure.axes[0].get_title(loc="left"))
    assert texts == {
        False: ("nats for A", "chr1:2001-2300, log-odds 2"),
        True: ("A", "chr1:2001-2300, predicted number 2"),
    }


def test_loci_are_names_or_intervals_within_a_window() -> None:
    _, windows = example()
    asked = ["chr1:2001-2300", "chr1:1,011-1,050", " chr1:4001-4010"]
    assert find_loci(windows, asked) == [LogoLocus(1), LogoLocus(0, 10, 50), LogoLocus(3, 290, 300)]
    assert find_loci(windows, []) == []


@pytest.mark.parametrize("asked", ["chr2:1011-1050", "chr1:990-1050", "chr1:1250-1350", "chr1:,-5", "peak7"])
def test_a_locus_that_no_window_holds_is_refused(asked: str) -> None:
    _, windows = example()
    with pytest.raises(
        ConfigError, match=f"{asked}: no window of this name, and none that holds it; .* chr1:1001-1300"
    ):
        find_loci(windows, [asked])


def test_a_locus_that_ends_before_it_begins_is_refused() -> None:
    _, windows = example()
    with pytest.raises(ConfigError, match="chr1:1050-1011: ends before it begins"):
        find_loci(windows, ["chr1:1050-1011"])


def test_too_much_to_draw_is_refused() -> None:
    _, windows = example()
    with pytest.raises(ConfigError, match="51 loci to draw; expected 50 at most"):
        find_loci(windows, ["chr1:2001-2300"] * 51)
    long = windows[0]._replace(end=9_000)
    with pytest.raises(ConfigError, match="1,001 bp; a logo shows 1,000 at most"):
        find_loci([long], ["chr1:1001-2001"])


def heights_of(axes: Any) -> list[float]:
    return [float(np.ptp(path.vertices[:, 1])) for path in axes.collections[0].get_paths()]


def test_letters_are_as_high_as_their_contributions_and_lie_at_their_positions() -> None:
    found, windows = example()
    figure = draw_logos(found, [LogoLocus(0, 140, 170), LogoLocus(1), *find_loci(windows, ["chr1:4001-4010"])])
    panels = figure.axes
    assert sorted(np.round(heights_of(panels[0]), 4))[-10:] == [1.0] * 10
    assert max(np.round(heights_of(panels[1]), 4)) == 1.0
    assert panels[0].get_title("left") == "chr1:1001-1300, log-odds 0.5"
    ticks = [
        (float(tick), label.get_text()) for tick, label in zip(panels[0].get_xticks(), panels[0].get_xticklabels())
    ]
    assert ticks == [(9.475, "1,150"), (19.475, "1,160"), (29.475, "1,170")]
    assert [label.get_text() for label in panels[2].get_xticklabels()] == ["4,010"]
    assert panels[2].get_xticks()[0] == 0.475


def test_a_window_without_contributions_is_drawn_empty(tmp_path: Path) -> None:
    found, _ = example()
    write_logos(tmp_path / "empty.svg", found, [LogoLocus(2)])
    assert (tmp_path / "empty.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_logos_are_written_as_their_name_says(suffix: str, begins: bytes, tmp_path: Path) -> None:
    found, _ = example()
    out = tmp_path / f"logos{suffix}"
    write_logos(out, found, top_loci(found, 2))
    assert out.read_bytes().startswith(begins) and list(tmp_path.iterdir()) == [out]


def test_without_tangermeme_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tangermeme.plot", None)
    with pytest.raises(ConfigError, match="Logos need tangermeme, which is not installed; pip install tangermeme"):
        draw_logos(example()[0], [LogoLocus(0)])
