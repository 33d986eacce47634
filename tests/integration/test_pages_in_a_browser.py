"""Reports in a real Chromium without a network: quiet, readable on a phone and in the dark, a genome to look at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.in_process import dnaspt
from tests.integration.real_browser import MARKS, asked_for, chromium, complaints, open_page, wait_for

from dnaspt.studies import launch, local_engine

pytestmark = MARKS
PLAN = """
data = "{data}"
seeds = [0, 1]
learning_rates = [3e-3]
pretrain = {{ preset = "tiny", epochs = 0.1, batch_bp = 4096, tensorboard = false }}
finetune = {{ epochs = 0.1, batch_bp = 4096, tensorboard = false }}
[[arms]]
name = "scratch + CRF"
head = "crf"
label_fractions = [1.0, 0.5]
[[arms]]
name = "SPT + CRF"
init = "spt"
head = "crf"
"""
MEASURE = """
const figures = [...document.querySelectorAll("figure")];
const bodies = [...document.querySelectorAll("p, td, th, figcaption, summary")].filter(one => one.offsetParent);
return {
  figures: figures.map(one => one.querySelector("svg").getBoundingClientRect().width),
  inside: figures.map(one => one.getBoundingClientRect().right <= window.innerWidth + 1),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  width: window.innerWidth,
  smallest: Math.min(...bodies.map(one => parseFloat(getComputedStyle(one).fontSize))),
  letters: Math.min(...[...document.querySelectorAll("figure svg text")].map(one => one.getBoundingClientRect().height)),
};
"""
COLORS = """
const canvas = document.createElement("canvas").getContext("2d");
const light = (color) => {
  canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
  return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((sum, value) => sum + value) / 765;
};
const text = [...document.querySelectorAll("figure svg text")].map(one => light(getComputedStyle(one).fill));
const behind = [...document.querySelectorAll("figure svg g[id$='patch_1'] path")].map(one => light(getComputedStyle(one).fill));
const page = getComputedStyle(document.body);
return {page: light(page.backgroundColor), ink: light(page.color), text: text, behind: behind};
"""
FIRST_COLUMN = "return [...arguments[0].tBodies[0].rows].map(row => row.cells[0].textContent)"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[Any]:
    with chromium(str(downloads)) as driver:
        yield driver


@pytest.fixture(scope="module")
def pages(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A study's page, a report of two of its runs, and one of windows beside baselines."""
    out = tmp_path_factory.mktemp("pages")
    (out / "study.toml").write_text(PLAN.format(data=gene_data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_engine, "in_new_process", launch.in_this_process)
        assert dnaspt("study", out / "study.toml", "--out", out / "study").code == 0
    runs = sorted((out / "study" / "runs").glob("final-*"))[:2]
    assert dnaspt("report", *runs, "--data", gene_data, "--out", out / "report.html").code == 0
    peaks, quick = out / "peaks", ("--preset", "tiny", "--steps", "20", "--batch-bp", "4096")
    genome = out / "genome"
    regions = ("--regions", genome / "peaks_A.bed", "--regions", genome / "peaks_B.bed")
    (out / "small.toml").write_text("window_bp = 256\ncore_bp = 128\n")
    size = ("--config", out / "small.toml")
    for words in (
        ("simulate", "--out", genome, "--n-contigs", "2", "--contig-bp", "60000"),
        ("prepare", "regions", "--genome", genome / "genome.fa", *regions, *size, "--out", peaks),
        ("finetune", peaks, "--out", out / "run", *quick),
        ("evaluate", out / "run", "--data", peaks),
        ("baseline", peaks, "--out", out / "kmer"),
        ("report", out / "run", "--baseline", out / "kmer", "--data", peaks, "--out", out / "windows.html"),
    ):
        ran = dnaspt(*words)
        assert ran.code == 0, ran.errors
    return [out / "study" / "study.html", out / "report.html", out / "windows.html"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_readable_in_a_browser(browser: Any, pages: list[Path], width: int, dark: bool) -> None:
    for page in pages:
        open_page(browser, page.as_uri(), width=width, dark=dark)
        found = browser.execute_script(MEASURE)
        assert not complaints(browser)
        assert asked_for(browser) == {page.as_uri()}
        assert len(found["figures"]) == len(list(page.with_name(f"{page.stem}_figures").iterdir())) >= 4
        assert all(seen >= min(300, width - 60) for seen in found["figures"])
        assert found["width"] == width, "the page is wider than the screen"
        assert all(found["inside"]) and found["overflow"] <= 0
        assert found["smallest"] >= 13 and found["letters"] >= 8
        shade = "dark" if dark else "light"
        browser.get_screenshot_as_file(str(page.with_name(f"{page.stem}-{width}-{shade}.png")))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_page_and_its_figures_are_as_light_or_dark_as_the_desktop(
    browser: Any, pages: list[Path], dark: bool
) -> None:
    for page in pages:
        open_page(browser, page.as_uri(), dark=dark)
        found = browser.execute_script(COLORS)
        if dark:
            assert found["page"] < 0.2 and found["ink"] > 0.8
            assert max(found["behind"]) < 0.2 and min(found["text"]) > 0.5
        else:
            assert found["page"] > 0.9 and found["ink"] < 0.3
            assert min(found["behind"]) > 0.9 and max(found["text"]) < 0.5


def test_the_contents_lead_to_every_part(browser: Any, pages: list[Path]) -> None:
    for page in pages:
        open_page(browser, page.as_uri())
        links = browser.find_elements("css selector", ".contents a")
        titles = [heading.text for heading in browser.find_elements("css selector", "h2")]
        assert [link.text for link in links] == titles
        links[-1].click()
        wait_for(
            lambda: (
                browser.execute_script("return document.querySelector(location.hash).getBoundingClientRect().top") < 900
            )
        )


def test_a_table_is_sorted_by_the_heading_that_is_pressed(browser: Any, pages: list[Path]) -> None:
    open_page(browser, pages[2].as_uri())
    table = next(
        one
        for one in browser.find_elements("css selector", "table")
        if "train / valid" not in one.text and "train" in one.text
    )
    assert browser.execute_script(FIRST_COLUMN, table) == ["train", "valid", "test"]
    headings = table.find_elements("css selector", "thead th")
    sizes = {row.split()[0]: int(row.split()[1].replace(",", "")) for row in table.text.splitlines()[1:]}
    headings[1].find_element("css selector", "button").click()
    assert browser.execute_script(FIRST_COLUMN, table) == sorted(sizes, key=lambda name: -sizes[name])
    assert headings[1].get_attribute("aria-sort") == "descending"
    headings[1].find_element("css selector", "button").click()
    assert browser.execute_script(FIRST_COLUMN, table) == sorted(sizes, key=lambda name: sizes[name])
    headings[0].find_element("css selector", "button").click()
    assert browser.execute_script(FIRST_COLUMN, table) == ["test", "train", "valid"]
    assert headings[1].get_attribute("aria-sort") is None and headings[0].get_attribute("aria-sort") == "ascending"


def test_tables_and_figures_are_saved(browser: Any, pages: list[Path], downloads: Path) -> None:
    open_page(browser, pages[2].as_uri())
    links = browser.find_elements("css selector", "a.save")
    assert len(links) == len(browser.find_elements("css selector", "table, figure"))
    next(link for link in links if link.get_attribute("download") == "splits.csv").click()
    wait_for((downloads / "splits.csv").is_file)
    saved = (downloads / "splits.csv").read_text(encoding="utf-8").splitlines()
    assert saved[0] == "split,windows,bases,labels known,missing" and [row.split(",")[0] for row in saved[1:]] == [
        "train",
        "valid",
        "test",
    ]
    figure = next(link for link in links if str(link.get_attribute("download")).endswith(".svg"))
    name = figure.get_attribute("download")
    figure.click()
    wait_for((downloads / name).is_file)
    beside = pages[2].with_name(f"{pages[2].stem}_figures") / name
    assert (downloads / name).read_text(encoding="utf-8") == beside.read_text(encoding="utf-8")


def test_the_view_moves_from_locus_to_locus(browser: Any, pages: list[Path]) -> None:
    place = "return document.querySelector('.genome-view').shadowRoot.querySelector('.igv-search-input').value"
    for page in pages:
        open_page(browser, page.as_uri())
        buttons = browser.find_elements("css selector", ".loci button")
        if buttons:
            wait_for(lambda text=buttons[0].text: browser.execute_script(place) == text)
        for button in buttons[::-1]:
            button.click()
            wait_for(lambda text=button.text: browser.execute_script(place) == text)
        assert not complaints(browser) and asked_for(browser) == {page.as_uri()}
