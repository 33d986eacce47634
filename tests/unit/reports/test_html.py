import html
from pathlib import Path

from matplotlib.figure import Figure

from dnaspt.browser.igv import IGV, Track, View, script, script_hash
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
    assert '<li><a href="#part-1">Part</a></li>' in text and '<section id="part-1">' in text
    assert f'download="dots.svg" href="{picture.svg_uri}"' in text and 'genome-view"' not in text
    assert 'download="scores_more.csv" href="data:text/csv;charset=utf-8,arm%2CMCC%0A%3Cb%3E%2C0.5%0A"' in text
    assert text.count("<svg") == 1 and 'figure class="wide"' in text and "What &lt;it&gt; shows." in text
    assert (tmp_path / "x_figures" / "dots.svg").read_text() == picture.svg
    assert page.pictures == [picture]


def test_a_page_holds_igv_only_where_there_is_a_genome_to_show(tmp_path: Path) -> None:
    view = View({"id": "x"}, (Track("</script>", "annotation", features=()),), (("c", 0, 5), ("<d>", 7, 9)))
    plain, shown = Section("Part", ""), Section("Loci", "", view=view)
    for name, sections in (("plain", [plain]), ("shown", [shown, shown])):
        write_page(tmp_path / f"{name}.html", Page("Title", ["Yes."], sections, [], ""))
    plain_text, text = ((tmp_path / f"{name}.html").read_text(encoding="utf-8") for name in ("plain", "shown"))
    assert len(plain_text) < 20_000 and "igv" not in plain_text.split("</style>")[1].replace("igv.js", "")
    assert text.count(script(IGV)) == 1
    assert "c:1-5" in text and "&lt;d&gt;:8-9" in text
    assert text.count("\\u0026lt;/script\\u003e") == 2
    assert text.count("</script>") == 2 + 3  # two views; the scripts of tables, of igv.js, and of views


def test_every_script_of_a_page_is_allowed_by_its_hash(tmp_path: Path) -> None:
    view = View({"id": "x"}, (), (("c", 0, 5),))
    write_page(tmp_path / "x.html", Page("Title", ["Yes."], [Section("Loci", "", view=view)], [], ""))
    text = html.unescape((tmp_path / "x.html").read_text(encoding="utf-8"))
    scripts = [part.split("</script>")[0] for part in text.split("<script>")[1:]]
    assert len(scripts) == 3
    policy = text.split('Content-Security-Policy" content="')[1].split('"')[0]
    template = (tmp_path / "x.html").read_text(encoding="utf-8")
    for own in [part.split("</script>")[0] for part in template.split("<script>")[1:]]:
        assert script_hash(own) in policy
