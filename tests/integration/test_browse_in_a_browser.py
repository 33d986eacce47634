"""`dnaspt browse` in a real Chromium: every track is drawn, any locus can be asked for, nothing else is asked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.real_browser import MARKS, asked_for, chromium, complaints, open_page, wait_for

import dnaspt
from dnaspt.inference.predict import predict_file

pytestmark = MARKS
VIEW = "document.querySelector('.genome-view').shadowRoot"
LABELS = f"return [...{VIEW}.querySelectorAll('.igv-track-label')].map(one => one.textContent)"
DRAWN = f"""
return [...{VIEW}.querySelectorAll('.igv-viewport canvas')].map(canvas => {{
  if (!canvas.width || !canvas.height) return 0;
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let n = 0;
  for (let k = 3; k < pixels.length; k += 4) n += pixels[k] > 0;
  return n;
}});
"""
ATTACK = "<img src=x onerror=document.title='attacked'>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def files(simulated: Path, gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A run of a gene model, its genes and posteriors as files, annotation and peaks."""
    out = tmp_path_factory.mktemp("browsed")
    dnaspt.finetune(gene_data, out=out / "gene model", head="gene-model", accelerator="cpu")
    predict_file(out / "gene model", simulated / "genome.fa", out / "genes.gff3", tracks=out / "genes")
    tracks = [out / f"genes.coding_{strand}.bw" for strand in ("plus", "minus")]
    return [simulated / "peaks_A.bed", *tracks, out / "gene model", out / "genes.gff3", simulated / "annotation.gff3"]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_every_track_is_drawn_from_this_machine_alone(
    browser: Any, files: list[Path], simulated: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    with dnaspt.browse(files, genome=simulated / "genome.fa", locus="chr1:1-24,000") as served:
        assert served.tracks == (
            *("annotation.gff3", "genes.gff3", "gene model", "gene model: P(coding), reverse strand below"),
            *("genes.coding_plus.bw", "genes.coding_minus.bw", "peaks_A.bed"),
        )
        open_page(browser, served.url, width=width, dark=dark)
        assert browser.execute_script(LABELS) == list(served.tracks)
        wait_for(lambda: len([n for n in browser.execute_script(DRAWN) if n > 200]) >= len(served.tracks))
        assert browser.execute_script("return window.innerWidth") == width
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert not complaints(browser)
        asked = asked_for(browser)
        assert all(url.startswith(served.url) for url in asked)
        assert any("runs/0/genes?chr=chr1" in url for url in asked)
        browser.get_screenshot_as_file(str(tmp_path / f"browse-{width}{'-dark' * dark}.png"))


def test_any_locus_can_be_asked_for(browser: Any, files: list[Path], simulated: Path) -> None:
    with dnaspt.browse(files, genome=simulated / "genome.fa", locus="chr1:1-5,000") as served:
        open_page(browser, served.url)
        asked_for(browser)
        seen: set[str] = set()
        for place in ("chr3:2,001-9,000", "chr2:5,001-6,000"):
            field = go_to(browser, place)
            wait_for(lambda field=field, place=place: field.get_attribute("value") == place)
            contig = f"runs/0/genes?chr={place.partition(':')[0]}"

            def is_asked(contig: str = contig) -> bool:
                seen.update(asked_for(browser))
                return any(contig in url for url in seen)

            wait_for(is_asked)
        go_to(browser, "no such gene")  # igv.js would ask a server of its authors
        time.sleep(3)
        assert all(url.startswith(served.url) for url in seen | asked_for(browser))
        assert not complaints(browser)


def test_names_in_files_run_no_script(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_text(">c\n" + "ACGT" * 500 + "\n")
    rows = f"c\tx\tgene\t101\t900\t.\t+\t.\tID=g;Name={ATTACK};note={ATTACK}\n"
    (tmp_path / "a.gff3").write_text(rows)
    (tmp_path / f"{ATTACK}.bed").write_text(f"c\t100\t900\t{ATTACK}\n")
    with dnaspt.browse(
        [tmp_path / "a.gff3", tmp_path / f"{ATTACK}.bed"], genome=tmp_path / "g.fa", locus="c:1-2,000"
    ) as served:
        from selenium.webdriver import ActionChains

        open_page(browser, served.url)
        wait_for(lambda: max(browser.execute_script(DRAWN)[1:], default=0) > 200)
        shown = f"return [...{VIEW}.querySelectorAll('.igv-ui-popover')].map(one => one.textContent).join(' ')"
        ports = browser.execute_script(
            f"return [...{VIEW}.querySelectorAll('.igv-viewport')].filter(p => p.clientWidth)"
        )
        for port, told in zip(ports[-2:], ("note:", "c:101"), strict=True):
            ActionChains(browser).move_to_element_with_offset(
                port, -200, 20 - port.size["height"] // 2
            ).click().perform()
            wait_for(lambda told=told: told in browser.execute_script(shown))
        assert (
            browser.execute_script(f"return {VIEW}.querySelectorAll('.igv-ui-popover img').length") > 0
        )  # as HTML it is
        assert browser.title == "g.fa"
        assert browser.execute_script(LABELS)[1] == f"{ATTACK}.bed"
        assert all(url.startswith(served.url) for url in asked_for(browser))


def go_to(browser: Any, text: str) -> Any:
    """Type a locus or a name into the field of igv.js; gives the field."""
    field = browser.execute_script(f"return {VIEW}.querySelector('.igv-search-input')")
    typed = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))"
    browser.execute_script(typed, field, text)
    return field


def test_ctrl_c_ends_it(simulated: Path) -> None:
    files = (simulated / "annotation.gff3", "--genome", simulated / "genome.fa")
    words = [sys.executable, "-m", "dnaspt", "browse", *files, "--no-open"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    with subprocess.Popen(
        list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert "http://127.0.0.1:" in lines[1] and lines[2] == "Ctrl-C ends it.\n"
        time.sleep(0.5)  # while a line is being written, it would be written twice
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stdout.read() == "ended\n" and process.stderr.read() == ""
