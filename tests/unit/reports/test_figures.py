import numpy as np
import pytest

from dnaspt.evaluation.metrics import Score
from dnaspt.reports import figures


def test_eight_arms_are_told_apart_by_color_line_and_marker() -> None:
    for part in zip(*(figures._style(index) for index in range(8)), strict=True):
        assert len(set(part)) == 8


def test_names_are_escaped_in_page_and_figure() -> None:
    scores = {"<b>&$x$": [Score(0.5, 0.4, 0.6)] * 2}
    svg = figures.to_svg(lambda: figures.score_dots(scores, ["<i>", "$y$"]), "x")
    assert "<b>" not in svg
    assert "&lt;b&gt;&amp;$x$" in svg
    assert "$y$" in svg


def test_long_labels_stand_above_all_series_of_their_row() -> None:
    names = ["a", "b", "c", "d", "e"]
    figure = figures.score_dots({f"{'long ' * 6}{row}": [Score(0.5, 0.4, 0.6)] * 5 for row in "xy"}, names)
    (axes,) = figure.axes
    for row, label in enumerate(axes.texts):
        y = [line.get_ydata()[row] for line in axes.lines if line.get_label() in names]
        assert len(y) == 5 and max(y) < label.get_position()[1] - 0.05 and min(y) > 0.5 - row


def test_a_figure_drawn_twice_is_the_same_text() -> None:
    line = figures.Curve("run", np.arange(5.0), np.arange(5.0), 0)
    first, second = (figures.to_svg(lambda: figures.curves([line], "loss", {"bar": 2.0}), "x") for _ in range(2))
    assert first == second


def test_a_thinned_curve_keeps_its_mean_and_ends_within_range() -> None:
    x, y = np.arange(24_000.0), np.sin(np.arange(24_000.0))
    few_x, few_y = figures.thinned(x, y)
    assert len(few_x) == 240
    assert few_y.mean() == pytest.approx(y.mean())
    assert x[0] <= few_x[0] < few_x[-1] <= x[-1]


def test_a_curve_without_a_point_is_drawn_as_nothing() -> None:
    line = figures.Curve("run", np.zeros(0), np.zeros(0), 0)
    assert "bar: 2.000" in figures.to_svg(lambda: figures.curves([line], "loss", {"bar": 2.0}), "x")


def test_colors_of_a_figure_in_a_page_follow_the_page() -> None:
    line = figures.Curve("#24292f in a name", np.arange(5.0), np.arange(5.0), 1)
    svg = figures.to_svg(lambda: figures.curves([line], "loss"), "x")
    shown = figures.themed(svg)
    assert "var(--ink, #24292f)" in shown and "var(--paper, #ffffff)" in shown and "var(--run1, #2f7fb8)" in shown
    assert "var(" not in svg
    assert set(figures.DARK) == {f"run{number}" for number in range(len(figures._STYLES))}
