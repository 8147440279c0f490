"""A headless Chromium on a page of the disk: what it draws, what it asks for, what it logs. Skipped where there is none."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
)
AXE = "GANBLOCKS_AXE"
"""The environment variable with the path of axe.min.js, from npm's axe-core."""


@contextmanager
def chromium(width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[Any]:
    """A driver of Chromium. Skips the test without selenium, Chromium or its driver."""
    webdriver = pytest.importorskip("selenium.webdriver")
    binary, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("needs Chromium and its driver: Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}", *(["--force-dark-mode"] if dark else [])):
            options.add_argument(flag)
        started = webdriver.Chrome(options, webdriver.ChromeService(driver))
        try:
            resize(started, width, height)
            yield started
        finally:
            started.quit()


def resize(driver: Any, width: int, height: int = 900) -> None:
    """Set the size of the page itself; a window cannot be as narrow as a phone."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def open_page(driver: Any, path: Path) -> None:
    """Open a page from the disk, and wait until its views are drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")  # instead of the browser's own first page
    driver.get_log("performance")
    driver.get(path.absolute().as_uri())
    ready = "[...document.querySelectorAll('[data-waits]')].every(e => e.dataset.ready)"
    WebDriverWait(driver, 20).until(lambda it: it.execute_script(f"return document.readyState === 'complete' && {ready}"))


def errors(driver: Any) -> list[str]:
    """What the console has beside information."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def requests(driver: Any, page: Path) -> list[str]:
    """Addresses that were asked for, other than the page itself and data inside of it."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in sent if not url.startswith("data:") and url != page.absolute().as_uri()]


def serious_faults(driver: Any) -> list[str]:
    """Serious and critical faults that axe-core reports. Skips the test without axe-core."""
    script = os.environ.get(AXE)
    if not script:
        pytest.skip(f"needs {AXE}, the path of axe-core's axe.min.js")
    driver.execute_script(Path(script).read_text(encoding="utf-8"))
    done = driver.execute_async_script("const done = arguments[0]; axe.run().then(done, error => done({error: String(error)}))")
    assert "violations" in done, done
    serious = [fault for fault in done["violations"] if fault["impact"] in ("serious", "critical")]
    return [f"{fault['id']}: {node['html']}" for fault in serious for node in fault["nodes"]]


def overflow(driver: Any) -> int:
    """Pixels by which the page is wider than its window."""
    return int(driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth"))
