from pathlib import Path

from matplotlib.figure import Figure

from dnaspt.reports.html import Page, Section, make_picture, write_page
from dnaspt.reports.tables import Table


def test_a_page_has_its_parts_and_escapes_what_it_is_given(tmp_path: Path) -> None:
    picture = make_picture("dots", lambda: Figure(figsize=(1, 1)), "What <it> shows.", wide=True)
    table = Table("Scores & <more>", ("arm", "MCC"), (("<b>", "0.5"),), "A note.")
    folded = Table("Hidden", ("a",), (("1",),))
    section = Section("Part", "Text.", (picture,), (table,), (folded,))
    page = Page("<Title>", ["Yes.", "Because."], [section], ["dnaspt a", "dnaspt b"], "Made by.", {"runs": "{}"})
    write_page(tmp_path / "x.html", page)
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    for part in ("&lt;Title&gt;", "Because.", "<h2>Part</h2>", "Scores &amp; &lt;more&gt;", "&lt;b&gt;", "A note."):
        assert part in text
    assert "More: hidden" in text and "dnaspt a\ndnaspt b" in text and "Settings of runs" in text
    assert text.count("<svg") == 1 and 'figure class="wide"' in text and "What &lt;it&gt; shows." in text
    assert (tmp_path / "x_figures" / "dots.svg").read_text() == picture.svg
    assert page.pictures == [picture]
