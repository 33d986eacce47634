"""A real Chromium that reaches this machine alone, and what it asked for and complained of."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

MARKS = [
    pytest.mark.slow,
    pytest.mark.tool,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        not shutil.which("chromium") or not shutil.which("chromedriver"),
        reason="Chromium is not installed (apt-get install chromium chromium-driver)",
    ),
]
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_WAIT_S = 600
"""A machine that is busy with other tests may take minutes for a page."""
_STATES = "return [...document.querySelectorAll('.genome-view')].map(one => one.dataset.ready || '')"


@contextmanager
def chromium(downloads: str = "") -> Iterator[Any]:
    """The browser; a folder for what it downloads."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install selenium)")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in _OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if downloads:
        options.add_experimental_option("prefs", {"download.default_directory": downloads})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    driver.command_executor.client_config.timeout = _WAIT_S
    driver.set_page_load_timeout(_WAIT_S)
    try:
        yield driver
    finally:
        driver.quit()


def open_page(driver: Any, url: str, *, width: int = 1280, dark: bool = False) -> None:
    """Open a page on a screen of some width, and wait until its genome views are there."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    complaints(driver), asked_for(driver)  # those of the page before
    driver.get(url)
    wait_for(lambda: all(driver.execute_script(_STATES)))
    assert set(driver.execute_script(_STATES)) <= {"true"}


def wait_for(condition: Any, seconds: float = _WAIT_S) -> None:
    """Return once a condition is true.

    Raises:
        AssertionError: it has not become true in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def complaints(driver: Any) -> list[str]:
    """Warnings and errors in the console since they were last read."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def asked_for(driver: Any) -> set[str]:
    """Addresses that the page asked for since they were last read, but for those that hold their own data."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    urls = {params["request"]["url"] for params in sent}
    return {url for url in urls if not url.startswith(("data:", "blob:"))}
