"""Reports in a real Chromium without a network: no complaint in its console, all figures there, readable on a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt

from dnaspt.studies import launch, local_engine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tool,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        not shutil.which("chromium") or not shutil.which("chromedriver"),
        reason="Chromium is not installed (apt-get install chromium chromium-driver)",
    ),
]
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
  overflow: document.documentElement.scrollWidth - window.innerWidth,
  smallest: Math.min(...bodies.map(one => parseFloat(getComputedStyle(one).fontSize))),
  letters: Math.min(...[...document.querySelectorAll("figure svg text")].map(one => one.getBoundingClientRect().height)),
};
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install selenium)")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--host-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A study's page, and a report of two of its runs."""
    out = tmp_path_factory.mktemp("pages")
    (out / "study.toml").write_text(PLAN.format(data=gene_data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_engine, "in_new_process", launch.in_this_process)
        assert dnaspt("study", out / "study.toml", "--out", out / "study").code == 0
    runs = sorted((out / "study" / "runs").glob("final-*"))[:2]
    assert dnaspt("report", *runs, "--data", gene_data, "--out", out / "report.html").code == 0
    return [out / "study" / "study.html", out / "report.html"]


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_readable_in_a_browser(browser, pages: list[Path], width: int) -> None:  # type: ignore[no-untyped-def]
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    for page in pages:
        browser.get(page.as_uri())
        found = browser.execute_script(MEASURE)
        assert not [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        assert len(found["figures"]) == len(list(page.with_name(f"{page.stem}_figures").iterdir())) >= 4
        assert all(seen >= min(300, width - 60) for seen in found["figures"])
        assert all(found["inside"]) and found["overflow"] <= 0
        assert found["smallest"] >= 13 and found["letters"] >= 8
        browser.set_window_size(width, 900)
        browser.get_screenshot_as_file(str(page.with_name(f"{page.stem}-{width}.png")))
