"""The built site: every page is there, no page asks another host for anything, and none is wider than a phone.

`make site` builds it, and says where it is: DNASPT_SITE.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("DNASPT_SITE", ""))
pytestmark = pytest.mark.skipif(not os.environ.get("DNASPT_SITE"), reason="`make site` builds the site and runs these")

ADDRESS = re.compile(r"(?:https?:|(?<=[\"'(=]))//(?=[\w-]+\.)[^\s\"'<>)]+")
NAMES_OF_XML = ("http://www.w3.org/", "http://www.sitemaps.org/schemas/")
"""What looks like an address and is a name: no browser asks for it."""
COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*$", re.DOTALL | re.MULTILINE)


class Addresses(HTMLParser):
    """Values of all attributes of a page that lead somewhere, and the names of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.names.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)
                self.found.append(value)
            elif name in ("action", "data", "poster", "content") and value:
                self.found.append(value)
            elif name == "srcset" and value:
                self.found += [part.split()[0] for part in value.split(",")]


def pages() -> list[Path]:
    return sorted(SITE.rglob("*.html"))


def read(page: Path) -> Addresses:
    parser = Addresses()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_every_page_of_docs_is_built() -> None:
    missing = [
        page.relative_to(ROOT / "docs").as_posix()
        for page in (ROOT / "docs").rglob("*.md")
        if not (SITE / page.relative_to(ROOT / "docs")).with_suffix(".html").is_file()
    ]
    assert missing == []


def test_every_tutorial_shows_what_its_blocks_printed() -> None:
    for page in (ROOT / "docs" / "tutorials").glob("*.md"):
        file = ROOT / "build" / "tutorials" / f"{page.stem}.json"
        n_printed = sum(bool(block["output"]) for block in json.loads(file.read_text())) if file.is_file() else 0
        shown = (SITE / "tutorials" / f"{page.stem}.html").read_text(encoding="utf-8").count("output highlight")
        assert shown == n_printed, page.name
        assert n_printed or page.stem == "index"


def test_no_page_refers_to_another_host() -> None:
    outside = {
        page.relative_to(SITE).as_posix(): found
        for page in pages()
        if (found := [value for value in read(page).found if urlsplit(value).netloc or urlsplit(value).scheme])
    }
    assert outside == {}


def test_no_script_style_picture_or_text_holds_an_address_of_another_host() -> None:
    outside = {}
    for file in SITE.rglob("*"):
        if file.suffix in (".html", ".js", ".css", ".svg", ".json", ".xml"):
            text = file.read_text(encoding="utf-8")
            text = COMMENT.sub("", text) if file.suffix in (".js", ".css") else text
            found = [address for address in ADDRESS.findall(text) if not address.startswith(NAMES_OF_XML)]
            if found:
                outside[file.relative_to(SITE).as_posix()] = found
    assert outside == {}


def test_every_link_leads_to_a_file_of_the_site_and_to_a_heading() -> None:
    read_pages = {page.resolve(): read(page) for page in pages() if page.name != "404.html"}
    broken = []
    for page, own in read_pages.items():
        for value in own.links:
            parts = urlsplit(value)
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            is_heading = target not in read_pages or unquote(parts.fragment) in {"", *read_pages[target].names}
            if not (target.exists() and is_heading):
                broken.append((page.name, value))
    assert broken == []


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driven = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield driven
    driven.quit()


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_screen(browser: object, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)  # type: ignore[attr-defined]
    wide = {}
    for page in pages():
        if "examples" not in page.parts:
            browser.get(page.resolve().as_uri())  # type: ignore[attr-defined]
            found = browser.execute_script("return document.documentElement.scrollWidth")  # type: ignore[attr-defined]
            if found > width:
                wide[page.name] = found
    assert wide == {}
